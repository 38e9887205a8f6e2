/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tls.c - handshakes that must fail, and what the user reads then.
 *
 * Trust that is not checked would make most of these pass as connections:
 * without gnutls_session_set_verify_cert2() in protocol/tls.c, the tests of
 * another CA, another name and an expired certificate fail.
 */
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "harness.h"
#include "handshake.h"
#include "lib/pki.h"
#include "protocol/preamble.h"
#include "sys.h"

#define KEY	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER	"ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* Two hosts of one CA, and what a test wants to be different. */
FIXTURE(hosts) {
	struct pki *pki, *other_pki;
	char a[PKI_DIR_MAX], b[PKI_DIR_MAX];
	struct credentials *keys_a, *keys_b;
	struct handshake h;
};

FIXTURE_SETUP(hosts)
{
	memset(self, 0, sizeof(*self));
	self->pki = pki_of_two(self->a, self->b);
	ASSERT_EQ(0, pki_create(&self->other_pki));
	self->h.name = "host-b";
}

FIXTURE_TEARDOWN(hosts)
{
	handshake_fini(&self->h);
	credentials_free(self->keys_a);
	credentials_free(self->keys_b);
	pki_destroy(self->pki);
	pki_destroy(self->other_pki);
}

/* a connects to b. */
static void hosts_connect(FIXTURE_DATA(hosts) *self)
{
	self->keys_a = keys_x509(self->a);
	self->keys_b = keys_x509(self->b);
	self->h.client_keys = self->keys_a;
	self->h.server_keys = self->keys_b;
	handshake_run(&self->h);
}

#define EXPECT_WORDS(words, fail) EXPECT_TRUE(strstr((fail).text, words)) {	\
	TH_LOG("said: %s", (fail).text);					\
}

TEST_F(hosts, each_other_s_certificate_is_trusted)
{
	hosts_connect(self);
	EXPECT_EQ(0, self->h.client_ret);
	EXPECT_EQ(0, self->h.server_ret);
}

TEST_F(hosts, an_ip_address_may_be_the_name)
{
	self->h.name = "10.0.0.2";
	hosts_connect(self);
	EXPECT_EQ(0, self->h.client_ret);
}

TEST_F(hosts, a_certificate_for_another_name_is_refused)
{
	self->h.name = "host-c";
	hosts_connect(self);
	EXPECT_EQ(-EKEYREJECTED, self->h.client_ret);
	EXPECT_EQ(-EACCES, self->h.server_ret);
	EXPECT_WORDS("the certificate of host-c does not name it", self->h.client_fail);
	EXPECT_WORDS("[10.0.0.2, host-b]", self->h.client_fail);
	EXPECT_WORDS("GnuTLS:", self->h.client_fail);
	EXPECT_WORDS("refused the TLS handshake", self->h.server_fail);
}

TEST_F(hosts, a_certificate_for_another_address_is_refused)
{
	self->h.name = "10.0.0.3";
	hosts_connect(self);
	EXPECT_EQ(-EKEYREJECTED, self->h.client_ret);
	EXPECT_WORDS("the certificate of 10.0.0.3 does not name it", self->h.client_fail);
}

TEST_F(hosts, a_server_of_another_ca_is_refused)
{
	ASSERT_EQ(0, pki_issue(self->other_pki, self->b, "host-b", "10.0.0.2", 1));
	hosts_connect(self);
	EXPECT_EQ(-EKEYREJECTED, self->h.client_ret);
	EXPECT_WORDS("not signed by a CA in", self->h.client_fail);
	EXPECT_WORDS("a/CA/cacert.pem", self->h.client_fail);
	EXPECT_NE(0, self->h.server_ret);
}

/* Only the client's certificate is strange: the server must be the one. */
TEST_F(hosts, a_client_of_another_ca_is_refused)
{
	char path[400], ours[400];

	ASSERT_EQ(0, pki_issue(self->other_pki, self->a, "host-a", "10.0.0.1", 1));
	snprintf(path, sizeof(path), "%s/CA/cacert.pem", self->a);
	snprintf(ours, sizeof(ours), "%s/CA/cacert.pem", self->b);
	ASSERT_EQ(0, sys_ret(unlink(path)));
	ASSERT_EQ(0, sys_ret(symlink(ours, path)));
	hosts_connect(self);
	EXPECT_EQ(-EKEYREJECTED, self->h.server_ret);
	EXPECT_WORDS("not signed by a CA in", self->h.server_fail);
	EXPECT_EQ(-EACCES, self->h.client_ret);
	EXPECT_WORDS("host-b refused the TLS handshake", self->h.client_fail);
}

