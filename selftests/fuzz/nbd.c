/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nbd.c - fuzz what an NBD server of the other host answers.
 *
 * An input is in which pieces it comes, then the answers.
 */
#include <errno.h>

#include "fuzz.h"
#include "protocol/nbd.h"
#include "sys.h"

#define PATIENCE_MS	20000	/* nothing waits: all of it is there */

static void watch_look(struct fuzz_input input, size_t piece)
{
	struct nbd_watch watch;

	nbd_watch_init(&watch);
	while (input.left) {
		size_t take = piece < input.left ? piece : input.left;

		nbd_watch_feed(&watch, input.at, take);
		FUZZ_CHECK(watch.have <= sizeof(watch.head) && watch.error <= 0);
		input.at += take;
		input.left -= take;
	}
}

static void flush_look(struct fuzz_input input)
{
	int other, fd = fuzz_peer(SOCK_STREAM, input.at, input.left, &other);
	int ret = nbd_greet(fd, PATIENCE_MS);

	if (!ret)
		ret = nbd_flush(fd, PATIENCE_MS);
	FUZZ_CHECK(ret <= 0 && ret > -4096 && ret != -ETIMEDOUT);
	close(fd);
	close(other);
}

/**
 * LLVMFuzzerTestOneInput() - watch a server, and have it flush
 * @data: a byte: how long the pieces are; what it answers
 * @size: bytes of it
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	size_t piece = fuzz_byte(&input) + 1u;

	watch_look(input, piece);
	flush_look(input);
	return 0;
}

FUZZ_TARGET(nbd)

TEST_HARNESS_MAIN
