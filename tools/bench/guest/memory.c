// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * memory.c - the pages that the guest works on, and what has to be in them.
 *
 * A page is filled with words that no other page has. Its first word counts
 * how often it was written since; a table has the same counts, so that a page
 * of another time does not pass for one of this.
 */
#include "tools/bench/guest/guest.h"

#define PAGE_BYTES	4096ull
#define LOW_START	(16ull << 20)
#define HIGH_START	(4ull << 30)
#define MULTIBOOT_HAS_MAP	(1u << 6)
#define MULTIBOOT_RAM		1u

/* Multiboot specification 0.6.96, 3.3. */
struct multiboot_info {
	uint32_t flags;
	uint32_t unused[10];
	uint32_t map_length, map_address;
};

struct multiboot_range {
	uint32_t size;			/* of what follows */
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

static uint64_t low_pages, high_pages;	/* that there are, table included */
static uint64_t pages;			/* that are worked on */
static uint64_t table_pages;		/* before these */

static void range_note(const struct multiboot_range *range)
{
	uint64_t end = range->base + range->length;

	if (range->type != MULTIBOOT_RAM)
		return;
	if (range->base < LOW_START && end > LOW_START)
		low_pages = (end - LOW_START) / PAGE_BYTES;
	if (range->base == HIGH_START)
		high_pages = range->length / PAGE_BYTES;
}

/**
 * memory_find() - see what memory there is
 * @multiboot: address of the loader's information
 */
void memory_find(uint32_t multiboot)
{
	const struct multiboot_info *info = (const void *)(uintptr_t)multiboot;
	uintptr_t at, end;

	if (!(info->flags & MULTIBOOT_HAS_MAP))
		return;
	end = (uintptr_t)info->map_address + info->map_length;
	for (at = info->map_address; at < end; at += sizeof(uint32_t)) {
		const struct multiboot_range *range = (const void *)at;

		range_note(range);
		at += range->size;
	}
}

static volatile uint64_t *page_at(uint64_t number)
{
	uint64_t address = number < low_pages ?
			   LOW_START + number * PAGE_BYTES :
			   HIGH_START + (number - low_pages) * PAGE_BYTES;

	return (volatile uint64_t *)address;
}

static volatile uint32_t *count_of(uint64_t number)
{
	volatile uint32_t *counts = (volatile uint32_t *)page_at(number / 1024);

	return counts + number % 1024;
}

/**
 * memory_page() - one of the pages that are worked on
 * @number: below memory_pages()
 *
 * Return: its words.
 */
volatile uint64_t *memory_page(uint64_t number)
{
	return page_at(table_pages + number);
}

/**
 * memory_pages() - how many there are
 *
 * Return: what memory_take() took; 0: nothing yet.
 */
uint64_t memory_pages(void)
{
	return pages;
}

/* splitmix64: the state goes on by a constant, the word is its hash. */
static uint64_t word_make(uint64_t *state)
{
	uint64_t word = *state += 0x9e3779b97f4a7c15ull;

	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9ull;
	word = (word ^ word >> 27) * 0x94d049bb133111ebull;
	return word ^ word >> 31;
}

static void page_fill(uint64_t number)
{
	volatile uint64_t *words = memory_page(number);
	uint64_t state = number << 32;
	unsigned int i;

	words[0] = *count_of(number) = 1;
	for (i = 1; i < PAGE_WORDS; i++)
		words[i] = word_make(&state);
}

static bool page_bad(uint64_t number)
{
	volatile uint64_t *words = memory_page(number);
	uint64_t state = number << 32;
	unsigned int i;

	if (words[0] != *count_of(number))
		return true;
	for (i = 1; i < PAGE_WORDS; i++)
		if (words[i] != word_make(&state))
			return true;
	return false;
}

/**
 * memory_take() - fill pages to work on
 * @count: how many
 *
 * Return: false if there are not so many.
 */
bool memory_take(uint64_t count)
{
	uint64_t i;

	table_pages = (count + 1023) / 1024;
	if (!count || table_pages + count > low_pages + high_pages)
		return false;
	pages = count;
	for (i = 0; i < count; i++)
		page_fill(i);
	return true;
}

/**
 * memory_write() - work on a page: read all of it, write its first word
 * @number: of the page
 *
 * Reading takes most of the time, so that the rate says little about the
 * emulator's own caches, which are cold after a migration.
 */
void memory_write(uint64_t number)
{
	volatile uint64_t *words = memory_page(number);
	unsigned int i;

	for (i = 1; i < PAGE_WORDS; i++)
		(void)words[i];
	words[0] = ++*count_of(number);
}

/**
 * memory_bad() - look at every word of every page
 *
 * Return: how many pages are not as they have to be.
 */
uint64_t memory_bad(void)
{
	uint64_t i, bad = 0;

	for (i = 0; i < pages; i++)
		bad += page_bad(i);
	return bad;
}
