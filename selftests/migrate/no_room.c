// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * no_room.c - the file system that the guest's memory is on at the dest is full.
 *
 * Before GO the guest goes on where it is; past GO missing pages wait until there
 * is room. Either is told as what it is, and not as a lane that broke.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "crossing.h"
#include "harness.h"
#include "lib/directory.h"
#include "sys.h"

#define GUEST	"db"
#define TRIES	800	/* reports, or 25 ms apart */
#define TRY_MS	25

FIXTURE(no_room) {
	struct pair *pair;
	struct two_hosts *hosts;
	struct move move;
	struct fail fail;
	char dir[160];
	bool skipped;
};

/* Where the guest's memory is to be at the dest. */
static int memory_mount(FIXTURE_DATA(no_room) *self)
{
	int ret = mounts_of_own();

	if (ret)
		return ret;
	snprintf(self->dir, sizeof(self->dir), "%s/memory", test_dir());
	ASSERT_EQ(0, sys_ret(mkdir(self->dir, 0700)));
	ASSERT_EQ(0, sys_ret(mount("straddle-test", self->dir, "tmpfs", 0,
				   "size=64m,mode=0700")));
	return 0;
}

FIXTURE_SETUP(no_room)
{
	int ret = memory_mount(self);

	self->move.fd = -1;
	self->skipped = ret;
	if (ret)
		SKIP(return, "a mount namespace of its own needs root");
	setenv("STRADDLE_MEMORY_DIR", self->dir, 1);
	ret = pair_create(&self->pair, PAIR_PLAIN, &crossing_slow, &self->fail);
	unsetenv("STRADDLE_MEMORY_DIR");
	ASSERT_EQ(0, ret) {
		TH_LOG("%s", self->fail.text);
	}
	self->hosts = self->pair->hosts;
	crossing_guest(self->pair, GUEST, NO_OPTIONS);
	ASSERT_EQ(0, guest_run_on(&self->hosts->source, GUEST, 2000, &self->fail));
}

FIXTURE_TEARDOWN(no_room)
{
	if (self->skipped)
		return;
	move_end(&self->move);
	pair_destroy(self->pair);
	(void)sys_ret(umount2(self->dir, MNT_DETACH));
}

static void set_out(FIXTURE_DATA(no_room) *self, const char *options)
{
	ASSERT_EQ(0, move_start(&self->move, &self->hosts->source, GUEST,
				self->hosts->dest.address, options)) {
		TH_LOG("%s", self->move.error);
	}
}

/* The source's user is told of the host where it is. */
static bool told(struct move *move)
{
	int i;

	for (i = 0; i < TRIES; i++) {
		if (strstr(move->progress.broken, "no room on 10.88.0.2"))
			return true;
		if (move_next(move))
			break;
	}
	TH_LOG("it says: '%s' %s", move->progress.broken, move->error);
	return false;
}

/* And whoever looks there is told what to do. */
static bool dest_says(FIXTURE_DATA(no_room) *self, const char *words)
{
	const char *const ask[] = { "status", GUEST, NULL };
	char text[4096] = "";
	int i;

	for (i = 0; i < TRIES; i++) {
		EXPECT_EQ(0, pair_straddle(self->pair, &self->hosts->dest, ask, text,
					   sizeof(text)));
		if (strstr(text, words))
			return true;
		poll(NULL, 0, TRY_MS);
	}
	TH_LOG("%s", text);
	return false;
}

TEST_F_TIMEOUT(no_room, missing_pages_wait_until_there_is, 120)
{
	if (self->skipped)
		return;
	set_out(self, "\"live\":true,\"postcopy\":true,\"rounds_max\":0");
	ASSERT_EQ(0, move_wait_state(&self->move, STATE_HELD)) {
		TH_LOG("%s", self->move.error);
	}
	ASSERT_EQ(0, directory_fill(self->dir));
	EXPECT_TRUE(told(&self->move));
	EXPECT_TRUE(dest_says(self, "make room"));
	EXPECT_LT(0, self->move.progress.missing_pages);
	ASSERT_EQ(0, directory_make_room(self->dir));
	EXPECT_EQ(0, move_wait(&self->move)) {
		TH_LOG("%s", self->move.error);
	}
	EXPECT_LT(0, self->move.progress.recoveries);
	crossing_arrived(self->pair, &self->hosts->dest, GUEST);
	crossing_rows(self->pair, self->move.id, "TORN_DOWN", "DONE");
	crossing_left(&self->hosts->source, GUEST, 0);
}

TEST_F_TIMEOUT(no_room, guest_goes_on_where_it_is, 120)
{
	if (self->skipped)
		return;
	ASSERT_EQ(0, directory_fill(self->dir));
	set_out(self, "\"live\":true,\"postcopy\":true");
	EXPECT_EQ(-ECANCELED, move_wait(&self->move));
	EXPECT_TRUE(strstr(self->move.error, "10.88.0.2") &&
		    strstr(self->move.error, "no room here for memory of guest 'db'")) {
		TH_LOG("%s", self->move.error);
	}
	EXPECT_STREQ("RESUMED", self->move.state);
	ASSERT_EQ(0, directory_make_room(self->dir));
	EXPECT_TRUE(crossing_row_reaches(&self->hosts->dest, self->move.id, SIDE_DEST,
					 "DISCARDED"));
	crossing_undone(self->pair, GUEST);
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
