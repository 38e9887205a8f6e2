// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * matrix.c - every kind of guest, memory and finish, plain and over TLS.
 *
 * A guest crosses while it runs, proves its memory by walking it, is paused,
 * and crosses back; then each page is compared with what was there before.
 *
 * What breaks it, tried once each:
 * - pages_claim() also claims what is PRESENT: pages are placed and counted
 *   again, over what the guest wrote; postcopy and prediction fail.
 * - memory_zap_stale() does nothing: old pages of private memory stay mapped
 *   at the switch; private_prediction walks into thousands of bad pages.
 * - pages_keep() keeps every page: memfd_prediction never completes.
 * - the dest counts other bytes than it has (count_run() in copy/settle.c):
 *   the proofs differ, and the cell ends CORRUPT instead of TORN_DOWN.
 * - guest_stop() in protocol/perform.c does not stop: nothing is migrated,
 *   as no VMM saves the state of a guest that runs.
 */
#include <string.h>

#include "harness.h"
#include "lib/hugepages.h"
#include "lib/inspect.h"
#include "lib/move.h"
#include "lib/pair.h"
#include "selftests/lib/traces.h"
#include "sys.h"

#define HUGEPAGES	12	/* both ends of the largest one below */
#define MIB		(1u << 20)

enum memory { MEMFD, PRIVATE, HUGE };
enum finish { POSTCOPY, PRECOPY, PREDICTION, IDLE };

static const char *const finish_options[] = {
	[POSTCOPY] = "\"live\":true,\"postcopy\":true,\"rounds_max\":0",
	[PRECOPY] = "\"live\":true",
	[PREDICTION] = "\"live\":true,\"postcopy\":true",
	[IDLE] = "\"live\":true,\"postcopy\":true",
};

FIXTURE(cell) {
	struct pair *pair;
	struct fail fail;
	bool hugepages;
};

FIXTURE_VARIANT(cell) {
	const char *engine;
	enum memory memory;
	enum finish finish;
	enum pair_security security;
};

#define CELL(name_, engine_, memory_, finish_, security_)		\
	FIXTURE_VARIANT_ADD(cell, name_) {				\
		.engine = engine_, .memory = memory_,			\
		.finish = finish_, .security = security_,		\
	}

