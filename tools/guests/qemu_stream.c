// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qemu_stream.c - what an incoming QEMU takes for an ordinary migration.
 *
 * xen-save-devices-state writes the devices and no RAM. Around that go the
 * machine's type, as the "configuration" section says it, and a "ram" section
 * that names only the small blocks: what is not named there QEMU leaves as it
 * is (migration/savevm.c and migration/ram.c of QEMU 7.2 and 10.0).
 */
#include "tools/guests/qemu_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys.h"
#include "uffd/sys.h"

enum section {
	SECTION_START = 0x01,
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
#define CHUNK		(256u << 10)

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

static void put_block_list(FILE *to, const struct qemu_blocks *blocks)
{
	uint64_t total = 0;
	unsigned int i;

	for (i = 0; i < blocks->count; i++)
		if (!blocks->table[i].region)
			total += blocks->table[i].used;
	putc(SECTION_START, to);
	put_be(to, RAM_SECTION, 4);
	put_name(to, "ram");
	put_be(to, 0, 4);
	put_be(to, RAM_VERSION, 4);
	put_be(to, total | BLOCK_LIST, 8);
	for (i = 0; i < blocks->count; i++) {
		if (blocks->table[i].region)
			continue;
		put_name(to, blocks->table[i].name);
		put_be(to, blocks->table[i].used, 8);
	}
	put_footer(to);
}

static bool is_zero(const unsigned char *page)
{
	return !page[0] && !memcmp(page, page + 1, SMALL_PAGE - 1);
}

/* The block is named at its first page only. */
static void put_page(FILE *to, const struct qemu_block *block, uint64_t offset,
		     const unsigned char *page)
{
	unsigned int zero = is_zero(page);
	unsigned int flags = (zero ? PAGE_ZERO : PAGE_BYTES) |
			     (offset ? SAME_BLOCK : 0);

	put_be(to, offset | flags, 8);
	if (!offset)
		put_name(to, block->name);
	if (zero)
		putc(0, to);
	else
		fwrite(page, 1, SMALL_PAGE, to);
}

static int put_block(FILE *to, pid_t pid, const struct qemu_block *block,
		     unsigned char *buffer)
{
	uint64_t done, offset;

	for (done = 0; done < block->used; done += CHUNK) {
		uint64_t left = block->used - done;
		uint64_t size = left < CHUNK ? left : CHUNK;
		int ret = sys_peek(pid, block->address + done, buffer, size);

		if (ret)
			return ret;
		for (offset = 0; offset < size; offset += SMALL_PAGE)
			put_page(to, block, done + offset, buffer + offset);
	}
	return 0;
}

static int put_blocks(FILE *to, const struct qemu_stream *stream,
		      struct fail *fail)
{
	const struct qemu_blocks *blocks = stream->blocks;
	unsigned char *buffer = malloc(CHUNK);
	unsigned int i;
	int ret = buffer ? 0 : -ENOMEM;

	putc(SECTION_END, to);
	put_be(to, RAM_SECTION, 4);
	for (i = 0; i < blocks->count && !ret; i++) {
		if (blocks->table[i].region)
			continue;
		ret = put_block(to, stream->pid, &blocks->table[i], buffer);
		if (ret)
			fail_set(fail, ret, "cannot read RAM block %s: %s",
				 blocks->table[i].name, strerror(-ret));
	}
	put_footer(to);
	free(buffer);
	return ret;
}

static void put_configuration(FILE *to, const char *machine)
{
	size_t length = strlen(machine);

	putc(SECTION_CONFIGURATION, to);
	put_be(to, length, 4);
	fwrite(machine, 1, length, to);
}

/* Of the devices' state everything but its own head. */
static int put_stream(FILE *to, const struct qemu_stream *stream,
		      struct fail *fail)
{
	int ret;

	fwrite(qemu_stream_head, 1, QEMU_STREAM_HEAD, to);
	put_configuration(to, stream->machine);
	put_block_list(to, stream->blocks);
	ret = put_blocks(to, stream, fail);
	fwrite(stream->devices + QEMU_STREAM_HEAD, 1,
	       stream->devices_size - QEMU_STREAM_HEAD, to);
	putc(SECTION_DESCRIPTION, to);
	put_be(to, 2, 4);
	fwrite("{}", 1, 2, to);
	return ret;
}

/**
 * qemu_stream_write() - make the stream that an incoming QEMU loads
 * @stream: of a QEMU that stands still
 * @fd: where to write it
 * @fail: says what failed
 *
 * Return: 0; -EPROTO: the devices' state is in a form that is not known here;
 * or -errno.
 */
int qemu_stream_write(const struct qemu_stream *stream, int fd,
		      struct fail *fail)
{
	char *bytes = NULL;
	size_t size = 0;
	FILE *to;
	int ret;

	if (stream->devices_size <= QEMU_STREAM_HEAD ||
	    memcmp(stream->devices, qemu_stream_head, QEMU_STREAM_HEAD))
		return fail_set(fail, -EPROTO,
				"QEMU saved its devices in a form that is not known here");
	to = open_memstream(&bytes, &size);
	if (!to)
		return -ENOMEM;
	ret = put_stream(to, stream, fail);
	if (fclose(to) && !ret)
		ret = -ENOMEM;
	if (!ret)
		ret = sys_write_all(fd, bytes, size);
	free(bytes);
	return ret;
}
