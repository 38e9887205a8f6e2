// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * freed.c - the guest gives memory back while its pages are still to come.
 *
 * It knows which of its pages are zero then, and its walk looks at all of
 * them. Proofs that differ would leave the source's row at CORRUPT.
 */
#include <signal.h>
#include <stdio.h>

#include "crossing.h"
#include "harness.h"
#include "lib/hugepages.h"

#define HUGE_PAGES	(2 * 24)

FIXTURE(freed) {
	struct pair *pair;
	struct host *source, *dest;
	struct move move;
	struct fail fail;
	bool skipped;
};

FIXTURE_VARIANT(freed) {
	const char *memory[3];		/* of straddle-vmm */
	bool huge;
	const char *rounds;
};

FIXTURE_VARIANT_ADD(freed, memfd) { { NULL }, false, "0" };
FIXTURE_VARIANT_ADD(freed, memfd_after_a_round) { { NULL }, false, "1" };
FIXTURE_VARIANT_ADD(freed, private) { { "--private" }, false, "0" };
FIXTURE_VARIANT_ADD(freed, private_after_a_round) {
	{ "--private" }, false, "1"
};
FIXTURE_VARIANT_ADD(freed, hugetlb) { { "--hugepages", "2M" }, true, "0" };

FIXTURE_SETUP(freed)
{
	const char *const guest[] = { "--workload", "random", "--working-set",
		"40M", "--rate", "20000", variant->memory[0],
		variant->memory[1], NULL };

	self->move.fd = -1;
	self->skipped = variant->huge && hugepages_add(HUGE_PAGES);
	if (self->skipped)
		SKIP(return, "no %d huge pages of 2 MiB free", HUGE_PAGES);
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PLAIN, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
	crossing_guest(self->pair, "db", guest);
	ASSERT_EQ(0, guest_run_on(self->source, "db", 40000, &self->fail));
}

FIXTURE_TEARDOWN(freed)
{
	if (self->skipped)
		return;
	move_end(&self->move);
	pair_destroy(self->pair);
	if (variant->huge)
		EXPECT_EQ(0, hugepages_add(-HUGE_PAGES));
}

static void tell(FIXTURE_DATA(freed) *self, const char *verb)
{
	ASSERT_EQ(0, guest_verb(self->dest, "db", verb, &self->fail)) {
		TH_LOG("%s: %s", verb, self->fail.text);
	}
}

static void switch_over(FIXTURE_DATA(freed) *self, const char *rounds)
{
	char options[160];

	snprintf(options, sizeof(options),
		 "\"live\":true,\"postcopy\":true,\"rounds_max\":%s,"
		 "\"postcopy_bandwidth\":4000000", rounds);
	ASSERT_EQ(0, move_start(&self->move, self->source, "db",
				self->dest->address, options));
	ASSERT_EQ(0, move_wait_state(&self->move, STATE_HELD)) {
		TH_LOG("%s", self->move.error);
	}
}

static void free_half(FIXTURE_DATA(freed) *self)
{
	tell(self, "pause");
	tell(self, "free");
	tell(self, "resume");
}

static void arrives(FIXTURE_DATA(freed) *self)
{
	EXPECT_TRUE(crossing_row_reaches(self->source, self->move.id,
					 SIDE_SOURCE, "TORN_DOWN"));
	crossing_rows(self->pair, self->move.id, "TORN_DOWN", "DONE");
	crossing_arrived(self->pair, self->dest, "db");
	crossing_left(self->source, "db", 0);
}

TEST_F_TIMEOUT(freed, memory_that_is_given_back_stays_zero, 90)
{
	if (self->skipped)
		return;
	switch_over(self, variant->rounds);
	free_half(self);
	EXPECT_EQ(0, move_wait(&self->move)) {
		TH_LOG("%s", self->move.error);
	}
	arrives(self);
}

/* What was freed is known to the worker that takes the dead one's place. */
TEST_F_TIMEOUT(freed, memory_that_is_given_back_stays_zero_after_a_death, 90)
{
	pid_t worker;

	if (self->skipped)
		return;
	switch_over(self, "0");		/* or it may be over before */
	free_half(self);
	worker = host_worker(self->dest, "dest");
	ASSERT_LT(0, worker);
	ASSERT_EQ(0, kill(worker, SIGKILL));
	free_half(self);
	arrives(self);
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
