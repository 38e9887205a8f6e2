// SPDX-License-Identifier: LGPL-2.1-or-later
/* bitmap.c - bits a page, set and tested by several threads at once. */
#include "copy/bitmap.h"

#include <sys/mman.h>

#include "sys.h"

/**
 * bitmap_init() - make a bitmap of zeroes
 * @bitmap: to initialise; bitmap_fini() frees it
 * @bits: how many; memory is used only where bits are set
 *
 * Return: 0 or -errno.
 */
int bitmap_init(struct bitmap *bitmap, uint64_t bits)
{
	void *words = NULL;
	int ret = sys_mmap(&words, bitmap_words(bits + 1) * sizeof(uint64_t),
			   PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (ret < 0)
		return ret;
	bitmap->words = words;
	bitmap->bits = bits;
	return 0;
}

/**
 * bitmap_fini() - free what bitmap_init() made
 * @bitmap: may be all zeroes
 */
void bitmap_fini(struct bitmap *bitmap)
{
	if (bitmap->words)
		munmap(bitmap->words,
		       bitmap_words(bitmap->bits + 1) * sizeof(uint64_t));
	bitmap->words = NULL;
}

/* The bits [first, end) that lie in the word of @first. */
static uint64_t range_mask(uint64_t first, uint64_t end)
{
	uint64_t shift = first % BITS_PER_WORD;
	uint64_t count = end - first;

	if (count >= BITS_PER_WORD - shift)
		return ~0ull << shift;
	return ((1ull << count) - 1) << shift;
}

/**
 * bitmap_set_range() - set neighbouring bits
 * @bitmap: of at least @first + @count bits
 * @first: first bit
 * @count: how many
 */
void bitmap_set_range(struct bitmap *bitmap, uint64_t first, uint64_t count)
{
	uint64_t end = first + count;

	while (first < end) {
		__atomic_fetch_or(&bitmap->words[first / BITS_PER_WORD],
				  range_mask(first, end), __ATOMIC_RELAXED);
		first = (first / BITS_PER_WORD + 1) * BITS_PER_WORD;
	}
}

/**
 * bitmap_fill() - give every bit one value
 * @bitmap: to fill; bits past its end stay clear
 * @value: the value
 */
void bitmap_fill(struct bitmap *bitmap, bool value)
{
	uint64_t word, words = bitmap_words(bitmap->bits);

	for (word = 0; word < words; word++)
		__atomic_store_n(&bitmap->words[word], 0, __ATOMIC_RELAXED);
	if (value)
		bitmap_set_range(bitmap, 0, bitmap->bits);
}

/**
 * bitmap_count() - how many bits are set
 * @bitmap: to count
 *
 * Return: the number of set bits.
 */
uint64_t bitmap_count(const struct bitmap *bitmap)
{
	uint64_t word, count = 0, words = bitmap_words(bitmap->bits);

	for (word = 0; word < words; word++)
		count += (uint64_t)__builtin_popcountll(bitmap_word(bitmap,
								    word));
	return count;
}

/**
 * bitmap_next() - find the next bit of a value
 * @bitmap: to search
 * @from: first bit to look at
 * @end: where to stop
 * @value: looked for
 *
 * Return: the bit, or @end when there is none.
 */
uint64_t bitmap_next(const struct bitmap *bitmap, uint64_t from, uint64_t end,
		     bool value)
{
	uint64_t flip = value ? 0 : ~0ull;

	while (from < end) {
		uint64_t word = bitmap_word(bitmap, from / BITS_PER_WORD);

		word = (word ^ flip) & range_mask(from, end);
		if (word)
			return from / BITS_PER_WORD * BITS_PER_WORD +
			       (uint64_t)__builtin_ctzll(word);
		from = (from / BITS_PER_WORD + 1) * BITS_PER_WORD;
	}
	return end;
}

/**
 * bitmap_copy_inverted() - set exactly the bits that another has clear
 * @to: of the same size
 * @from: read
 */
void bitmap_copy_inverted(struct bitmap *to, const struct bitmap *from)
{
	uint64_t word, words = bitmap_words(to->bits);

	for (word = 0; word < words; word++) {
		uint64_t value = ~bitmap_word(from, word);

		if (word == words - 1)
			value &= range_mask(word * BITS_PER_WORD, to->bits);
		__atomic_store_n(&to->words[word], value, __ATOMIC_RELAXED);
	}
}

/**
 * bitmap_store() - replace a run of bits
 * @bitmap: to change; nobody else does meanwhile
 * @first: the first bit, a multiple of 64
 * @count: how many
 * @bits: their values, from bit 0 of the first word on
 */
void bitmap_store(struct bitmap *bitmap, uint64_t first, uint64_t count,
		  const uint64_t *bits)
{
	uint64_t at, end = first + count;

	for (at = first; at < end; at += BITS_PER_WORD) {
		uint64_t *word = &bitmap->words[at / BITS_PER_WORD];
		uint64_t mask = range_mask(at, end);
		uint64_t value = bits[(at - first) / BITS_PER_WORD];

		__atomic_store_n(word, (*word & ~mask) | (value & mask),
				 __ATOMIC_RELAXED);
	}
}
