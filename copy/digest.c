// SPDX-License-Identifier: LGPL-2.1-or-later
/* digest.c - what a page is, in 128 bits that can be added up. */
#include "copy/digest.h"

#include <string.h>
#include <xxhash.h>
#if defined(__x86_64__) && __has_include(<xxh_x86dispatch.h>)
#include <xxh_x86dispatch.h>	/* the widest vectors this processor has */
#endif

/* Odd constants, so that a position maps to a digest one to one. */
#define ZERO_LOW	0x9e3779b97f4a7c15ull
#define ZERO_HIGH	0xc2b2ae3d27d4eb4full
#define STEP_LOW	0xd6e8feb86659fd93ull
#define STEP_HIGH	0xa0761d6478bd642full

static uint64_t position(const struct region *region, uint64_t page)
{
	return ((uint64_t)region->id << 48) + page;
}

/**
 * page_is_zero() - whether memory holds nothing but zeroes
 * @bytes: anywhere: behind what was packed nothing is aligned
 * @size: a multiple of 64
 *
 * Most pages that are not zero say so in their first bytes; comparing the
 * rest with itself, shifted, is memcmp's vector loop.
 *
 * Return: true when all bytes are zero.
 */
bool page_is_zero(const void *bytes, uint64_t size)
{
	uint64_t first[2], middle;

	memcpy(first, bytes, sizeof(first));
	memcpy(&middle, (const char *)bytes + size / 2, sizeof(middle));
	if (first[0] | first[1] | middle)
		return false;
	return !memcmp(bytes, (const char *)bytes + 8, size - 8);
}

/**
 * digest_page() - digest of one page
 * @region: whose page it is
 * @page: its number
 * @bytes: the whole page
 *
 * Return: the digest.
 */
struct digest digest_page(const struct region *region, uint64_t page,
			  const void *bytes)
{
	struct {
		uint64_t low, high, position;
	} bound;
	XXH128_hash_t hash;

	if (page_is_zero(bytes, page_size(region)))
		return digest_zero_run(region, page, 1);
	hash = XXH3_128bits(bytes, page_size(region));
	bound.low = hash.low64;
	bound.high = hash.high64;
	bound.position = position(region, page);
	hash = XXH3_128bits(&bound, sizeof(bound));
	return (struct digest){ hash.low64, hash.high64 };
}

/**
 * digest_zero_run() - sum of the digests of neighbouring zero pages
 * @region: whose pages they are
 * @first: number of the first
 * @count: how many
 *
 * Return: the sum.
 */
struct digest digest_zero_run(const struct region *region, uint64_t first,
			      uint64_t count)
{
	/* The sum of the positions: count * first + (0 + 1 + ... ). */
	uint64_t triangle = count & 1 ? (count - 1) / 2 * count
				      : count / 2 * (count - 1);
	uint64_t sum = count * position(region, first) + triangle;

	return (struct digest){ count * ZERO_LOW + sum * STEP_LOW,
				count * ZERO_HIGH + sum * STEP_HIGH };
}

/**
 * digest_run() - sum of the digests of neighbouring pages
 * @region: whose pages they are
 * @first: number of the first
 * @count: how many
 * @bytes: of all of them, or NULL: they are zero
 *
 * Return: the sum.
 */
struct digest digest_run(const struct region *region, uint64_t first,
			 uint64_t count, const uint8_t *bytes)
{
	struct digest sum = { 0, 0 };
	uint64_t page;

	if (!bytes)
		return digest_zero_run(region, first, count);
	for (page = 0; page < count; page++)
		digest_add(&sum, digest_page(region, first + page,
				bytes + (page << region->page_shift)));
	return sum;
}
