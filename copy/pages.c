// SPDX-License-Identifier: LGPL-2.1-or-later
/* pages.c - the state of every page at the dest, 4 bits each. */
#include "copy/pages.h"

#include <string.h>

#define PAGE_BITS	4
#define PAGES_A_WORD	(64 / PAGE_BITS)
#define EVERY_PAGE	0x1111111111111111ull

/**
 * pages_words() - how many 64-bit words hold the states of pages
 * @count: pages
 *
 * Return: words.
 */
uint64_t pages_words(uint64_t count)
{
	return (count + PAGES_A_WORD - 1) / PAGES_A_WORD;
}

static unsigned int page_shift_in_word(uint64_t page)
{
	return (unsigned int)(page % PAGES_A_WORD) * PAGE_BITS;
}

static uint64_t *page_word(const struct pages *pages, uint64_t page)
{
	return &pages->words[page / PAGES_A_WORD];
}

/* The low bit of each page of [first, end) that lies in first's word. */
static uint64_t word_pages(uint64_t first, uint64_t end)
{
	uint64_t mask = EVERY_PAGE << page_shift_in_word(first);
	uint64_t left = end - first;

	if (left < PAGES_A_WORD - first % PAGES_A_WORD)
		mask &= (1ull << page_shift_in_word(end)) - 1;
	return mask;
}

static uint64_t next_word(uint64_t page)
{
	return (page / PAGES_A_WORD + 1) * PAGES_A_WORD;
}

static uint64_t clip(uint64_t page, uint64_t end)
{
	return page < end ? page : end;
}

/**
 * page_state() - where a page stands
 * @pages: of its region
 * @page: its number
 *
 * Return: enum page_state bits.
 */
unsigned int page_state(const struct pages *pages, uint64_t page)
{
	uint64_t word = __atomic_load_n(page_word(pages, page),
					__ATOMIC_ACQUIRE);

	return (word >> page_shift_in_word(page)) & 15;
}

/* Set bits of one page. Return: what all of its bits were before. */
static unsigned int page_or(struct pages *pages, uint64_t page,
			    unsigned int bits)
{
	unsigned int shift = page_shift_in_word(page);
	uint64_t old = __atomic_fetch_or(page_word(pages, page),
					 (uint64_t)bits << shift,
					 __ATOMIC_ACQ_REL);

	return (old >> shift) & 15;
}

/**
 * page_want() - record that somebody waits for a page
 * @pages: of its region
 * @page: its number
 *
 * Return: the bits before: with PAGE_PRESENT the caller places the page
 * itself; with PAGE_WAITING another fault asked for it already.
 */
unsigned int page_want(struct pages *pages, uint64_t page)
{
	return page_or(pages, page, PAGE_WAITING);
}

/* Pages of @word whose bits under @mask are @value, as their low bits. */
static uint64_t matching(uint64_t word, unsigned int mask, unsigned int value)
{
	uint64_t differ = (word ^ EVERY_PAGE * value) & (EVERY_PAGE * mask);

	differ |= differ >> 2;
	differ |= differ >> 1;
	return ~differ & EVERY_PAGE;
}

/* How many pages of one word, from @first on, are @found before a gap. */
static uint64_t leading(uint64_t found, uint64_t first, uint64_t end)
{
	uint64_t gap = word_pages(first, end) & ~found;

	if (!gap)
		return end - first;
	return (uint64_t)__builtin_ctzll(gap >> page_shift_in_word(first)) /
	       PAGE_BITS;
}

