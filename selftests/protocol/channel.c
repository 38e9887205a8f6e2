/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* channel.c - bytes through plain and TLS channels. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include "harness.h"
#include "handshake.h"
#include "lib/pki.h"
#include "protocol/address.h"
#include "sys.h"

#define KEY	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define WAIT_MS	20000

FIXTURE(pair) {
	struct credentials *keys;
	struct handshake h;
	struct channel *a, *b;		/* client, server */
};

FIXTURE_VARIANT(pair) {
	enum security security;
};

FIXTURE_VARIANT_ADD(pair, plain) { .security = SECURITY_NONE };
FIXTURE_VARIANT_ADD(pair, x509) { .security = SECURITY_X509 };
FIXTURE_VARIANT_ADD(pair, psk) { .security = SECURITY_PSK };

FIXTURE_SETUP(pair)
{
	struct pki *pki;
	char path[400];

	self->keys = NULL;
	if (variant->security == SECURITY_X509) {
		ASSERT_EQ(0, pki_create(&pki));
		ASSERT_EQ(0, pki_issue(pki, test_dir(), "host-a", "10.0.0.1", 1));
		pki_destroy(pki);
		self->keys = keys_x509(test_dir());
	} else if (variant->security == SECURITY_PSK) {
		snprintf(path, sizeof(path), "%s/psk", test_dir());
		psk_write(path, "alice:" KEY "\n", 0600);
		self->keys = keys_psk(path);
	}
	self->h = (struct handshake){
		.client_keys = self->keys,
		.server_keys = self->keys,
		.name = "host-a",
	};
	handshake_run(&self->h);
	ASSERT_EQ(0, self->h.client_ret) {
		TH_LOG("%s", self->h.client_fail.text);
	}
	ASSERT_EQ(0, self->h.server_ret) {
		TH_LOG("%s", self->h.server_fail.text);
	}
	self->a = self->h.client;
	self->b = self->h.server;
}

FIXTURE_TEARDOWN(pair)
{
	channel_close(self->a);
	channel_close(self->b);
	credentials_free(self->keys);
}

/* Bytes that differ everywhere and in each direction. */
static void pattern_fill(uint8_t *buf, size_t size, uint64_t seed)
{
	size_t i;

	for (i = 0; i < size; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		buf[i] = (uint8_t)(seed >> 56);
	}
}

TEST_F(pair, the_preamble_arrives)
{
	struct preamble sent = handshake_preamble();

	EXPECT_EQ(0, memcmp(&sent, &self->h.preamble, sizeof(sent)));
	EXPECT_EQ(ROLE_PUSH, self->h.preamble.role);
	EXPECT_EQ(3, self->h.preamble.index);
}

TEST_F(pair, what_is_sent_arrives)
{
	char got[6] = "";

	ASSERT_EQ(0, channel_send(self->a, "hello", 6, WAIT_MS));
	ASSERT_EQ(0, channel_receive(self->b, got, 6, WAIT_MS));
	EXPECT_STREQ("hello", got);
	ASSERT_EQ(0, channel_send(self->b, "world", 6, WAIT_MS));
	ASSERT_EQ(0, channel_receive(self->a, got, 6, WAIT_MS));
	EXPECT_STREQ("world", got);
}

TEST_F(pair, pieces_arrive_in_order)
{
	static const size_t sizes[] = { 0, 32, 4096, 0, 1, 16384, 16385, 7, 40000, 0 };
	enum { PIECES = sizeof(sizes) / sizeof(sizes[0]), TOTAL = 76905 };
	static uint8_t sent[TOTAL], got[TOTAL];
	struct iovec iov[PIECES];
	size_t i, at = 0;

	pattern_fill(sent, TOTAL, 1);
	for (i = 0; i < PIECES; i++) {
		iov[i] = (struct iovec){ .iov_base = sent + at, .iov_len = sizes[i] };
		at += sizes[i];
	}
	ASSERT_EQ(TOTAL, at);
	ASSERT_EQ(0, channel_sendv(self->a, iov, PIECES, WAIT_MS));
	ASSERT_EQ(0, channel_receive(self->b, got, TOTAL, WAIT_MS));
	EXPECT_EQ(0, memcmp(sent, got, TOTAL));
}

