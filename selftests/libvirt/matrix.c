/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * matrix.c - domains with every kind of memory migrate in every way.
 *
 * There and back: each host is source and destination once, and the memory of
 * the second migration has been through a userfaultfd before.
 */
#include <string.h>

#include "harness.h"
#include "journey.h"
#include "selftests/lib/hugepages.h"

#define HUGEPAGES	160	/* of 2 MiB: both ends of 160 MiB */

FIXTURE(cell) {
	struct journey journey;
	bool hugepages;
};

FIXTURE_VARIANT(cell) {
	const char *qemu;
	enum domain_memory memory;
	enum journey_how how;
	bool is_short;
};

#define CELL(name_, memory_, how_, is_short_)				\
	FIXTURE_VARIANT_ADD(cell, name_) {				\
		.memory = memory_, .how = how_, .is_short = is_short_,	\
	}

/* QEMU 10 says itself where its RAM blocks are, at the source. */
#define CELL_10(name_, memory_)						\
	FIXTURE_VARIANT_ADD(cell, qemu_10_##name_) {			\
		.qemu = VIRT_QEMU_10, .memory = memory_,		\
		.how = JOURNEY_ROUNDS,					\
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
CELL(huge_shared_rounds, DOMAIN_HUGE_SHARED, JOURNEY_ROUNDS, false);
CELL(huge_shared_precopy, DOMAIN_HUGE_SHARED, JOURNEY_PRECOPY, true);
CELL(huge_private_postcopy, DOMAIN_HUGE_PRIVATE, JOURNEY_POSTCOPY, false);
CELL(huge_private_rounds, DOMAIN_HUGE_PRIVATE, JOURNEY_ROUNDS, false);
CELL(huge_private_precopy, DOMAIN_HUGE_PRIVATE, JOURNEY_PRECOPY, false);
CELL(file_shared_postcopy, DOMAIN_FILE_SHARED, JOURNEY_POSTCOPY, false);
CELL(file_shared_rounds, DOMAIN_FILE_SHARED, JOURNEY_ROUNDS, false);
CELL(file_shared_precopy, DOMAIN_FILE_SHARED, JOURNEY_PRECOPY, false);
CELL(file_private_postcopy, DOMAIN_FILE_PRIVATE, JOURNEY_POSTCOPY, false);
CELL(file_private_rounds, DOMAIN_FILE_PRIVATE, JOURNEY_ROUNDS, false);
CELL(file_private_precopy, DOMAIN_FILE_PRIVATE, JOURNEY_PRECOPY, false);

CELL_10(anonymous, DOMAIN_ANONYMOUS);
CELL_10(memfd_shared, DOMAIN_MEMFD_SHARED);
CELL_10(memfd_private, DOMAIN_MEMFD_PRIVATE);
CELL_10(huge_shared, DOMAIN_HUGE_SHARED);
CELL_10(huge_private, DOMAIN_HUGE_PRIVATE);
CELL_10(file_shared, DOMAIN_FILE_SHARED);
CELL_10(file_private, DOMAIN_FILE_PRIVATE);

FIXTURE_SETUP(cell)
{
	const struct virt_options options = { .qemu = variant->qemu };
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
	/* Both QEMUs have it. */
	const struct domain domain = { .machine = "pc-i440fx-7.2",
				       .memory = variant->memory };

	journey_boot(&self->journey, &domain, "");
	journey_there(&self->journey, variant->how);
	journey_there(&self->journey, variant->how);
}

/* ---- memory that cannot be moved ---------------------------------------- */

FIXTURE(on_disk) {
	struct journey journey;
};

FIXTURE_VARIANT(on_disk) {
	enum domain_memory memory;
};

FIXTURE_VARIANT_ADD(on_disk, file_shared) { DOMAIN_FILE_SHARED };
FIXTURE_VARIANT_ADD(on_disk, file_private) { DOMAIN_FILE_PRIVATE };

FIXTURE_SETUP(on_disk)
{
	const struct virt_options options = { .memory_on_disk = true };

	if (!journey_is_long())
		SKIP(return, "part of the long matrix: TEST_LONG=1 runs it");
	journey_up(&self->journey, &options);
}

FIXTURE_TEARDOWN(on_disk)
{
	journey_down(&self->journey);
}

TEST_F_TIMEOUT(on_disk, is_refused_and_the_guest_works_on, JOURNEY_TIMEOUT_S)
{
	const struct domain domain = { .memory = variant->memory };
	struct journey *journey = &self->journey;
	struct move move;

	journey_boot(journey, &domain, "");
	EXPECT_NE(0, move_run(&move, journey->here->host, JOURNEY_GUEST,
			      journey->there->host->address,
			      "\"live\":true,\"postcopy\":true"));
	EXPECT_NE(NULL, strstr(move.error, "memory_backing_dir")) {
		TH_LOG("%s", move.error);
	}
	journey_proves_itself(journey);
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
