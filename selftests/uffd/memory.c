/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.c - guest memory of every kind, as tests of uffd/ need it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "lib/hugepages.h"
#include "memory.h"
#include "sys.h"

static int map(struct memory *memory, char **where)
{
	int flags = memory->kind.shared ? MAP_SHARED : MAP_PRIVATE;
	void *got = NULL;
	int ret;

	if (memory->fd < 0)
		flags |= MAP_ANONYMOUS | (memory->kind.huge ? MAP_HUGETLB : 0);
	ret = sys_mmap(&got, memory->size, PROT_READ | PROT_WRITE,
		       flags | MAP_NORESERVE, memory->fd, 0);
	if (!ret)
		*where = got;
	return ret;
}

static int make_file(struct memory *memory)
{
	unsigned int flags = memory->kind.huge ? MFD_HUGETLB | MFD_CLOEXEC :
						 MFD_CLOEXEC;

	memory->fd = sys_ret(memfd_create("test-guest", flags));
	if (memory->fd < 0)
		return memory->fd;
	return sys_ret(ftruncate(memory->fd, (off_t)memory->size));
}

/**
 * memory_create() - map memory of a kind, empty
 * @memory: receives it
 * @kind: which
 * @pages: of its page size
 *
 * Return: 0 or -errno; -ENOMEM or -ENOENT: the host has no huge pages.
 */
int memory_create(struct memory *memory, struct memory_kind kind, size_t pages)
{
	int ret = 0;

	*memory = (struct memory){ .kind = kind, .pages = pages, .fd = -1 };
	memory->page_size = kind.huge ? HUGEPAGE_SIZE : 4096;
	memory->size = pages * memory->page_size;
	if (kind.huge) {
		ret = hugepages_add((long)pages);
		memory->huge_pages = ret ? 0 : (long)pages;
	}
	if (!ret && kind.file)
		ret = make_file(memory);
	if (!ret)
		ret = map(memory, &memory->guest);
	if (!ret && kind.file && kind.shared)
		ret = map(memory, &memory->alias);
	if (ret)
		memory_destroy(memory);
	return ret;
}

/**
 * memory_destroy() - undo memory_create()
 * @memory: made by it
 */
void memory_destroy(struct memory *memory)
{
	if (memory->guest)
		munmap(memory->guest, memory->size);
	if (memory->alias)
		munmap(memory->alias, memory->size);
	if (memory->fd >= 0)
		close(memory->fd);
	if (memory->huge_pages)
		hugepages_add(-memory->huge_pages);
	*memory = (struct memory){ .fd = -1 };
}

/**
 * memory_range() - addresses of some pages in the guest's mapping
 * @memory: memory
 * @page: the first
 * @count: how many
 *
 * Return: the range.
 */
struct range memory_range(const struct memory *memory, size_t page,
			  size_t count)
{
	return (struct range){
		(uintptr_t)memory->guest + page * memory->page_size,
		count * memory->page_size,
	};
}

/**
 * memory_has_flag() - look up VmFlags of a mapping of this process
 * @addr: an address in it
 * @flag: two letters: "um" missing, "uw" write-protected, "ui" minor
 *
 * Return: whether the mapping has it.
 */
bool memory_has_flag(const void *addr, const char *flag)
{
	FILE __cleanup_file *smaps = fopen("/proc/self/smaps", "re");
	uintptr_t start, end;
	bool inside = false;
	char line[512];

	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &start,
			   &end) == 2)
			inside = (uintptr_t)addr >= start &&
				 (uintptr_t)addr < end;
		if (inside && !strncmp(line, "VmFlags:", 8))
			return strstr(line, flag);
	}
	return false;
}

static void *touch(void *arg)
{
	struct toucher *toucher = arg;
	unsigned char seen;

	if (toucher->write)
		*toucher->addr = 'w';
	seen = (unsigned char)*toucher->addr;
	sys_write_all(toucher->pipe[1], &seen, 1);
	return NULL;
}

/**
 * toucher_start() - have a thread touch a byte
 * @toucher: receives the thread
 * @addr: the byte
 * @write: write 'w' there, else read
 *
 * Return: 0 or -errno.
 */
int toucher_start(struct toucher *toucher, void *addr, bool write)
{
	int ret;

	toucher->addr = addr;
	toucher->write = write;
	ret = sys_ret(pipe2(toucher->pipe, O_CLOEXEC));
	if (ret)
		return ret;
	return -pthread_create(&toucher->thread, NULL, touch, toucher);
}

/**
 * toucher_done() - wait until the byte was touched
 * @toucher: a started thread
 * @timeout_ms: how long
 *
 * Return: the byte it saw then; -ETIMEDOUT: it sleeps still.
 */
int toucher_done(struct toucher *toucher, int timeout_ms)
{
	unsigned char seen;
	int ret = sys_wait_fd(toucher->pipe[0], POLLIN, timeout_ms);

	if (!ret)
		ret = sys_read_all(toucher->pipe[0], &seen, 1);
	return ret ? ret : seen;
}

/**
 * toucher_end() - wait for the thread's end
 * @toucher: a thread that is done
 */
void toucher_end(struct toucher *toucher)
{
	pthread_join(toucher->thread, NULL);
	close(toucher->pipe[0]);
	close(toucher->pipe[1]);
}

/**
 * await_events() - wait until there are events, and read them
 * @uffd: a userfaultfd
 * @events: receives them
 * @max: room
 *
 * Return: how many, or -errno.
 */
int await_events(int uffd, struct uffd_event *events, size_t max)
{
	int ret = sys_wait_fd(uffd, POLLIN, 10000);

	return ret ? ret : uffd_events(uffd, events, max);
}
