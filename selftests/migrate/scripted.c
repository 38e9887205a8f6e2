// SPDX-License-Identifier: LGPL-2.1-or-later
/* scripted.c - either end of a migration, as a test wants it to behave. */
#include "scripted.h"

#include <endian.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/eventfd.h>

#include "harness.h"
#include "protocol/accept.h"
#include "protocol/address.h"
#include "sys.h"
#include "tools/net/netns.h"

#define WAIT_MS		20000
#define CHUNK		65536

/* ---- both ---------------------------------------------------------------- */

/**
 * scripted_send() - send a message on the control channel
 * @end: which
 * @type: of the message
 * @body: or NULL
 */
void scripted_send(struct scripted *end, enum message_type type,
		   const ProtobufCMessage *body)
{
	struct fail fail = { 0 };

	ASSERT_EQ(0, message_send(end->control, type, body, &fail)) {
		TH_LOG("%s", fail.text);
	}
}

static void raw_send(struct scripted *end, uint32_t type, uint32_t length,
		     uint32_t present)
{
	struct message_header header = { htole32(type), htole32(length), 0 };
	uint8_t bytes[4096];

	memset(bytes, 0xa5, sizeof(bytes));
	ASSERT_EQ(0, channel_send(end->control, &header, sizeof(header),
				  WAIT_MS));
	if (present)
		ASSERT_EQ(0, channel_send(end->control, bytes, present,
					  WAIT_MS));
}

/**
 * scripted_misdeed() - do on the control channel what nobody may
 * @end: which
 * @misdeed: what
 */
void scripted_misdeed(struct scripted *end, enum misdeed misdeed)
{
	switch (misdeed) {
	case GARBAGE:
		raw_send(end, 0xa5a5a5a5, 0xa5a5a5a5, 4096);
		break;
	case WRONG_MESSAGE:		/* of the other side, in no phase */
		raw_send(end, end->listen_fd >= 0 ? MSG_PREPARE : MSG_PREPARED,
			 16, 16);
		break;
	case UNKNOWN_MESSAGE:
		raw_send(end, 99, 0, 0);
		break;
	case HUGE_MESSAGE:
		raw_send(end, end->listen_fd >= 0 ? MSG_FAILED : MSG_KEEP,
			 0xfffffff0, 4096);
		break;
	case CLOSED:
		scripted_hang_up(end);
		break;
	}
}

/**
 * scripted_hang_up() - close the control channel
 * @end: which
 */
void scripted_hang_up(struct scripted *end)
{
	channel_close(end->control);
	end->control = NULL;
}

/**
 * scripted_await() - read messages up to one of a type
 * @end: which
 * @type: wanted
 *
 * Return: false: the peer ended the connection without it.
 */
bool scripted_await(struct scripted *end, enum message_type type)
{
	struct message_header header;
	uint8_t bytes[CHUNK];

	for (;;) {
		uint32_t left;

		if (channel_receive(end->control, &header, sizeof(header),
				    WAIT_MS))
			return false;
		left = le32toh(header.length);
		while (left) {
			uint32_t part = left < CHUNK ? left : CHUNK;

			if (channel_receive(end->control, bytes, part,
					    WAIT_MS))
				return false;
			left -= part;
		}
		if (le32toh(header.type) == type)
			return true;
	}
}

/**
 * scripted_end() - close everything
 * @end: all zero but listen_fd and drain_stop, or in use
 */
void scripted_end(struct scripted *end)
{
	uint64_t one = 1;
	int i;

	if (end->drain_stop >= 0) {
		sys_write_all(end->drain_stop, &one, sizeof(one));
		pthread_join(end->drain, NULL);
		close(end->drain_stop);
	}
	end->drain_stop = -1;
	for (i = 0; i < SCRIPTED_LANES; i++)
		channel_close(end->lanes[i]);
	memset(end->lanes, 0, sizeof(end->lanes));
	scripted_hang_up(end);
	if (end->listen_fd >= 0)
		close(end->listen_fd);
	end->listen_fd = -1;
	credentials_free(end->credentials);
	end->credentials = NULL;
}

/* ---- dest ---------------------------------------------------------------- */

static int listen_here(void *arg)
{
	const char *host = arg;
	struct address address;
	struct fail fail = { 0 };

	snprintf(address.host, sizeof(address.host), "%s", host);
	snprintf(address.port, sizeof(address.port), "%d", SCRIPTED_PORT);
	return address_listen(&address, &fail);
}

/**
 * scripted_listen() - be a dest at SCRIPTED_PORT
 * @dest: filled; scripted_end() it
 * @host: where
 */
void scripted_listen(struct scripted *dest, const struct host *host)
{
	struct credentials_paths none = { .pki_dir = NULL };
	struct fail fail = { 0 };

	memset(dest, 0, sizeof(*dest));
	dest->drain_stop = -1;
	dest->listen_fd = netns_run(host->netns, listen_here,
				    (void *)(uintptr_t)host->address);
	ASSERT_LE(0, dest->listen_fd);
	ASSERT_EQ(0, credentials_load(SECURITY_NONE, &none, &dest->credentials,
				      &fail));
	memset(dest->token, 0x5c, sizeof(dest->token));
}

