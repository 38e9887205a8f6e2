/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * matrix.c - domains with every kind of memory migrate in every way.
 *
 * There and back: each host is source and destination once, and the memory of
 * the second migration has been through a userfaultfd before.
 */
#include "harness.h"
#include "journey.h"
#include "selftests/lib/hugepages.h"

#define HUGEPAGES	160	/* of 2 MiB: both ends of 160 MiB */

FIXTURE(cell) {
	struct journey journey;
	bool hugepages;
};

FIXTURE_VARIANT(cell) {
	enum domain_memory memory;
	enum journey_how how;
	bool is_short;
};

#define CELL(name_, memory_, how_, is_short_)				\
	FIXTURE_VARIANT_ADD(cell, name_) {				\
		.memory = memory_, .how = how_, .is_short = is_short_,	\
	}

CELL(anonymous_postcopy, DOMAIN_ANONYMOUS, JOURNEY_POSTCOPY, false);
CELL(anonymous_rounds, DOMAIN_ANONYMOUS, JOURNEY_ROUNDS, true);
CELL(anonymous_precopy, DOMAIN_ANONYMOUS, JOURNEY_PRECOPY, false);
CELL(memfd_shared_postcopy, DOMAIN_MEMFD_SHARED, JOURNEY_POSTCOPY, false);
CELL(memfd_shared_rounds, DOMAIN_MEMFD_SHARED, JOURNEY_ROUNDS, true);
CELL(memfd_shared_precopy, DOMAIN_MEMFD_SHARED, JOURNEY_PRECOPY, false);
CELL(memfd_private_postcopy, DOMAIN_MEMFD_PRIVATE, JOURNEY_POSTCOPY, false);
CELL(memfd_private_rounds, DOMAIN_MEMFD_PRIVATE, JOURNEY_ROUNDS, false);
CELL(memfd_private_precopy, DOMAIN_MEMFD_PRIVATE, JOURNEY_PRECOPY, false);
CELL(huge_shared_postcopy, DOMAIN_HUGE_SHARED, JOURNEY_POSTCOPY, false);
CELL(huge_shared_rounds, DOMAIN_HUGE_SHARED, JOURNEY_ROUNDS, true);
CELL(huge_shared_precopy, DOMAIN_HUGE_SHARED, JOURNEY_PRECOPY, false);
CELL(huge_private_postcopy, DOMAIN_HUGE_PRIVATE, JOURNEY_POSTCOPY, false);
CELL(huge_private_rounds, DOMAIN_HUGE_PRIVATE, JOURNEY_ROUNDS, false);
CELL(huge_private_precopy, DOMAIN_HUGE_PRIVATE, JOURNEY_PRECOPY, false);
CELL(file_shared_postcopy, DOMAIN_FILE_SHARED, JOURNEY_POSTCOPY, false);
CELL(file_shared_rounds, DOMAIN_FILE_SHARED, JOURNEY_ROUNDS, false);
CELL(file_shared_precopy, DOMAIN_FILE_SHARED, JOURNEY_PRECOPY, false);
CELL(file_private_postcopy, DOMAIN_FILE_PRIVATE, JOURNEY_POSTCOPY, false);
CELL(file_private_rounds, DOMAIN_FILE_PRIVATE, JOURNEY_ROUNDS, false);
CELL(file_private_precopy, DOMAIN_FILE_PRIVATE, JOURNEY_PRECOPY, false);

FIXTURE_SETUP(cell)
{
	const struct virt_options options = { .production = false };
	bool huge = variant->memory == DOMAIN_HUGE_SHARED ||
		    variant->memory == DOMAIN_HUGE_PRIVATE;

	if (!variant->is_short && !journey_is_long())
		SKIP(return, "part of the long matrix: TEST_LONG=1 runs it");
	if (huge && hugepages_add(HUGEPAGES))
		SKIP(return, "no memory for %d pages of 2 MiB", HUGEPAGES);
	self->hugepages = huge;
	journey_up(&self->journey, &options);
}

FIXTURE_TEARDOWN(cell)
{
	journey_down(&self->journey);
	if (self->hugepages)
		hugepages_add(-HUGEPAGES);
}

TEST_F_TIMEOUT(cell, crosses_and_comes_back, JOURNEY_TIMEOUT_S)
{
	const struct domain domain = { .memory = variant->memory };

	journey_boot(&self->journey, &domain, "");
	journey_there(&self->journey, variant->how);
	journey_there(&self->journey, variant->how);
}

TEST_HARNESS_MAIN
