// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * qemu_memory.c - which memory of a QEMU moves page by page, and where it
 * lies.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/qemu.h"

#define KVM_RUN_REQUEST	0xae80	/* <linux/kvm.h>: _IO(KVMIO, 0x80) */
#define CALL_TRIES	1000	/* looks at a thread that is about to wait */
#define REGION_MIN	(2u << 20)	/* smaller ones are device state */
#define MACHINE_SUFFIX	"-machine"

static bool is_region(const struct qemu_block *block)
{
	return block->address && block->used == block->total &&
	       block->total >= REGION_MIN;
}

/*
 * The type of its machine, with the version: "pc-i440fx-7.2". The state that
 * is saved begins with it; asked while the guest runs.
 */
static int machine_know(struct qemu *qemu, struct fail *fail)
{
	struct json_object *arguments, *type;
	const char *text;
	size_t length;
	int ret;

	if (qemu->machine)
		return 0;
	arguments = json_object_new_object();
	json_object_object_add(arguments, "path", json_object_new_string("/machine"));
	json_object_object_add(arguments, "property", json_object_new_string("type"));
	ret = qemu_call(&qemu->monitor, "qom-get", arguments, -1, &type, fail);
	if (ret)
		return ret;
	text = json_object_get_string(type);
	if (!text)
		return fail_set(fail, -EPROTO, "QEMU of guest '%s' says no type of its machine",
				qemu->name);
	length = strlen(text);
	if (length > strlen(MACHINE_SUFFIX) &&
	    !strcmp(text + length - strlen(MACHINE_SUFFIX), MACHINE_SUFFIX))
		length -= strlen(MACHINE_SUFFIX);
	qemu->machine = strndup(text, length);
	json_object_put(type);
	return qemu->machine ? 0 : -ENOMEM;
}

/* All of a running QEMU's blocks; where each is does not change. */
static int blocks_know(struct qemu *qemu, const struct maps *maps,
		       struct fail *fail)
{
	struct qemu_blocks *blocks;
	unsigned int i;
	int ret;

	if (qemu->blocks)
		return 0;	/* qemu_save() looks whether they changed */
	ret = machine_know(qemu, fail);
	if (ret)
		return ret;
	blocks = calloc(1, sizeof(*blocks));
	if (!blocks)
		return -ENOMEM;
	ret = qemu_blocks_read(&qemu->monitor, blocks, fail);
	if (!ret)
		ret = qemu_blocks_ask(&qemu->monitor, blocks, fail);
	if (ret) {
		free(blocks);
		return ret;
	}
	qemu_blocks_search(blocks, maps);
	for (i = 0; i < blocks->count; i++)
		blocks->table[i].region = is_region(&blocks->table[i]);
	qemu->blocks = blocks;
	return 0;
}

static int region_refuse(const struct qemu *qemu,
			 const struct qemu_block *block, int error,
			 struct fail *fail)
{
	if (error == -EINVAL)
		return fail_set(fail, error,
				"RAM block %s of guest '%s' is a file of a filesystem whose pages cannot be moved: have libvirt take memfd, or a tmpfs as memory_backing_dir",
				block->name, qemu->name);
	return fail_set(fail, error,
			"RAM block %s of guest '%s' is of memory that cannot be moved: %s",
			block->name, qemu->name, strerror(-error));
}

static int region_of(struct qemu *qemu, const struct qemu_block *block,
		     const struct maps *maps, struct guest_region *region,
		     struct fail *fail)
{
	const struct mapping *mapping = maps_at(maps, block->address);
	int ret;

	if (!mapping || block->total > mapping->end - block->address)
		return fail_set(fail, -EFAULT,
				"RAM block %s of guest '%s' is not where it should be in process %d",
				block->name, qemu->name, (int)qemu->pid);
	*region = (struct guest_region){
		.address = block->address,
		.size = block->total,
		.shared = mapping->shared,
		.of_file = !mapping->shared && mapping->inode,
		.offset = mapping->offset + block->address - mapping->start,
		.physical = block->physical,
		.fd = -1,
	};
	snprintf(region->name, sizeof(region->name), "%s", block->name);
	ret = mapping_page_size(qemu->pid, mapping, &region->page_size);
	if (!ret && guest_region_has_file(region)) {
		region->fd = mapping_open(qemu->pid, mapping);
		ret = region->fd < 0 ? region->fd : 0;
	}
	return ret ? region_refuse(qemu, block, ret, fail) : 0;
}

static int regions_fill(struct qemu *qemu, const struct qemu_blocks *blocks,
			const struct maps *maps,
			struct guest_description *description,
			struct fail *fail)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < blocks->count && !ret; i++) {
		if (!blocks->table[i].region)
			continue;
		if (description->region_count == GUEST_REGIONS_MAX)
			return fail_set(fail, -E2BIG,
					"guest '%s' has more than %d regions of memory",
					qemu->name, GUEST_REGIONS_MAX);
		ret = region_of(qemu, &blocks->table[i], maps,
				&description->regions[description->region_count],
				fail);
		if (!ret)
			description->region_count++;
	}
	return ret;
}

