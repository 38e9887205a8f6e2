// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * packed.c - a push with --compressed against one without.
 *
 * The memory of the other rows is random, which does not compress. Here it is
 * what lies in /usr/lib: programs, libraries, text and compressed files, as in
 * the page cache and in the processes of a guest.
 */
#include <errno.h>
#include <fts.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/bench/bench.h"
#include "tools/bench/engine.h"

#define FILES		"/usr/lib"
#define CHUNK		(256 << 10)

/* The bytes of a file at @at; less where it or the memory ends. */
static int file_take(const char *path, int memory, uint64_t at, uint64_t size, uint64_t *done)
{
	__cleanup_fd int fd = sys_ret(open(path, O_RDONLY | O_CLOEXEC));
	static uint8_t bytes[CHUNK];
	ssize_t got = fd;
	int ret = 0;

	while (!ret && fd >= 0 && at + *done < size) {
		uint64_t left = size - at - *done;

		got = sys_retry(read(fd, bytes, left < CHUNK ? left : CHUNK));
		if (got <= 0)
			break;
		ret = sys_pwrite_all(memory, bytes, (size_t)got, at + *done);
		*done += (uint64_t)got;
	}
	return got < 0 ? (int)got : ret;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Return: bytes that the files of the directory filled, at most @size. */
static int64_t files_fill(int memory, uint64_t at, uint64_t size)
{
	char *const paths[] = { (char *)FILES, NULL };
	FTS *files = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	uint64_t filled = 0;
	FTSENT *file;
	int ret = 0;

	if (!files)
		return -ENOENT;
	while (!ret && at + filled < size && (file = fts_read(files))) {
		uint64_t done = 0;

		if (file->fts_info != FTS_F)
			continue;
		ret = file_take(file->fts_accpath, memory, at + filled, size, &done);
		filled += (done + 4095) & ~UINT64_C(4095);
	}
	fts_close(files);
	return ret ?: (int64_t)filled;
}

/* Guest memory of what the files hold, again and again. Return: memfd or -errno. */
static int memory_of_files(uint64_t size)
{
	int memory = memory_create(size, 0);
	uint64_t at = 0;

	while (memory >= 0 && at < size) {
		int64_t filled = files_fill(memory, at, size);

		if (filled <= 0) {
			close(memory);
			return filled ? (int)filled : -ENODATA;
		}
		at += (uint64_t)filled;
	}
	return memory;
}

static int measure(const struct site *site, const struct row *row, bool packs, double *value,
		   struct fail *fail)
{
	__cleanup_fd int memory = memory_of_files(site->memory_size);
	struct plan plan = {
		.push_lanes = row->lanes,
		.fault_lanes = 1,
		.tls = row->tls,
		.packs = packs,
		.memory = memory,
		.size = site->memory_size,
		.filled = site->memory_size,
	};
	struct outcome outcomes[2];
	int ret;

	if (memory < 0)
		return fail_set(fail, memory, "cannot fill memory from the files of %s: %s",
				FILES, strerror(-memory));
	ret = push_run(site, &plan, outcomes, fail);
	if (!ret)
		*value = row_value(row, site->memory_size, outcomes);
	return ret;
}

/**
 * packed_measure() - a push that may pack
 * @site: where
 * @row: how many push lanes, and whether with TLS
 * @value: receives MiB of guest memory a second
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int packed_measure(const struct site *site, const struct row *row, double *value,
		   struct fail *fail)
{
	return measure(site, row, true, value, fail);
}

/**
 * unpacked_measure() - a push of the same memory that does not
 * @site: where
 * @row: how many push lanes, and whether with TLS
 * @value: receives MiB of guest memory a second
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int unpacked_measure(const struct site *site, const struct row *row, double *value,
		     struct fail *fail)
{
	return measure(site, row, false, value, fail);
}

/**
 * packed_narrow_measure() - packed_measure() over a cable of 1 Gbit/s
 * @site: where
 * @row: how many push lanes, and whether with TLS
 * @value: receives MiB of guest memory a second
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int packed_narrow_measure(const struct site *site, const struct row *row, double *value,
			  struct fail *fail)
{
	return narrow_whole_run(site, row, packed_measure, value, fail);
}

/**
 * unpacked_narrow_measure() - unpacked_measure() over that cable
 * @site: where
 * @row: how many push lanes, and whether with TLS
 * @value: receives MiB of guest memory a second
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int unpacked_narrow_measure(const struct site *site, const struct row *row, double *value,
			    struct fail *fail)
{
	return narrow_whole_run(site, row, unpacked_measure, value, fail);
}
