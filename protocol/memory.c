// SPDX-License-Identifier: LGPL-2.1-or-later
/* memory.c - the guest's memory, made ready for this side's half of the work. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "copy/kind.h"
#include "protocol/phase.h"
#include "sys.h"

#define TRACK_FEATURES	(UFFD_FEATURE_PAGEFAULT_FLAG_WP |		\
			 UFFD_FEATURE_WP_HUGETLBFS_SHMEM |		\
			 UFFD_FEATURE_WP_UNPOPULATED |			\
			 UFFD_FEATURE_WP_ASYNC)

static int region_from_guest(struct migration *m,
			     const struct guest_region *said)
{
	struct region region = {
		.page_shift = (uint32_t)__builtin_ctz(said->page_size),
		.pages = said->size / said->page_size,
		.shared = said->shared,
		.of_file = said->of_file,
		.address = said->address,
		.fd = said->fd,
		.offset = said->offset,
		.pid = m->description.pid,
		.memory = m->process_memory,
		.pagemap = m->pagemap,
		.uffd = m->side == SIDE_DEST ? m->attachment.uffd : -1,
	};
	int ret;

	if (!said->page_size || said->page_size & (said->page_size - 1) ||
	    said->size % said->page_size)
		return fail_set(&m->fail, -EINVAL,
				"region '%s' of guest '%s' is not made of whole pages",
				said->name, m->description.name);
	ret = region_add(&m->map, &region);
	if (ret < 0)
		return fail_set(&m->fail, ret,
				"region '%s' of guest '%s' (%" PRIu64
				" MiB) cannot be used: %s", said->name,
				m->description.name, said->size >> 20,
				strerror(-ret));
	return 0;
}

/* Its page tables, and its memory where that is no file. */
static int process_open(struct migration *m)
{
	bool private = false;
	unsigned int i;
	int ret;

	for (i = 0; i < m->description.region_count; i++)
		private |= !m->description.regions[i].shared;
	ret = m->port_ops->process_open(m->port, PROCESS_PAGEMAP, &m->pagemap,
					&m->fail);
	if (!ret && private)
		ret = m->port_ops->process_open(m->port, PROCESS_MEMORY,
						&m->process_memory, &m->fail);
	return ret;
}

/**
 * memory_is_lost() - source: did it end with the guest's process?
 * @m: held
 *
 * A shared region is a file, which is served on.
 *
 * Return: true if pages of it can never be read any more.
 */
bool memory_is_lost(const struct migration *m)
{
	bool private = !m->description.region_count;	/* not even described */
	unsigned int i;

	for (i = 0; i < m->description.region_count; i++)
		private |= !m->description.regions[i].shared;
	return m->guest_ended && private;
}

/**
 * memory_map_regions() - make the region map from the guest's description
 * @m: described; at the dest its userfaultfd is attached already
 *
 * Return: 0 or -errno with @m->fail.
 */
int memory_map_regions(struct migration *m)
{
	unsigned int i;
	int ret = process_open(m);

	for (i = 0; i < m->description.region_count && !ret; i++)
		ret = region_from_guest(m, &m->description.regions[i]);
	return ret;
}

/* The first feature of a set that this kernel lacks, in words. */
static int features_refused(struct migration *m, uint64_t features, int error)
{
	const struct uffd_feature *missing = uffd_feature_missing(features);

	if (!missing)
		return fail_set(&m->fail, error,
				"the kernel refuses a userfaultfd for guest '%s': %s",
				m->description.name, strerror(-error));
	return fail_set(&m->fail, -EOPNOTSUPP,
			"this kernel has no userfaultfd %s (Linux %s has it), needed for %s",
			missing->name, missing->since, missing->needed_for);
}

/* The guest's own descriptor, where its hypervisor hands one over. */
static int take_handover(struct migration *m)
{
	int ret = m->driver->userfaultfd(m->guest, &m->attachment.uffd,
					 &m->fail);

	m->handed_over = !ret;
	return ret;
}

/**
 * memory_attach() - get a userfaultfd over the guest's process, and enable it
 * @m: with an open guest
 * @features: UFFD_FEATURE_*
 *
 * Return: 0 or -errno with @m->fail; then nothing is attached.
 */
int memory_attach(struct migration *m, uint64_t features)
{
	int ret;

	if (m->options.handover)
		ret = take_handover(m);
	else
		ret = m->port_ops->attach(m->port, m->description.pid,
					  &m->attachment, &m->fail);
	if (ret < 0)
		return ret;
	ret = uffd_enable(m->attachment.uffd, features);
	if (ret < 0) {
		features_refused(m, features, ret);
		memory_detach(m);
	}
	return ret;
}

static void attachment_end(struct migration *m)
{
	struct fail ignored = { 0 };

	if (m->handed_over) {
		close(m->attachment.uffd);
		m->attachment.uffd = -1;
		m->driver->userfaultfd_close(m->guest, &ignored);
		m->handed_over = false;
	} else {
		m->port_ops->detach(m->port, &m->attachment, &ignored);
	}
}

