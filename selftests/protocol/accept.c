/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* accept.c - whoever connects to a migration's dest, and is nobody there. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "handshake.h"
#include "harness.h"
#include "lib/pki.h"
#include "protocol/accept.h"
#include "protocol/lane_greet.h"
#include "sys.h"

#define GAP_MS		1000	/* between two bytes: far from its time limit */
#define FROM		"10.0.0.1:4711"

static const uint8_t token[TOKEN_SIZE] = { 1 }, id[MIGRATION_ID_SIZE];

/* Each handshake has a place of few, and a worker that ends waits for all. */
TEST_TIMEOUT(token_that_comes_byte_by_byte_has_no_more_time, 60)
{
	static const uint8_t nobody[32];
	struct preamble_reply reply;
	struct preamble preamble;
	struct accepter *accepter;
	unsigned int sent;
	int fds[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	ASSERT_EQ(0, accepter_create(NULL, token, nobody, &accepter));
	preamble_init(&preamble, ROLE_PUSH, 0, id);
	accepter_take(accepter, &preamble, FROM, fds[0]);
	ASSERT_EQ(0, sys_read_all(fds[1], &reply, sizeof(reply)));
	for (sent = 0; sent < TOKEN_SIZE - 1; sent++) {
		if (!sys_wait_fd(fds[1], POLLIN, GAP_MS))
			break;		/* it hung up */
		if (send(fds[1], token, 1, MSG_NOSIGNAL) != 1)
			break;
	}
	EXPECT_LT(sent, TOKEN_SIZE - 1);
	close(fds[1]);
	accepter_destroy(accepter);
}

/* ---- what is told of them ------------------------------------------------- */

/* host-b is the dest of a migration; host-a, or whoever it is, connects. */
FIXTURE(stranger) {
	struct pki *pki;
	char a[PKI_DIR_MAX], b[PKI_DIR_MAX];
	struct credentials *client, *server;
	uint8_t source[32];		/* who host-a is */
	struct accepter *accepter;
	pthread_mutex_t lock;
	unsigned int told;		/* @lock */
	enum channel_role role;
	bool proven;
	char from[ADDRESS_TEXT], why[FAIL_TEXT_MAX];
};

static void refused(void *arg, enum channel_role role, const char *from, bool proven,
		    const char *why)
{
	FIXTURE_DATA(stranger) *self = arg;

	pthread_mutex_lock(&self->lock);
	self->told++;
	self->role = role;
	self->proven = proven;
	snprintf(self->from, sizeof(self->from), "%s", from);
	snprintf(self->why, sizeof(self->why), "%s", why);
	pthread_mutex_unlock(&self->lock);
}

static void source_learn(FIXTURE_DATA(stranger) *self)
{
	struct handshake h = { .name = "host-b", .server_keys = self->server };

	h.client_keys = keys_x509(self->a);
	handshake_run(&h);
	ASSERT_EQ(0, h.server_ret);
	memcpy(self->source, channel_peer(h.server), sizeof(self->source));
	handshake_fini(&h);
	credentials_free(h.client_keys);
}

FIXTURE_SETUP(stranger)
{
	memset(self, 0, sizeof(*self));
	pthread_mutex_init(&self->lock, NULL);
	self->pki = pki_of_two(self->a, self->b);
	self->server = keys_x509(self->b);
	source_learn(self);
	ASSERT_EQ(0, accepter_create(self->server, token, self->source, &self->accepter));
	accepter_tell(self->accepter, refused, self);
}

FIXTURE_TEARDOWN(stranger)
{
	accepter_destroy(self->accepter);
	credentials_free(self->client);
	credentials_free(self->server);
	pki_destroy(self->pki);
}

struct arrival {
	struct accepter *accepter;
	int fd;
};

/* As the agent: it reads what the connection is for, and passes it on. */
static void *arrive(void *arg)
{
	const struct arrival *arrival = arg;
	struct preamble preamble;

	ASSERT_EQ(0, preamble_receive(arrival->fd, 10000, &preamble, NULL));
	accepter_take(arrival->accepter, &preamble, FROM, arrival->fd);
	return NULL;
}

/* host-a comes, with what is in its folder now; until the dest has decided. */
static void come(FIXTURE_DATA(stranger) *self, enum channel_role role, const uint8_t *shown)
{
	struct arrival arrival = { .accepter = self->accepter };
	struct channel *channel = NULL;
	struct fail fail = { .err = 0 };
	struct preamble preamble;
	pthread_t thread;
	int fds[2];

	self->client = keys_x509(self->a);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	arrival.fd = fds[1];
	ASSERT_EQ(0, pthread_create(&thread, NULL, arrive, &arrival));
	preamble_init(&preamble, role, 0, id);
	if (!channel_connect_fd(fds[0], "host-b", &preamble, self->client, 10000, &channel,
				&fail) && role != ROLE_CONTROL)
		(void)lane_greet(channel, shown, "host-b", 10000, &fail);
	channel_close(channel);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	accepter_destroy(self->accepter);	/* waits for the handshake */
	self->accepter = NULL;
}

static void told(FIXTURE_DATA(stranger) *self, enum channel_role role, bool proven,
		 const char *why)
{
	EXPECT_EQ(1, self->told);
	EXPECT_EQ(role, self->role);
	EXPECT_EQ(proven, self->proven);
	EXPECT_STREQ(FROM, self->from);
	EXPECT_TRUE(strstr(self->why, why)) {
		TH_LOG("said: %s", self->why);
	}
}

TEST_F(stranger, source_itself_is_not_told_of)
{
	come(self, ROLE_PUSH, token);
	EXPECT_EQ(0, self->told) {
		TH_LOG("said: %s", self->why);
	}
}

TEST_F(stranger, another_host_is_named)
{
	ASSERT_EQ(0, pki_issue(self->pki, self->a, "host-c", "10.0.0.1", 1));
	come(self, ROLE_CONTROL, NULL);
	told(self, ROLE_CONTROL, true, "it proved to be host-c");
}

TEST_F(stranger, who_cannot_prove_a_name_is_told_of_by_address)
{
	ASSERT_EQ(0, pki_issue(self->pki, self->a, "host-a", "10.0.0.1", -2));
	come(self, ROLE_CONTROL, NULL);
	told(self, ROLE_CONTROL, false, "expired");
}

TEST_F(stranger, who_is_not_on_the_list_is_told_of_with_all_names)
{
	ASSERT_EQ(0, credentials_allow(self->server, "host-d", NULL));
	come(self, ROLE_PUSH, token);
	told(self, ROLE_PUSH, true, "'CN=host-a', names [10.0.0.1, host-a]");
}

TEST_F(stranger, wrong_token_is_told)
{
	static const uint8_t wrong[TOKEN_SIZE] = { 2 };

	come(self, ROLE_FAULT, wrong);
	told(self, ROLE_FAULT, true, "host-a showed a token that opens nothing here");
}

TEST_HARNESS_MAIN
