// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * nbd.c - watch what an NBD server answers, and have it flush.
 *
 * Numbers and layouts are those of the NBD project's doc/proto.md: fixed
 * newstyle handshake, simple replies and structured ones. All are big-endian.
 */
#include "protocol/nbd.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "protocol/deadline.h"
#include "sys.h"

#define GREETING_SIZE	18	/* "NBDMAGIC", "IHAVEOPT", flags */
#define OPTION_SIZE	20	/* magic, option, type, length */
#define SIMPLE_SIZE	16	/* magic, error, cookie */
#define CHUNK_SIZE	20	/* magic, flags, type, cookie, length */
#define ERROR_SIZE	4	/* what an error's payload begins with */

#define OPTION_MAGIC	UINT64_C(0x0003e889045565a9)
#define HAVE_MAGIC	UINT64_C(0x49484156454f5054)	/* "IHAVEOPT" */
#define SIMPLE_MAGIC	0x67446698u
#define CHUNK_MAGIC	0x668e33efu
#define REQUEST_MAGIC	0x25609513u

#define OPTION_EXPORT_NAME	1
#define OPTION_GO		7
#define REPLY_ACK		1
#define CHUNK_IS_ERROR		0x8000
#define CLIENT_FLAGS		3	/* fixed newstyle, no zeroes */
#define COMMAND_FLUSH		3
#define IS_SLOW			95	/* ENOTSUP: zeroes are written instead */

enum { GREETING, OPTION, REPLY, ERROR_CODE, LOST };

static uint16_t get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get32(const uint8_t *bytes)
{
	return (uint32_t)get16(bytes) << 16 | get16(bytes + 2);
}

static uint64_t get64(const uint8_t *bytes)
{
	return (uint64_t)get32(bytes) << 32 | get32(bytes + 4);
}

static void expect(struct nbd_watch *watch, int state, size_t need)
{
	watch->state = state;
	watch->need = need;
	watch->have = 0;
}

/**
 * nbd_watch_init() - be ready for a connection's first byte
 * @watch: to initialise
 */
void nbd_watch_init(struct nbd_watch *watch)
{
	memset(watch, 0, sizeof(*watch));
	expect(watch, GREETING, GREETING_SIZE);
}

static void note(struct nbd_watch *watch, int error)
{
	if (!watch->error)
		watch->error = error;
}

static void lost(struct nbd_watch *watch)
{
	note(watch, -EPROTO);
	watch->state = LOST;
}

/* The codes are Linux's, as far as there are any. */
static void failed(struct nbd_watch *watch, uint32_t code)
{
	if (code && code != IS_SLOW)
		note(watch, code < 4096 ? -(int)code : -EIO);
}

static void option_take(struct nbd_watch *watch)
{
	const uint8_t *head = watch->head;

	if (get64(head) != OPTION_MAGIC) {
		lost(watch);
		return;
	}
	watch->skip = get32(head + 16);
	if (get32(head + 8) == OPTION_GO && get32(head + 12) == REPLY_ACK)
		expect(watch, REPLY, SIMPLE_SIZE);
	else
		expect(watch, OPTION, OPTION_SIZE);
}

static void chunk_take(struct nbd_watch *watch)
{
	uint16_t type = get16(watch->head + 6);
	uint32_t length = get32(watch->head + 16);

	if (type & CHUNK_IS_ERROR && length >= ERROR_SIZE) {
		expect(watch, ERROR_CODE, ERROR_SIZE);
		watch->skip = 0;
		/* What follows the code; taken when that has been read. */
		memcpy(watch->head + 16, &length, sizeof(length));
		return;
	}
	if (type & CHUNK_IS_ERROR)
		note(watch, -EIO);
	expect(watch, REPLY, SIMPLE_SIZE);
	watch->skip = length;
}

static void reply_take(struct nbd_watch *watch)
{
	uint32_t magic = get32(watch->head);

	if (magic == CHUNK_MAGIC && watch->need == SIMPLE_SIZE) {
		watch->need = CHUNK_SIZE;
	} else if (magic == CHUNK_MAGIC) {
		chunk_take(watch);
	} else if (magic == SIMPLE_MAGIC) {
		failed(watch, get32(watch->head + 4));
		expect(watch, REPLY, SIMPLE_SIZE);
	} else {
		lost(watch);
	}
}

