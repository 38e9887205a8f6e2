/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * peer.c - who is the same peer as before, to a host that it connects to.
 *
 * With the digest of a certificate in the place of its names', the renewed one
 * is another peer; without subjectAltNames in it, those of another name are not.
 */
#include <string.h>

#include "handshake.h"
#include "harness.h"
#include "lib/pki.h"

#define DIGEST	32
#define KEY	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER	"ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* host-a connects to host-b, which remembers it, and then once more. */
FIXTURE(peer) {
	struct pki *pki;
	char a[PKI_DIR_MAX], b[PKI_DIR_MAX];
	uint8_t before[DIGEST];		/* who it was */
	struct credentials *client, *server;
	struct handshake h;
};

static void connect_now(FIXTURE_DATA(peer) *self)
{
	handshake_fini(&self->h);
	credentials_free(self->client);
	self->client = keys_x509(self->a);
	self->h.client_keys = self->client;
	handshake_run(&self->h);
	ASSERT_EQ(0, self->h.server_ret) {
		TH_LOG("%s", self->h.server_fail.text);
	}
}

FIXTURE_SETUP(peer)
{
	memset(self, 0, sizeof(*self));
	self->pki = pki_of_two(self->a, self->b);
	self->server = keys_x509(self->b);
	self->h.server_keys = self->server;
	self->h.name = "host-b";
	connect_now(self);
	memcpy(self->before, channel_peer(self->h.server), DIGEST);
}

FIXTURE_TEARDOWN(peer)
{
	handshake_fini(&self->h);
	credentials_free(self->client);
	credentials_free(self->server);
	pki_destroy(self->pki);
}

struct naming {
	const char *common, *name, *address;	/* of the next certificate */
	bool same;
};

TEST_F(peer, is_known_by_all_names_of_its_certificate)
{
	static const struct naming cases[] = {
		{ "host-a", "host-a", "10.0.0.1", true },	/* renewed */
		/* A common name need not be a host's: it is compared as it stands. */
		{ "host-a", "HOST-A", "10.0.0.1", true },
		{ "HOST-A", "host-a", "10.0.0.1", false },
		{ "host-c", "host-c", "10.0.0.1", false },
		{ "host-a", "host-c", "10.0.0.1", false },
		{ "host-c", "host-a", "10.0.0.1", false },
		{ "host-a", "host-a", "10.0.0.3", false },
		{ "host-a", "host-a", NULL, false },
		{ "host-a", NULL, "10.0.0.1", false },
		{ NULL, "host-a", "10.0.0.1", false },
		{ "host-a", NULL, NULL, false },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ASSERT_EQ(0, pki_issue_named(self->pki, self->a, cases[i].common,
					     cases[i].name, cases[i].address));
		connect_now(self);
		EXPECT_EQ(cases[i].same, channel_is_peer(self->h.server, self->before)) {
			TH_LOG("case %zu", i);
		}
	}
}

/* Nobody signed a name of it: then it is known by itself. */
TEST_F(peer, without_names_is_its_certificate)
{
	ASSERT_EQ(0, pki_issue_named(self->pki, self->a, NULL, NULL, NULL));
	connect_now(self);
	memcpy(self->before, channel_peer(self->h.server), DIGEST);
	connect_now(self);
	EXPECT_TRUE(channel_is_peer(self->h.server, self->before));
	ASSERT_EQ(0, pki_issue_named(self->pki, self->a, NULL, NULL, NULL));
	connect_now(self);
	EXPECT_FALSE(channel_is_peer(self->h.server, self->before));
}

/* Those wrote down which certificate it was. */
TEST_F(peer, is_the_one_whose_certificate_an_older_build_recorded)
{
	uint8_t recorded[DIGEST];

	ASSERT_EQ(0, pki_client_digest(self->a, recorded));
	EXPECT_TRUE(channel_is_peer(self->h.server, recorded));
	recorded[0] ^= 1;
	EXPECT_FALSE(channel_is_peer(self->h.server, recorded));
	/* A certificate is not its names: that one knows this one only. */
	ASSERT_EQ(0, pki_client_digest(self->a, recorded));
	ASSERT_EQ(0, pki_issue(self->pki, self->a, "host-a", "10.0.0.1", 2));
	connect_now(self);
	EXPECT_FALSE(channel_is_peer(self->h.server, recorded));
}

TEST_F(peer, proved_is_never_nobody)
{
	static const uint8_t nobody[DIGEST];

	EXPECT_FALSE(channel_is_peer(self->h.server, nobody));
}

static void psk_connect(struct handshake *h, const char *line)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/psk", test_dir());
	psk_write(path, line, 0600);
	h->client_keys = keys_psk(path);
	h->server_keys = keys_psk(path);
	h->name = "host-b";
	handshake_run(h);
	ASSERT_EQ(0, h->server_ret);
}

static void psk_end(struct handshake *h)
{
	handshake_fini(h);
	credentials_free(h->client_keys);
	credentials_free(h->server_keys);
}

TEST(peer_with_a_shared_key_is_the_name_of_that)
{
	static const uint8_t nobody[DIGEST];
	struct handshake h = { .timeout_ms = 10000 };
	uint8_t before[DIGEST];

	psk_connect(&h, "bob:" KEY "\n");
	memcpy(before, channel_peer(h.server), DIGEST);
	EXPECT_FALSE(channel_is_peer(h.server, nobody));
	psk_end(&h);
	psk_connect(&h, "bob:" OTHER "\n");
	EXPECT_TRUE(channel_is_peer(h.server, before));
	psk_end(&h);
	psk_connect(&h, "alice:" KEY "\n");
	EXPECT_FALSE(channel_is_peer(h.server, before));
	psk_end(&h);
}

TEST_HARNESS_MAIN
