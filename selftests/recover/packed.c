// SPDX-License-Identifier: LGPL-2.1-or-later
/* packed.c - lanes that are opened again pack again. */
#include <string.h>

#include "harness.h"
#include "selftests/lib/furnish.h"
#include "selftests/migrate/crossing.h"

#define GUEST	"db"
#define TRIES	800	/* reports, a fifth of a second apart */

/* What is waited for the limit is as what is waited for a link. */
#define POST_COPY	"\"live\":true,\"postcopy\":true,\"rounds_max\":0," \
			"\"compressed\":true,\"postcopy_bandwidth\":4000000"

FIXTURE(packed) {
	struct pair *pair;
	struct move move;
	struct fail fail;
};

FIXTURE_VARIANT(packed) { enum pair_security security; };
FIXTURE_VARIANT_ADD(packed, plain) { PAIR_PLAIN };
FIXTURE_VARIANT_ADD(packed, x509) { PAIR_X509 };

FIXTURE_SETUP(packed)
{
	const struct host *source;

	self->move.fd = -1;
	ASSERT_EQ(0, pair_create(&self->pair, variant->security, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	source = &self->pair->hosts->source;
	crossing_slow_guest(self->pair, GUEST, NULL);
	ASSERT_EQ(0, guest_verb(source, GUEST, "pause", &self->fail));
	ASSERT_EQ(0, furnish(source, GUEST, &self->fail));
	ASSERT_EQ(0, guest_verb(source, GUEST, "resume", &self->fail));
	ASSERT_EQ(0, move_start(&self->move, source, GUEST, self->pair->hosts->dest.address,
				POST_COPY)) {
		TH_LOG("%s", self->move.error);
	}
}

FIXTURE_TEARDOWN(packed)
{
	move_end(&self->move);
	pair_destroy(self->pair);
}

/* Until more than @bytes were packed. */
static bool packed_more(struct move *move, uint64_t bytes)
{
	int i;

	for (i = 0; i < TRIES && move->progress.packed_bytes <= bytes; i++)
		if (move_next(move))
			break;
	return move->progress.packed_bytes > bytes;
}

static bool recovered(struct move *move)
{
	int i;

	for (i = 0; i < TRIES && !move->progress.recoveries; i++)
		if (move_next(move))
			return false;
	return move->progress.recoveries;
}

TEST_F_TIMEOUT(packed, cut_in_the_middle_and_every_page_arrives, 120)
{
	const struct two_hosts *hosts = self->pair->hosts;

	ASSERT_TRUE(packed_more(&self->move, 0));
	ASSERT_EQ(0, net_link_down(hosts->source.net, HOST_LINK, &self->fail));
	/* TCP itself would survive a moment. */
	while (!strstr(self->move.progress.broken, "held here"))
		ASSERT_EQ(0, move_next(&self->move));
	ASSERT_EQ(0, net_link_up(hosts->source.net, HOST_LINK, &self->fail));
	ASSERT_TRUE(recovered(&self->move));
	EXPECT_TRUE(packed_more(&self->move, self->move.progress.packed_bytes));
	EXPECT_EQ(0, move_wait(&self->move)) {
		TH_LOG("%s", self->move.error);
	}
	crossing_arrived(self->pair, &hosts->dest, GUEST);
	crossing_rows(self->pair, self->move.id, "TORN_DOWN", "DONE");
	crossing_left(&hosts->source, GUEST, 0);
	EXPECT_EQ(0, furnish_wrong(&hosts->dest, GUEST, &self->fail));
}

TEST_HARNESS_MAIN