TEST_F(pair, nothing_to_send_is_sent)
{
	struct iovec empty = { .iov_base = NULL, .iov_len = 0 };

	EXPECT_EQ(0, channel_send(self->a, NULL, 0, WAIT_MS));
	EXPECT_EQ(0, channel_sendv(self->a, &empty, 1, WAIT_MS));
	EXPECT_EQ(0, channel_sendv(self->a, NULL, 0, WAIT_MS));
	EXPECT_EQ(-EAGAIN, channel_receive_some(self->b, &empty, 1));
}

TEST_F(pair, a_silent_peer_is_a_timeout)
{
	char byte;

	EXPECT_EQ(-EAGAIN, channel_receive_some(self->a, &byte, 1));
	EXPECT_EQ(-ETIMEDOUT, channel_receive(self->a, &byte, 1, 50));
	/* and not the end of the channel */
	ASSERT_EQ(0, channel_send(self->b, "x", 1, WAIT_MS));
	ASSERT_EQ(0, channel_receive(self->a, &byte, 1, WAIT_MS));
	EXPECT_EQ('x', byte);
}

TEST_F(pair, a_closed_peer_is_end_of_file)
{
	char byte;

	ASSERT_EQ(0, channel_send(self->b, "x", 1, WAIT_MS));
	channel_close(self->b);
	self->b = NULL;
	ASSERT_EQ(0, channel_receive(self->a, &byte, 1, WAIT_MS));
	EXPECT_EQ(-EPIPE, channel_receive(self->a, &byte, 1, WAIT_MS));
}

/* Cut without TLS's farewell: an end of file would be a lie. */
TEST_F(pair, a_cut_is_an_error_under_tls)
{
	char byte;
	int ret;

	channel_shutdown(self->b);
	ret = channel_receive(self->a, &byte, 1, WAIT_MS);
	EXPECT_EQ(variant->security == SECURITY_NONE ? -EPIPE : -ECONNRESET, ret);
}

TEST_F(pair, sending_to_a_closed_peer_fails_without_a_signal)
{
	static char block[65536];
	ssize_t put = 0;
	int i;

	channel_close(self->b);
	self->b = NULL;
	for (i = 0; i < 100 && put >= 0; i++)
		put = channel_send(self->a, block, sizeof(block), WAIT_MS);
	EXPECT_TRUE(put == -EPIPE || put == -ECONNRESET) {
		TH_LOG("put %zd", put);
	}
}

static void *receive_one(void *arg)
{
	char byte;
	long ret = channel_receive(arg, &byte, 1, -1);

	return (void *)ret;
}

TEST_F(pair, shutdown_wakes_a_receiver)
{
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, pthread_create(&thread, NULL, receive_one, self->a));
	channel_shutdown(self->a);
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_LT((long)ret, 0);
}

/* A full pipe says -EAGAIN; what was offered then goes out once, later. */
TEST_F(pair, a_full_channel_loses_and_repeats_nothing)
{
	enum { TOTAL = 8 << 20 };
	uint8_t *sent = malloc(TOTAL), *got = malloc(TOTAL);
	size_t put = 0, taken = 0;
	unsigned int full = 0;
	ssize_t ret;

	ASSERT_TRUE(sent && got);
	pattern_fill(sent, TOTAL, 2);
	while (taken < TOTAL) {
		/* odd sizes, so that records and pieces do not line up */
		size_t size = TOTAL - put < 30011 ? TOTAL - put : 30011;

		ret = size ? channel_send_some(self->a, sent + put, size) : -EAGAIN;
		if (ret >= 0) {
			put += (size_t)ret;
			continue;
		}
		ASSERT_EQ(-EAGAIN, ret);
		full++;
		ret = channel_receive_some(self->b, got + taken, 70001 < TOTAL - taken ?
					   70001 : TOTAL - taken);
		ASSERT_TRUE(ret > 0 || ret == -EAGAIN);
		taken += ret > 0 ? (size_t)ret : 0;
	}
	EXPECT_GT(full, 1);
	EXPECT_EQ(0, memcmp(sent, got, TOTAL));
	free(sent);
	free(got);
}

