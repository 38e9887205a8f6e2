// SPDX-License-Identifier: LGPL-2.1-or-later
/* testament.c - what a worker writes down for whoever has to go on. */
#include "protocol/testament.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "copy/states.h"
#include "protocol/journal.h"
#include "sys.h"

#define TESTAMENT_MAX	(64u << 10)	/* bytes */

static void path_of(const struct migration *m, char *path, size_t size)
{
	int used = snprintf(path, size, "%s/testament.", m->run_dir);
	unsigned int i;

	for (i = 0; i < MIGRATION_ID_SIZE; i++)
		used += snprintf(path + used, size - (size_t)used, "%02x",
				 m->id[i]);
	snprintf(path + used, size - (size_t)used, ".%s", side_name(m->side));
}

static void regions_say(const struct guest_description *guest,
			Straddle__Testament__Region *regions,
			Straddle__Testament__Region **list)
{
	unsigned int i;

	for (i = 0; i < guest->region_count; i++) {
		const struct guest_region *region = &guest->regions[i];

		straddle__testament__region__init(&regions[i]);
		regions[i].name = (char *)region->name;
		regions[i].address = region->address;
		regions[i].size = region->size;
		regions[i].page_size = region->page_size;
		regions[i].shared = region->shared;
		regions[i].has_of_file = regions[i].of_file = region->of_file;
		regions[i].offset = region->offset;
		list[i] = &regions[i];
	}
}

