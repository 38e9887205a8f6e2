/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * allow.c - of those with a good certificate or key, who is let in.
 *
 * Without allow_check() in protocol/tls.c, all of "is_refused" fail.
 */
#include <string.h>

#include "harness.h"
#include "handshake.h"
#include "lib/pki.h"
#include "sys.h"

#define KEY	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

#define EXPECT_WORDS(words, fail) EXPECT_TRUE(strstr((fail).text, words)) {	\
	TH_LOG("said: %s", (fail).text);					\
}

/* host-a, 10.0.0.1, connects to host-b, which has a list. */
FIXTURE(peer) {
	struct pki *pki;
	struct credentials *client, *server;
	struct handshake h;
};

FIXTURE_VARIANT(peer) {
	const char *allowed[3];
	bool enters;
};

FIXTURE_SETUP(peer)
{
	char a[PKI_DIR_MAX], b[PKI_DIR_MAX];
	size_t i;

	memset(self, 0, sizeof(*self));
	self->pki = pki_of_two(a, b);
	self->client = keys_x509(a);
	self->server = keys_x509(b);
	for (i = 0; i < 3 && variant->allowed[i]; i++)
		ASSERT_EQ(0, credentials_allow(self->server, variant->allowed[i], NULL));
	self->h.client_keys = self->client;
	self->h.server_keys = self->server;
	self->h.name = "host-b";
}

FIXTURE_TEARDOWN(peer)
{
	handshake_fini(&self->h);
	credentials_free(self->client);
	credentials_free(self->server);
	pki_destroy(self->pki);
}

#define ENTERS(name, ...)	FIXTURE_VARIANT_ADD(peer, name) { { __VA_ARGS__ }, true }
#define STAYS_OUT(name, ...)	FIXTURE_VARIANT_ADD(peer, name) { { __VA_ARGS__ }, false }

ENTERS(without_a_list, NULL);
ENTERS(by_host_name, "host-a");
ENTERS(by_host_name_of_any_case, "HOST-A");
ENTERS(by_address, "10.0.0.1");
ENTERS(by_pattern, "host-?");
ENTERS(by_one_of_several, "host-x", "host-y", "*-a");
ENTERS(by_distinguished_name, "CN=host-a");
ENTERS(by_pattern_of_distinguished_names, "CN=*");
STAYS_OUT(of_another_host, "host-b");
STAYS_OUT(by_a_part_of_its_name, "host");
STAYS_OUT(by_more_than_its_name, "host-a.example.com");
STAYS_OUT(by_an_address_of_another, "10.0.0.2");
STAYS_OUT(by_case_of_a_distinguished_name, "cn=host-a");
STAYS_OUT(by_a_part_of_its_distinguished_name, "CN=host-a,*");
/* Patterns of host names are not held against distinguished names. */
STAYS_OUT(by_a_host_pattern_that_fits_its_distinguished_name, "CN?host-a", "C*");

TEST_F(peer, is_let_in_or_told)
{
	handshake_run(&self->h);
	if (variant->enters) {
		EXPECT_EQ(0, self->h.client_ret);
		EXPECT_EQ(0, self->h.server_ret);
		return;
	}
	EXPECT_EQ(-EPERM, self->h.server_ret);
	EXPECT_WORDS("host-a may not migrate guests here", self->h.server_fail);
	EXPECT_WORDS("'CN=host-a', names [10.0.0.1, host-a]", self->h.server_fail);
	EXPECT_WORDS("--allow-peer", self->h.server_fail);
	EXPECT_NULL(self->h.server);
	EXPECT_EQ(-EACCES, self->h.client_ret);
	EXPECT_WORDS("host-b refused the TLS handshake", self->h.client_fail);
	EXPECT_WORDS("--allow-peer", self->h.client_fail);
	EXPECT_NULL(self->h.client);
}

struct psk_case {
	const char *allowed;
	bool enters;
};

TEST(name_of_a_shared_key_is_looked_for)
{
	static const struct psk_case cases[] = {
		{ "bob", true }, { "b*", true }, { "alice", false }, { "BOB", false },
		{ "bo", false },
	};
	char path[400];
	size_t i;

	snprintf(path, sizeof(path), "%s/psk", test_dir());
	psk_write(path, "bob:" KEY "\n", 0600);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct handshake h = { .timeout_ms = 10000, .name = "host-b" };

		h.client_keys = keys_psk(path);
		h.server_keys = keys_psk(path);
		ASSERT_EQ(0, credentials_allow(h.server_keys, cases[i].allowed, NULL));
		handshake_run(&h);
		EXPECT_EQ(cases[i].enters ? 0 : -EPERM, h.server_ret) {
			TH_LOG("%s", cases[i].allowed);
		}
		EXPECT_EQ(cases[i].enters ? 0 : -EACCES, h.client_ret);
		if (!cases[i].enters) {
			EXPECT_WORDS("bob may not migrate guests here", h.server_fail);
			EXPECT_WORDS("the name of this host's key", h.client_fail);
		}
		handshake_fini(&h);
		credentials_free(h.client_keys);
		credentials_free(h.server_keys);
	}
}

/* It is asked of those who come in: the certificate names who is connected to. */
TEST_F(peer, list_is_not_for_connections_that_go_out)
{
	ASSERT_EQ(0, credentials_allow(self->client, "nobody", NULL));
	handshake_run(&self->h);
	EXPECT_EQ(variant->enters ? 0 : -EPERM, self->h.server_ret);
}

TEST(names_that_can_fit_nobody_are_refused)
{
	struct credentials *none = NULL, *psk;
	char path[400], name[ALLOW_PATTERN_MAX + 2];
	struct fail fail = { .err = 0 };
	size_t i;

	ASSERT_EQ(0, credentials_load(SECURITY_NONE, NULL, &none, &fail));
	EXPECT_EQ(-EOPNOTSUPP, credentials_allow(none, "host-a", &fail));
	EXPECT_WORDS("--psk-file", fail);
	credentials_free(none);

	snprintf(path, sizeof(path), "%s/psk", test_dir());
	psk_write(path, "bob:" KEY "\n", 0600);
	psk = keys_psk(path);
	fail.err = 0;
	EXPECT_EQ(-EINVAL, credentials_allow(psk, "CN=bob", &fail));
	EXPECT_WORDS("has no distinguished name", fail);
	EXPECT_EQ(-EINVAL, credentials_allow(psk, "", NULL));
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = 0;
	EXPECT_EQ(-EINVAL, credentials_allow(psk, name, NULL));
	EXPECT_EQ(0, credentials_allow(psk, name + 1, NULL));
	for (i = 1; i < ALLOW_MAX; i++)
		EXPECT_EQ(0, credentials_allow(psk, "host", NULL));
	EXPECT_EQ(-E2BIG, credentials_allow(psk, "host", NULL));
	credentials_free(psk);
}

TEST_HARNESS_MAIN