TEST_F(pair, pending_bytes_are_told)
{
	char got[100];

	EXPECT_EQ(0, channel_pending(self->b));
	ASSERT_EQ(0, channel_send(self->a, "0123456789", 10, WAIT_MS));
	ASSERT_EQ(0, channel_receive(self->b, got, 4, WAIT_MS));
	/* TLS has taken the whole record out of the socket */
	EXPECT_EQ(variant->security == SECURITY_NONE ? 0 : 6, channel_pending(self->b));
	EXPECT_EQ(6, channel_receive_some(self->b, got, sizeof(got)));
	EXPECT_EQ(0, channel_pending(self->b));
}

/* Poll() does not tell of what came with it and was taken out of the socket. */
TEST_F(pair, what_came_along_is_pending)
{
	char got[100];

	ASSERT_EQ(0, channel_send(self->a, "01234", 5, WAIT_MS));
	ASSERT_EQ(0, channel_send(self->a, "56789", 5, WAIT_MS));
	ASSERT_EQ(0, channel_receive(self->b, got, 5, WAIT_MS));
	EXPECT_EQ(variant->security != SECURITY_NONE, channel_pending(self->b) > 0);
	EXPECT_EQ(5, channel_receive_some(self->b, got, sizeof(got)));
	EXPECT_EQ(0, memcmp("56789", got, 5));
	EXPECT_EQ(0, channel_pending(self->b));
	EXPECT_EQ(-EAGAIN, channel_receive_some(self->b, got, sizeof(got)));
}

TEST_F(pair, peers_are_who_they_proved_to_be)
{
	static const uint8_t nobody[32];
	int known = memcmp(nobody, channel_peer(self->b), 32);

	/* one key, or the two certificates of one host: so it is one peer */
	EXPECT_EQ(variant->security == SECURITY_NONE, !known);
	EXPECT_TRUE(channel_is_peer(self->a, channel_peer(self->b)));
	if (variant->security == SECURITY_X509)
		EXPECT_STREQ("host-a", channel_peer_name(self->b));
	if (variant->security == SECURITY_PSK)
		EXPECT_STREQ("alice", channel_peer_name(self->b));
}

struct flow {
	struct channel *channel;
	size_t size;
	uint64_t seed;
	bool intact;
};

static void *flow_send(void *arg)
{
	enum { BLOCK = 1 << 20 };
	struct flow *flow = arg;
	uint8_t *block = malloc(BLOCK), header[24];
	struct iovec iov[2];
	size_t done;

	for (done = 0; done < flow->size; done += sizeof(header) + BLOCK) {
		pattern_fill(header, sizeof(header), flow->seed + done);
		pattern_fill(block, BLOCK, flow->seed + done + 1);
		iov[0] = (struct iovec){ header, sizeof(header) };
		iov[1] = (struct iovec){ block, BLOCK };
		ASSERT_EQ(0, channel_sendv(flow->channel, iov, 2, WAIT_MS));
	}
	free(block);
	return NULL;
}

static void *flow_receive(void *arg)
{
	enum { BLOCK = 1 << 20 };
	struct flow *flow = arg;
	uint8_t *want = malloc(BLOCK), *got = malloc(BLOCK), header[24], seen[24];
	size_t done;

	flow->intact = true;
	for (done = 0; done < flow->size; done += sizeof(header) + BLOCK) {
		pattern_fill(header, sizeof(header), flow->seed + done);
		pattern_fill(want, BLOCK, flow->seed + done + 1);
		ASSERT_EQ(0, channel_receive(flow->channel, seen, sizeof(seen), WAIT_MS));
		ASSERT_EQ(0, channel_receive(flow->channel, got, BLOCK, WAIT_MS));
		flow->intact &= !memcmp(header, seen, sizeof(seen)) && !memcmp(want, got, BLOCK);
	}
	free(want);
	free(got);
	return NULL;
}