/* Set @bit in those pages of one word, from @first on, that have no @mask. */
static uint64_t take_in_word(struct pages *pages, uint64_t first, uint64_t end,
			     unsigned int mask, unsigned int bit)
{
	uint64_t *at = page_word(pages, first);
	uint64_t word = __atomic_load_n(at, __ATOMIC_RELAXED);
	uint64_t count;

	do {
		count = leading(matching(word, mask, 0), first, end);
		if (!count)
			return 0;
	} while (!__atomic_compare_exchange_n(at, &word,
			word | word_pages(first, first + count) * bit,
			false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	return count;
}

static uint64_t take(struct pages *pages, uint64_t first, uint64_t count,
		     unsigned int mask, unsigned int bit)
{
	uint64_t at = first, end = first + count;

	while (at < end) {
		uint64_t stop = clip(next_word(at), end);

		at += take_in_word(pages, at, stop, mask, bit);
		if (at < stop)
			break;
	}
	return at - first;
}

/**
 * pages_claim() - take the right to fill neighbouring pages
 * @pages: of their region
 * @first: the first of them
 * @count: how many at the most
 *
 * Whoever claims a page either makes it present or gives it back. A page that
 * is claimed or present already ends the run.
 *
 * Return: how many were claimed, from @first on; 0 when @first is not MISSING.
 */
uint64_t pages_claim(struct pages *pages, uint64_t first, uint64_t count)
{
	return take(pages, first, count, PAGE_STATE, PAGE_CLAIMED);
}

/**
 * pages_count() - take the right to add neighbouring digests to the proof
 * @pages: of their region
 * @first: the first of them; all present
 * @count: how many at the most
 *
 * Return: how many, from @first on, are the caller's to add; 0 when somebody
 * has counted @first already.
 */
uint64_t pages_count(struct pages *pages, uint64_t first, uint64_t count)
{
	return take(pages, first, count, PAGE_COUNTED, PAGE_COUNTED);
}

/**
 * pages_unclaimable() - how many pages somebody else has, or had
 * @pages: of their region
 * @first: the first of them
 * @count: how many at the most
 *
 * Return: how many from @first on are not MISSING.
 */
uint64_t pages_unclaimable(const struct pages *pages, uint64_t first,
			   uint64_t count)
{
	return pages_next(pages, first, first + count, PAGE_STATE,
			  PAGE_MISSING, true) - first;
}

/**
 * pages_present() - claimed pages are complete, and counted
 * @pages: of their region
 * @first: the first of them
 * @count: how many; all claimed by the caller
 *
 * The release pairs with the acquire of page_want() and page_state(): who
 * sees PRESENT sees the bytes.
 *
 * Return: whether anybody waits for one of them.
 */
bool pages_present(struct pages *pages, uint64_t first, uint64_t count)
{
	uint64_t at, end = first + count, waited = 0;

	for (at = first; at < end; at = next_word(at)) {
		uint64_t mask = word_pages(at, clip(next_word(at), end));
		/* CLAIMED (1) ^ 3 = PRESENT (2); COUNTED was clear. */
		uint64_t old = __atomic_fetch_xor(page_word(pages, at),
				mask * (PAGE_STATE | PAGE_COUNTED),
				__ATOMIC_ACQ_REL);

		waited |= old & (mask * PAGE_WAITING);
	}
	return waited;
}

/*
 * Flip @bits of those pages of one word, under @among, whose bits under @mask
 * are @value. Return: how many.
 */
static uint64_t flip(uint64_t *at, uint64_t among, unsigned int mask,
		     unsigned int value, unsigned int bits)
{
	uint64_t word = __atomic_load_n(at, __ATOMIC_RELAXED);
	uint64_t found;

	do {
		found = matching(word, mask, value) & among;
	} while (found && !__atomic_compare_exchange_n(at, &word,
			word ^ found * bits, false, __ATOMIC_ACQ_REL,
			__ATOMIC_RELAXED));
	return (uint64_t)__builtin_popcountll(found);
}

/**
 * pages_unclaim() - give back claimed pages that could not be filled
 * @pages: of their region
 * @first: the first of them
 * @count: how many; those that are claimed are by the caller, or by whoever
 *	is dead
 */
void pages_unclaim(struct pages *pages, uint64_t first, uint64_t count)
{
	uint64_t at, end = first + count;

	for (at = first; at < end; at = next_word(at)) {
		uint64_t mask = word_pages(at, clip(next_word(at), end));

		flip(page_word(pages, at), mask, PAGE_STATE, PAGE_CLAIMED,
		     PAGE_CLAIMED);
	}
}

/**
 * pages_discard() - the guest has freed pages: no content is to come to them
 * @pages: of their region
 * @first: the first of them
 * @count: how many
 * @from: PAGE_MISSING, or PAGE_PRESENT: kept ones that are not counted yet;
 *	others stay what they are
 *
 * Return: how many were, and are DISCARDED now.
 */
uint64_t pages_discard(struct pages *pages, uint64_t first, uint64_t count,
		       enum page_state from)
{
	uint64_t at, end = first + count, changed = 0;

	for (at = first; at < end; at = next_word(at)) {
		uint64_t mask = word_pages(at, clip(next_word(at), end));

		changed += flip(page_word(pages, at), mask,
				PAGE_STATE | PAGE_COUNTED, from,
				PAGE_DISCARDED ^ from);
	}
	return changed;
}

/**
 * pages_forget() - nobody is known to wait for what is missing
 * @pages: of a region; no thread records faults at the moment
 *
 * Whoever waits is woken then, and its fault recorded anew.
 */
void pages_forget(struct pages *pages)
{
	uint64_t at;

	for (at = 0; at < pages->count; at = next_word(at)) {
		uint64_t *word = page_word(pages, at);
		uint64_t waits = __atomic_load_n(word, __ATOMIC_RELAXED) &
				 EVERY_PAGE * PAGE_WAITING;

		if (waits)
			__atomic_fetch_and(word, ~waits, __ATOMIC_ACQ_REL);
	}
}

/**
 * pages_complete() - what somebody who died had completed is so, and counted
 * @pages: of their region; no lane is in flight. Twice is once
 * @first: the first of them
 * @count: how many; discarded ones are counted, and stay so
 */
void pages_complete(struct pages *pages, uint64_t first, uint64_t count)
{
	uint64_t at, end = first + count;

	pages_unclaim(pages, first, count);
	for (at = first; at < end; at = next_word(at))
		__atomic_fetch_or(page_word(pages, at),
			word_pages(at, clip(next_word(at), end)) *
			(PAGE_PRESENT | PAGE_COUNTED), __ATOMIC_ACQ_REL);
}

/**
 * pages_next() - find the next page of a state
 * @pages: of their region
 * @from: first page to look at
 * @end: where to stop
 * @mask: which bits of the state count
 * @value: what they are compared with
 * @equal: whether they must be equal, or must differ
 *
 * Return: the page, or @end.
 */
uint64_t pages_next(const struct pages *pages, uint64_t from, uint64_t end,
		    unsigned int mask, unsigned int value, bool equal)
{
	uint64_t flip = equal ? 0 : EVERY_PAGE;

	while (from < end) {
		uint64_t word = __atomic_load_n(page_word(pages, from),
						__ATOMIC_ACQUIRE);
		uint64_t found = (matching(word, mask, value) ^ flip) &
				 word_pages(from, clip(next_word(from), end));

		if (found)
			return from / PAGES_A_WORD * PAGES_A_WORD +
			       (uint64_t)__builtin_ctzll(found) / PAGE_BITS;
		from = next_word(from);
	}
	return end;
}

/* The low bit of each page's state, to one bit a page: undoes spread(). */
static uint64_t gather(uint64_t word)
{
	word = (word | word >> 3) & 0x0303030303030303ull;
	word = (word | word >> 6) & 0x000f000f000f000full;
	word = (word | word >> 12) & 0x000000ff000000ffull;
	return (word | word >> 24) & 0xffff;
}

/**
 * pages_with() - how many pages are of a state
 * @pages: of a region
 * @mask: which bits of the state count
 * @value: what they are
 *
 * Return: pages.
 */
uint64_t pages_with(const struct pages *pages, unsigned int mask,
		    unsigned int value)
{
	uint64_t at, found = 0;

	for (at = 0; at < pages->count; at = next_word(at)) {
		uint64_t word = __atomic_load_n(page_word(pages, at),
						__ATOMIC_ACQUIRE);

		found += (uint64_t)__builtin_popcountll(
				matching(word, mask, value) &
				word_pages(at, clip(next_word(at),
						    pages->count)));
	}
	return found;
}

/**
 * pages_bitmap() - which pages are present, or need not come any more
 * @pages: of their region
 * @first: the first page, a multiple of 64
 * @count: how many
 * @present: receives a bit a page, in whole words
 */
void pages_bitmap(const struct pages *pages, uint64_t first, uint64_t count,
		  uint64_t *present)
{
	uint64_t page, end = first + count;

	memset(present, 0, (count + BITS_PER_WORD - 1) / BITS_PER_WORD *
			   sizeof(*present));
	for (page = first; page < end; page = next_word(page)) {
		uint64_t word = __atomic_load_n(page_word(pages, page),
						__ATOMIC_ACQUIRE);
		uint64_t found = gather(matching(word, PAGE_PRESENT, PAGE_PRESENT) &
					word_pages(page, clip(next_word(page), end)));

		present[(page - first) / BITS_PER_WORD] |=
			found << ((page - first) % BITS_PER_WORD);
	}
}

/**
 * pages_received() - pre-copy: pages hold what the source sent last
 * @pages: of their region; no vCPU runs
 * @first: the first of them
 * @count: how many
 */
void pages_received(struct pages *pages, uint64_t first, uint64_t count)
{
	uint64_t at, end = first + count;

	for (at = first; at < end; at = next_word(at))
		__atomic_fetch_or(page_word(pages, at),
			word_pages(at, clip(next_word(at), end)) *
			PAGE_PRESENT, __ATOMIC_ACQ_REL);
}

/* One bit a page, to the low bit of each page's state. */
static uint64_t spread(uint64_t bits)
{
	uint64_t word = bits & 0xffff;

	word = (word | word << 24) & 0x000000ff000000ffull;
	word = (word | word << 12) & 0x000f000f000f000full;
	word = (word | word << 6) & 0x0303030303030303ull;
	return (word | word << 3) & EVERY_PAGE;
}

/**
 * pages_keep() - the switch: which pre-copied pages are good
 * @pages: of their region; no vCPU runs and no lane is in flight
 * @first: the first page, a multiple of 64
 * @count: how many
 * @keep: a bit a page, set: what is there is what the source has. A page
 *	that never came and is kept is zero: memory was emptied in Prepare
 *
 * Return: how many of them are missing now.
 */
uint64_t pages_keep(struct pages *pages, uint64_t first, uint64_t count,
		    const uint64_t *keep)
{
	uint64_t at, end = first + count, missing = 0;

	for (at = first; at < end; at = next_word(at)) {
		uint64_t bit = at - first;
		uint64_t bits = keep[bit / BITS_PER_WORD] >>
				(bit % BITS_PER_WORD);
		uint64_t mask = word_pages(at, clip(next_word(at), end));
		uint64_t kept = spread(bits) & mask;

		if (kept != mask)
			missing += (uint64_t)__builtin_popcountll(mask ^ kept);
		__atomic_store_n(page_word(pages, at), kept * PAGE_PRESENT,
				 __ATOMIC_RELEASE);
	}
	return missing;
}
