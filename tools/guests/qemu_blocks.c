// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qemu_blocks.c - list QEMU's RAM blocks and find them in its process.
 *
 * QEMU since 8.0 prints where each block is. Older ones are asked in two
 * steps: "info mtree -f" tells at which guest-physical address a block is
 * mapped, "gpa2hva" where that address is in the process. What is not mapped
 * for the guest (ROMs of devices, tables for the firmware) and everything in
 * a QEMU that cannot be asked, because it is loading, is recognised by its
 * shape: QEMU maps each block by itself, exactly as large as it is, with an
 * inaccessible guard page behind it (qemu_ram_mmap() in util/mmap-alloc.c),
 * 2 MiB aligned unless it is a file's (file_ram_alloc() in softmmu/physmem.c
 * aligns by the file's pages); and the kernel hands out addresses downwards.
 */
#include "tools/guests/qemu_blocks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define BLOCK_ALIGN	(2u << 20)
#define PAGE		4096u

static bool name_take(struct qemu_block *block, const char *line,
		      const char *end)
{
	size_t length;

	line += strspn(line, " ");
	/* "NAME  4 KiB  ": the unit and the number of a page go off. */
	for (int words = 0; words < 2; words++) {
		while (end > line && end[-1] == ' ')
			end--;
		while (end > line && end[-1] != ' ')
			end--;
	}
	while (end > line && end[-1] == ' ')
		end--;
	length = (size_t)(end - line);
	if (!length || length >= sizeof(block->name))
		return false;
	memcpy(block->name, line, length);
	return true;
}

/*
 * Blocks are whole pages (qemu_ram_alloc_internal() in softmmu/physmem.c).
 *
 * Return: 1: the line is a block's; 0: it is of the table's head; -EPROTO.
 */
static int line_take(struct qemu_block *block, const char *line)
{
	const char *numbers = strstr(line, " 0x");
	int got;

	*block = (struct qemu_block){ .physical = GUEST_NOWHERE };
	if (!numbers)
		return 0;
	got = sscanf(numbers, " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64,
		     &block->serial, &block->used, &block->total,
		     &block->address);
	if (got < 3 || !name_take(block, line, numbers))
		return 0;
	return block->used > block->total || block->used % PAGE ? -EPROTO : 1;
}

static int by_serial(const void *a, const void *b)
{
	const struct qemu_block *one = a, *other = b;

	return (one->serial > other->serial) - (one->serial < other->serial);
}

static int blocks_take(struct qemu_blocks *blocks, char *text)
{
	char *line, *rest;
	int ret = 0;

	blocks->count = 0;
	for (line = strtok_r(text, "\r\n", &rest); line && ret >= 0;
	     line = strtok_r(NULL, "\r\n", &rest)) {
		if (blocks->count == QEMU_BLOCKS_MAX)
			return -E2BIG;
		ret = line_take(&blocks->table[blocks->count], line);
		blocks->count += ret > 0;
	}
	qsort(blocks->table, blocks->count, sizeof(blocks->table[0]),
	      by_serial);
	return ret < 0 || !blocks->count ? -EPROTO : 0;
}

/**
 * qemu_blocks_read() - ask QEMU for its RAM blocks
 * @monitor: of a QEMU that answers
 * @blocks: receives them; with addresses, where this QEMU tells them
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int qemu_blocks_read(struct qemu_monitor *monitor, struct qemu_blocks *blocks,
		     struct fail *fail)
{
	__cleanup_free char *text = NULL;
	int ret = qemu_human(monitor, "info ramblock", &text, fail);

	if (ret)
		return ret;
	ret = blocks_take(blocks, text);
	if (ret == -E2BIG)
		return fail_set(fail, ret, "guest '%s' has more than %d RAM blocks",
				monitor->guest, QEMU_BLOCKS_MAX);
	return ret ? fail_set(fail, ret,
			      "QEMU of guest '%s' lists its RAM blocks in a way that is not known here",
			      monitor->guest) : 0;
}

/* "0000:00:02.0/vga.vram" is the memory region "vga.vram". */
static const char *region_name(const struct qemu_block *block)
{
	const char *slash = strrchr(block->name, '/');

	return slash ? slash + 1 : block->name;
}

static struct qemu_block *block_of_region(struct qemu_blocks *blocks,
					  const char *name)
{
	struct qemu_block *found = NULL;
	unsigned int i;

	for (i = 0; i < blocks->count; i++) {
		if (strcmp(region_name(&blocks->table[i]), name))
			continue;
		if (found)
			return NULL;	/* two of a name: not by this way */
		found = &blocks->table[i];
	}
	return found;
}