/**
 * memory_unregister() - dest: whoever waits for a page goes on without
 * @m: registered or not
 */
void memory_unregister(struct migration *m)
{
	unsigned int i;

	for (i = 0; i < m->map.count && m->registered; i++)
		uffd_unregister(m->attachment.uffd,
				page_range(&m->map.regions[i], 0,
					   m->map.regions[i].pages));
	/* Nobody reads events any more: who frees memory is not to wait. */
	if (m->registered)
		uffd_events_end(m->attachment.uffd);
	m->registered = false;
}

/**
 * memory_detach() - take the userfaultfd out of the guest's process again
 * @m: attached or not. Regions are unregistered with it
 */
void memory_detach(struct migration *m)
{
	if (m->attachment.uffd < 0)
		return;
	memory_unregister(m);
	memory_untrack(m);
	attachment_end(m);
}

/**
 * memory_untrack() - source: what the guest writes is not noticed any more
 * @m: its guest stands still, its process may be stopped
 *
 * Another userfaultfd may be registered from here on; this one stays in the
 * guest's process until memory_detach().
 */
void memory_untrack(struct migration *m)
{
	unsigned int i;

	for (i = 0; i < m->map.count && m->tracking; i++)
		uffd_unregister(m->attachment.uffd,
				page_range(&m->map.regions[i], 0,
					   m->map.regions[i].pages));
	if (m->tracking)
		uffd_tracker_close(&m->tracker);
	m->tracking = false;
}

static int track_all(struct migration *m)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < m->map.count && !ret; i++)
		ret = uffd_track(&m->tracker,
				 page_range(&m->map.regions[i], 0,
					    m->map.regions[i].pages));
	return ret;
}

/**
 * memory_track() - source: from here on every write of the guest is noticed
 * @m: described
 *
 * Return: 0 or -errno with @m->fail.
 */
int memory_track(struct migration *m)
{
	int ret = memory_attach(m, TRACK_FEATURES);

	if (ret < 0)
		return ret;
	m->tracker.uffd = m->attachment.uffd;
	m->tracker.pagemap = sys_ret(fcntl(m->pagemap, F_DUPFD_CLOEXEC, 0));
	ret = m->tracker.pagemap < 0 ? m->tracker.pagemap : 0;
	m->tracking = !ret;
	if (!ret)
		ret = drain_look(m, track_all);
	if (!ret)
		ret = drain_end(m);
	if (ret < 0)
		return fail_set(&m->fail, ret,
				"cannot track what guest '%s' writes: %s",
				m->description.name, strerror(-ret));
	return 0;
}

/* Features and modes depend on the kind of memory that the guest has. */
static uint64_t receive_features(const struct migration *m)
{
	uint64_t features = 0;
	unsigned int i;

	for (i = 0; i < m->description.region_count; i++) {
		struct region region = {
			.shared = m->description.regions[i].shared,
			.page_shift = (uint32_t)__builtin_ctz(
				m->description.regions[i].page_size),
		};

		features |= kind_of(&region)->features;
	}
	return features;
}

static int empty_range(struct range range, void *arg)
{
	struct migration *m = arg;

	return m->port_ops->zap(m->port, &m->attachment, &range, 1, &m->fail);
}

/*
 * Whatever the hypervisor put there itself comes from the source instead. Nor
 * may anything stay mapped: the guest could write a page that was kept before
 * it is counted. What lies in a file goes when it is registered already, so that
 * a touch between the two waits and brings nothing back. (A write of private
 * memory over a page that its file still has does; see memory.rst.)
 */
static int region_receive(struct migration *m, const struct region *region)
{
	struct range all = page_range(region, 0, region->pages);
	int ret = uffd_populated(m->pagemap, all, empty_range, m);

	if (!ret)
		ret = uffd_register(region->uffd, all, region->kind->modes);
	if (!ret && region->kind->empty)
		ret = region->kind->empty(region);
	return ret != -ENOTEMPTY ? ret :
	       fail_set(&m->fail, ret,
			"region '%s' of guest '%s' is a private mapping of a file that holds something: have it shared (share=on), or give it a file of its own",
			m->description.regions[region->id].name,
			m->description.name);
}

/**
 * memory_receive() - dest: empty the memory and register all of it
 * @m: with its guest created and described
 *
 * Return: 0 or -errno with @m->fail.
 */
int memory_receive(struct migration *m)
{
	unsigned int i;
	int ret = memory_attach(m, receive_features(m));

	if (!ret)
		ret = memory_map_regions(m);
	m->registered = !ret;
	for (i = 0; i < m->map.count && !ret; i++)
		ret = region_receive(m, &m->map.regions[i]);
	if (ret < 0)
		return fail_set(&m->fail, ret,
				"cannot register the memory of guest '%s': %s",
				m->description.name, strerror(-ret));
	return ret;
}
