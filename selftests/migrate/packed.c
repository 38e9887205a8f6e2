// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * packed.c - guests cross with --compressed, over links for which it pays.
 *
 * What breaks it, tried once each:
 * - packs of PREPARED is left out: nothing is packed.
 * - lane_make() makes no unpacker: the dest refuses PACKED, and lanes are opened
 *   again and again.
 * - input_unpack() in copy/lane.c hands on what it was given: digests differ,
 *   and it never ends.
 */
#include <string.h>

#include "crossing.h"
#include "harness.h"
#include "lib/furnish.h"

#define GUEST	"db"

FIXTURE(packed) {
	struct pair *pair;
	struct host *source, *dest;
	struct fail fail;
};

FIXTURE_VARIANT(packed) {
	enum pair_security security;
	const char *memory;	/* option of straddle-vmm, or NULL */
	const char *options;
};

#define POSTCOPY	"\"live\":true,\"postcopy\":true,\"rounds_max\":0,\"compressed\":true"
#define ROUNDS		"\"live\":true,\"postcopy\":true,\"rounds_max\":2,\"compressed\":true"
#define STOPPED		"\"live\":false,\"compressed\":true"

FIXTURE_VARIANT_ADD(packed, postcopy_plain) { PAIR_PLAIN, NULL, POSTCOPY };
FIXTURE_VARIANT_ADD(packed, postcopy_x509_private) { PAIR_X509, "--private", POSTCOPY };
FIXTURE_VARIANT_ADD(packed, rounds_plain_private) { PAIR_PLAIN, "--private", ROUNDS };
FIXTURE_VARIANT_ADD(packed, rounds_x509) { PAIR_X509, NULL, ROUNDS };
FIXTURE_VARIANT_ADD(packed, stopped_plain) { PAIR_PLAIN, NULL, STOPPED };

/* On a link on which every run is waited for, however slow the host is. */
FIXTURE_SETUP(packed)
{
	ASSERT_EQ(0, pair_create(&self->pair, variant->security, &crossing_slow,
				 &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
	crossing_slow_guest(self->pair, GUEST, variant->memory);
	ASSERT_EQ(0, guest_verb(self->source, GUEST, "pause", &self->fail));
	ASSERT_EQ(0, furnish(self->source, GUEST, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	ASSERT_EQ(0, furnish_wrong(self->source, GUEST, &self->fail));
	ASSERT_EQ(0, guest_verb(self->source, GUEST, "resume", &self->fail));
}

FIXTURE_TEARDOWN(packed)
{
	pair_destroy(self->pair);
}

TEST_F_TIMEOUT(packed, every_page_arrives_and_less_crosses, 90)
{
	const struct progress *progress;
	struct move move;

	ASSERT_EQ(0, move_run(&move, self->source, GUEST, self->dest->address,
			      variant->options)) {
		TH_LOG("%s", move.error);
	}
	crossing_rows(self->pair, move.id, "TORN_DOWN", "DONE");
	crossing_arrived(self->pair, self->dest, GUEST);
	crossing_left(self->source, GUEST, 0);
	EXPECT_EQ(0, furnish_wrong(self->dest, GUEST, &self->fail));
	progress = &move.progress;
	EXPECT_EQ(0, progress->recoveries);
	EXPECT_LT(0, progress->packed_to_bytes);
	EXPECT_LT(progress->packed_to_bytes, progress->packed_bytes);
	EXPECT_GT(progress->data_bytes, progress->round_bytes + progress->push_bytes +
					progress->fault_bytes);
}

TEST_HARNESS_MAIN
