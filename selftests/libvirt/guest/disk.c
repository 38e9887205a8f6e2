// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * disk.c - writes blocks past the page cache, reads them back, checks them.
 *
 * Each of some threads has every so-manieth block to itself. It goes from one
 * to the next: is there what was written in the last round? Write the next
 * generation, read it back. So requests of all threads are in flight at once,
 * and what one host wrote is checked on the other.
 */
#include <inttypes.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "sys.h"
#include "guest.h"

#define THREADS		4u

static struct {
	int fd;				/* these two: set once */
	uint64_t blocks;
	_Atomic unsigned int told_bad;
	_Atomic unsigned int told_err;
} disk;

/* What was written last; not known before the first write and after an error. */
struct block {
	uint32_t generation;
	bool known;
};

/* One thread's. */
struct lane {
	unsigned int number;
	uint64_t *words;		/* one block, aligned */
	struct block *blocks;
};

static void error_note(const char *what, uint64_t block, int error)
{
	counters.disk_err++;
	if (report_detail(&disk.told_err))
		report_error(error, "disk %s block=%" PRIu64, what, block);
}

/* Of this boot: what an earlier one left is never taken for ours. */
static uint64_t block_key(uint64_t block, uint32_t generation)
{
	return pattern_key(block, generation) ^ boot_id;
}

static void block_check(const struct lane *lane, uint64_t block,
			uint32_t generation)
{
	off_t offset = (off_t)(block * BLOCK_BYTES);
	struct difference is;
	ssize_t got;

	/* A read that brings nothing must not find the last one's words. */
	memset(lane->words, 0, BLOCK_BYTES);
	got = sys_retry(pread(disk.fd, lane->words, BLOCK_BYTES, offset));
	if (got != BLOCK_BYTES) {
		error_note("read", block, got < 0 ? (int)got : -EIO);
		return;
	}
	if (!pattern_differs(lane->words, block_key(block, generation), &is)) {
		counters.disk_ok++;
		return;
	}
	counters.disk_bad++;
	if (report_detail(&disk.told_bad))
		report_line("disk bad block=%" PRIu64 " word=%u generation=%u"
			    " expected=%016" PRIx64 " found=%016" PRIx64, block,
			    is.word, generation, is.expected, is.found);
}

/* Whether that went well; if not, the block has any content. */
static bool block_write(const struct lane *lane, uint64_t block,
			uint32_t generation)
{
	int ret;

	pattern_fill(lane->words, block_key(block, generation));
	ret = sys_pwrite_all(disk.fd, lane->words, BLOCK_BYTES, block * BLOCK_BYTES);
	if (ret)
		error_note("write", block, ret);
	return !ret;
}

static void block_visit(const struct lane *lane, uint64_t index)
{
	struct block *block = &lane->blocks[index];
	uint64_t number = index * THREADS + lane->number;

	if (block->known)
		block_check(lane, number, block->generation);
	block->generation++;
	block->known = block_write(lane, number, block->generation);
	if (block->known)
		block_check(lane, number, block->generation);
}

static void *lane_run(void *arg)
{
	struct lane *lane = arg;
	uint64_t blocks = disk.blocks / THREADS, index = 0;
	uint64_t rate = config.disk_blocks / THREADS;
	struct pace pace;

	if (config.disk_blocks && !rate)
		rate = 1;
	pace_init(&pace);
	for (;;) {
		uint64_t count = pace_grant(&pace, rate);

		while (count--) {
			block_visit(lane, index);
			index = (index + 1) % blocks;
		}
	}
	return NULL;
}

static void lane_start(unsigned int number)
{
	struct lane *lane = calloc(1, sizeof(*lane));
	char name[16] = "disk/0";

	if (lane) {
		lane->number = number;
		lane->words = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
		lane->blocks = calloc(disk.blocks / THREADS,
				      sizeof(*lane->blocks));
	}
	if (!lane || !lane->words || !lane->blocks) {
		report_error(-ENOMEM, "disk");
		return;
	}
	name[5] = (char)('0' + number);
	thread_start(name, lane_run, lane);
}

static int size_read(void)
{
	uint64_t span = config.disk_mib << 20, size;
	int ret = sys_ret(ioctl(disk.fd, BLKGETSIZE64, &size));

	if (ret)
		return ret;
	disk.blocks = (size < span ? size : span) / BLOCK_BYTES;
	return disk.blocks < THREADS ? -ENOSPC : 0;
}

/**
 * disk_start() - start the threads that work on the disk, if there is one
 *
 * A disk that was named on the command line and is not there is an error.
 */
void disk_start(void)
{
	int ret;

	if (!strcmp(config.disk, "none"))
		return;
	disk.fd = device_open(config.disk, O_RDWR | O_DIRECT, config.disk_named);
	if (disk.fd == -ENOENT && !config.disk_named)
		return;
	ret = disk.fd < 0 ? disk.fd : size_read();
	if (ret) {
		error_note("open", 0, ret);
		return;
	}
	for (unsigned int i = 0; i < THREADS; i++)
		lane_start(i);
}
