/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * preamble.c - the unencrypted first bytes of a connection and their answer.
 *
 * Neither is trusted. The answer exists so that a user reads "speaks version
 * 2" or "speaks TLS with certificates" and not "handshake failed".
 */
#include <assert.h>
#include <endian.h>
#include <string.h>

#include "protocol/deadline.h"
#include "protocol/preamble.h"

static const uint8_t magic[8] = "STRADDLE";

static_assert(sizeof(struct preamble) == 32, "wire format");
static_assert(sizeof(struct preamble_reply) == 16, "wire format");

/**
 * preamble_init() - fill in a preamble
 * @preamble: what to fill
 * @role: what the connection is for
 * @index: of the lane within its role
 * @migration: MIGRATION_ID_SIZE bytes
 */
void preamble_init(struct preamble *preamble, enum channel_role role,
		   unsigned int index, const uint8_t *migration)
{
	*preamble = (struct preamble){
		.version = STRADDLE_VERSION,
		.role = (uint16_t)role,
		.index = (uint16_t)index,
	};
	memcpy(preamble->magic, magic, sizeof(magic));
	memcpy(preamble->migration, migration, MIGRATION_ID_SIZE);
}

/**
 * preamble_check() - is it one of ours, of our version, with legal fields?
 * @preamble: as received, in host byte order
 * @fail: says what is wrong
 *
 * Return: 0, -EPROTO (not ours) or -EPROTONOSUPPORT (another version).
 */
int preamble_check(const struct preamble *preamble, struct fail *fail)
{
	if (memcmp(preamble->magic, magic, sizeof(magic)))
		return fail_set(fail, -EPROTO,
				"the peer does not speak Straddle's protocol on this port");
	if (preamble->version != STRADDLE_VERSION)
		return fail_set(fail, -EPROTONOSUPPORT, "the peer speaks protocol version %u, this "
				"host version %u: install the same release on both",
				preamble->version, STRADDLE_VERSION);
	if (preamble->role < ROLE_CONTROL || preamble->role > ROLE_STORAGE)
		return fail_set(fail, -EPROTO, "the peer asks for a connection of unknown role %u",
				preamble->role);
	if (preamble->reserved)
		return fail_set(fail, -EPROTO, "the peer sets reserved bits of the preamble");
	return 0;
}

static void preamble_swap(struct preamble *preamble)
{
	preamble->version = le16toh(preamble->version);
	preamble->role = le16toh(preamble->role);
	preamble->index = le16toh(preamble->index);
	preamble->reserved = le16toh(preamble->reserved);
}

static void reply_swap(struct preamble_reply *reply)
{
	reply->version = le16toh(reply->version);
	reply->verdict = le16toh(reply->verdict);
	reply->security = le16toh(reply->security);
	reply->reserved = le16toh(reply->reserved);
}

static int bytes_receive(int fd, void *buf, size_t size, uint64_t deadline)
{
	size_t done = 0;
	ssize_t got;
	int ret;

	while (done < size) {
		got = sys_retry(recv(fd, (char *)buf + done, size - done,
				     MSG_DONTWAIT));
		if (!got)
			return -EPIPE;
		if (got > 0) {
			done += (size_t)got;
			continue;
		}
		if (got != -EAGAIN)
			return (int)got;
		ret = sys_wait_fd(fd, POLLIN, deadline_left_ms(deadline));
		if (ret)
			return ret;
	}
	return 0;
}

static int bytes_send(int fd, const void *buf, size_t size)
{
	ssize_t put = sys_retry(send(fd, buf, size, MSG_DONTWAIT | MSG_NOSIGNAL));

	/* The first bytes of a connection fit its send buffer, or it is dead. */
	if (put < 0)
		return (int)put;
	return (size_t)put == size ? 0 : -ECONNRESET;
}

/**
 * preamble_receive() - read a preamble from a new connection and check it
 * @fd: a stream socket
 * @timeout_ms: limit for all of it
 * @preamble: receives it in host byte order; unchanged on error
 * @fail: says what is wrong
 *
 * A peer of another version is told so before this returns.
 *
 * Return: 0, -EPROTO, -EPROTONOSUPPORT, -ETIMEDOUT, -EPIPE or another -errno.
 */
int preamble_receive(int fd, int timeout_ms, struct preamble *preamble,
		     struct fail *fail)
{
	struct preamble got;
	int ret;

	ret = bytes_receive(fd, &got, sizeof(got), deadline_after(timeout_ms));
	if (ret == -ETIMEDOUT)
		return fail_set(fail, ret, "the peer connected and said nothing for %d ms",
				timeout_ms);
	if (ret)
		return fail_set(fail, ret, "the peer left before it said what it wants: %s",
				strerror(-ret));
	preamble_swap(&got);
	ret = preamble_check(&got, fail);
	if (ret == -EPROTONOSUPPORT)
		preamble_refuse(fd, PREAMBLE_VERSION);
	if (!ret)
		*preamble = got;
	return ret;
}

