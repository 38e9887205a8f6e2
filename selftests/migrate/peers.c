// SPDX-License-Identifier: LGPL-2.1-or-later
/* peers.c - a dest with --allow-peer takes guests of these hosts only. */
#include <errno.h>
#include <string.h>

#include "crossing.h"
#include "harness.h"
#include "lib/process.h"

FIXTURE(peers) {
	struct pair *pair;
	struct host *source, *dest;
	struct fail fail;
};

FIXTURE_VARIANT(peers) {
	enum pair_security security;
	const char *right, *wrong;	/* names for the list */
	const char *said;		/* by the dest, of who came in vain */
};

FIXTURE_VARIANT_ADD(peers, x509) {
	PAIR_X509, "source", "dest", "names [10.88.0.1, source]",
};
FIXTURE_VARIANT_ADD(peers, psk) {
	PAIR_PSK, "strad*", "bridge", "fits the name of its key",
};

FIXTURE_SETUP(peers)
{
	ASSERT_EQ(0, pair_create(&self->pair, variant->security, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
	crossing_guest(self->pair, "db", (const char *const[]){ "--memory", "16M", NULL });
}

FIXTURE_TEARDOWN(peers)
{
	pair_destroy(self->pair);
}

static void dest_allows(FIXTURE_DATA(peers) *self, const char *name)
{
	ASSERT_EQ(0, process_stop(self->pair->dest_agent));
	self->pair->allow_peer = name;
	self->pair->dest_agent = pair_start_agent(self->pair, self->dest, &self->fail);
	ASSERT_LT(0, self->pair->dest_agent) {
		TH_LOG("%s", self->fail.text);
	}
}

TEST_F(peers, not_on_the_list_are_refused_and_both_hosts_told)
{
	struct move move;
	char log[16384];

	dest_allows(self, variant->wrong);
	EXPECT_EQ(-ECANCELED, move_run(&move, self->source, "db", self->dest->address,
				       "\"live\":true,\"postcopy\":true"));
	EXPECT_NE(NULL, strstr(move.error, "--allow-peer")) {
		TH_LOG("the source said: %s", move.error);
	}
	host_settle(self->dest);
	host_log(self->dest, "straddled.log", log, sizeof(log));
	EXPECT_NE(NULL, strstr(log, variant->said)) {
		TH_LOG("the dest said: %s", log);
	}
	crossing_undone(self->pair, "db");
}

TEST_F(peers, on_the_list_are_let_in_with_all_their_lanes)
{
	struct move move;

	dest_allows(self, variant->right);
	EXPECT_EQ(0, move_run(&move, self->source, "db", self->dest->address,
			      "\"live\":true,\"postcopy\":true,\"rounds_max\":0")) {
		TH_LOG("%s", move.error);
	}
	crossing_rows(self->pair, move.id, "TORN_DOWN", "DONE");
	crossing_arrived(self->pair, self->dest, "db");
}

TEST_HARNESS_MAIN