static struct channel *take(struct scripted *dest, enum channel_role *role)
{
	struct preamble preamble;
	struct channel *channel;
	struct fail fail = { 0 };
	int fd;

	ASSERT_EQ(0, sys_wait_fd(dest->listen_fd, POLLIN, WAIT_MS)) {
		TH_LOG("nobody connects");
	}
	fd = sys_ret(accept4(dest->listen_fd, NULL, NULL,
			     SOCK_CLOEXEC | SOCK_NONBLOCK));
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, preamble_receive(fd, WAIT_MS, &preamble, &fail)) {
		TH_LOG("%s", fail.text);
	}
	*role = preamble.role;
	memcpy(dest->id, preamble.migration, sizeof(dest->id));
	ASSERT_EQ(0, channel_accept(fd, dest->credentials, WAIT_MS, &channel,
				    &fail)) {
		TH_LOG("%s", fail.text);
	}
	return channel;
}

/**
 * scripted_take() - take a control connection
 * @dest: listening; it hangs up on an older one
 * @first: what the source has to say first
 */
void scripted_take(struct scripted *dest, enum message_type first)
{
	enum channel_role role;

	scripted_hang_up(dest);
	dest->control = take(dest, &role);
	ASSERT_EQ(ROLE_CONTROL, role);
	ASSERT_TRUE(scripted_await(dest, first));
}

static void *drain_main(void *arg)
{
	struct scripted *dest = arg;
	struct pollfd fds[SCRIPTED_LANES + 1];
	char bytes[CHUNK];
	int i;

	for (i = 0; i < SCRIPTED_LANES; i++)
		fds[i] = (struct pollfd){ channel_fd(dest->lanes[i]), POLLIN,
					  0 };
	fds[i] = (struct pollfd){ dest->drain_stop, POLLIN, 0 };
	while (sys_retry(poll(fds, SCRIPTED_LANES + 1, -1)) > 0 &&
	       !fds[SCRIPTED_LANES].revents)
		for (i = 0; i < SCRIPTED_LANES; i++)
			if (fds[i].revents) {
				ssize_t got = channel_receive_some(
						dest->lanes[i], bytes,
						sizeof(bytes));

				if (got <= 0 && got != -EAGAIN)
					fds[i].fd = -1;
			}
	return NULL;
}

/**
 * scripted_prepared() - answer PREPARE and take the lanes
 * @dest: has read PREPARE
 */
void scripted_prepared(struct scripted *dest)
{
	Straddle__Prepared said = STRADDLE__PREPARED__INIT;
	uint32_t welcome = htole32(LANE_WELCOME);
	uint8_t hello[LANE_HELLO_SIZE];
	enum channel_role role;
	int i;

	said.token.data = dest->token;
	said.token.len = sizeof(dest->token);
	said.fault_lanes = 1;
	said.push_lanes = 1;
	said.has_packs = said.packs = dest->packs;
	scripted_send(dest, MSG_PREPARED, &said.base);
	for (i = 0; i < SCRIPTED_LANES; i++) {
		dest->lanes[i] = take(dest, &role);
		ASSERT_EQ(i ? ROLE_PUSH : ROLE_FAULT, role);
		ASSERT_EQ(0, channel_receive(dest->lanes[i], hello,
					     sizeof(hello), WAIT_MS));
		EXPECT_EQ(0, memcmp(hello, dest->token, sizeof(hello)));
		ASSERT_EQ(0, channel_send(dest->lanes[i], &welcome,
					  sizeof(welcome), WAIT_MS));
	}
	dest->drain_stop = sys_ret(eventfd(0, EFD_CLOEXEC));
	ASSERT_LE(0, dest->drain_stop);
	ASSERT_EQ(0, pthread_create(&dest->drain, NULL, drain_main, dest));
}

/* ---- source -------------------------------------------------------------- */

static int connect_here(void *arg)
{
	const char *host = arg;
	struct address address;
	struct fail fail = { 0 };

	snprintf(address.host, sizeof(address.host), "%s", host);
	snprintf(address.port, sizeof(address.port), STRADDLE_PORT);
	return address_connect(&address, NULL, WAIT_MS, &fail);
}

/**
 * scripted_connect() - connect to an agent, as a source does
 * @host: where from
 * @to: address of the agent's host
 * @role: of the connection; its index is 0
 * @id: of the migration
 * @credentials: for TLS or of SECURITY_NONE
 * @channel: receives it
 *
 * Return: 0 or -errno.
 */
int scripted_connect(const struct host *host, const char *to,
		     enum channel_role role, const uint8_t *id,
		     struct credentials *credentials, struct channel **channel)
{
	int fd = netns_run(host->netns, connect_here, (void *)(uintptr_t)to);
	struct preamble preamble;
	struct fail fail = { 0 };

	if (fd < 0)
		return fd;
	preamble_init(&preamble, role, 0, id);
	return channel_connect_fd(fd, to, &preamble, credentials, WAIT_MS,
				  channel, &fail);
}
