// SPDX-License-Identifier: LGPL-2.1-or-later
/* keep.c - the bitmap of pages that the dest may keep, compressed. */
#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#include "protocol/phase.h"

#define KEEP_PAGES	(4ull << 20)	/* named by one message: 512 KiB */
#define KEEP_WORDS	(KEEP_PAGES / BITS_PER_WORD)
#define KEEP_BYTES	(KEEP_WORDS * sizeof(uint64_t))

/* One message: kept is what is not dirty. */
static int keep_send_part(struct migration *m, uint32_t id, uint64_t first,
			  uint64_t pages, uint64_t *words, void *packed)
{
	const struct bitmap *dirty = &m->source->regions[id].dirty;
	Straddle__Keep keep = STRADDLE__KEEP__INIT;
	uint64_t i, count = bitmap_words(pages);
	size_t size;

	for (i = 0; i < count; i++)
		words[i] = ~bitmap_word(dirty, first / BITS_PER_WORD + i);
	size = ZSTD_compress(packed, ZSTD_compressBound(KEEP_BYTES), words,
			     count * sizeof(uint64_t), 1);
	if (ZSTD_isError(size))
		return -EIO;
	keep.region = id;
	keep.first = first;
	keep.pages = pages;
	keep.bitmap.data = packed;
	keep.bitmap.len = size;
	return send_message(m, MSG_KEEP, &keep.base);
}

static int keep_send_region(struct migration *m, const struct region *region,
			    uint64_t *words, void *packed)
{
	uint64_t first;
	int ret = 0;

	for (first = 0; first < region->pages && !ret; first += KEEP_PAGES) {
		uint64_t left = region->pages - first;

		ret = keep_send_part(m, region->id, first,
				     left < KEEP_PAGES ? left : KEEP_PAGES,
				     words, packed);
	}
	return ret;
}

/**
 * keep_send() - source: say which pages the dest keeps, all of them once
 * @m: held
 *
 * Return: 0 or -errno with @m->fail.
 */
int keep_send(struct migration *m)
{
	uint64_t *words = malloc(KEEP_BYTES);
	void *packed = malloc(ZSTD_compressBound(KEEP_BYTES));
	int ret = words && packed ? 0 : -ENOMEM;
	unsigned int i;

	for (i = 0; i < m->map.count && !ret; i++)
		ret = keep_send_region(m, &m->map.regions[i], words, packed);
	free(words);
	free(packed);
	return ret;
}

static int keep_refuse(struct migration *m, const char *why)
{
	return fail_set(&m->fail, -EPROTO,
			"the source's bitmap of kept pages is wrong: %s", why);
}

static int keep_check(struct migration *m, const Straddle__Keep *keep)
{
	const struct region *region;

	if (keep->region >= m->map.count)
		return keep_refuse(m, "no such region");
	region = &m->map.regions[keep->region];
	if (keep->first != m->kept_to[keep->region])
		return keep_refuse(m, "pages named twice, or left out");
	if (!keep->pages || keep->pages > KEEP_PAGES ||
	    keep->pages > region->pages - keep->first)
		return keep_refuse(m, "more pages than there are");
	return 0;
}

/**
 * keep_receive() - dest: take in one message of the bitmap
 * @m: performing
 * @keep: from the source
 *
 * Return: 0, or -EPROTO with @m->fail.
 */
int keep_receive(struct migration *m, const Straddle__Keep *keep)
{
	size_t size;
	uint64_t *words;
	int ret = keep_check(m, keep);

	if (ret < 0)
		return ret;
	size = bitmap_words(keep->pages) * sizeof(uint64_t);
	words = malloc(size);
	if (!words)
		return -ENOMEM;
	if (ZSTD_decompress(words, size, keep->bitmap.data,
			    keep->bitmap.len) != size)
		ret = keep_refuse(m, "it does not unpack");
	if (!ret)
		ret = dest_keep(m->dest, &m->map.regions[keep->region],
				keep->first, keep->pages, words);
	if (!ret)
		m->kept_to[keep->region] += keep->pages;
	free(words);
	return ret;
}

/**
 * keep_complete() - whether every page was named
 * @m: dest
 *
 * Return: true when it was.
 */
bool keep_complete(const struct migration *m)
{
	unsigned int i;

	for (i = 0; i < m->map.count; i++)
		if (m->kept_to[i] != m->map.regions[i].pages)
			return false;
	return true;
}