TEST_F(pair, both_ways_at_once_arrive_intact)
{
	size_t size = test_sample(64) << 20;
	struct flow flows[4] = {
		{ self->a, size, 1000003, true }, { self->b, size, 1000003, false },
		{ self->b, size, 7000009, true }, { self->a, size, 7000009, false },
	};
	pthread_t threads[4];
	int i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, i % 2 ? flow_receive : flow_send,
					    &flows[i]));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_TRUE(flows[1].intact);
	EXPECT_TRUE(flows[3].intact);
}

/* ---- TCP ---------------------------------------------------------------- */

struct listener {
	int fd;
	char text[100];			/* HOST:PORT */
};

static struct listener listener_make(const char *where)
{
	struct fail fail = { .err = 0 };
	struct listener listener;
	struct address address;

	ASSERT_EQ(0, address_parse_own(where, &address, &fail));
	listener.fd = address_listen(&address, &fail);
	ASSERT_GE(listener.fd, 0) {
		TH_LOG("%s", fail.text);
	}
	address_of_socket(listener.fd, listener.text, sizeof(listener.text));
	return listener;
}

static void *accept_one(void *arg)
{
	struct listener *listener = arg;
	struct fail fail = { .err = 0 };
	struct channel *channel = NULL;
	struct preamble preamble;
	int fd;

	ASSERT_EQ(0, sys_wait_fd(listener->fd, POLLIN, WAIT_MS));
	fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, preamble_receive(fd, WAIT_MS, &preamble, &fail));
	ASSERT_EQ(0, channel_accept(fd, NULL, WAIT_MS, &channel, &fail));
	return channel;
}

static int option_get(struct channel *channel, int level, int name)
{
	socklen_t size = sizeof(int);
	int value = -1;

	EXPECT_EQ(0, getsockopt(channel_fd(channel), level, name, &value, &size));
	return value;
}

