// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * pattern.c - fills 4 KiB from a number and a generation, and checks them.
 *
 * Each of the 512 words is different, and each depends on both: a page that is
 * old, another's, zero or torn is told from the right one.
 */
#include "guest.h"

#define STEP	0x9e3779b97f4a7c15ull

/**
 * pattern_key() - what the words of a block are made of
 *
 * The finalizer of splitmix64 (Steele, Lea, Flood 2014), which is a bijection:
 * two blocks, or two generations of one, never have the same key.
 */
uint64_t pattern_key(uint64_t number, uint32_t generation)
{
	uint64_t key = number << 32 | generation;

	key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9ull;
	key = (key ^ key >> 27) * 0x94d049bb133111ebull;
	return key ^ key >> 31;
}

/**
 * pattern_fill() - write all words of a block
 */
void pattern_fill(uint64_t *words, uint64_t key)
{
	for (unsigned int i = 0; i < BLOCK_WORDS; i++)
		words[i] = key + i * STEP;
}

/**
 * pattern_differs() - check all words of a block
 * @difference: receives the first word that is wrong, as it was read
 *
 * Return: whether one is.
 */
bool pattern_differs(const uint64_t *words, uint64_t key,
		     struct difference *difference)
{
	for (unsigned int i = 0; i < BLOCK_WORDS; i++) {
		uint64_t expected = key + i * STEP;
		uint64_t found = words[i];

		if (__builtin_expect(found != expected, 0)) {
			*difference = (struct difference){ i, expected, found };
			return true;
		}
	}
	return false;
}
