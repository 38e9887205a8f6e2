/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handshake.c - fuzz the first bytes of a connection, from either end.
 *
 * An input is who we are and how we are secured, and what the peer says: the
 * preamble and, on a plain connection, the token; TLS is GnuTLS's to parse, but
 * what becomes of its errors is ours. Nobody is taken in without the token.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "fuzz.h"
#include "protocol/accept.h"
#include "protocol/lane_greet.h"
#include "sys.h"

#define PATIENCE_MS	20000	/* nothing waits: all of it is there */
#define IS_CLIENT	1
#define HAS_KEY		2

static const char token[TOKEN_SIZE + 1] = "0123456789abcdef0123456789abcdef";

/* A key that no peer has. */
static struct credentials *key_load(void)
{
	static struct credentials *credentials;
	struct credentials_paths paths = { .psk_file = NULL };
	char path[4096];
	FILE *file;

	if (credentials)
		return credentials;
	snprintf(path, sizeof(path), "%s/psk", fuzz_dir());
	file = fopen(path, "we");
	FUZZ_CHECK(file);
	fprintf(file, "pair:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n");
	fclose(file);
	FUZZ_CHECK(!chmod(path, 0600));
	paths.psk_file = path;
	FUZZ_CHECK(!credentials_load(SECURITY_PSK, &paths, &credentials, NULL));
	return credentials;
}

/* The handshake has a thread of its own: it brings a channel, or hangs up. */
static void outcome_wait(struct accepter *accepter, int other)
{
	struct pollfd polls[] = {
		{ accepter_fd(accepter), POLLIN, 0 },
		{ other, 0, 0 },	/* POLLHUP */
	};

	FUZZ_CHECK(sys_retry(poll(polls, 2, PATIENCE_MS)) > 0);
}

static void accept_look(struct accepter *accepter, const struct preamble *preamble,
			struct fuzz_input said)
{
	struct accepted accepted;

	if (!accepter_next(accepter, &accepted))
		return;
	FUZZ_CHECK(accepted.role == preamble->role && accepted.index == preamble->index);
	FUZZ_CHECK(accepted.role == ROLE_CONTROL ||
		   (said.left >= sizeof(struct preamble) + TOKEN_SIZE &&
		    !memcmp(said.at + sizeof(struct preamble), token, TOKEN_SIZE)));
	channel_close(accepted.channel);
}

static void serve(int fd, int other, struct fuzz_input said,
		  struct credentials *credentials)
{
	static const uint8_t nobody[32];
	struct fail fail = { .err = 0 };
	struct accepter *accepter;
	struct preamble preamble;
	int ret = preamble_receive(fd, PATIENCE_MS, &preamble, &fail);

	FUZZ_CHECK(ret == fail.err);
	FUZZ_CHECK(ret == 0 || ret == -EPROTO || ret == -EPROTONOSUPPORT ||
		   ret == -EPIPE);
	if (ret) {
		close(fd);
		return;
	}
	FUZZ_CHECK(!accepter_create(credentials, (const uint8_t *)token, nobody,
				    &accepter));
	accepter_take(accepter, &preamble, "a fuzzer", fd);
	outcome_wait(accepter, other);
	accept_look(accepter, &preamble, said);
	accepter_destroy(accepter);
}

static void connect_to(int fd, struct credentials *credentials)
{
	static const uint8_t id[MIGRATION_ID_SIZE] = { 7 };
	struct fail fail = { .err = 0 };
	struct preamble preamble;
	struct channel *channel;
	int ret;

	preamble_init(&preamble, ROLE_PUSH, 3, id);
	ret = channel_connect_fd(fd, "peer.example", &preamble, credentials,
				 PATIENCE_MS, &channel, &fail);
	FUZZ_CHECK(ret == fail.err);
	if (ret)
		return;
	FUZZ_CHECK(!credentials);	/* nobody has the key */
	ret = lane_greet(channel, (const uint8_t *)token, "peer.example",
			 PATIENCE_MS, &fail);
	FUZZ_CHECK(ret == fail.err);
	channel_close(channel);
}

/**
 * LLVMFuzzerTestOneInput() - shake hands with a stranger
 * @data: a byte of what we are, then what the stranger says
 * @size: bytes of it
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input said = { data, size };
	uint8_t what = fuzz_byte(&said);
	struct credentials *credentials = what & HAS_KEY ? key_load() : NULL;
	int other, fd;

	fd = fuzz_peer(SOCK_STREAM, said.at, said.left, &other);
	if (what & IS_CLIENT)
		connect_to(fd, credentials);
	else
		serve(fd, other, said, credentials);
	close(other);
	return 0;
}

FUZZ_TARGET(handshake)

TEST_HARNESS_MAIN