TEST(a_lane_is_tuned_for_its_role)
{
	struct listener listener = listener_make("127.0.0.1:0");
	struct preamble preamble = handshake_preamble();
	struct channel *client = NULL, *server;
	struct fail fail = { .err = 0 };
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, pthread_create(&thread, NULL, accept_one, &listener));
	ASSERT_EQ(0, channel_connect(listener.text, &preamble, NULL, WAIT_MS, &client, &fail)) {
		TH_LOG("%s", fail.text);
	}
	ASSERT_EQ(0, pthread_join(thread, &ret));
	server = ret;
	EXPECT_EQ(1, option_get(client, IPPROTO_TCP, TCP_NODELAY));
	ASSERT_EQ(0, channel_tune(client, ROLE_FAULT));
	EXPECT_EQ(6, option_get(client, SOL_SOCKET, SO_PRIORITY));
	EXPECT_EQ(0xb8, option_get(client, IPPROTO_IP, IP_TOS));
	ASSERT_EQ(0, channel_tune(server, ROLE_PUSH));
	EXPECT_EQ(2, option_get(server, SOL_SOCKET, SO_PRIORITY));
	EXPECT_EQ(0x20, option_get(server, IPPROTO_IP, IP_TOS));
	EXPECT_GT(option_get(server, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 0);
	EXPECT_GT(option_get(server, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	EXPECT_EQ(1, option_get(server, SOL_SOCKET, SO_KEEPALIVE));
	/* Nothing is on its way: nobody can wait behind it. */
	EXPECT_EQ(0, channel_narrow(server, true));
	EXPECT_EQ(0, channel_narrow(server, false));
	EXPECT_EQ(0, channel_narrow(client, true));
	channel_close(client);
	channel_close(server);
	close(listener.fd);
}

TEST(a_local_socket_needs_no_tuning)
{
	struct channel *channel = NULL;
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	ASSERT_EQ(0, channel_wrap(fds[0], &channel));
	EXPECT_EQ(0, channel_tune(channel, ROLE_CONTROL));
	EXPECT_EQ(0, channel_tune(channel, ROLE_PUSH));
	EXPECT_EQ(0, channel_narrow(channel, true));
	channel_close(channel);
	close(fds[1]);
}

TEST(nobody_listening_is_said)
{
	struct listener listener = listener_make("127.0.0.1:0");
	struct preamble preamble = handshake_preamble();
	struct channel *channel = NULL;
	struct fail fail = { .err = 0 };

	close(listener.fd);
	EXPECT_EQ(-ECONNREFUSED, channel_connect(listener.text, &preamble, NULL, WAIT_MS,
						 &channel, &fail));
	EXPECT_NULL(channel);
	EXPECT_TRUE(strstr(fail.text, "is straddled running there"));
}

TEST(no_route_is_said)
{
	struct preamble preamble = handshake_preamble();
	struct channel *channel = NULL;
	struct fail fail = { .err = 0 };

	if (unshare(CLONE_NEWNET))
		SKIP(return, "a network namespace of its own needs root");
	EXPECT_EQ(-ENETUNREACH, channel_connect("10.1.2.3", &preamble, NULL, WAIT_MS, &channel,
						&fail));
	EXPECT_TRUE(strstr(fail.text, "no route to 10.1.2.3"));
}

struct address_case {
	const char *text, *host, *port;	/* NULL host: refused */
};

TEST(addresses_are_taken_apart_or_refused)
{
	static const struct address_case cases[] = {
		{ "host", "host", STRADDLE_PORT },
		{ "host:1", "host", "1" },
		{ "10.0.0.1:65535", "10.0.0.1", "65535" },
		{ "::1", "::1", STRADDLE_PORT },
		{ "[::1]", "::1", STRADDLE_PORT },
		{ "[fe80::1%eth0]:5", "fe80::1%eth0", "5" },
		{ "", NULL, NULL }, { ":5", NULL, NULL }, { "host:", NULL, NULL },
		{ "host:0", NULL, NULL }, { "[::1]:00", NULL, NULL },
		{ "host:65536", NULL, NULL }, { "host:-1", NULL, NULL },
		{ "host:5x", NULL, NULL }, { "[::1", NULL, NULL },
		{ "[::1]5", NULL, NULL }, { "[]:5", NULL, NULL },
		{ "a b", NULL, NULL }, { "a/b", NULL, NULL }, { "a\nb", NULL, NULL },
	};
	struct address address;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fail fail = { .err = 0 };
		int ret = address_parse(cases[i].text, &address, &fail);

		EXPECT_EQ(cases[i].host ? 0 : -EINVAL, ret) {
			TH_LOG("'%s'", cases[i].text);
		}
		EXPECT_EQ(!cases[i].host, fail.text[0] != 0 && fail.err);
		if (ret || !cases[i].host)
			continue;
		EXPECT_STREQ(cases[i].host, address.host);
		EXPECT_STREQ(cases[i].port, address.port);
	}
}

/* Where it is another host's, somebody would wait for it. */
TEST(port_0_is_for_who_listens)
{
	struct fail fail = { .err = 0 };
	struct address address;

	EXPECT_EQ(0, address_parse_own("127.0.0.1:0", &address, &fail));
	EXPECT_STREQ("0", address.port);
	EXPECT_EQ(-EINVAL, address_parse("127.0.0.1:0", &address, &fail));
	EXPECT_TRUE(strstr(fail.text, "nobody listens on port 0")) {
		TH_LOG("%s", fail.text);
	}
}

TEST(loopback_is_recognised)
{
	static const char *const yes[] = { "127.0.0.1", "127.9.9.9", "::1", "localhost" };
	static const char *const no[] = { "0.0.0.0", "128.0.0.1", "::", "host", "1.127.0.0" };
	struct address address = { .port = "1" };
	size_t i;

	for (i = 0; i < 4; i++) {
		snprintf(address.host, sizeof(address.host), "%s", yes[i]);
		EXPECT_TRUE(address_is_loopback(&address));
	}
	for (i = 0; i < 5; i++) {
		snprintf(address.host, sizeof(address.host), "%s", no[i]);
		EXPECT_FALSE(address_is_loopback(&address));
	}
}

TEST_HARNESS_MAIN