/**
 * preamble_send() - send a preamble
 * @fd: a connected stream socket
 * @preamble: in host byte order
 *
 * Return: 0 or -errno.
 */
int preamble_send(int fd, const struct preamble *preamble)
{
	struct preamble wire = *preamble;

	preamble_swap(&wire);
	return bytes_send(fd, &wire, sizeof(wire));
}

/**
 * preamble_answer() - answer a preamble
 * @fd: a connected stream socket
 * @verdict: PREAMBLE_WELCOME or the reason to turn it away
 * @security: what is spoken after a welcome
 *
 * Return: 0 or -errno.
 */
int preamble_answer(int fd, enum preamble_verdict verdict,
		    enum security security)
{
	struct preamble_reply wire = {
		.version = STRADDLE_VERSION,
		.verdict = (uint16_t)verdict,
		.security = (uint16_t)security,
	};

	memcpy(wire.magic, magic, sizeof(magic));
	reply_swap(&wire);
	return bytes_send(fd, &wire, sizeof(wire));
}

/**
 * preamble_refuse() - tell a peer why it is turned away
 * @fd: its connection, which the caller closes
 * @verdict: the reason
 *
 * A peer that does not hear it sees the connection close.
 */
void preamble_refuse(int fd, enum preamble_verdict verdict)
{
	(void)preamble_answer(fd, verdict, SECURITY_NONE);
}

static const char *security_words(unsigned int security)
{
	switch (security) {
	case SECURITY_NONE:
		return "plain TCP";
	case SECURITY_X509:
		return "TLS with certificates";
	case SECURITY_PSK:
		return "TLS with a pre-shared key";
	default:
		return "something unknown";
	}
}

static int reply_check(const struct preamble_reply *reply, const char *name,
		       enum security security, struct fail *fail)
{
	if (memcmp(reply->magic, magic, sizeof(magic)))
		return fail_set(fail, -EPROTO, "%s does not speak Straddle's protocol on this "
				"port: is it straddled that listens there?", name);
	if (reply->verdict == PREAMBLE_VERSION || reply->version != STRADDLE_VERSION)
		return fail_set(fail, -EPROTONOSUPPORT, "%s speaks protocol version %u, this host "
				"version %u: install the same release on both",
				name, reply->version, STRADDLE_VERSION);
	if (reply->verdict == PREAMBLE_UNKNOWN)
		return fail_set(fail, -ENOENT, "%s knows no such migration or lane: it ended "
				"there, or its agent was started anew", name);
	if (reply->verdict == PREAMBLE_BUSY)
		return fail_set(fail, -EBUSY, "%s has too many connections or is stopping: "
				"try again later", name);
	if (reply->verdict == PREAMBLE_NO_ROOM)
		return fail_set(fail, -ENOSPC, "%s has no space left, or may not write, where its "
				"agent keeps its files: its log says where", name);
	if (reply->verdict == PREAMBLE_SCARCE)
		return fail_set(fail, -EBUSY, "%s has no descriptors or no memory left for a "
				"migration: its log says which", name);
	if (reply->verdict != PREAMBLE_WELCOME)
		return fail_set(fail, -EPROTO, "%s answers with unknown verdict %u",
				name, reply->verdict);
	if (reply->security != security)
		return fail_set(fail, -EPROTO, "%s speaks %s, this host %s: start both agents "
				"with the same choice of TLS", name,
				security_words(reply->security), security_words(security));
	return 0;
}

/**
 * preamble_answered() - wait for the answer to a preamble and check it
 * @fd: a connected stream socket
 * @name: the peer's name, for messages
 * @security: what this side is going to speak
 * @deadline: when to give up
 * @fail: says what the peer has against it
 *
 * Return: 0, -EPROTO, -EPROTONOSUPPORT, -ENOENT, -EBUSY, -ENOSPC, -ETIMEDOUT or
 * another -errno.
 */
int preamble_answered(int fd, const char *name, enum security security,
		      uint64_t deadline, struct fail *fail)
{
	struct preamble_reply reply;
	int ret;

	ret = bytes_receive(fd, &reply, sizeof(reply), deadline);
	if (ret == -ETIMEDOUT)
		return fail_set(fail, ret, "%s accepted the connection but does not answer: is "
				"it straddled that listens there, and is it alive?", name);
	if (ret)
		return fail_set(fail, ret == -EPIPE ? -ECONNRESET : ret,
				"%s closed the connection before it answered: its log says why",
				name);
	reply_swap(&reply);
	return reply_check(&reply, name, security, fail);
}
