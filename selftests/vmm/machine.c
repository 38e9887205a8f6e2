/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine.c - guests of every engine and kind of memory, and their bytes. */
#include "machine.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "cleanup.h"
#include "lib/hugepages.h"
#include "sys.h"
#include "tools/vmm/guest/abi.h"

#define OPTIONS_MAX	16

/**
 * machine_missing() - can this host have such guests?
 * @kind: of which kind
 * @guests: how many; their huge pages are added to the pool
 *
 * Return: NULL, or what is missing, for SKIP.
 */
const char *machine_missing(const struct machine_kind *kind, long guests)
{
	if (kind->engine[0] == 'k' && access("/dev/kvm", R_OK | W_OK))
		return "there is no /dev/kvm: load the kvm module";
	if (kind->huge && hugepages_add(guests * MACHINE_MIB / 2))
		return "no free 2 MiB pages: free some memory";
	return NULL;
}

/**
 * machine_give_back() - undo machine_missing()
 * @kind: as there
 * @guests: as there
 */
void machine_give_back(const struct machine_kind *kind, long guests)
{
	if (kind->huge)
		hugepages_add(-guests * MACHINE_MIB / 2);
}

/**
 * machine_spawn() - start a guest of a kind, 16 MiB, two vCPUs
 * @vmm: filled; vmm_kill() it in any case
 * @name: the guest's
 * @kind: engine and memory
 * @option: a further option, or NULL
 * @value: its value, or NULL
 *
 * Return: as vmm_spawn().
 */
int machine_spawn(struct test_vmm *vmm, const char *name,
		  const struct machine_kind *kind, const char *option,
		  const char *value)
{
	const char *more[OPTIONS_MAX] = {
		"--engine", kind->engine, "--memory", "16M", "--vcpus", "2",
	};
	struct test_vmm_options options = { .more = more };
	int count = 6;

	if (kind->private_memory)
		more[count++] = "--private";
	if (kind->huge) {
		more[count++] = "--hugepages";
		more[count++] = "2M";
	}
	if (option)
		more[count++] = option;
	if (value)
		more[count++] = value;
	return vmm_spawn(vmm, name, &options);
}

static int read_all(struct test_vmm *vmm, uint8_t **bytes, size_t *size)
{
	struct range memory = vmm_memory_range(vmm);
	__cleanup_fd int fd = vmm_memory_fd(vmm);
	uint8_t *got = malloc(memory.len);

	if (fd < 0 || !memory.len || !got ||
	    sys_retry(pread(fd, got, memory.len, (off_t)memory.start)) !=
	    (ssize_t)memory.len) {
		free(got);
		return -EIO;
	}
	*bytes = got;
	*size = memory.len;
	return 0;
}

/* From the end: the first vCPU's slice has the most of what was visited. */
static uint64_t page_to_corrupt(const uint8_t *memory, size_t size,
				bool visited)
{
	const struct guest_config *config =
		(const struct guest_config *)(memory + GUEST_CONFIG);
	const uint32_t *table = (const uint32_t *)(memory + config->table);

	for (uint64_t page = size / GUEST_PAGE_SIZE - 1;
	     page >= config->first_page; page--)
		if (!table[page] == !visited)
			return page;
	return 0;
}

/**
 * machine_corrupt() - flip one bit in a middle of a page
 * @vmm: paused
 * @visited: of a page the guest has written, or of one it has not
 *
 * Return: 0, -ENOENT when there is no such page, or -errno.
 */
int machine_corrupt(struct test_vmm *vmm, bool visited)
{
	struct range range = vmm_memory_range(vmm);
	__cleanup_fd int fd = vmm_memory_fd(vmm);
	__cleanup_free uint8_t *memory = NULL;
	size_t size = 0;
	uint64_t page, at;
	uint8_t byte;

	if (read_all(vmm, &memory, &size))
		return -EIO;
	page = page_to_corrupt(memory, size, visited);
	if (!page)
		return -ENOENT;
	at = page * GUEST_PAGE_SIZE + GUEST_WORD_MIDDLE * 8 + 5;
	byte = memory[at] ^ 0x10;
	return sys_pwrite_all(fd, &byte, 1, range.start + at);
}

/**
 * machine_page_read() - a page, as the guest wrote it
 * @vmm: paused
 * @page: number 0: receives a page the guest has visited; else that one
 *
 * Return: 0, -ENOENT when it visited none, or -errno.
 */
int machine_page_read(struct test_vmm *vmm, struct machine_page *page)
{
	__cleanup_free uint8_t *memory = NULL;
	size_t size = 0;

	if (read_all(vmm, &memory, &size))
		return -EIO;
	if (!page->number)
		page->number = page_to_corrupt(memory, size, true);
	if (!page->number)
		return -ENOENT;
	memcpy(page->bytes, memory + page->number * GUEST_PAGE_SIZE,
	       sizeof(page->bytes));
	return 0;
}

/**
 * machine_page_write() - replace a page
 * @vmm: paused or incoming
 * @page: which, and by what
 *
 * Return: 0 or -errno.
 */
int machine_page_write(struct test_vmm *vmm, const struct machine_page *page)
{
	__cleanup_fd int fd = vmm_memory_fd(vmm);

	return sys_pwrite_all(fd, page->bytes, sizeof(page->bytes),
			      vmm_memory_range(vmm).start +
			      page->number * GUEST_PAGE_SIZE);
}

/**
 * machine_digest() - a digest of all guest memory
 * @vmm: running or paused
 *
 * Return: XXH3 of it; 0 when it cannot be read.
 */
uint64_t machine_digest(struct test_vmm *vmm)
{
	__cleanup_free uint8_t *memory = NULL;
	size_t size = 0;

	return read_all(vmm, &memory, &size) ? 0 : XXH3_64bits(memory, size);
}
