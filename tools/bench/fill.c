// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * fill.c - how bytes get from a connection into guest memory.
 *
 * Three ways, into a memfd that was never written (cold) or that has all of
 * its pages (warm): received into a buffer and filled as a lane does it after
 * rounds; received into our mapping of the memfd, whose pages were made ahead; and
 * received into that mapping, making pages by page faults. Digests, states and
 * placing cost the same in all three and are left out.
 *
 * Two ways with placing: filled and mapped, or inserted as a lane does it where
 * no round brought anything.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "copy/kind.h"
#include "sys.h"
#include "tools/bench/bench.h"

enum way { FILLED, POPULATED, FAULTED, MAPPED, INSERTED };

/* What both processes go by. */
struct filling {
	enum way way;
	bool warm;
	uint64_t size;
};

static int fill_source(struct party *party)
{
	const struct filling *filling = party->arg;
	uint8_t *block = aligned_alloc(4096, RUN_SIZE);
	int ret = block ? party_meet(party) : -ENOMEM;
	int fd = ret ? ret : socket_connect(NULL);
	uint64_t done;

	if (fd < 0)
		return fd;
	memset(block, 0x5a, RUN_SIZE);
	ret = party_meet(party);
	party_begin(party);
	for (done = 0; !ret && done < filling->size; done += RUN_SIZE)
		ret = sys_write_all(fd, block, RUN_SIZE);
	party_end(party);
	return ret ?: party_meet(party);
}

static int step_fill(const struct region *region, enum way way, uint64_t first,
		     uint64_t count, const uint8_t *bytes)
{
	uint64_t done;
	int ret;

	if (way == INSERTED)
		return region->kind->insert(region, first, count, bytes, &done);
	ret = region->kind->fill(region, first, count, bytes);
	return ret || way == FILLED ? ret : region->kind->place(region, first, count, false);
}

/* One run, in steps as they are claimed. */
static int run_fill(const struct region *region, enum way way, uint64_t first,
		    const uint8_t *bytes)
{
	uint64_t page, step = step_pages(region);
	int ret = 0;

	for (page = 0; !ret && page < run_pages(region); page += step)
		ret = step_fill(region, way, first + page, step,
				bytes + (page << region->page_shift));
	return ret;
}

static int run_take(const struct region *region, enum way way, int fd, uint64_t first,
		    uint8_t *buffer)
{
	uint8_t *alias = region->alias + (first << region->page_shift);
	bool buffered = way != POPULATED && way != FAULTED;
	int ret = 0;

	if (way == POPULATED && first % block_pages(region) == 0)
		ret = sys_ret(madvise(alias, REGION_BLOCK_SIZE, MADV_POPULATE_WRITE));
	if (!ret)
		ret = sys_read_all(fd, buffered ? buffer : alias, RUN_SIZE);
	return ret || !buffered ? ret : run_fill(region, way, first, buffer);
}

/* Our mapping stands for the guest's. */
static int region_register(struct region *region)
{
	int ret;

	region->address = (uint64_t)region->alias;
	region->uffd = uffd_open();
	ret = region->uffd < 0 ? region->uffd : uffd_enable(region->uffd, region->kind->features);
	return ret ?: uffd_register(region->uffd, page_range(region, 0, region->pages),
				    region->kind->modes);
}

static int region_make(const struct filling *filling, struct region *region)
{
	void *alias = NULL;
	int ret;

	*region = (struct region){
		.page_shift = 12,
		.pages = filling->size >> 12,
		.shared = true,
		.fd = memory_create(filling->size, filling->warm ? filling->size : 0),
	};
	if (region->fd < 0)
		return region->fd;
	region->kind = kind_of(region);
	ret = sys_mmap(&alias, filling->size, PROT_READ | PROT_WRITE, MAP_SHARED, region->fd, 0);
	region->alias = alias;
	return ret || filling->way < MAPPED ? ret : region_register(region);
}

static int fill_dest(struct party *party)
{
	const struct filling *filling = party->arg;
	uint8_t *buffer = aligned_alloc(4096, RUN_SIZE);
	int fd = -1, listener = socket_listen();
	struct region region;
	uint64_t page;
	int ret = buffer ? region_make(filling, &region) : -ENOMEM;

	if (!ret)
		ret = listener < 0 ? listener : party_meet(party);
	if (!ret)
		fd = socket_accept(listener);
	if (!ret)
		ret = fd < 0 ? fd : party_meet(party);
	if (ret)
		return ret;
	party_begin(party);
	for (page = 0; !ret && page < region.pages; page += run_pages(&region))
		ret = run_take(&region, filling->way, fd, page, buffer);
	party_end(party);
	return ret ?: party_meet(party);
}

static int measure(const struct site *site, const struct row *row, enum way way, bool warm,
		   double *value, struct fail *fail)
{
	struct filling filling = {
		.way = way,
		.warm = warm,
		.size = site->memory_size / REGION_BLOCK_SIZE * REGION_BLOCK_SIZE,
	};
	struct outcome outcomes[2];
	int ret = parties_run(site, fill_source, fill_dest, &filling, outcomes, fail);

	if (!ret)
		*value = row_value(row, filling.size, outcomes);
	return ret;
}

/**
 * fill_cold_measure() - as a lane does it, into memory that was never written
 * @site: where
 * @row: throughput
 * @value: receives MiB/s
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int fill_cold_measure(const struct site *site, const struct row *row, double *value,
		      struct fail *fail)
{
	return measure(site, row, FILLED, false, value, fail);
}

/**
 * fill_warm_measure() - the same into memory that has all its pages
 * @site: where
 * @row: throughput
 * @value: receives MiB/s
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int fill_warm_measure(const struct site *site, const struct row *row, double *value,
		      struct fail *fail)
{
	return measure(site, row, FILLED, true, value, fail);
}

/**
 * populate_cold_measure() - pages are made ahead and received into
 * @site: where
 * @row: throughput
 * @value: receives MiB/s
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int populate_cold_measure(const struct site *site, const struct row *row, double *value,
			  struct fail *fail)
{
	return measure(site, row, POPULATED, false, value, fail);
}

/**
 * populate_warm_measure() - the same into memory that has all its pages
 * @site: where
 * @row: throughput
 * @value: receives MiB/s
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int populate_warm_measure(const struct site *site, const struct row *row, double *value,
			  struct fail *fail)
{
	return measure(site, row, POPULATED, true, value, fail);
}

/**
 * alias_cold_measure() - received straight into a mapping of the memory
 * @site: where
 * @row: throughput
 * @value: receives MiB/s
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int alias_cold_measure(const struct site *site, const struct row *row, double *value,
		       struct fail *fail)
{
	return measure(site, row, FAULTED, false, value, fail);
}

/**
 * alias_warm_measure() - the same into memory that has all its pages
 * @site: where
 * @row: throughput
 * @value: receives MiB/s
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int alias_warm_measure(const struct site *site, const struct row *row, double *value,
		       struct fail *fail)
{
	return measure(site, row, FAULTED, true, value, fail);
}

/**
 * fill_insert_measure() - into memory that was never written, in one step
 * @site: where
 * @row: throughput
 * @value: receives MiB/s
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int fill_insert_measure(const struct site *site, const struct row *row, double *value,
			struct fail *fail)
{
	return measure(site, row, INSERTED, false, value, fail);
}

/**
 * fill_map_measure() - the same in two: written into the file, then mapped
 * @site: where
 * @row: throughput
 * @value: receives MiB/s
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int fill_map_measure(const struct site *site, const struct row *row, double *value,
		     struct fail *fail)
{
	return measure(site, row, MAPPED, false, value, fail);
}
