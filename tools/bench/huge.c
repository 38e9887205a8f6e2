// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * huge.c - guest memory of 2 MiB pages: its push, and how long a fault waits.
 *
 * Both hosts take their pages from this machine's pool.
 */
#include "tools/bench/huge.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/bench/exam.h"
#include "tools/bench/pool.h"

/* Whole pages of what the site has. */
static uint64_t huge_size(const struct site *site)
{
	return site->memory_size & ~(uint64_t)(HUGE_PAGE - 1);
}

typedef int memory_fn(const struct site *site, const struct row *row, int memory,
		      double *value, struct fail *fail);

/* As memory_warm(): the pool's pages are the host's until somebody writes them. */
static void pool_warm(uint64_t size)
{
	int memory = memory_create_huge(size, size);

	if (memory >= 0)
		close(memory);
}

static int with_memory(const struct site *site, const struct row *row, memory_fn *fn,
		       double *value, struct fail *fail)
{
	__cleanup_fd int memory = -1;

	pool_warm(2 * huge_size(site));
	memory = memory_create_huge(huge_size(site), huge_size(site));
	if (memory < 0)
		return fail_set(fail, memory, "cannot make guest memory of 2 MiB pages: %s",
				strerror(-memory));
	return fn(site, row, memory, value, fail);
}

static int with_pool(const struct site *site, const struct row *row, memory_fn *fn,
		     double *value, struct fail *fail)
{
	unsigned long pages = 2 * huge_size(site) / HUGE_PAGE;
	struct pool pool;
	int ret = pool_open(&pool, pages);

	if (ret)
		return fail_set(fail, -EOPNOTSUPP, "this machine has no %lu pages of 2 MiB", pages);
	ret = with_memory(site, row, fn, value, fail);
	if (pool_close(&pool))
		return fail_set(fail, -EIO, "%lu pages stay in the pool of 2 MiB pages: "
				"see /sys/kernel/mm/hugepages", pages);
	return ret;
}

static int push(const struct site *site, const struct row *row, int memory, double *value,
		struct fail *fail)
{
	struct plan plan = {
		.push_lanes = row->lanes,
		.fault_lanes = 1,
		.tls = row->tls,
		.memory = memory,
		.size = huge_size(site),
		.filled = huge_size(site),
		.huge = true,
	};
	struct outcome outcomes[2];
	int ret = push_run(site, &plan, outcomes, fail);

	if (!ret)
		*value = row_value(row, huge_size(site), outcomes);
	return ret;
}

/**
 * push_huge_measure() - push_measure() of 2 MiB pages
 * @site: where
 * @row: how many push lanes, and whether with TLS
 * @value: receives MiB of guest memory a second
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int push_huge_measure(const struct site *site, const struct row *row, double *value,
		      struct fail *fail)
{
	return with_pool(site, row, push, value, fail);
}

/**
 * huge_faults() - how many large pages one thread touches
 * @site: where
 *
 * Return: pages.
 */
unsigned int huge_faults(const struct site *site)
{
	uint64_t pages = huge_size(site) / HUGE_PAGE;

	return (unsigned int)(site->faults < pages ? site->faults : pages);
}

static int fault(const struct site *site, const struct row *row, int memory, double *value,
		 struct fail *fail)
{
	struct exam exam = {
		.plan = {
			.memory = memory,
			.size = huge_size(site),
			.filled = huge_size(site),
			.huge = true,
		},
		.row = row,
		.count = huge_faults(site),
	};

	return exam_value(site, &exam, value, fail);
}

/**
 * fault_huge_measure() - a touch of a missing page of 2 MiB until the thread goes on
 * @site: where
 * @row: which quantile, and whether with TLS
 * @value: receives microseconds
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int fault_huge_measure(const struct site *site, const struct row *row, double *value,
		       struct fail *fail)
{
	return with_pool(site, row, fault, value, fail);
}