static void code_take(struct nbd_watch *watch)
{
	uint32_t length;

	memcpy(&length, watch->head + 16, sizeof(length));
	failed(watch, get32(watch->head));
	expect(watch, REPLY, SIMPLE_SIZE);
	watch->skip = length - ERROR_SIZE;
}

static void head_take(struct nbd_watch *watch)
{
	switch (watch->state) {
	case GREETING:
		expect(watch, OPTION, OPTION_SIZE);
		return;
	case OPTION:
		option_take(watch);
		return;
	case REPLY:
		reply_take(watch);
		return;
	default:
		code_take(watch);
	}
}

/**
 * nbd_watch_feed() - look at the next bytes that a server sends
 * @watch: of its connection; its error tells what went wrong first
 * @bytes: in order, in pieces of any size
 * @size: how many
 */
void nbd_watch_feed(struct nbd_watch *watch, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	while (size && watch->state != LOST) {
		size_t take = watch->skip ? watch->skip
					  : watch->need - watch->have;

		if (take > size)
			take = size;
		if (watch->skip) {
			watch->skip -= take;
		} else {
			memcpy(watch->head + watch->have, at, take);
			watch->have += take;
			if (watch->have == watch->need)
				head_take(watch);
		}
		at += take;
		size -= take;
	}
}

/* ---- a client that only flushes ------------------------------------------ */

static int receive(int fd, void *bytes, size_t size, uint64_t deadline)
{
	size_t done = 0;

	while (done < size) {
		int ret = sys_wait_fd(fd, POLLIN, deadline_left_ms(deadline));
		ssize_t got;

		if (ret)
			return ret;
		got = sys_retry(recv(fd, (char *)bytes + done, size - done,
				     MSG_DONTWAIT));
		if (!got)
			return -EPIPE;
		if (got < 0 && got != -EAGAIN)
			return (int)got;
		if (got > 0)
			done += (size_t)got;
	}
	return 0;
}

/* What is sent is a few bytes: they fit, or nobody reads. */
static int put(int fd, const void *bytes, size_t size)
{
	ssize_t sent = sys_retry(send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL));

	if (sent < 0)
		return (int)sent;
	return (size_t)sent == size ? 0 : -EPIPE;
}

/**
 * nbd_greet() - connect to the export NBD_EXPORT
 * @fd: connected to a server of ours
 * @timeout_ms: limit for all of it
 *
 * Return: 0, -EPROTO, -EPIPE, -ETIMEDOUT or another -errno.
 */
int nbd_greet(int fd, int timeout_ms)
{
	struct __attribute__((packed)) {
		uint32_t flags;
		uint64_t magic;
		uint32_t option, length;
		char name[sizeof(NBD_EXPORT) - 1];
	} hello = {
		htobe32(CLIENT_FLAGS), htobe64(HAVE_MAGIC),
		htobe32(OPTION_EXPORT_NAME), htobe32(sizeof(NBD_EXPORT) - 1),
		{ 0 },
	};
	uint64_t deadline = deadline_after(timeout_ms);
	uint8_t greeting[GREETING_SIZE], size_and_flags[10];
	int ret = receive(fd, greeting, sizeof(greeting), deadline);

	memcpy(hello.name, NBD_EXPORT, sizeof(hello.name));
	if (!ret && (memcmp(greeting, "NBDMAGIC", 8) ||
		     get64(greeting + 8) != HAVE_MAGIC))
		ret = -EPROTO;
	if (!ret)
		ret = put(fd, &hello, sizeof(hello));
	return ret ? ret : receive(fd, size_and_flags, sizeof(size_and_flags),
				   deadline);
}

/**
 * nbd_flush() - have all that was written so far brought to storage
 * @fd: greeted
 * @timeout_ms: how long that may take
 *
 * Return: 0, the server's own -errno, or that of asking it.
 */
int nbd_flush(int fd, int timeout_ms)
{
	struct __attribute__((packed)) {
		uint32_t magic;
		uint16_t flags, type;
		uint64_t cookie, offset;
		uint32_t length;
	} request = { .magic = htobe32(REQUEST_MAGIC),
		      .type = htobe16(COMMAND_FLUSH) };
	uint8_t reply[SIMPLE_SIZE];
	int ret = put(fd, &request, sizeof(request));

	if (!ret)
		ret = receive(fd, reply, sizeof(reply), deadline_after(timeout_ms));
	if (!ret && get32(reply) != SIMPLE_MAGIC)
		ret = -EPROTO;
	return ret ? ret : -(int)(get32(reply + 4) & 0xfff);
}
