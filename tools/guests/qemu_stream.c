// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qemu_stream.c - what an incoming QEMU takes for an ordinary migration.
 *
 * xen-save-devices-state writes the devices and no RAM. Around that go the
 * machine's type, as the "configuration" section says it, and a "ram" section
 * that names only the small blocks: what is not named there QEMU leaves as it
 * is (migration/savevm.c and migration/ram.c of QEMU 7.2 and 10.0). The small
 * blocks go ahead, while the guest runs; afterwards come those of their pages
 * that changed, then the devices.
 */
#include "tools/guests/qemu_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "uffd/sys.h"

enum section {
	SECTION_START = 0x01,
	SECTION_PART = 0x02,
	SECTION_END = 0x03,
	SECTION_DESCRIPTION = 0x06,
	SECTION_CONFIGURATION = 0x07,
	SECTION_FOOTER = 0x7e,
};

/* Flags in the low bits of a page's offset. */
enum {
	PAGE_ZERO = 0x02,
	BLOCK_LIST = 0x04,
	PAGE_BYTES = 0x08,
	PAGES_END = 0x10,
	SAME_BLOCK = 0x20,
};

#define RAM_SECTION	0x52414d00u	/* any number that no device has */
#define RAM_VERSION	4
#define SMALL_PAGE	4096u

const unsigned char qemu_stream_head[QEMU_STREAM_HEAD] = {
	'Q', 'E', 'V', 'M', 0, 0, 0, 3
};

static void put_be(FILE *to, uint64_t value, unsigned int bytes)
{
	while (bytes--)
		putc((int)(value >> (8 * bytes) & 0xff), to);
}

static void put_name(FILE *to, const char *name)
{
	size_t length = strlen(name);

	putc((int)length, to);
	fwrite(name, 1, length, to);
}

static void put_footer(FILE *to)
{
	put_be(to, PAGES_END, 8);
	putc(SECTION_FOOTER, to);
	put_be(to, RAM_SECTION, 4);
}

/* How much of each block is in use; once more if that changes. */
static void put_block_list(FILE *to, const struct qemu_blocks *blocks)
{
	uint64_t total = 0;
	unsigned int i;

	for (i = 0; i < blocks->count; i++)
		if (!blocks->table[i].region)
			total += blocks->table[i].used;
	put_be(to, total | BLOCK_LIST, 8);
	for (i = 0; i < blocks->count; i++) {
		if (blocks->table[i].region)
			continue;
		put_name(to, blocks->table[i].name);
		put_be(to, blocks->table[i].used, 8);
	}
}

static bool is_zero(const unsigned char *page)
{
	return !page[0] && !memcmp(page, page + 1, SMALL_PAGE - 1);
}

/* A block is named at the first of its pages only. */
static void put_page(FILE *to, const char *name, uint64_t offset,
		     const unsigned char *page)
{
	unsigned int zero = is_zero(page);
	unsigned int flags = (zero ? PAGE_ZERO : PAGE_BYTES) |
			     (name ? 0 : SAME_BLOCK);

	put_be(to, offset | flags, 8);
	if (name)
		put_name(to, name);
	if (zero)
		putc(0, to);
	else
		fwrite(page, 1, SMALL_PAGE, to);
}

/* The small blocks as they were when they went ahead. */
struct qemu_ahead {
	uint64_t used[QEMU_BLOCKS_MAX];		/* bytes of each; 0: a region */
	unsigned char *bytes[QEMU_BLOCKS_MAX];	/* owned */
};

/**
 * qemu_ahead_free() - forget what went ahead
 * @ahead: NULL is fine
 */
void qemu_ahead_free(struct qemu_ahead *ahead)
{
	unsigned int i;

	for (i = 0; ahead && i < QEMU_BLOCKS_MAX; i++)
		free(ahead->bytes[i]);
	free(ahead);
}

/* All that is no region goes into the device state, which has a limit. */
static int blocks_check(const struct qemu_stream *stream, struct fail *fail)
{
	uint64_t room = GUEST_STATE_MAX;
	unsigned int i;

	for (i = 0; i < stream->blocks->count; i++) {
		const struct qemu_block *block = &stream->blocks->table[i];

		if (block->region)
			continue;
		if (block->used > room)
			return fail_set(fail, -EFBIG,
					"RAM block %s of %llu MiB cannot be carried with the devices' state: %u MiB are the limit of all of it",
					block->name,
					(unsigned long long)block->used >> 20,
					GUEST_STATE_MAX >> 20);
		room -= block->used;
	}
	return 0;
}

static int block_read(const struct qemu_stream *stream, unsigned int index,
		      unsigned char **bytes, struct fail *fail)
{
	const struct qemu_block *block = &stream->blocks->table[index];
	unsigned char *got = malloc(block->used);
	int ret = got ? 0 : -ENOMEM;

	if (!ret)
		ret = sys_peek(stream->pid, block->address, got, block->used);
	if (ret) {
		free(got);
		return fail_set(fail, ret, "cannot read RAM block %s: %s",
				block->name, strerror(-ret));
	}
	*bytes = got;
	return 0;
}

/* Its pages, but for those that went ahead and are the same. */
static void put_block(FILE *to, const struct qemu_block *block,
		      const unsigned char *bytes, const unsigned char *before,
		      uint64_t before_size)
{
	const char *name = block->name;
	uint64_t at;

	for (at = 0; at < block->used; at += SMALL_PAGE) {
		if (at + SMALL_PAGE <= before_size &&
		    !memcmp(bytes + at, before + at, SMALL_PAGE))
			continue;
		put_page(to, name, at, bytes + at);
		name = NULL;
	}
}