TEST_F(hosts, an_expired_server_is_refused)
{
	ASSERT_EQ(0, pki_issue(self->pki, self->b, "host-b", "10.0.0.2", -2));
	hosts_connect(self);
	EXPECT_EQ(-EKEYEXPIRED, self->h.client_ret);
	EXPECT_WORDS("the certificate of host-b expired on 20", self->h.client_fail);
	EXPECT_NE(0, self->h.server_ret);
}

TEST_F(hosts, an_expired_client_is_refused)
{
	ASSERT_EQ(0, pki_issue(self->pki, self->a, "host-a", "10.0.0.1", -2));
	hosts_connect(self);
	EXPECT_EQ(-EKEYEXPIRED, self->h.server_ret);
	EXPECT_EQ(-EACCES, self->h.client_ret);
	EXPECT_WORDS("host-b refused the TLS handshake", self->h.client_fail);
}

/* A client certificate is no server certificate. */
TEST_F(hosts, a_certificate_for_another_purpose_is_refused)
{
	char server[400], client[400];

	snprintf(server, sizeof(server), "%s/libvirt/servercert.pem", self->b);
	snprintf(client, sizeof(client), "%s/libvirt/clientcert.pem", self->b);
	ASSERT_EQ(0, sys_ret(rename(client, server)));
	snprintf(server, sizeof(server), "%s/libvirt/private/serverkey.pem", self->b);
	snprintf(client, sizeof(client), "%s/libvirt/private/clientkey.pem", self->b);
	ASSERT_EQ(0, sys_ret(rename(client, server)));
	hosts_connect(self);
	EXPECT_EQ(-EKEYREJECTED, self->h.client_ret);
	EXPECT_WORDS("cannot be trusted", self->h.client_fail);
}

TEST_F(hosts, a_host_without_its_certificate_says_which)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/libvirt/clientcert.pem", self->a);
	ASSERT_EQ(0, sys_ret(unlink(path)));
	hosts_connect(self);
	EXPECT_EQ(-ENOENT, self->h.client_ret);
	EXPECT_WORDS("a/libvirt/clientcert.pem", self->h.client_fail);
}

TEST_F(hosts, plain_and_tls_tell_each_other)
{
	self->keys_b = keys_x509(self->b);
	self->h.server_keys = self->keys_b;
	self->h.timeout_ms = 1000;
	handshake_run(&self->h);
	EXPECT_EQ(-EPROTO, self->h.client_ret);
	EXPECT_NE(0, self->h.server_ret);
	EXPECT_WORDS("speaks TLS with certificates, this host plain TCP", self->h.client_fail);
	handshake_fini(&self->h);

	self->h.client_keys = self->keys_b;
	self->h.server_keys = NULL;
	handshake_run(&self->h);
	EXPECT_EQ(-EPROTO, self->h.client_ret);
	EXPECT_WORDS("speaks plain TCP, this host TLS with certificates", self->h.client_fail);
}

TEST_F(hosts, loading_names_the_file_that_is_wrong)
{
	struct credentials_paths paths = { .pki_dir = self->a };
	struct credentials *keys = NULL;
	struct fail fail = { .err = 0 };
	char path[400];

	EXPECT_TRUE(credentials_found(&paths));
	snprintf(path, sizeof(path), "%s/libvirt/private/serverkey.pem", self->a);
	ASSERT_EQ(0, sys_ret(chmod(path, 0604)));
	EXPECT_EQ(-EPERM, credentials_load(SECURITY_X509, &paths, &keys, &fail));
	EXPECT_WORDS("serverkey.pem is open to everybody", fail);

	fail.err = 0;
	ASSERT_EQ(0, sys_ret(unlink(path)));
	EXPECT_EQ(-ENOENT, credentials_load(SECURITY_X509, &paths, &keys, &fail));
	EXPECT_WORDS("serverkey.pem", fail);

	fail.err = 0;
	psk_write(path, "no key at all\n", 0600);
	EXPECT_EQ(-EINVAL, credentials_load(SECURITY_X509, &paths, &keys, &fail));
	EXPECT_WORDS("serverkey.pem", fail);

	fail.err = 0;
	paths.pki_dir = "/nonexistent";
	EXPECT_FALSE(credentials_found(&paths));
	EXPECT_EQ(-ENOENT, credentials_load(SECURITY_X509, &paths, &keys, &fail));
	EXPECT_WORDS("/nonexistent/CA/cacert.pem", fail);
	EXPECT_NULL(keys);
}

