// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * witness.c - leaves a trace on a shared disk, and looks for another's.
 *
 * Every 50 ms the guest writes one sector, past the page cache: record n goes
 * to sector n modulo the number of sectors, or 2048 if there are more. A record
 * is one line of text, padded with zeros:
 *
 *   straddle-witness boot=ID n=N mono_ns=N wall_ms=N
 *
 * N counts up from 1. Of two copies of a guest that run at once, each goes on
 * from the same N with the same ID, so both write the same sectors. Before it
 * writes record n the guest reads two sectors:
 *
 *   that of record n-1 must be, byte by byte, what it wrote there itself;
 *   that of record n must not have its own ID with a number >= n.
 *
 * Of two copies, the one that is behind sees the second broken at once, and
 * the one ahead sees the first if the other is behind by one record. Each
 * sighting counts as "twins" in the report. A guest with another ID on the same
 * disk breaks the first, too. From outside: the sectors in the order of N must
 * have one ID and rising mono_ns and wall_ms.
 */
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "sys.h"
#include "guest.h"

#define SECTOR		512u
#define SECTORS_MAX	2048u
#define PERIOD_NS	(50ull * NS_PER_MS)

/* The thread's own. */
static struct {
	int fd;
	uint64_t sectors;
	uint64_t number;		/* of the record written last, 0: not known */
	char *found;			/* one sector each */
	char *written;
	_Atomic unsigned int told;
} witness;

static bool sector_read(uint64_t number)
{
	off_t offset = (off_t)(number % witness.sectors * SECTOR);
	ssize_t got = sys_retry(pread(witness.fd, witness.found, SECTOR, offset));

	if (got == (ssize_t)SECTOR)
		return true;
	counters.disk_err++;
	if (report_detail(&witness.told))
		report_error(got < 0 ? (int)got : -EIO, "witness read");
	return false;
}

static void twin_note(uint64_t number)
{
	counters.twins++;
	if (!report_detail(&witness.told))
		return;
	witness.found[SECTOR - 1] = '\0';
	witness.found[strcspn(witness.found, "\n")] = '\0';
	report_line("witness twin n=%" PRIu64 " found=%.120s", number,
		    witness.found);
}

static bool last_is_ours(void)
{
	return !witness.number || !sector_read(witness.number) ||
	       !memcmp(witness.found, witness.written, SECTOR);
}

static bool next_is_free(uint64_t number)
{
	uint64_t id, found;

	if (!sector_read(number))
		return true;
	witness.found[SECTOR - 1] = '\0';
	return sscanf(witness.found, "straddle-witness boot=%" SCNx64 " n=%" SCNu64,
		      &id, &found) != 2 || id != boot_id || found < number;
}

static void record_write(uint64_t number)
{
	struct timespec wall;
	int ret;

	clock_gettime(CLOCK_REALTIME, &wall);
	memset(witness.written, 0, SECTOR);
	snprintf(witness.written, SECTOR, "straddle-witness boot=%016" PRIx64
		 " n=%" PRIu64 " mono_ns=%" PRIu64 " wall_ms=%" PRIu64 "\n",
		 boot_id, number, now_ns(), (uint64_t)wall.tv_sec * 1000 +
		 (uint64_t)wall.tv_nsec / NS_PER_MS);
	ret = sys_pwrite_all(witness.fd, witness.written, SECTOR,
			     number % witness.sectors * SECTOR);
	witness.number = ret ? 0 : number;
	if (!ret) {
		counters.witness++;
		return;
	}
	counters.disk_err++;
	if (report_detail(&witness.told))
		report_error(ret, "witness write");
}

static void *witness_run(void *arg)
{
	int timer = ticker_create(PERIOD_NS);

	(void)arg;
	if (timer < 0)
		return NULL;
	for (uint64_t number = 1;; number++) {
		ticker_wait(timer);
		if (!last_is_ours())
			twin_note(number);
		if (!next_is_free(number))
			twin_note(number);
		record_write(number);
	}
}

static int witness_prepare(void)
{
	uint64_t size;
	int ret = sys_ret(ioctl(witness.fd, BLKGETSIZE64, &size));

	if (ret)
		return ret;
	witness.sectors = size / SECTOR < SECTORS_MAX ? size / SECTOR : SECTORS_MAX;
	witness.found = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
	witness.written = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
	if (!witness.found || !witness.written)
		return -ENOMEM;
	return witness.sectors < 2 ? -ENOSPC : 0;
}

/**
 * witness_start() - start the thread, if there is a witness disk
 *
 * One that was named on the command line and is not there is an error.
 */
void witness_start(void)
{
	int ret;

	if (!strcmp(config.witness, "none"))
		return;
	witness.fd = device_open(config.witness, O_RDWR | O_DIRECT,
				 config.witness_named);
	if (witness.fd == -ENOENT && !config.witness_named)
		return;
	ret = witness.fd < 0 ? witness.fd : witness_prepare();
	if (ret)
		report_error(ret, "witness %s", config.witness);
	else
		thread_start("witness", witness_run, NULL);
}