/* Whole or not at all: the old one is there until the new one is. */
static int file_replace(const char *path, const void *bytes, size_t size)
{
	char made[300];
	__cleanup_fd int fd = -1;
	int ret;

	snprintf(made, sizeof(made), "%s.new", path);
	fd = states_file(made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return fd;
	ret = sys_write_all(fd, bytes, size);
	if (!ret)
		ret = states_rename(made, path);
	if (ret)
		states_unlink(made);
	return ret;
}

/**
 * testament_write() - write down what a successor needs
 * @m: about to ask (source) or to own the guest (dest)
 *
 * Return: 0 or -errno with @m->fail.
 */
int testament_write(struct migration *m)
{
	Straddle__Testament__Region regions[GUEST_REGIONS_MAX];
	Straddle__Testament__Region *list[GUEST_REGIONS_MAX];
	Straddle__Testament will = STRADDLE__TESTAMENT__INIT;
	const struct guest_description *guest = &m->description;
	__cleanup_free uint8_t *bytes = NULL;
	char path[280];
	size_t size;
	int ret = m->port_ops->process_started(m->port, guest->pid, &will.started);

	if (ret)
		return fail_set(&m->fail, ret,
				"whether guest '%s' (process %d) lives cannot be found out: %s",
				guest->name, (int)guest->pid, strerror(-ret));
	regions_say(guest, regions, list);
	will.hypervisor = (char *)m->driver->name;
	will.guest = (char *)guest->name;
	will.uuid = (char *)guest->uuid;
	will.pid = guest->pid;
	will.vcpus = guest->vcpus;
	will.running = m->side == SIDE_DEST ? !m->keep_paused : guest->running;
	will.n_regions = guest->region_count;
	will.regions = list;
	will.epoch = m->epoch;
	will.generation = m->generation;
	will.fault_lanes = m->fault_lanes;
	will.push_lanes = m->push_lanes;
	will.uffd = m->attachment.uffd < 0 ? -1 : m->attachment.remote_fd;
	will.fence = m->fence.uffd < 0 ? -1 : m->fence.remote_fd;
	will.handed_over = m->handed_over;
	if (m->dest)
		m->inserts = dest_inserts(m->dest, m->generation);
	will.has_inserts = m->inserts != 0;
	will.inserts = m->inserts;
	size = straddle__testament__get_packed_size(&will);
	bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	straddle__testament__pack(&will, bytes);
	path_of(m, path, sizeof(path));
	ret = file_replace(path, bytes, size);
	return ret ? fail_set(&m->fail, ret,
			      "cannot write %s, which whoever has to go on with this migration would need: %s",
			      path, strerror(-ret)) : 0;
}

static int regions_take(const Straddle__Testament *will,
			struct guest_description *guest)
{
	unsigned int i;

	if (!will->n_regions || will->n_regions > GUEST_REGIONS_MAX)
		return -EUCLEAN;
	for (i = 0; i < will->n_regions; i++) {
		const Straddle__Testament__Region *said = will->regions[i];
		struct guest_region *region = &guest->regions[i];

		if (!said->page_size || said->page_size & (said->page_size - 1) ||
		    said->size % said->page_size)
			return -EUCLEAN;
		snprintf(region->name, sizeof(region->name), "%s", said->name);
		region->address = said->address;
		region->size = said->size;
		region->page_size = said->page_size;
		region->shared = said->shared;
		region->of_file = said->of_file;
		region->offset = said->offset;
		region->fd = -1;
		region->physical = GUEST_NOWHERE;
	}
	guest->region_count = (unsigned int)will->n_regions;
	return 0;
}

static int will_take(struct migration *m, const Straddle__Testament *will)
{
	struct guest_description *guest = &m->description;
	uint64_t started;
	int ret;

	m->driver = guest_driver_named(m->drivers, will->hypervisor);
	/* Who holds a copy that has arrived needs no lanes. */
	if (!m->driver || (m->state != STATE_SUPERSEDED &&
			   (!will->fault_lanes || !will->push_lanes)))
		return -EUCLEAN;
	snprintf(guest->name, sizeof(guest->name), "%s", will->guest);
	snprintf(m->dest_name, sizeof(m->dest_name), "%s", will->guest);
	snprintf(guest->uuid, sizeof(guest->uuid), "%s", will->uuid);
	guest->pid = will->pid;
	guest->vcpus = will->vcpus;
	guest->running = will->running;
	m->keep_paused = !will->running;
	ret = m->port_ops->process_started(m->port, will->pid, &started);
	if (ret)
		return ret;
	m->guest_ended = started != will->started;
	m->epoch = will->epoch;
	m->generation = will->generation;
	m->fault_lanes = will->fault_lanes;
	m->push_lanes = will->push_lanes;
	m->attachment.remote_fd = will->uffd;
	m->fence.remote_fd = will->fence;
	m->handed_over = will->handed_over;
	m->inserts = will->inserts;
	return regions_take(will, guest);
}

static int bytes_read(const char *path, uint8_t *bytes, size_t *size)
{
	__cleanup_fd int fd = states_file(path, O_RDONLY | O_CLOEXEC);
	size_t done = 0;

	while (fd >= 0 && done < TESTAMENT_MAX) {
		ssize_t got = sys_retry(read(fd, bytes + done,
					     TESTAMENT_MAX - done));

		if (got < 0)
			return (int)got;
		if (!got)
			break;
		done += (size_t)got;
	}
	*size = done;
	return fd < 0 ? fd : 0;
}

/**
 * testament_read() - learn what a predecessor left
 * @m: with id, side, drivers; receives what it knew. Descriptors are only
 *	numbers yet, and its guest's process may be gone (@m->guest_ended)
 *
 * Return: 0; -ENOENT: it left nothing, so the host was started anew; or -errno,
 * with @m->fail.
 */
int testament_read(struct migration *m)
{
	__cleanup_free uint8_t *bytes = malloc(TESTAMENT_MAX);
	Straddle__Testament *will = NULL;
	size_t size = 0;
	char path[280];
	int ret;

	path_of(m, path, sizeof(path));
	ret = bytes ? bytes_read(path, bytes, &size) : -ENOMEM;
	if (!ret) {
		will = straddle__testament__unpack(NULL, size, bytes);
		ret = will ? will_take(m, will) : -EUCLEAN;
	}
	if (will)
		straddle__testament__free_unpacked(will, NULL);
	return ret ? fail_set(&m->fail, ret,
			      "cannot read %s, which says where the guest's memory lies: %s",
			      path, strerror(-ret)) : 0;
}