/* ---- pre-shared keys ----------------------------------------------------- */

static void psk_connect(struct handshake *h, const char *client,
			const char *server)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/psk", test_dir());
	psk_write(path, client, 0600);
	h->client_keys = keys_psk(path);
	psk_write(path, server, 0600);
	h->server_keys = keys_psk(path);
	h->name = "host-b";
	handshake_run(h);
	handshake_fini(h);
	credentials_free(h->client_keys);
	credentials_free(h->server_keys);
}

TEST(one_of_several_shared_keys_is_found)
{
	struct handshake h = { .timeout_ms = 10000 };

	psk_connect(&h, "bob:" KEY "\n", "# all\nalice:" OTHER "\n\nbob:" KEY "\n");
	EXPECT_EQ(0, h.client_ret);
	EXPECT_EQ(0, h.server_ret);
}

TEST(a_wrong_shared_key_is_refused)
{
	struct handshake h = { .timeout_ms = 10000 };

	psk_connect(&h, "bob:" KEY "\n", "bob:" OTHER "\n");
	EXPECT_EQ(-EACCES, h.client_ret);
	EXPECT_EQ(-EACCES, h.server_ret);
	EXPECT_WORDS("same name and key", h.client_fail);
	EXPECT_WORDS("same name and key", h.server_fail);
}

TEST(an_unknown_shared_name_is_refused)
{
	struct handshake h = { .timeout_ms = 10000 };

	psk_connect(&h, "bob:" KEY "\n", "alice:" KEY "\n");
	EXPECT_NE(0, h.client_ret);
	EXPECT_NE(0, h.server_ret);
	EXPECT_WORDS("same name and key", h.client_fail);
}

struct psk_case {
	const char *text;
	unsigned int mode;
	int ret;
	const char *words;
};

TEST(a_file_of_shared_keys_is_checked)
{
	static const struct psk_case cases[] = {
		{ "bob:" KEY "\n", 0600, 0, "" },
		{ "bob:" KEY, 0400, 0, "" },
		{ "bob:" KEY "\n", 0640, -EPERM, "open to others (mode 0640" },
		{ "bob:" KEY "\n", 0604, -EPERM, "chmod 0600" },
		{ "", 0600, -EINVAL, "holds no key" },
		{ "bob\n", 0600, -EINVAL, "line 1" },
		{ "#\nbob:xyz\n", 0600, -EINVAL, "line 2" },
		{ "bob:0102\n", 0600, -EINVAL, "line 1" },
		{ "bob:" KEY "0\n", 0600, -EINVAL, "line 1" },
		{ "b ob:" KEY "\n", 0600, -EINVAL, "line 1" },
		{ ":" KEY "\n", 0600, -EINVAL, "line 1" },
		{ "bob:" KEY KEY KEY "\n", 0600, -EINVAL, "line 1" },
	};
	struct credentials_paths paths;
	char path[400];
	size_t i;

	snprintf(path, sizeof(path), "%s/psk", test_dir());
	paths.psk_file = path;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct credentials *keys = NULL;
		struct fail fail = { .text = "" };

		psk_write(path, cases[i].text, cases[i].mode);
		EXPECT_EQ(cases[i].ret, credentials_load(SECURITY_PSK, &paths, &keys, &fail)) {
			TH_LOG("case %zu", i);
		}
		EXPECT_WORDS(cases[i].words, fail);
		EXPECT_FALSE(strstr(fail.text, KEY));
		credentials_free(keys);
	}
}

/* ---- peers that do not play the game ------------------------------------- */

struct raw_server {
	int fd;
	struct credentials *keys;
	struct fail fail;
	int ret;
};

