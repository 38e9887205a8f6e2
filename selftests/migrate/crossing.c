// SPDX-License-Identifier: LGPL-2.1-or-later
/* crossing.c - what the tests of whole migrations share. */
#include "crossing.h"

#include <poll.h>
#include <string.h>

#include "harness.h"

#define ARGS_MAX	24
#define LAST_BYTES	800	/* of a log that lacks something */
#define ROW_TRIES	400
#define STILL_TRIES	20
#define TRY_MS		25

const struct net_rate crossing_slow = {
	.rate = 100000000, .burst = 128 << 10, .latency_us = 50000,
};

/**
 * crossing_guest() - start a busy guest on the source
 * @pair: of the source
 * @name: of the guest
 * @more: options of straddle-vmm that come last, NULL at the end
 */
void crossing_guest(struct pair *pair, const char *name,
		    const char *const more[])
{
	const char *options[ARGS_MAX] = { "--engine", "threads", "--memory",
					  "48M", "--workload", "hot" };
	struct fail fail = { 0 };
	size_t n = 6;

	while (*more && n < ARGS_MAX - 1)
		options[n++] = *more++;
	ASSERT_EQ(0, pair_start_guest(pair, name, options, &fail)) {
		TH_LOG("%s", fail.text);
	}
}

/**
 * crossing_slow_guest() - start a guest on the source that touches few pages a second
 * @pair: of the source
 * @name: of the guest
 * @memory: one more option of straddle-vmm, or NULL
 */
void crossing_slow_guest(struct pair *pair, const char *name, const char *memory)
{
	const char *const more[] = { "--working-set", "40M", "--workload", "random",
				     "--rate", "200", memory, NULL };
	struct fail fail = { 0 };

	crossing_guest(pair, name, more);
	ASSERT_EQ(0, guest_run_on(&pair->hosts->source, name, 100, &fail)) {
		TH_LOG("%s", fail.text);
	}
}

/**
 * crossing_hold() - migrate it: it runs at the dest, and lacks most of its pages
 * @pair: of both hosts
 * @name: of a guest that is slow, on the source
 * @move: receives the migration, which is held for as long as a test takes
 */
void crossing_hold(struct pair *pair, const char *name, struct move *move)
{
	ASSERT_EQ(0, move_start(move, &pair->hosts->source, name, pair->hosts->dest.address,
				"\"live\":true,\"postcopy\":true,\"rounds_max\":0,"
				"\"postcopy_bandwidth\":10000"));
	ASSERT_EQ(0, move_wait_state(move, STATE_HELD)) {
		TH_LOG("%s", move->error);
	}
}

/**
 * crossing_arrived() - prove that a guest is here, whole and ordinary
 * @pair: of both hosts
 * @host: where it has arrived
 * @name: of the guest
 */
void crossing_arrived(struct pair *pair, const struct host *host,
		      const char *name)
{
	struct guest_stats stats = { .walk_bad = 1 };
	struct fail fail = { 0 };
	struct guest_view view;

	EXPECT_EQ(0, host_settle(host));
	EXPECT_EQ(0, guest_run_on(host, name, 2, &fail)) {
		TH_LOG("%s", fail.text);
	}
	EXPECT_EQ(0, guest_walk(host, name, &stats, &fail)) {
		TH_LOG("%s", fail.text);
	}
	EXPECT_EQ(0, stats.walk_bad);
	EXPECT_EQ(0, stats.bad);
	EXPECT_LT(0, stats.walked);
	EXPECT_EQ(0, host_files(host, "pages-"));
	EXPECT_EQ(1, witness_owners(pair));
	ASSERT_EQ(0, guest_view_get(host, name, &view, &fail));
	EXPECT_EQ(1, process_is_ordinary(view.pid));
	guest_view_fini(&view);
}

/**
 * crossing_left() - prove that a host has nothing of a guest
 * @host: which
 * @name: of the guest
 * @guests: other guests that are there
 */
void crossing_left(const struct host *host, const char *name, int guests)
{
	EXPECT_EQ(0, host_settle(host));
	EXPECT_FALSE(guest_exists(host, name));
	EXPECT_EQ(0, host_files(host, "pages-"));
	EXPECT_EQ(2 + guests, host_processes(host, NULL));
}

/**
 * crossing_resumed_waits() - prove that who resumes a guest has vCPUs that wait
 * @host: where a copy of it is, paused
 * @name: of the guest
 *
 * What watches over the copy is to stand still meanwhile.
 */
void crossing_resumed_waits(const struct host *host, const char *name)
{
	struct guest_stats before = { .ticks = 0 }, now = { .ticks = 0 };
	struct fail fail = { 0 };
	int i;

	ASSERT_EQ(0, guest_verb(host, name, "resume", &fail)) {
		TH_LOG("%s", fail.text);
	}
	poll(NULL, 0, TRY_MS);
	EXPECT_EQ(0, guest_stats_get(host, name, &before, &fail));
	for (i = 0; i < STILL_TRIES; i++)
		poll(NULL, 0, TRY_MS);
	EXPECT_EQ(0, guest_stats_get(host, name, &now, &fail));
	EXPECT_EQ(before.ticks, now.ticks);
}

/**
 * crossing_undone() - prove that a migration that failed left no trace
 * @pair: of both hosts; one guest, which runs
 * @name: of the guest
 */
void crossing_undone(struct pair *pair, const char *name)
{
	crossing_arrived(pair, &pair->hosts->source, name);
	crossing_left(&pair->hosts->dest, name, 0);
}

/**
 * crossing_rows() - how a migration ended, in both journals
 * @pair: of both hosts
 * @id: of the migration
 * @source: the state that its row has there
 * @dest: and there; "" where there is to be none
 */
void crossing_rows(struct pair *pair, const char *id, const char *source,
		   const char *dest)
{
	char state[16];

	EXPECT_EQ(0, host_settle(&pair->hosts->source));
	EXPECT_EQ(0, host_settle(&pair->hosts->dest));
	row_state(&pair->hosts->source, id, SIDE_SOURCE, state, sizeof(state));
	EXPECT_STREQ(source, state);
	row_state(&pair->hosts->dest, id, SIDE_DEST, state, sizeof(state));
	EXPECT_STREQ(dest, state);
}

/**
 * crossing_row_reaches() - wait until a row is in a state
 * @host: of the journal
 * @id: of the migration
 * @side: of the row
 * @state: its name
 *
 * Return: false when it does not get there.
 */
bool crossing_row_reaches(const struct host *host, const char *id,
			  enum side side, const char *state)
{
	char now[16];
	int i;

	for (i = 0; i < ROW_TRIES; i++) {
		row_state(host, id, side, now, sizeof(now));
		if (!strcmp(now, state))
			return true;
		poll(NULL, 0, TRY_MS);
	}
	TH_LOG("the row is in state '%s'", now);
	return false;
}

/**
 * crossing_log_has() - wait until an agent, or a worker of its, has logged a text
 * @host: of the agent
 * @text: of its last lines
 *
 * Return: false when it does not come.
 */
bool crossing_log_has(const struct host *host, const char *text)
{
	char log[16384] = "";
	size_t length;
	int i;

	for (i = 0; i < ROW_TRIES; i++) {
		host_log(host, "straddled.log", log, sizeof(log));
		if (strstr(log, text))
			return true;
		poll(NULL, 0, TRY_MS);
	}
	length = strlen(log);
	TH_LOG("not '%s': %s", text, log + (length > LAST_BYTES ? length - LAST_BYTES : 0));
	return false;
}
