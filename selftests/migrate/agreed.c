// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * agreed.c - PACKED is sent where both hosts said so, and nowhere else.
 *
 * The dest takes what comes for longer than lanes go plain, on lanes that wait:
 * those that may pack have tried it by then.
 *
 * What breaks it, tried once each: lanes_packed() in protocol/lanes.c packs if
 * it was asked for, or if the dest said so, or never.
 */
#include <errno.h>
#include <string.h>

#include "crossing.h"
#include "harness.h"
#include "lib/furnish.h"
#include "scripted.h"

#define ONE_ROUND	"\"live\":true,\"postcopy\":true,\"rounds_max\":1,\"bandwidth\":16000000"
/* Twice the runs of which nothing is packed at first, a quarter of each zero. */
#define ENOUGH		(12 << 20)

FIXTURE(agreed) {
	struct pair *pair;
	struct scripted dest;
	struct move move;
	struct fail fail;
};

FIXTURE_VARIANT(agreed) {
	const char *options;
	bool asked, takes;	/* the source; the dest */
};

FIXTURE_VARIANT_ADD(agreed, by_both) { ONE_ROUND ",\"compressed\":true", true, true };
FIXTURE_VARIANT_ADD(agreed, by_source) { ONE_ROUND ",\"compressed\":true", true, false };
FIXTURE_VARIANT_ADD(agreed, by_dest) { ONE_ROUND, false, true };

FIXTURE_SETUP(agreed)
{
	struct host *source;
	char address[32];

	self->move.fd = -1;
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PLAIN, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	source = &self->pair->hosts->source;
	snprintf(address, sizeof(address), "%s:%d", self->pair->hosts->dest.address,
		 SCRIPTED_PORT);
	scripted_listen(&self->dest, &self->pair->hosts->dest);
	self->dest.packs = variant->takes;
	crossing_slow_guest(self->pair, "db", NULL);
	ASSERT_EQ(0, guest_verb(source, "db", "pause", &self->fail));
	ASSERT_EQ(0, furnish(source, "db", &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	ASSERT_EQ(0, guest_verb(source, "db", "resume", &self->fail));
	ASSERT_EQ(0, move_start(&self->move, source, "db", address, variant->options));
	scripted_take(&self->dest, MSG_PREPARE);
}

FIXTURE_TEARDOWN(agreed)
{
	scripted_end(&self->dest);
	move_end(&self->move);
	pair_destroy(self->pair);
}

/* A dest that does not agree is as one of an older version. */
TEST_F_TIMEOUT(agreed, pages_are_packed_where_both_agree, 60)
{
	const struct progress *progress = &self->move.progress;
	bool told = false;

	scripted_prepared(&self->dest);
	while (progress->data_bytes < ENOUGH && !move_next(&self->move))
		told = told || strstr(progress->note, "does not take compressed");
	EXPECT_LE(ENOUGH, progress->data_bytes);
	EXPECT_EQ(variant->asked && !variant->takes, told);
	EXPECT_EQ(variant->asked && variant->takes, progress->packed_bytes > 0);
	scripted_misdeed(&self->dest, CLOSED);
	EXPECT_EQ(-ECANCELED, move_wait(&self->move));
	EXPECT_STREQ("RESUMED", self->move.state);
	crossing_undone(self->pair, "db");
}

TEST_HARNESS_MAIN
