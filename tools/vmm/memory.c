// SPDX-License-Identifier: LGPL-2.1-or-later
/* memory.c - memfd, huge pages or private: made, mapped, given back. */
#include "tools/vmm/memory.h"

#include <linux/memfd.h>
#include <string.h>

#include "sys.h"
#include "tools/vmm/definition.h"

static int file_open(const struct definition *definition, struct fail *fail)
{
	bool huge = definition->page_size != GUEST_PAGE_SIZE;
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	const char *dir = huge ? NULL : definition->memory_dir;
	int got;

	if (huge)
		flags |= MFD_HUGETLB | MFD_HUGE_2MB;
	if (dir)
		got = sys_ret(open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
	else
		got = sys_ret(memfd_create("straddle-guest", flags));
	if (got < 0)
		fail_set(fail, got, "cannot create guest memory %s%s: %s",
			 dir ? "in " : huge ? "of 2 MiB pages" : "of a memfd",
			 dir ? dir : "", strerror(-got));
	return got;
}

static int file_create(const struct definition *definition, int *fd,
		       struct fail *fail)
{
	bool huge = definition->page_size != GUEST_PAGE_SIZE;
	int ret, got = file_open(definition, fail);

	if (got < 0)
		return got;
	ret = sys_ret(ftruncate(got, (off_t)definition->memory));
	if (!ret && (huge || !definition->memory_dir))
		ret = sys_ret(fcntl(got, F_ADD_SEALS,
				    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
	if (ret) {
		close(got);
		return fail_set(fail, ret, "cannot size guest memory to %llu bytes: %s",
				(unsigned long long)definition->memory,
				strerror(-ret));
	}
	*fd = got;
	return 0;
}

static int map_fail(const struct definition *definition, int err,
		    struct fail *fail)
{
	if (definition->page_size != GUEST_PAGE_SIZE)
		return fail_set(fail, err,
				"cannot map %llu huge pages of 2 MiB: %s; raise "
				"/proc/sys/vm/nr_hugepages",
				(unsigned long long)(definition->memory /
						     definition->page_size),
				strerror(-err));
	return fail_set(fail, err, "cannot map %llu bytes of guest memory: %s; choose a smaller "
				   "--memory",
			(unsigned long long)definition->memory,
			strerror(-err));
}

/**
 * memory_create() - make and map guest memory, all zero
 * @definition: says how much and of which kind
 * @memory: filled on success
 * @fail: says what failed
 *
 * Not a byte of it is touched. Transparent huge pages are off, so that the
 * size of what a guest dirties is what it wrote.
 *
 * Return: 0 or -errno.
 */
int memory_create(const struct definition *definition, struct memory *memory,
		  struct fail *fail)
{
	struct memory got = {
		.size = definition->memory,
		.page_size = definition->page_size,
		.fd = -1,
	};
	int flags = MAP_SHARED;
	void *base = NULL;
	int ret;

	if (definition->private_memory) {
		flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	} else {
		ret = file_create(definition, &got.fd, fail);
		if (ret)
			return ret;
	}
	ret = sys_mmap(&base, got.size, PROT_READ | PROT_WRITE, flags, got.fd,
		       0);
	if (ret) {
		if (got.fd >= 0)
			close(got.fd);
		return map_fail(definition, ret, fail);
	}
	got.base = base;
	if (definition->page_size == GUEST_PAGE_SIZE)
		madvise(base, got.size, MADV_NOHUGEPAGE);
	*memory = got;
	return 0;
}

/**
 * memory_destroy() - unmap and close
 * @memory: of memory_create(), or all zero with fd -1
 */
void memory_destroy(struct memory *memory)
{
	if (memory->base)
		munmap(memory->base, memory->size);
	if (memory->fd >= 0)
		close(memory->fd);
	memory->base = NULL;
	memory->fd = -1;
}

/**
 * memory_discard() - drop pages from the mapping
 * @memory: guest memory
 * @address: in this process, page aligned
 * @length: bytes, whole pages
 * @fail: says why a range is refused
 *
 * Private pages lose their content; pages of a file stay in the file.
 *
 * Return: 0, -EINVAL or -errno of madvise().
 */
int memory_discard(const struct memory *memory, uint64_t address,
		   uint64_t length, struct fail *fail)
{
	uint64_t base = (uint64_t)(uintptr_t)memory->base;
	int ret;

	if (address < base || address - base > memory->size ||
	    length > memory->size - (address - base) || !length)
		return fail_set(fail, -EINVAL,
				"range %#llx+%#llx is not guest memory",
				(unsigned long long)address,
				(unsigned long long)length);
	if (address % memory->page_size || length % memory->page_size)
		return fail_set(fail, -EINVAL,
				"range %#llx+%#llx is not whole pages",
				(unsigned long long)address,
				(unsigned long long)length);
	ret = sys_ret(madvise((void *)(uintptr_t)address, length,
			      MADV_DONTNEED));
	return ret ? fail_set(fail, ret, "cannot discard %#llx+%#llx: %s",
			      (unsigned long long)address,
			      (unsigned long long)length, strerror(-ret)) : 0;
}