static int put_ahead(FILE *to, const struct qemu_stream *stream,
		     struct qemu_ahead *ahead, struct fail *fail)
{
	const struct qemu_blocks *blocks = stream->blocks;
	unsigned int i;
	int ret = 0;

	put_be(to, RAM_SECTION, 4);
	for (i = 0; i < blocks->count && !ret; i++) {
		if (blocks->table[i].region || !blocks->table[i].used)
			continue;
		ret = block_read(stream, i, &ahead->bytes[i], fail);
		if (ret)
			break;
		ahead->used[i] = blocks->table[i].used;
		put_block(to, &blocks->table[i], ahead->bytes[i], NULL, 0);
	}
	put_footer(to);
	return ret;
}

static bool sizes_changed(const struct qemu_stream *stream)
{
	unsigned int i;

	for (i = 0; i < stream->blocks->count; i++)
		if (!stream->blocks->table[i].region &&
		    stream->blocks->table[i].used != stream->ahead->used[i])
			return true;
	return false;
}

static int put_changed(FILE *to, const struct qemu_stream *stream,
		       struct fail *fail)
{
	const struct qemu_blocks *blocks = stream->blocks;
	unsigned int i;
	int ret = 0;

	put_be(to, RAM_SECTION, 4);
	if (sizes_changed(stream))
		put_block_list(to, blocks);
	for (i = 0; i < blocks->count && !ret; i++) {
		unsigned char *bytes;

		if (blocks->table[i].region || !blocks->table[i].used)
			continue;
		ret = block_read(stream, i, &bytes, fail);
		if (ret)
			break;
		put_block(to, &blocks->table[i], bytes, stream->ahead->bytes[i],
			  stream->ahead->used[i]);
		free(bytes);
	}
	put_footer(to);
	return ret;
}

static void put_beginning(FILE *to, const struct qemu_stream *stream)
{
	size_t length = strlen(stream->machine);

	fwrite(qemu_stream_head, 1, QEMU_STREAM_HEAD, to);
	putc(SECTION_CONFIGURATION, to);
	put_be(to, length, 4);
	fwrite(stream->machine, 1, length, to);
	putc(SECTION_START, to);
	put_be(to, RAM_SECTION, 4);
	put_name(to, "ram");
	put_be(to, 0, 4);
	put_be(to, RAM_VERSION, 4);
	put_block_list(to, stream->blocks);
	put_footer(to);
}

/* All that was put, in a file of its own. */
static int file_of(FILE *to, char **bytes, const size_t *size, int ret, int *fd)
{
	__cleanup_free char *put = NULL;
	__cleanup_fd int made = -1;

	if (fclose(to) && !ret)
		ret = -ENOMEM;
	put = *bytes;
	if (ret)
		return ret;
	made = sys_ret(memfd_create("straddle-state", MFD_CLOEXEC));
	ret = made < 0 ? made : sys_write_all(made, put, *size);
	if (!ret)
		*fd = take_fd(&made);
	return ret;
}

/**
 * qemu_stream_ahead() - the part of the stream that may be loaded at once
 * @stream: without devices; of a QEMU that may run
 * @ahead: receives what is in it; qemu_ahead_free() frees it
 * @fd: receives a file with it
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int qemu_stream_ahead(const struct qemu_stream *stream,
		      struct qemu_ahead **ahead, int *fd, struct fail *fail)
{
	struct qemu_ahead *made;
	char *bytes = NULL;
	size_t size = 0;
	FILE *to;
	int ret = blocks_check(stream, fail);

	if (ret)
		return ret;
	made = calloc(1, sizeof(*made));
	to = made ? open_memstream(&bytes, &size) : NULL;
	ret = to ? 0 : -ENOMEM;
	if (!ret) {
		put_beginning(to, stream);
		putc(SECTION_PART, to);
		ret = put_ahead(to, stream, made, fail);
		ret = file_of(to, &bytes, &size, ret, fd);
	}
	if (!ret)
		*ahead = made;
	else
		qemu_ahead_free(made);
	return ret;
}

/**
 * qemu_stream_rest() - the rest of the stream: what changed, and the devices
 * @stream: of a QEMU that stands still
 * @fd: receives a file with it
 * @fail: says what failed
 *
 * Return: 0; -EPROTO: the devices' state is in a form that is not known here;
 * or -errno.
 */
int qemu_stream_rest(const struct qemu_stream *stream, int *fd,
		     struct fail *fail)
{
	char *bytes = NULL;
	size_t size = 0;
	FILE *to;
	int ret = blocks_check(stream, fail);

	if (ret)
		return ret;
	if (stream->devices_size <= QEMU_STREAM_HEAD ||
	    memcmp(stream->devices, qemu_stream_head, QEMU_STREAM_HEAD))
		return fail_set(fail, -EPROTO,
				"QEMU saved its devices in a form that is not known here");
	to = open_memstream(&bytes, &size);
	if (!to)
		return -ENOMEM;
	putc(SECTION_END, to);
	ret = put_changed(to, stream, fail);
	/* Of the devices' state everything but its own head. */
	fwrite(stream->devices + QEMU_STREAM_HEAD, 1,
	       stream->devices_size - QEMU_STREAM_HEAD, to);
	putc(SECTION_DESCRIPTION, to);
	put_be(to, 2, 4);
	fwrite("{}", 1, 2, to);
	return file_of(to, &bytes, &size, ret, fd);
}
