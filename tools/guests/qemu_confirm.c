// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qemu_confirm.c - is each region where it was taken to be?
 *
 * A QEMU that loads cannot be asked where its RAM lies; of several blocks of
 * one size only the order tells them apart. Once it answers, and before the
 * guest is owned here, it is made to read a byte at an address of the guest:
 * the page that comes to be mapped by that, or the bytes themselves, tell.
 */
#include <inttypes.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/qemu.h"
#include "uffd/sys.h"

#define SMALL_PAGE	4096u
#define TRIES		32	/* pages that may be the same everywhere */
#define PRESENT		(UINT64_C(3) << 62)	/* pagemap: there, or swapped */

/* One question: what is at page @page of @block? */
struct probe {
	struct qemu *qemu;
	int pagemap;
	const struct qemu_block *block;
	uint64_t page;
};

static bool is_mapped(const struct probe *probe, uint64_t address)
{
	uint64_t entry = 0;

	if (sys_retry(pread(probe->pagemap, &entry, sizeof(entry),
			    (off_t)(address / SMALL_PAGE * sizeof(entry)))) !=
	    (ssize_t)sizeof(entry))
		return false;
	return entry & PRESENT;
}

/* Does no other block of this size have the same bytes there? */
static bool is_distinct(const struct probe *probe, const uint8_t *bytes)
{
	const struct qemu_blocks *blocks = probe->qemu->placed;
	uint64_t inside = probe->page * SMALL_PAGE;
	uint8_t other[SMALL_PAGE];
	unsigned int i;

	for (i = 0; i < blocks->count; i++) {
		const struct qemu_block *block = &blocks->table[i];

		if (block == probe->block || block->total != probe->block->total)
			continue;
		if (is_mapped(probe, block->address + inside) &&
		    !sys_peek(probe->qemu->pid, block->address + inside, other,
			      sizeof(other)) && !memcmp(bytes, other, sizeof(other)))
			return false;
	}
	return true;
}

/* Return: 1: it is there; 0: it is not; -EAGAIN: this page does not tell. */
static int probe_page(const struct probe *probe, qemu_look_fn *look, void *arg,
		      struct fail *fail)
{
	uint64_t inside = probe->page * SMALL_PAGE;
	uint64_t address = probe->block->address + inside;
	bool before = is_mapped(probe, address);
	uint8_t seen[SMALL_PAGE], bytes[SMALL_PAGE];
	int ret = look(arg, probe->block->physical + inside, seen,
		       sizeof(seen), fail);

	if (ret)
		return ret;
	if (!before)
		return is_mapped(probe, address);
	ret = sys_peek(probe->qemu->pid, address, bytes, sizeof(bytes));
	if (ret)
		return ret;
	if (memcmp(seen, bytes, sizeof(bytes)))
		return 0;
	return is_distinct(probe, bytes) ? 1 : -EAGAIN;
}

static int confirm_block(struct probe *probe, qemu_look_fn *look, void *arg,
			 struct fail *fail)
{
	int ret = -EAGAIN;

	if (probe->block->physical != GUEST_NOWHERE)
		for (probe->page = 0; probe->page < TRIES && ret == -EAGAIN;
		     probe->page++)
			ret = probe_page(probe, look, arg, fail);
	if (ret == 1)
		return 0;
	return fail_set(fail, ret < 0 ? ret : -EXDEV,
			"nothing shows which memory of process %d is RAM block %s of guest '%s' here; give its blocks different sizes, or use virsh migrate",
			(int)probe->qemu->pid, probe->block->name,
			probe->qemu->name);
}

/**
 * qemu_confirm() - have each guess about a region confirmed by QEMU itself
 * @qemu: loaded, answers, not owned here yet; its regions were listed
 * @look: reads through it; may make pages come
 * @arg: for @look
 * @fail: says which region is not where it was taken to be
 *
 * Return: 0; -EXDEV: a region lies elsewhere; -EAGAIN: nothing tells; or
 * -errno of @look.
 */
int qemu_confirm(struct qemu *qemu, qemu_look_fn *look, void *arg,
		 struct fail *fail)
{
	struct probe probe = { .qemu = qemu, .pagemap = -1 };
	char path[64];
	unsigned int i;
	int ret = 0;

	if (!qemu->placed)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)qemu->pid);
	probe.pagemap = sys_ret(open(path, O_RDONLY | O_CLOEXEC));
	if (probe.pagemap < 0)
		return probe.pagemap;
	for (i = 0; i < qemu->placed->count && !ret; i++) {
		probe.block = &qemu->placed->table[i];
		if (probe.block->guessed)
			ret = confirm_block(&probe, look, arg, fail);
	}
	close(probe.pagemap);
	return ret;
}