static void *raw_serve(void *arg)
{
	struct raw_server *server = arg;
	struct channel *channel = NULL;
	struct preamble preamble;

	server->ret = preamble_receive(server->fd, 300, &preamble, &server->fail);
	if (server->ret) {
		close(server->fd);
		return NULL;
	}
	server->ret = channel_accept(server->fd, server->keys, 300, &channel, &server->fail);
	channel_close(channel);
	return NULL;
}

/* What a server does with a peer that sends just these bytes and stays. */
static struct raw_server raw_run(struct credentials *keys, const void *bytes,
				 size_t size, bool leave)
{
	struct raw_server server = { .keys = keys };
	pthread_t thread;
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	server.fd = fds[1];
	ASSERT_EQ(0, pthread_create(&thread, NULL, raw_serve, &server));
	ASSERT_EQ((ssize_t)size, send(fds[0], bytes, size, MSG_NOSIGNAL));
	if (leave)
		close(fds[0]);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	if (!leave)
		close(fds[0]);
	return server;
}

TEST(silence_is_bounded)
{
	struct raw_server server = raw_run(NULL, "", 0, false);

	EXPECT_EQ(-ETIMEDOUT, server.ret);
	EXPECT_WORDS("said nothing", server.fail);
}

TEST(half_a_preamble_is_bounded)
{
	struct preamble preamble = handshake_preamble();
	struct raw_server server = raw_run(NULL, &preamble, 20, false);

	EXPECT_EQ(-ETIMEDOUT, server.ret);
	server = raw_run(NULL, &preamble, 20, true);
	EXPECT_EQ(-EPIPE, server.ret);
}

TEST_F(hosts, silence_instead_of_a_handshake_is_bounded)
{
	struct preamble preamble = handshake_preamble();
	struct raw_server server;

	self->keys_b = keys_x509(self->b);
	server = raw_run(self->keys_b, &preamble, sizeof(preamble), false);
	EXPECT_EQ(-ETIMEDOUT, server.ret);
	EXPECT_WORDS("began a TLS handshake and did not finish it", server.fail);
	server = raw_run(self->keys_b, &preamble, sizeof(preamble), true);
	EXPECT_TRUE(server.ret == -ECONNRESET || server.ret == -EPIPE);
}

TEST(garbage_is_not_ours)
{
	char junk[64];
	struct raw_server server;

	memset(junk, 0xa5, sizeof(junk));
	server = raw_run(NULL, junk, sizeof(junk), false);
	EXPECT_EQ(-EPROTO, server.ret);
	EXPECT_WORDS("does not speak Straddle's protocol", server.fail);
	server = raw_run(NULL, "GET / HTTP/1.1\r\nHost: straddle\r\n\r\n", 34, false);
	EXPECT_EQ(-EPROTO, server.ret);
}

TEST_F(hosts, garbage_instead_of_a_handshake_is_refused)
{
	struct preamble preamble = handshake_preamble();
	struct raw_server server;
	char bytes[600];

	memset(bytes, 'G', sizeof(bytes));
	memcpy(bytes, &preamble, sizeof(preamble));
	self->keys_b = keys_x509(self->b);
	server = raw_run(self->keys_b, bytes, sizeof(bytes), false);
	EXPECT_EQ(-EPROTO, server.ret);
	EXPECT_WORDS("the TLS handshake with", server.fail);
	/* what might go on as a record is waited for, but not for ever */
	memset(bytes + sizeof(preamble), 0xa5, sizeof(bytes) - sizeof(preamble));
	server = raw_run(self->keys_b, bytes, sizeof(bytes), false);
	EXPECT_EQ(-ETIMEDOUT, server.ret);
}

/* A handshake message of 16 MiB is not gathered to its end. */
TEST_F(hosts, a_huge_handshake_is_refused)
{
	static const uint8_t huge[] = {
		0x16, 3, 1, 0x40, 0x00,		/* record: 16 KiB of handshake */
		0x01, 0xff, 0xff, 0xff,		/* client hello: 16 MiB - 1 */
	};
	struct preamble preamble = handshake_preamble();
	static uint8_t bytes[150000];
	struct raw_server server;
	size_t at;

	memcpy(bytes, &preamble, sizeof(preamble));
	for (at = sizeof(preamble); at + 16389 <= sizeof(bytes); at += 16389)
		memcpy(bytes + at, huge, sizeof(huge));
	self->keys_b = keys_x509(self->b);
	server = raw_run(self->keys_b, bytes, at, false);
	EXPECT_EQ(-EPROTO, server.ret);
	EXPECT_WORDS("more than 131072 bytes of TLS handshake", server.fail);
}

