/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * digest.h - what a page is, in 128 bits that can be added up.
 *
 * A page's digest covers its region, its number and its bytes. Digests are
 * summed (each half mod 2^64), so that a sum over pages does not depend on
 * the order in which they arrived. One pass serves two purposes: the sum over
 * a run guards its frame, and the sum over a region is the final proof.
 *
 * The digest of a zero page is linear in its position, so that a run of any
 * length costs one multiplication.
 */
#ifndef STRADDLE_DIGEST_H
#define STRADDLE_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "copy/region.h"

struct digest {
	uint64_t low;
	uint64_t high;
};

static inline void digest_add(struct digest *sum, struct digest more)
{
	sum->low += more.low;
	sum->high += more.high;
}

static inline bool digest_equal(struct digest a, struct digest b)
{
	return a.low == b.low && a.high == b.high;
}

bool page_is_zero(const void *bytes, uint64_t size);
struct digest digest_page(const struct region *region, uint64_t page,
			  const void *bytes);
struct digest digest_zero_run(const struct region *region, uint64_t first,
			      uint64_t count);
struct digest digest_run(const struct region *region, uint64_t first,
			 uint64_t count, const uint8_t *bytes);

/* Pages that are there for good, with the sum of their digests. */
struct proof {
	uint64_t pages;
	struct digest sum;
};

/* Adds to a proof that several threads add to; a reader waits for them. */
static inline void proof_add(struct proof *proof, uint64_t pages,
			     struct digest sum)
{
	__atomic_fetch_add(&proof->sum.low, sum.low, __ATOMIC_RELAXED);
	__atomic_fetch_add(&proof->sum.high, sum.high, __ATOMIC_RELAXED);
	__atomic_fetch_add(&proof->pages, pages, __ATOMIC_RELEASE);
}

#endif
