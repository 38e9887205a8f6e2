/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seed.c - an input to begin with: put together, and written. */
#include "seeds.h"

#include <string.h>

#include "sys.h"

static const char *corpus;

/**
 * seed_corpus() - where inputs go
 * @dir: is created; outlives them
 */
void seed_corpus(const char *dir)
{
	corpus = dir;
	mkdir(dir, 0777);
}

/**
 * seed_write() - one input
 * @target: for which
 * @name: of the file
 * @bytes: of it
 * @size: how many
 */
void seed_write(const char *target, const char *name, const void *bytes, size_t size)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", corpus, target);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/seed-%s", corpus, target, name);
	file = fopen(path, "we");
	if (!file || fwrite(bytes, 1, size, file) != size || fclose(file)) {
		fprintf(stderr, "cannot write %s\n", path);
		exit(EXIT_FAILURE);
	}
}

/**
 * seed_start() - an input that is put together
 * @seed: to begin; its room is fixed
 */
void seed_start(struct seed *seed)
{
	seed->size = 0;
}

/**
 * seed_add() - more bytes of it
 * @seed: begun
 * @bytes: to add
 * @size: how many
 */
void seed_add(struct seed *seed, const void *bytes, size_t size)
{
	FUZZ_CHECK(size <= sizeof(seed->bytes) - seed->size);
	memcpy(seed->bytes + seed->size, bytes, size);
	seed->size += size;
}

/**
 * seed_add_byte() - one more byte of it
 * @seed: begun
 * @byte: to add
 */
void seed_add_byte(struct seed *seed, unsigned int byte)
{
	uint8_t one = (uint8_t)byte;

	seed_add(seed, &one, 1);
}

/**
 * seed_take() - all that was sent to a socket so far
 * @seed: begun; gets longer
 * @fd: the other end of it
 */
void seed_take(struct seed *seed, int fd)
{
	for (;;) {
		ssize_t got = sys_retry(recv(fd, seed->bytes + seed->size,
					     sizeof(seed->bytes) - seed->size,
					     MSG_DONTWAIT));

		if (got <= 0)
			return;
		seed->size += (size_t)got;
	}
}
