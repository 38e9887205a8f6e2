// SPDX-License-Identifier: LGPL-2.1-or-later
/* agents.c - an agent is killed while pages are missing: they go on moving. */
#include <signal.h>
#include <string.h>

#include "harness.h"
#include "selftests/lib/pair.h"
#include "selftests/lib/process.h"
#include "sys.h"

#define GUEST	"lonely"
#define TRIES	400		/* 25 ms apart */

FIXTURE(agents) {
	struct pair *pair;
	struct fail fail;
	pid_t command;
};

FIXTURE_VARIANT(agents) {
	bool source;		/* whose agent is killed */
};

FIXTURE_VARIANT_ADD(agents, source_killed) { true };
FIXTURE_VARIANT_ADD(agents, dest_killed) { false };

FIXTURE_SETUP(agents)
{
	static const char *const guest[] = {
		"--engine", "threads", "--memory", "64M", "--working-set",
		"32M", "--rate", "20000", NULL
	};
	const char *migrate[] = {
		"migrate", GUEST, NULL, "--live", "--postcopy",
		"--precopy-rounds", "0", "--postcopy-bandwidth", "4", NULL
	};

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PLAIN, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	ASSERT_EQ(0, pair_start_guest(self->pair, GUEST, guest, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	ASSERT_EQ(0, guest_run_on(&self->pair->hosts->source, GUEST, 40000,
				  &self->fail));
	migrate[2] = self->pair->hosts->dest.address;
	self->command = pair_straddle_start(self->pair,
					    &self->pair->hosts->source,
					    migrate, "migrate.log",
					    &self->fail);
	ASSERT_LT(0, self->command);
}

FIXTURE_TEARDOWN(agents)
{
	pair_destroy(self->pair);
}

static bool runs_there(const struct host *host)
{
	struct guest_stats stats = { .ticks = 0 };
	struct fail ignored = { 0 };

	return guest_exists(host, GUEST) &&
	       !guest_stats_get(host, GUEST, &stats, &ignored) &&
	       !strcmp(stats.state, "running");
}

TEST_F(agents, pages_go_on_and_all_are_right)
{
	const struct host *dest = &self->pair->hosts->dest;
	struct guest_stats stats = { .ticks = 0 };
	int i;

	for (i = 0; i < TRIES && !runs_there(dest); i++)
		poll(NULL, 0, 25);
	ASSERT_TRUE(runs_there(dest));
	ASSERT_EQ(0, kill(variant->source ? self->pair->source_agent
					  : self->pair->dest_agent, SIGKILL));
	ASSERT_EQ(0, guest_run_on(dest, GUEST, 60000, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	ASSERT_EQ(0, guest_walk(dest, GUEST, &stats, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	EXPECT_LT(0, stats.walked);
	EXPECT_EQ(0, stats.walk_bad);
	EXPECT_EQ(0, stats.bad);
	EXPECT_EQ(1, witness_owners(self->pair));
}

TEST_HARNESS_MAIN