/* "Host virtual address for 0x0 (pc.ram) is 0x7f78ffe00000" */
static int address_ask(struct qemu_monitor *monitor, uint64_t physical,
		       uint64_t *address, struct fail *fail)
{
	__cleanup_free char *text = NULL;
	const char *is;
	char line[48];
	int ret;

	snprintf(line, sizeof(line), "gpa2hva 0x%" PRIx64, physical);
	ret = qemu_human(monitor, line, &text, fail);
	if (ret)
		return ret;
	is = strstr(text, " is 0x");
	*address = is ? strtoull(is + 4, NULL, 16) : 0;
	return 0;
}

/* "  000...0-0...9ffff (prio 0, ram): pc.ram @0000000000000000 KVM" */
static int view_line(struct qemu_monitor *monitor, struct qemu_blocks *blocks,
		     const char *line, struct fail *fail)
{
	uint64_t start, inside = 0, address;
	char kind[16], name[QEMU_BLOCK_NAME_MAX];
	struct qemu_block *block;
	int ret;

	if (sscanf(line, " %" SCNx64 "-%*x (prio %*d, %15[a-z]): %127s @%" SCNx64,
		   &start, kind, name, &inside) < 3 || *kind != 'r')
		return 0;
	block = block_of_region(blocks, name);
	if (!block || inside >= block->total)
		return 0;
	if (!inside && block->physical == GUEST_NOWHERE)
		block->physical = start;
	if (block->address)
		return 0;
	ret = address_ask(monitor, start, &address, fail);
	if (!ret && address > inside)
		block->address = address - inside;
	return ret;
}

/**
 * qemu_blocks_ask() - where are they? as far as QEMU knows
 * @monitor: of a QEMU that answers
 * @blocks: of qemu_blocks_read(); what the guest can reach gets its address
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int qemu_blocks_ask(struct qemu_monitor *monitor, struct qemu_blocks *blocks,
		    struct fail *fail)
{
	__cleanup_free char *text = NULL;
	bool memory = false;
	char *line, *rest;
	int ret;

	ret = qemu_human(monitor, "info mtree -f", &text, fail);
	if (ret)
		return ret;
	for (line = strtok_r(text, "\r\n", &rest); line && !ret;
	     line = strtok_r(NULL, "\r\n", &rest)) {
		if (!strncmp(line, "FlatView", 8))
			memory = false;
		else if (!strncmp(line, " AS \"memory\"", 12))
			memory = true;
		else if (memory)
			ret = view_line(monitor, blocks, line, fail);
	}
	return ret;
}

static bool has_guard(const struct maps *maps, size_t index)
{
	const struct mapping *next = &maps->table[index + 1];

	return index + 1 < maps->count &&
	       next->start == maps->table[index].end && !next->readable;
}

static bool is_taken(const struct qemu_blocks *blocks, uint64_t address)
{
	unsigned int i;

	for (i = 0; i < blocks->count; i++)
		if (blocks->table[i].address == address)
			return true;
	return false;
}

static bool has_shape(const struct maps *maps, size_t index, uint64_t size)
{
	const struct mapping *mapping = &maps->table[index];

	return mapping->end - mapping->start == size && mapping->writable &&
	       (mapping->inode || !(mapping->start % BLOCK_ALIGN)) &&
	       has_guard(maps, index);
}

/* The highest mapping of a block's shape that is no other's. */
static void shape_find(const struct qemu_blocks *blocks,
		       const struct maps *maps, struct qemu_block *block)
{
	uint64_t found = 0;
	size_t i;

	for (i = maps->count; i-- > 0;) {
		const struct mapping *mapping = &maps->table[i];

		if (!has_shape(maps, i, block->total) ||
		    is_taken(blocks, mapping->start))
			continue;
		block->guessed |= found != 0;
		found = found ? found : mapping->start;
	}
	block->address = found;
}

/* The last of several that fit is left over, and no surer than the first. */
static void guesses_spread(struct qemu_blocks *blocks)
{
	unsigned int i, j;

	for (i = 0; i < blocks->count; i++)
		for (j = 0; j < blocks->count; j++)
			if (blocks->table[i].guessed &&
			    blocks->table[i].total == blocks->table[j].total)
				blocks->table[j].guessed = true;
}

/**
 * qemu_blocks_search() - find by their shape those whose address is not known
 * @blocks: by serial; what is found gets its address
 * @maps: of QEMU's process
 *
 * Blocks of the same size are taken to lie in the order in which they were
 * made, downwards. Whoever relies on it for memory of the guest has it
 * confirmed once QEMU answers.
 */
void qemu_blocks_search(struct qemu_blocks *blocks, const struct maps *maps)
{
	unsigned int i;

	for (i = 0; i < blocks->count; i++) {
		struct qemu_block *block = &blocks->table[i];

		if (!block->address)
			shape_find(blocks, maps, block);
	}
	guesses_spread(blocks);
}