/* One that is loading cannot be asked: its blocks have the source's sizes. */
static int blocks_expected(struct qemu *qemu, struct qemu_blocks *blocks,
			   const struct maps *maps, struct fail *fail)
{
	unsigned int i;

	blocks->count = qemu->expected_count;
	for (i = 0; i < blocks->count; i++) {
		struct qemu_block *block = &blocks->table[i];

		block->serial = i;
		block->used = block->total = qemu->expected[i].size;
		block->physical = qemu->expected[i].physical;
		block->region = true;
		snprintf(block->name, sizeof(block->name), "%s",
			 qemu->expected[i].name);
	}
	qemu_blocks_search(blocks, maps);
	for (i = 0; i < blocks->count; i++)
		if (!blocks->table[i].address)
			return fail_set(fail, -ENOENT,
					"guest '%s' has no RAM block %s of %" PRIu64
					" bytes here; are the two QEMUs of one version?",
					qemu->name, blocks->table[i].name,
					blocks->table[i].total);
	return 0;
}

static int blocks_place(struct qemu *qemu, const struct maps *maps,
			struct fail *fail)
{
	struct qemu_blocks *placed;
	int ret;

	if (qemu->placed)
		return 0;
	placed = calloc(1, sizeof(*placed));
	if (!placed)
		return -ENOMEM;
	ret = blocks_expected(qemu, placed, maps, fail);
	if (ret)
		free(placed);
	else
		qemu->placed = placed;
	return ret;
}

/**
 * qemu_map() - the regions of a guest
 * @qemu: watched
 * @description: receives them; had none
 * @fail: says what failed
 *
 * Return: 0 or -errno.
 */
int qemu_map(struct qemu *qemu, struct guest_description *description,
		struct fail *fail)
{
	struct maps maps = { .count = 0 };
	int ret = maps_read(qemu->pid, &maps);

	if (ret)
		return fail_set(fail, ret,
				"cannot read what process %d of guest '%s' has mapped: %s",
				(int)qemu->pid, qemu->name, strerror(-ret));
	ret = qemu->expected ? blocks_place(qemu, &maps, fail) :
			       blocks_know(qemu, &maps, fail);
	if (!ret)
		ret = regions_fill(qemu, qemu->expected ? qemu->placed :
				   qemu->blocks, &maps, description, fail);
	maps_fini(&maps);
	return ret;
}

/*
 * What a thread is calling: "16 0xfd 0xrequest ..." in an ioctl, "-1 ..." where
 * it is in no call, "running" where it does not wait yet.
 */
static int call_read(pid_t pid, uint32_t thread, long *number,
		     unsigned long *request)
{
	char path[64], text[64] = "";
	int tries;

	snprintf(path, sizeof(path), "/proc/%d/task/%u/syscall", (int)pid, thread);
	for (tries = 0; tries < CALL_TRIES; tries++) {
		__cleanup_file FILE *file = fopen(path, "re");

		if (!file || !fgets(text, sizeof(text), file))
			return -ESRCH;
		if (strncmp(text, "running", 7))
			break;
	}
	return sscanf(text, "%ld %*x %lx", number, request) == 2 ? 0 : -EAGAIN;
}

/*
 * KVM writes the guest's memory when a vCPU's registers are set, too (the
 * clock's page by KVM_SET_MSRS), in the vCPU's thread. The guest's own
 * accesses are in KVM_RUN, and those of TCG in no call at all.
 */
static bool sets_registers(pid_t pid, uint32_t thread)
{
	unsigned long request;
	long number;

	return !call_read(pid, thread, &number, &request) &&
	       number == SYS_ioctl && request != KVM_RUN_REQUEST;
}

/**
 * qemu_loads() - may a thread touch memory before the guest is owned here?
 * @qemu: that is being loaded
 * @thread: of its process
 *
 * Devices look into the guest's memory when their state is loaded; vCPUs have
 * nothing to do there yet, but for what KVM does when their registers are set.
 * They have names with debug-threads=on, which libvirt sets.
 *
 * Return: true if it is known to be none that runs guest code.
 */
bool qemu_loads(const struct qemu *qemu, uint32_t thread)
{
	__cleanup_file FILE *file = NULL;
	char path[64], name[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/task/%u/comm", (int)qemu->pid,
		 thread);
	file = fopen(path, "re");
	if (!file || !fgets(name, sizeof(name), file))
		return false;
	if (strncmp(name, "CPU ", 4) && strncmp(name, "ALL CPUs", 8))
		return true;
	return sets_registers(qemu->pid, thread);
}
