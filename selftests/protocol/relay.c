// SPDX-License-Identifier: LGPL-2.1-or-later
/* relay.c - bytes between a socket and a channel arrive, and so does an end. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/un.h>

#include "harness.h"
#include "protocol/relay.h"
#include "sys.h"

#define BULK		(4u << 20)
#define WAIT_MS		10000

/* A client, two relays with a channel between them, a server. */
FIXTURE(way) {
	char path[160];
	int listener, client, server, flusher, flushed, news;
	struct relay *here, *there;
};

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&address, sizeof(address)));
	ASSERT_EQ(0, listen(fd, 4));
	return fd;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

FIXTURE_SETUP(way)
{
	struct relay_setup setup = { .end = RELAY_SERVER };
	int between[2], served[2], flushes[2];

	snprintf(self->path, sizeof(self->path), "%.100s/client", test_dir());
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, between));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, served));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, flushes));
	self->news = eventfd(0, EFD_NONBLOCK);
	self->flusher = flushes[0];
	self->flushed = flushes[1];
	setup.news = self->news;
	setup.flusher = self->flusher;
	setup.fd = served[0];
	ASSERT_EQ(0, channel_wrap(between[0], &setup.channel));
	ASSERT_EQ(0, relay_create(&setup, &self->there));
	self->server = served[1];
	self->listener = listen_at(self->path);
	setup.end = RELAY_CLIENT;
	setup.fd = self->listener;
	setup.client = getpid();
	ASSERT_EQ(0, channel_wrap(between[1], &setup.channel));
	ASSERT_EQ(0, relay_create(&setup, &self->here));
	self->client = connect_to(self->path);
}

FIXTURE_TEARDOWN(way)
{
	relay_destroy(self->here);
	relay_destroy(self->there);
	close(self->listener);
	if (self->client >= 0)
		close(self->client);
	if (self->server >= 0)
		close(self->server);
	close(self->flusher);
	close(self->flushed);
	close(self->news);
}

static int result_of(const struct relay *relay)
{
	int left;

	for (left = WAIT_MS; left > 0 &&
	     relay_result(relay) == -EINPROGRESS; left -= 5)
		poll(NULL, 0, 5);
	return relay_result(relay);
}

struct bulk {
	int fd;
	uint8_t seed;
};

static void *bulk_write(void *arg)
{
	const struct bulk *bulk = arg;
	uint8_t *bytes = malloc(BULK);
	size_t i;

	for (i = 0; i < BULK; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 4096 + bulk->seed);
	EXPECT_EQ(0, sys_write_all(bulk->fd, bytes, BULK));
	free(bytes);
	return NULL;
}

static void expect_bulk(int fd, uint8_t seed)
{
	uint8_t *bytes = malloc(BULK);
	size_t i, wrong = 0;

	EXPECT_EQ(0, sys_read_all(fd, bytes, BULK));
	for (i = 0; i < BULK; i++)
		wrong += bytes[i] != (uint8_t)(i * 31 + i / 4096 + seed);
	EXPECT_EQ(0, wrong);
	free(bytes);
}

TEST_F(way, bytes_to_the_server_arrive)
{
	struct bulk bulk = { self->client, 3 };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, bulk_write, &bulk));
	expect_bulk(self->server, 3);
	pthread_join(thread, NULL);
	EXPECT_EQ(-EINPROGRESS, relay_result(self->here));
}

/* The server's handshake, and an answer. */
static const uint8_t greeted[] = {
	'N', 'B', 'D', 'M', 'A', 'G', 'I', 'C', 'I', 'H', 'A', 'V', 'E', 'O',
	'P', 'T', 0, 3,
	0, 3, 0xe8, 0x89, 4, 0x55, 0x65, 0xa9, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0,
};

static const uint8_t all_is_well[16] = { 0x67, 0x44, 0x66, 0x98 };
static const uint8_t it_is_full[16] = { 0x67, 0x44, 0x66, 0x98, 0, 0, 0, ENOSPC };

TEST_F(way, end_comes_back_when_the_server_has_flushed)
{
	uint8_t bytes[sizeof(greeted) + 16], byte;

	ASSERT_EQ(0, sys_write_all(self->server, greeted, sizeof(greeted)));
	ASSERT_EQ(0, sys_write_all(self->server, all_is_well, 16));
	/* A socket that is closed with bytes unread is broken. */
	ASSERT_EQ(0, sys_read_all(self->client, bytes, sizeof(bytes)));
	close(self->client);
	self->client = -1;
	EXPECT_EQ(-EINPROGRESS, relay_result(self->here));
	close(self->server);
	self->server = -1;
	EXPECT_EQ(0, sys_read_all(self->flushed, &byte, 1));
	EXPECT_EQ(-EINPROGRESS, relay_result(self->there));
	ASSERT_EQ(0, sys_write_all(self->flushed, all_is_well, 16));
	EXPECT_EQ(0, result_of(self->there));
	EXPECT_EQ(0, result_of(self->here));
}

TEST_F(way, flush_that_fails_is_no_end)
{
	close(self->client);
	self->client = -1;
	close(self->server);
	self->server = -1;
	ASSERT_EQ(0, sys_write_all(self->flushed, it_is_full, 16));
	EXPECT_EQ(-ENOSPC, result_of(self->there));
}

TEST_F(way, answer_that_is_an_error_breaks_it)
{
	ASSERT_EQ(0, sys_write_all(self->server, greeted, sizeof(greeted)));
	ASSERT_EQ(0, sys_write_all(self->server, it_is_full, 16));
	EXPECT_EQ(-ENOSPC, result_of(self->there));
	EXPECT_GT(0, result_of(self->here));
}

TEST_F(way, server_that_ends_first_breaks_it)
{
	ASSERT_EQ(0, sys_write_all(self->flushed, all_is_well, 16));
	close(self->server);
	self->server = -1;
	EXPECT_EQ(-EPIPE, result_of(self->here));
}

/* It is told to go, goes, and the one who told it has not left yet. */
TEST_F(way, client_may_leave_after_the_server)
{
	ASSERT_EQ(0, sys_write_all(self->flushed, all_is_well, 16));
	close(self->server);
	self->server = -1;
	EXPECT_EQ(0, result_of(self->there));
	EXPECT_EQ(-EINPROGRESS, relay_result(self->here));
	close(self->client);
	self->client = -1;
	EXPECT_EQ(0, result_of(self->here));
}

TEST_F(way, relay_that_is_destroyed_breaks_the_other)
{
	relay_destroy(self->there);
	self->there = NULL;
	EXPECT_GT(0, result_of(self->here));
}

static void *stranger(void *arg)
{
	int fd = connect_to(arg);
	char byte;

	EXPECT_EQ(0, read(fd, &byte, 1));	/* closed at once */
	close(fd);
	return NULL;
}

TEST(only_the_guest_may_connect)
{
	struct relay_setup setup = { .end = RELAY_CLIENT, .client = 1 };
	struct relay *relay;
	char path[160];
	int between[2];

	snprintf(path, sizeof(path), "%.100s/client", test_dir());
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, between));
	setup.news = eventfd(0, 0);
	setup.fd = listen_at(path);
	ASSERT_EQ(0, channel_wrap(between[0], &setup.channel));
	ASSERT_EQ(0, relay_create(&setup, &relay));
	stranger(path);
	EXPECT_EQ(-EINPROGRESS, relay_result(relay));
	relay_destroy(relay);
}

TEST_HARNESS_MAIN