TEST(another_version_is_told_which)
{
	struct preamble preamble = handshake_preamble();
	struct preamble_reply reply;
	struct raw_server server;
	struct fail fail = { .err = 0 };
	int fds[2];

	preamble.version = STRADDLE_VERSION + 1;
	server = raw_run(NULL, &preamble, sizeof(preamble), false);
	EXPECT_EQ(-EPROTONOSUPPORT, server.ret);
	EXPECT_WORDS("the peer speaks protocol version 3, this host version 2", server.fail);

	/* and a client reads of the answer what a server of version 3 says */
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	memset(&reply, 0, sizeof(reply));
	memcpy(reply.magic, preamble.magic, sizeof(reply.magic));
	reply.version = STRADDLE_VERSION + 1;
	reply.verdict = PREAMBLE_VERSION;
	ASSERT_EQ(sizeof(reply), send(fds[0], &reply, sizeof(reply), 0));
	EXPECT_EQ(-EPROTONOSUPPORT, preamble_answered(fds[1], "host-b", SECURITY_NONE,
						      now_ns() + 1000000000u, &fail));
	EXPECT_WORDS("host-b speaks protocol version 3, this host version 2", fail);
	close(fds[0]);
	close(fds[1]);
}

struct verdict_case {
	enum preamble_verdict verdict;
	int ret;
	const char *words;
};

TEST(a_refusal_says_why)
{
	static const struct verdict_case cases[] = {
		{ PREAMBLE_VERSION, -EPROTONOSUPPORT, "install the same release" },
		{ PREAMBLE_UNKNOWN, -ENOENT, "knows no such migration" },
		{ PREAMBLE_BUSY, -EBUSY, "too many connections" },
		{ (enum preamble_verdict)99, -EPROTO, "unknown verdict 99" },
	};
	struct preamble preamble = handshake_preamble();
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct channel *channel = NULL;
		struct fail fail = { .err = 0 };
		int fds[2];

		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
		preamble_refuse(fds[1], cases[i].verdict);
		EXPECT_EQ(cases[i].ret, channel_connect_fd(fds[0], "host-b", &preamble, NULL,
							   10000, &channel, &fail));
		EXPECT_WORDS(cases[i].words, fail);
		EXPECT_NULL(channel);
		close(fds[1]);
	}
}

TEST(a_server_that_says_nothing_is_bounded)
{
	struct preamble preamble = handshake_preamble();
	struct channel *channel = NULL;
	struct fail fail = { .err = 0 };
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	EXPECT_EQ(-ETIMEDOUT, channel_connect_fd(fds[0], "host-b", &preamble, NULL, 100, &channel,
						 &fail));
	EXPECT_WORDS("host-b accepted the connection but does not answer", fail);
	close(fds[1]);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	close(fds[1]);
	fail.err = 0;
	EXPECT_GT(0, channel_connect_fd(fds[0], "host-b", &preamble, NULL, 10000, &channel,
					&fail));
	EXPECT_TRUE(fail.text[0]);
	EXPECT_NULL(channel);
}

TEST(each_field_of_a_preamble_is_checked)
{
	struct preamble preamble = handshake_preamble();
	struct fail fail = { .err = 0 };

	EXPECT_EQ(0, preamble_check(&preamble, &fail));
	preamble.role = 0;
	EXPECT_EQ(-EPROTO, preamble_check(&preamble, NULL));
	preamble.role = ROLE_STORAGE + 1;
	EXPECT_EQ(-EPROTO, preamble_check(&preamble, NULL));
	preamble = handshake_preamble();
	preamble.reserved = 1;
	EXPECT_EQ(-EPROTO, preamble_check(&preamble, NULL));
	preamble = handshake_preamble();
	preamble.version = 0;
	EXPECT_EQ(-EPROTONOSUPPORT, preamble_check(&preamble, NULL));
	preamble.magic[7] ^= 1;
	EXPECT_EQ(-EPROTO, preamble_check(&preamble, NULL));
}

TEST_HARNESS_MAIN
