/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bitmap.h - bits a page, set and tested by several threads at once. */
#ifndef STRADDLE_BITMAP_H
#define STRADDLE_BITMAP_H

#include <stdbool.h>
#include <stdint.h>

#define BITS_PER_WORD	64

struct bitmap {
	uint64_t *words;
	uint64_t bits;
};

int bitmap_init(struct bitmap *bitmap, uint64_t bits);
void bitmap_fini(struct bitmap *bitmap);

static inline uint64_t bitmap_words(uint64_t bits)
{
	return (bits + BITS_PER_WORD - 1) / BITS_PER_WORD;
}

static inline uint64_t bit_mask(uint64_t bit)
{
	return 1ull << (bit % BITS_PER_WORD);
}

static inline uint64_t bitmap_word(const struct bitmap *bitmap, uint64_t word)
{
	return __atomic_load_n(&bitmap->words[word], __ATOMIC_RELAXED);
}

static inline bool bitmap_test(const struct bitmap *bitmap, uint64_t bit)
{
	return bitmap_word(bitmap, bit / BITS_PER_WORD) & bit_mask(bit);
}

/* Return: whether the bit was set before. */
static inline bool bitmap_set(struct bitmap *bitmap, uint64_t bit)
{
	return __atomic_fetch_or(&bitmap->words[bit / BITS_PER_WORD],
				 bit_mask(bit), __ATOMIC_RELAXED) &
	       bit_mask(bit);
}

/* Return: whether the bit was set before. */
static inline bool bitmap_clear(struct bitmap *bitmap, uint64_t bit)
{
	return __atomic_fetch_and(&bitmap->words[bit / BITS_PER_WORD],
				  ~bit_mask(bit), __ATOMIC_RELAXED) &
	       bit_mask(bit);
}

void bitmap_set_range(struct bitmap *bitmap, uint64_t first, uint64_t count);
void bitmap_fill(struct bitmap *bitmap, bool value);
uint64_t bitmap_count(const struct bitmap *bitmap);
uint64_t bitmap_next(const struct bitmap *bitmap, uint64_t from, uint64_t end,
		     bool value);
void bitmap_store(struct bitmap *bitmap, uint64_t first, uint64_t count,
		  const uint64_t *bits);
void bitmap_copy_inverted(struct bitmap *to, const struct bitmap *from);

#endif
