// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * page_set.c - a set of pages on its way: a bit a page, compressed.
 *
 * KEEP, STALE and PRESENT each name every page of every region once, ascending.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "protocol/phase.h"

#define SET_PAGES	(4ull << 20)	/* named by one message: 512 KiB */
#define SET_BYTES	(SET_PAGES / BITS_PER_WORD * sizeof(uint64_t))

struct set_send {
	enum message_type type;
	uint64_t *words;	/* SET_BYTES */
	void *packed;
};

/* A bit a page: stale is what is dirty, kept what is not, present what came. */
static void part_fill(struct migration *m, const struct set_send *send,
		      uint32_t id, uint64_t first, uint64_t pages)
{
	uint64_t invert = send->type == MSG_KEEP ? ~UINT64_C(0) : 0;
	uint64_t i;

	if (send->type == MSG_PRESENT) {
		pages_bitmap(&m->dest->states.pages[id], first, pages,
			     send->words);
		return;
	}
	for (i = 0; i < bitmap_words(pages); i++)
		send->words[i] = invert ^
			bitmap_word(&m->source->regions[id].dirty,
				    first / BITS_PER_WORD + i);
}

static int part_send(struct migration *m, const struct set_send *send,
		     uint32_t id, uint64_t first, uint64_t pages)
{
	Straddle__PageSet set = STRADDLE__PAGE_SET__INIT;
	size_t size;

	part_fill(m, send, id, first, pages);
	size = ZSTD_compress(send->packed, ZSTD_compressBound(SET_BYTES),
			     send->words,
			     bitmap_words(pages) * sizeof(uint64_t), 1);
	if (ZSTD_isError(size))
		return -EIO;
	set.region = id;
	set.first = first;
	set.pages = pages;
	set.bitmap.data = send->packed;
	set.bitmap.len = size;
	return send_message(m, send->type, &set.base);
}

static int region_send(struct migration *m, const struct set_send *send,
		       const struct region *region)
{
	uint64_t first;
	int ret = 0;

	for (first = 0; first < region->pages && !ret; first += SET_PAGES) {
		uint64_t left = region->pages - first;

		ret = part_send(m, send, region->id, first,
				left < SET_PAGES ? left : SET_PAGES);
	}
	return ret;
}

/**
 * page_set_send() - say which pages are of a set
 * @m: the source, no round runs; or the dest of MSG_PRESENT
 * @type: MSG_STALE: they are dirty; MSG_KEEP: they are not, and it is held;
 *	MSG_PRESENT: the dest has them
 *
 * Return: 0 or -errno with @m->fail.
 */
int page_set_send(struct migration *m, enum message_type type)
{
	struct set_send send = {
		.type = type,
		.words = malloc(SET_BYTES),
		.packed = malloc(ZSTD_compressBound(SET_BYTES)),
	};
	int ret = send.words && send.packed ? 0 : -ENOMEM;
	unsigned int i;

	for (i = 0; i < m->map.count && !ret; i++)
		ret = region_send(m, &send, &m->map.regions[i]);
	free(send.words);
	free(send.packed);
	return ret;
}

/**
 * page_set_reset() - another set of the same kind may begin
 * @m: that receives one
 */
void page_set_reset(struct migration *m)
{
	m->naming = 0;
	memset(m->named_to, 0, sizeof(m->named_to));
}

static int set_refuse(struct migration *m, const char *why)
{
	return fail_set(&m->fail, -EPROTO,
			"the peer's set of pages is wrong: %s", why);
}

static int set_check(struct migration *m, enum message_type type,
		     const Straddle__PageSet *set)
{
	const struct region *region;

	if (m->naming && m->naming != type)
		return set_refuse(m, "another one is not complete, or was the last");
	if (set->region >= m->map.count)
		return set_refuse(m, "no such region");
	region = &m->map.regions[set->region];
	if (set->first != m->named_to[set->region])
		return set_refuse(m, "pages named twice, or left out");
	if (!set->pages || set->pages > SET_PAGES ||
	    set->pages > region->pages - set->first)
		return set_refuse(m, "more pages than there are");
	return 0;
}

/**
 * page_set_receive() - take in one message of a set
 * @m: the dest, performing; or the source of MSG_PRESENT, held
 * @type: of the message
 * @set: from the peer
 * @take: is given the part, a bit a page
 *
 * Return: 0, what @take returned, or -EPROTO with @m->fail.
 */
int page_set_receive(struct migration *m, enum message_type type,
		     const Straddle__PageSet *set, page_set_fn *take)
{
	size_t size;
	uint64_t *words;
	int ret = set_check(m, type, set);

	if (ret < 0)
		return ret;
	m->naming = type;
	size = bitmap_words(set->pages) * sizeof(uint64_t);
	words = malloc(size);
	if (!words)
		return -ENOMEM;
	if (ZSTD_decompress(words, size, set->bitmap.data,
			    set->bitmap.len) != size)
		ret = set_refuse(m, "it does not unpack");
	if (!ret)
		ret = take(m, &m->map.regions[set->region], set->first,
			   set->pages, words);
	if (!ret)
		m->named_to[set->region] += set->pages;
	free(words);
	return ret;
}

/**
 * page_set_complete() - whether every page was named
 * @m: that receives it
 * @type: by which message
 *
 * Return: true when it was.
 */
bool page_set_complete(const struct migration *m, enum message_type type)
{
	unsigned int i;

	for (i = 0; i < m->map.count; i++)
		if (m->named_to[i] != m->map.regions[i].pages)
			return false;
	return m->naming == type;
}