#define CELLS_SECURITY(name_, engine_, memory_, finish_)		\
	CELL(name_##_plain, engine_, memory_, finish_, PAIR_PLAIN);	\
	CELL(name_##_x509, engine_, memory_, finish_, PAIR_X509)

#define CELLS_FINISH(name_, engine_, memory_)				\
	CELLS_SECURITY(name_##_postcopy, engine_, memory_, POSTCOPY);	\
	CELLS_SECURITY(name_##_precopy, engine_, memory_, PRECOPY);	\
	CELLS_SECURITY(name_##_prediction, engine_, memory_, PREDICTION); \
	CELLS_SECURITY(name_##_idle, engine_, memory_, IDLE)

CELLS_FINISH(threads_memfd, "threads", MEMFD);
CELLS_FINISH(threads_private, "threads", PRIVATE);
CELLS_FINISH(threads_hugepages, "threads", HUGE);
CELLS_FINISH(kvm_memfd, "kvm", MEMFD);
CELLS_FINISH(kvm_private, "kvm", PRIVATE);
CELLS_FINISH(kvm_hugepages, "kvm", HUGE);

static bool is_kvm(const FIXTURE_VARIANT(cell) *variant)
{
	return !strcmp(variant->engine, "kvm");
}

/* A guest that a link so slow cannot keep up with, however slow it is. */
static const struct net_rate *link_rate(const FIXTURE_VARIANT(cell) *variant)
{
	static const struct net_rate slow = {
		.rate = 30000000, .burst = 64 << 10, .latency_us = 50000,
	};
	static const struct net_rate huge = {
		.rate = 160000000, .burst = 256 << 10, .latency_us = 50000,
	};
	static const struct net_rate fast = {
		.rate = 300000000, .burst = 256 << 10, .latency_us = 50000,
	};

	if (variant->finish != PREDICTION)
		return NULL;
	if (variant->memory == HUGE)
		return &huge;
	return is_kvm(variant) ? &slow : &fast;
}

FIXTURE_SETUP(cell)
{
	if (is_kvm(variant) && access("/dev/kvm", R_OK | W_OK))
		SKIP(return, "there is no /dev/kvm here");
	if (variant->memory == HUGE) {
		if (hugepages_add(2 * HUGEPAGES))
			SKIP(return, "no memory for %d pages of 2 MiB",
			     2 * HUGEPAGES);
		self->hugepages = true;
	}
	ASSERT_EQ(0, pair_create(&self->pair, variant->security,
				 link_rate(variant), &self->fail)) {
		if (self->hugepages)
			hugepages_add(-2 * HUGEPAGES);
		TH_LOG("%s", self->fail.text);
	}
}

FIXTURE_TEARDOWN(cell)
{
	pair_destroy(self->pair);
	if (self->hugepages)
		hugepages_add(-2 * HUGEPAGES);
}

static void guest_begin(FIXTURE_DATA(cell) *self,
			const FIXTURE_VARIANT(cell) *variant)
{
	const char *options[24] = { "--engine", variant->engine };
	size_t n = 2;

	options[n++] = "--memory";
	options[n++] = variant->memory == HUGE ? "24M" :
		       is_kvm(variant) ? "8M" : "48M";
	options[n++] = "--workload";
	options[n++] = variant->finish == IDLE ? "idle" : "hot";
	if (variant->finish == PRECOPY) {
		options[n++] = "--rate";
		options[n++] = "200";
	}
	if (variant->memory == PRIVATE)
		options[n++] = "--private";
	if (variant->memory == HUGE) {
		options[n++] = "--hugepages";
		options[n++] = "2M";
	}
	ASSERT_EQ(0, pair_start_guest(self->pair, "cell", options,
				      &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	ASSERT_EQ(0, guest_run_on(&self->pair->hosts->source, "cell", 1,
				  &self->fail));
}

/* @late: pages are to come after the guest has started there. */
static void cross(FIXTURE_DATA(cell) *self,
		  const FIXTURE_VARIANT(cell) *variant,
		  const struct host *from, const struct host *to, bool late)
{
	struct move move;

	ASSERT_EQ(0, move_run(&move, from, "cell", to->address,
			      finish_options[variant->finish])) {
		TH_LOG("%s (%s)", move.error, move.state);
	}
	EXPECT_STREQ("TORN_DOWN", move.state);
	EXPECT_EQ(0, host_settle(from));
	EXPECT_EQ(0, host_settle(to));
	row_state(from, move.id, SIDE_SOURCE, move.state, sizeof(move.state));
	EXPECT_STREQ("TORN_DOWN", move.state);
	row_state(to, move.id, SIDE_DEST, move.state, sizeof(move.state));
	EXPECT_STREQ("DONE", move.state);
	EXPECT_FALSE(guest_exists(from, "cell"));
	EXPECT_EQ(2, host_processes(from, NULL));	/* agent, broker */
	EXPECT_EQ(3, host_processes(to, NULL));		/* and the guest */
	EXPECT_EQ(0, host_files(from, "pages-"));
	EXPECT_EQ(0, host_files(to, "pages-"));
	EXPECT_EQ(1, witness_owners(self->pair));
	EXPECT_EQ(late, move.progress.push_bytes + move.progress.fault_bytes > 0);
}

static void prove_ordinary(FIXTURE_DATA(cell) *self, const struct host *host)
{
	struct guest_view view;

	ASSERT_EQ(0, guest_view_get(host, "cell", &view, &self->fail));
	EXPECT_EQ(1, process_is_ordinary(view.pid));
	guest_view_fini(&view);
}

TEST_F_TIMEOUT(cell, crosses_running_and_comes_back_paused, 120)
{
	const struct host *source = &self->pair->hosts->source;
	const struct host *dest = &self->pair->hosts->dest;
	struct guest_stats stats = { .ticks = 0 };
	uint64_t size = 0;
	char *copy = NULL;

	guest_begin(self, variant);
	cross(self, variant, source, dest,
	      variant->finish == POSTCOPY || variant->finish == PREDICTION);
	EXPECT_EQ(0, guest_run_on(dest, "cell", variant->finish == IDLE ? 2 : 20,
				  &self->fail));
	EXPECT_EQ(0, guest_walk(dest, "cell", &stats, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	EXPECT_EQ(0, stats.walk_bad);
	EXPECT_EQ(0, stats.bad);
	EXPECT_LT(1 * MIB / 4096, stats.walked);
	prove_ordinary(self, dest);

	ASSERT_EQ(0, guest_verb(dest, "cell", "pause", &self->fail));
	ASSERT_EQ(0, guest_memory_copy(dest, "cell", &copy, &size,
				       &self->fail));
	/* What stands still converges. */
	cross(self, variant, dest, source, variant->finish == POSTCOPY);
	EXPECT_EQ(0, guest_stats_get(source, "cell", &stats, &self->fail));
	EXPECT_STREQ("paused", stats.state);
	EXPECT_EQ(0, guest_memory_differs(source, "cell", copy, size,
					  &self->fail));
	prove_ordinary(self, source);
	free(copy);
}

TEST_JOBS(3)
TEST_HARNESS_MAIN
