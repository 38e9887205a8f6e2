// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * reader.c - memory that is written by the disk alone.
 *
 * Some threads read blocks past the page cache into buffers that no
 * instruction ever writes after the start. Each buffer is filled from two
 * blocks in turn, and is looked at before it is filled again: does it still
 * hold what was read? A page whose filling a migration did not notice holds
 * the other block, or nothing.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sys.h"
#include "guest.h"

#define THREADS		4u
#define GENERATION	7u

/* One thread's part. */
struct part {
	unsigned int number;
	uint64_t count;			/* buffers */
	uint8_t *buffers;		/* aligned */
	uint64_t *scratch;		/* one block */
};

static struct {
	int fd;				/* these two: set once */
	uint64_t base;			/* first block on the disk */
	_Atomic unsigned int told;
} reader;

/* Where the block of a buffer is that is read in this pass. */
static uint64_t block_of(const struct part *part, uint64_t index, uint64_t pass)
{
	uint64_t buffer = part->number * part->count + index;

	return reader.base + buffer + (pass & 1) * THREADS * part->count;
}

static uint64_t block_key(uint64_t block)
{
	return pattern_key(block, GENERATION) ^ boot_id;
}

static void buffer_check(const struct part *part, uint64_t index, uint64_t pass)
{
	const uint64_t *words = (const uint64_t *)(part->buffers + index * BLOCK_BYTES);
	uint64_t block = block_of(part, index, pass);
	struct difference is;

	if (!pattern_differs(words, block_key(block), &is)) {
		counters.disk_ok++;
		return;
	}
	counters.disk_bad++;
	if (report_detail(&reader.told))
		report_line("reader bad block=%" PRIu64 " word=%u expected=%016" PRIx64
			    " found=%016" PRIx64, block, is.word, is.expected, is.found);
}

static void error_note(const char *what, uint64_t block, int error)
{
	counters.disk_err++;
	if (report_detail(&reader.told))
		report_error(error, "reader %s block=%" PRIu64, what, block);
}

static void buffer_fill(const struct part *part, uint64_t index, uint64_t pass)
{
	uint64_t block = block_of(part, index, pass);
	ssize_t got = sys_retry(pread(reader.fd, part->buffers + index * BLOCK_BYTES,
				      BLOCK_BYTES, (off_t)(block * BLOCK_BYTES)));

	if (got != BLOCK_BYTES)
		error_note("read", block, got < 0 ? (int)got : -EIO);
}

/* Both blocks of each buffer. */
static void blocks_write(const struct part *part)
{
	for (uint64_t n = 0; n < 2 * part->count; n++) {
		uint64_t block = block_of(part, n % part->count, n / part->count);
		int ret;

		pattern_fill(part->scratch, block_key(block));
		ret = sys_pwrite_all(reader.fd, part->scratch, BLOCK_BYTES,
				     block * BLOCK_BYTES);
		if (ret)
			error_note("write", block, ret);
	}
}

static void *part_run(void *arg)
{
	const struct part *part = arg;

	blocks_write(part);
	for (uint64_t pass = 0;; pass++)
		for (uint64_t index = 0; index < part->count; index++) {
			if (pass)
				buffer_check(part, index, pass - 1);
			buffer_fill(part, index, pass);
			buffer_check(part, index, pass);
		}
	return NULL;
}

static void part_start(unsigned int number, uint64_t count)
{
	struct part *part = calloc(1, sizeof(*part));
	char name[16] = "reader/0";

	if (part) {
		part->number = number;
		part->count = count;
		part->buffers = aligned_alloc(BLOCK_BYTES, count * BLOCK_BYTES);
		part->scratch = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
	}
	if (!part || !part->buffers || !part->scratch) {
		report_error(-ENOMEM, "reader");
		return;
	}
	/* There before the first read, so that only reads write it. */
	memset(part->buffers, 0, count * BLOCK_BYTES);
	name[7] = (char)('0' + number);
	thread_start(name, part_run, part);
}

/**
 * reader_start() - start the threads that only read, where they are asked for
 */
void reader_start(void)
{
	uint64_t count = config.reader_blocks / THREADS;

	if (!count)
		return;
	reader.base = (config.disk_mib << 20) / BLOCK_BYTES;
	reader.fd = device_open(config.disk, O_RDWR | O_DIRECT, true);
	if (reader.fd < 0) {
		error_note("open", 0, reader.fd);
		return;
	}
	for (unsigned int i = 0; i < THREADS; i++)
		part_start(i, count);
}
