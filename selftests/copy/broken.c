// SPDX-License-Identifier: LGPL-2.1-or-later
/* broken.c - lanes break in the middle: everything ends, nothing is left. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "ends.h"
#include "harness.h"
#include "sys.h"

#define PAGES	8192		/* more than sockets hold */

FIXTURE(broken) {
	struct ends ends;
	unsigned int fds;
	bool skipped;
};

FIXTURE_SETUP(broken)
{
	self->skipped = !memory_ready(GUEST_MEMFD, PAGES);
	if (self->skipped)
		return;
	self->fds = open_fds();
	ends_open(&self->ends, GUEST_MEMFD, PAGES);
	ASSERT_EQ(0, guest_write(&self->ends.here, 0, PAGES, 1));
	ASSERT_EQ(0, source_populated(self->ends.source));
}

/* Not to hang here is half of each test; the time limit tells. */
FIXTURE_TEARDOWN(broken)
{
	if (self->skipped)
		return;
	ends_close(&self->ends);
	EXPECT_EQ(self->fds, open_fds());
}

#define SKIPPED(self) do { if ((self)->skipped) return; } while (0)

static void cut(struct ends *ends, unsigned int lane)
{
	lane_shutdown(ends->dest->lanes[lane]->lane);
}

TEST_F(broken, whole_crossing_leaves_nothing_open)
{
	SKIPPED(self);
	ends_switch(&self->ends);
	ends_push(&self->ends);
	ends_finish(&self->ends);
}

TEST_F(broken, ends_that_did_nothing_end)
{
	SKIPPED(self);
}

TEST_F(broken, lane_cut_in_a_round_is_an_error_at_both_ends)
{
	SKIPPED(self);
	source_round_start(self->ends.source, 1, false);
	cut(&self->ends, 0);
	EXPECT_NE(0, source_wait_error(self->ends.source));
	EXPECT_EQ(-EPIPE, dest_wait_error(self->ends.dest));
}

TEST_F(broken, push_lane_cut_in_postcopy_is_an_error_at_both_ends)
{
	SKIPPED(self);
	ends_switch(&self->ends);
	limit_set(&self->ends.source->limit, 1);	/* not over at once */
	ends_push(&self->ends);
	cut(&self->ends, 0);
	limit_set(&self->ends.source->limit, 0);
	EXPECT_NE(0, source_wait_error(self->ends.source));
	EXPECT_EQ(-EPIPE, dest_wait_error(self->ends.dest));
}

TEST_F(broken, fault_lane_cut_is_an_error_at_both_ends)
{
	SKIPPED(self);
	ends_switch(&self->ends);
	cut(&self->ends, 1);
	EXPECT_NE(0, source_wait_error(self->ends.source));
	EXPECT_EQ(-EPIPE, dest_wait_error(self->ends.dest));
}

TEST_F(broken, source_ends_in_the_middle_of_a_push)
{
	SKIPPED(self);
	ends_switch(&self->ends);
	ends_push(&self->ends);
	source_destroy(self->ends.source);
	self->ends.source = NULL;
}

TEST_F(broken, dest_ends_in_the_middle_of_a_push)
{
	SKIPPED(self);
	ends_switch(&self->ends);
	ASSERT_EQ(0, guest_post_hash(&self->ends.there, 0, PAGES));
	ends_push(&self->ends);
	dest_destroy(self->ends.dest);
	self->ends.dest = NULL;
}

TEST_F(broken, dest_ends_while_the_guest_waits_for_a_page)
{
	SKIPPED(self);
	ends_switch(&self->ends);
	source_destroy(self->ends.source);
	self->ends.source = NULL;
	ASSERT_EQ(0, guest_post_hash(&self->ends.there, 0, 1));
	EXPECT_EQ(-EPIPE, dest_wait_error(self->ends.dest));
}

TEST_F(broken, source_ends_while_its_peer_takes_nothing)
{
	struct ends stuck;
	struct lane *lane;

	SKIPPED(self);
	here_open(&stuck, GUEST_MEMFD, PAGES);
	lane = lane_to_source(&stuck, LANE_PUSH);
	ASSERT_EQ(0, guest_write(&stuck.here, 0, PAGES, 1));
	ASSERT_EQ(0, source_populated(stuck.source));
	source_round_start(stuck.source, 1, false);
	/* Its first bytes are here: it is at it. */
	ASSERT_EQ(0, sys_wait_fd(lane->fd, POLLIN, -1));
	ends_close(&stuck);
	lane_destroy(lane);
}

static int sweep_fails(const struct source *source)
{
	int ms, ret = 0;

	for (ms = 0; ms < 10000 && !ret; ms++) {
		ret = __atomic_load_n(&source->sweep_error, __ATOMIC_ACQUIRE);
		poll(NULL, 0, 1);
	}
	return ret;
}

/* Whoever waits for it to be through hears that it never will be. */
TEST_F(broken, sweep_that_failed_says_so_after_lanes_ended_too)
{
	struct ends dead;
	siginfo_t ended;

	SKIPPED(self);
	here_open(&dead, GUEST_PRIVATE, 64);
	ASSERT_EQ(0, guest_write(&dead.here, 0, 64, 1));
	ASSERT_EQ(0, kill(dead.here.pid, SIGKILL));
	ASSERT_EQ(0, waitid(P_PID, (id_t)dead.here.pid, &ended, WEXITED | WNOWAIT));
	source_hold(dead.source);
	source_lanes_end(dead.source);
	EXPECT_GT(0, sweep_fails(dead.source));
	source_lanes_end(dead.source);
	EXPECT_GT(0, sweep_fails(dead.source));
	EXPECT_FALSE(source_proven(dead.source));
	ends_close(&dead);
}

TEST_F(broken, source_ends_while_the_limit_holds_it)
{
	SKIPPED(self);
	limit_set(&self->ends.source->limit, 1);
	source_round_start(self->ends.source, 1, false);
}

TEST_F(broken, dest_that_cannot_be_made_leaves_nothing)
{
	unsigned int fds;
	struct dest *dest;
	char path[256];
	int fd;

	SKIPPED(self);
	snprintf(path, sizeof(path), "%s/taken", test_dir());
	fd = sys_ret(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	ASSERT_GE(fd, 0);
	fds = open_fds();
	EXPECT_EQ(-EEXIST, dest_create(&self->ends.there_map, path,
				       self->ends.there.uffd, &dest));
	EXPECT_EQ(fds, open_fds());
	snprintf(path, sizeof(path), "%s/none/here", test_dir());
	EXPECT_EQ(-ENOENT, dest_create(&self->ends.there_map, path,
				       self->ends.there.uffd, &dest));
	EXPECT_EQ(fds, open_fds());
	close(fd);
}

TEST(nothing_is_destroyed_without_harm)
{
	source_destroy(NULL);
	dest_destroy(NULL);
	lane_destroy(NULL);
}

TEST_HARNESS_MAIN
