// SPDX-License-Identifier: LGPL-2.1-or-later
/* storage_source.c - have the guest's process copy its disks to the dest. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/phase.h"
#include "protocol/storage.h"
#include "sys.h"

#define LOOK_MS		100	/* until the copies follow the guest */
#define END_LOOK_MS	10	/* while it stands still */
#define STALL_NS	UINT64_C(60000000000)	/* a copy that does not move */
#define OUTRUN_TIMES	3	/* copied so often, and not through yet */
#define CANCEL_TRIES	200
#define CANCEL_LOOK_MS	50
#define MIB		1048576.0
#define NS_PER_S	1000000000.0

/* ---- agreed upon -------------------------------------------------------- */

static bool is_agreed(const struct storage *storage, uint32_t index)
{
	unsigned int i;

	for (i = 0; i < storage->count; i++)
		if (storage->disks[i].index == index)
			return true;
	return false;
}

/**
 * storage_agree() - take note of which disks the dest has to get
 * @m: preparing
 * @count: how many
 * @indexes: in the list of PREPARE
 *
 * Return: 0 or -errno with @m->fail.
 */
int storage_agree(struct migration *m, size_t count, const uint32_t *indexes)
{
	size_t i;
	int ret;

	if (!count)
		return 0;
	if (m->options.copy_storage == COPY_STORAGE_NONE || !m->driver->storage)
		return fail_set(&m->fail, -EPROTO,
				"%s asks for disks, which nobody offered",
				m->options.host);
	ret = storage_create(&m->storage);
	for (i = 0; i < count && !ret; i++) {
		struct storage_disk *disk = &m->storage->disks[m->storage->count];

		if (indexes[i] >= m->description.disk_count ||
		    is_agreed(m->storage, indexes[i]))
			return fail_set(&m->fail, -EPROTO,
					"%s asks for disks that there are none of",
					m->options.host);
		disk->index = indexes[i];
		snprintf(disk->target, sizeof(disk->target), "%s",
			 m->description.disks[indexes[i]].target);
		m->storage->capacity += m->description.disks[indexes[i]].capacity;
		m->storage->count++;
	}
	return ret;
}

/* ---- sockets and lanes -------------------------------------------------- */

static int disk_connect(struct migration *m, unsigned int number)
{
	struct storage_disk *disk = &m->storage->disks[number];
	struct relay_setup setup = {
		.end = RELAY_CLIENT,
		.client = m->description.pid,
		.news = m->storage->news,
	};
	int ret = m->port_ops->storage->listen(m->port, number, disk->socket,
					       sizeof(disk->socket),
					       &disk->listener);

	if (ret)
		return fail_set(&m->fail, ret,
				"cannot make a socket in /run for disk %s: %s",
				disk->target, strerror(-ret));
	ret = lane_channel(m, ROLE_STORAGE, number, &setup.channel);
	if (ret)
		return ret;
	setup.fd = disk->listener;
	return relay_create(&setup, &disk->relay);
}

/**
 * storage_connect() - a lane for each disk
 * @m: prepared, with the token
 *
 * Return: 0 or -errno with @m->fail.
 */
int storage_connect(struct migration *m)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; m->storage && i < m->storage->count && !ret; i++)
		ret = disk_connect(m, i);
	return ret;
}

/* ---- mirrors ------------------------------------------------------------ */

/* One limit for all of them. */
static uint64_t share_of(const struct migration *m, uint64_t bandwidth)
{
	uint64_t share = bandwidth / m->storage->count;

	return bandwidth && !share ? 1 : share;
}

static int disk_start(struct migration *m, struct storage_disk *disk)
{
	const struct guest_copying what = {
		.disk = &m->description.disks[disk->index],
		.socket = disk->socket,
		.export = NBD_EXPORT,
		.incremental = m->options.copy_storage == COPY_STORAGE_INC,
		.synchronous = m->options.copy_synchronous,
		.bandwidth = share_of(m, m->options.bandwidth),
	};
	int ret;

	ret = m->driver->storage->copy_start(m->guest, &what, &m->fail);
	disk->copying = !ret;
	return ret;
}

static int disk_look(struct migration *m, struct storage_disk *disk)
{
	struct guest_copy copy;
	int ret;

	if (!disk->copying)
		return 0;
	ret = m->driver->storage->copy_look(m->guest, disk->target, &copy,
					    &m->fail);
	if (ret)
		return ret;
	disk->copying = !copy.gone;
	if (copy.gone && !disk->ending)
		return fail_set(&m->fail, -EIO,
				"the guest's process gave up copying disk %s: /var/log/libvirt/qemu has its reason",
				disk->target);
	if (!copy.gone) {
		disk->ready = copy.ready;
		disk->done = copy.done;
		disk->total = copy.total;
	}
	return 0;
}

/* Look at all of them. Return: how many bytes are done, or -errno. */
static int disks_look(struct migration *m, uint64_t *done)
{
	struct storage *storage = m->storage;
	uint64_t total = 0;
	unsigned int i;
	int ret = 0;

	*done = 0;
	for (i = 0; i < storage->count && !ret; i++) {
		ret = disk_look(m, &storage->disks[i]);
		*done += storage->disks[i].done;
		total += storage->disks[i].total;
	}
	m->progress.storage_done_bytes = *done;
	m->progress.storage_bytes = total;
	return ret;
}

static bool all_ready(const struct storage *storage)
{
	unsigned int i;

	for (i = 0; i < storage->count; i++)
		if (!storage->disks[i].ready)
			return false;
	return true;
}

/* Their mirrors are gone, and the dest has said that it has everything. */
static bool all_ended(const struct storage *storage)
{
	unsigned int i;

	for (i = 0; i < storage->count; i++)
		if (storage->disks[i].copying ||
		    relay_result(storage->disks[i].relay))
			return false;
	return true;
}

/* Something else may happen meanwhile: a user, the peer, the guest's end. */
static int storage_pause(struct migration *m, int timeout_ms)
{
	struct event event;
	int ret = event_wait(m, timeout_ms, &event);

	if (!ret && event.kind != EVENT_TIMEOUT && event.kind != EVENT_ENGINE &&
	    event.kind != EVENT_SWITCH)
		ret = event_refuse(m, &event);
	return ret;
}

static bool is_time_up(const struct migration *m)
{
	return m->options.timeout_ns &&
	       now_ns() - m->began_ns >= m->options.timeout_ns;
}

/* What is written faster than it is copied is never caught up with. */
static int outrun(struct migration *m, uint64_t done)
{
	if (m->state == STATE_STOPPED)
		return 0;
	if (is_time_up(m)) {
		progress_decide(m, "time is up, stopping the guest: its disks are behind");
		return perform_stop(m);
	}
	if (!m->storage->told && done / OUTRUN_TIMES > m->storage->capacity) {
		m->storage->told = true;
		progress_decide(m,
				"disks: %.0f MiB copied of %.0f, they are written faster: --timeout or "
				"--copy-storage-synchronous-writes would end that",
				(double)done / MIB,
				(double)m->storage->capacity / MIB);
	}
	return 0;
}

/* Until all are where @reached wants them, as long as they move. */
static int storage_wait(struct migration *m, int look_ms,
			bool (*reached)(const struct storage *storage))
{
	uint64_t done, before = UINT64_MAX, moved_ns = now_ns();
	int ret;

	for (;;) {
		ret = disks_look(m, &done);
		if (!ret)
			ret = storage_error(m);
		if (ret || reached(m->storage))
			return ret ? peer_reason(m) : 0;
		if (done != before)
			moved_ns = now_ns();
		before = done;
		if (now_ns() - moved_ns > STALL_NS)
			return fail_set(&m->fail, -ETIMEDOUT,
					"the copy of the disks of guest '%s' does not get on: at %.0f of %.0f MiB for a minute",
					m->description.name, (double)done / MIB,
					(double)m->progress.storage_bytes / MIB);
		ret = storage_pause(m, look_ms);
		if (!ret && reached == all_ready)
			ret = outrun(m, done);
		if (ret)
			return ret;
	}
}

/**
 * storage_copy() - copy the disks, until the copies follow the guest's writes
 * @m: performing, with lanes
 *
 * Return: 0 or -errno with @m->fail.
 */
int storage_copy(struct migration *m)
{
	struct storage *storage = m->storage;
	uint64_t began_ns = now_ns();
	unsigned int i;
	int ret = 0;

	if (!storage)
		return 0;
	progress_decide(m, "copying %u disk%s first", storage->count,
			storage->count > 1 ? "s" : "");
	for (i = 0; i < storage->count && !ret; i++)
		ret = disk_start(m, &storage->disks[i]);
	if (!ret)
		ret = storage_wait(m, LOOK_MS, all_ready);
	m->progress.storage_ns = now_ns() - began_ns;
	if (!ret)
		progress_decide(m, "disks: %.0f MiB copied in %.1f s, the copies follow now",
				(double)m->progress.storage_bytes / MIB,
				(double)m->progress.storage_ns / NS_PER_S);
	return ret;
}

/**
 * storage_end() - what was written up to now is all that the copies get
 * @m: its guest stands still, for good
 *
 * One that is not ready would be cut short.
 *
 * Return: 0 or -errno with @m->fail.
 */
int storage_end(struct migration *m)
{
	unsigned int i;
	uint64_t done;
	int ret;

	if (!m->storage)
		return 0;
	ret = disks_look(m, &done);
	if (!ret && !all_ready(m->storage))
		ret = fail_set(&m->fail, -EAGAIN,
			       "a disk of guest '%s' is behind its copy again; migrate it again",
			       m->description.name);
	for (i = 0; i < m->storage->count && !ret; i++) {
		struct storage_disk *disk = &m->storage->disks[i];

		disk->ending = true;
		ret = m->driver->storage->copy_end(m->guest, disk->target,
						   &m->fail);
	}
	return ret;
}

/**
 * storage_ended() - wait until the dest has every disk as it is here
 * @m: after storage_end()
 *
 * Return: 0 or -errno with @m->fail.
 */
int storage_ended(struct migration *m)
{
	int ret;

	if (!m->storage)
		return 0;
	ret = storage_wait(m, END_LOOK_MS, all_ended);
	if (ret)
		return ret;
	m->storage->ended = true;
	m->port_ops->storage->over(m->port, true);
	return 0;
}

static bool is_copying(struct migration *m)
{
	unsigned int i;

	for (i = 0; i < m->storage->count; i++)
		if (m->storage->disks[i].copying)
			return true;
	return false;
}

/* What is broken on the way ends by itself; what is idle has to be told. */
static void disk_cancel(struct migration *m, struct storage_disk *disk)
{
	struct fail ignored = { 0 };
	struct guest_copy copy = { .gone = false };

	if (!disk->copying)
		return;
	m->driver->storage->copy_end(m->guest, disk->target, &ignored);
	if (!m->driver->storage->copy_look(m->guest, disk->target, &copy,
					   &ignored))
		disk->copying = !copy.gone;
}

/**
 * storage_cancel() - end the mirrors: the guest goes on with its own disks
 * @m: failed. Twice is once
 *
 * Their way is broken first: a mirror that waits for its target keeps QEMU,
 * and so libvirt, from everything else.
 */
void storage_cancel(struct migration *m)
{
	struct storage *storage = m->storage;
	unsigned int i, tries;

	if (!storage || storage->ended)
		return;
	for (i = 0; i < storage->count; i++) {
		relay_destroy(storage->disks[i].relay);
		storage->disks[i].relay = NULL;
	}
	for (tries = 0; tries < CANCEL_TRIES && m->driver->alive(m->guest) &&
			is_copying(m); tries++) {
		for (i = 0; i < storage->count; i++)
			disk_cancel(m, &storage->disks[i]);
		if (is_copying(m))
			sys_wait_fd(m->driver->pidfd(m->guest), POLLIN,
				    CANCEL_LOOK_MS);
	}
	storage->ended = true;
	m->port_ops->storage->over(m->port, true);
}

/**
 * storage_limit() - another limit for the copies
 * @m: of them
 * @bandwidth: bytes a second, of all together; 0: unlimited
 */
void storage_limit(struct migration *m, uint64_t bandwidth)
{
	struct fail ignored = { 0 };
	unsigned int i;

	for (i = 0; m->storage && i < m->storage->count; i++) {
		const struct storage_disk *disk = &m->storage->disks[i];

		if (disk->copying && !disk->ending)
			m->driver->storage->copy_limit(m->guest, disk->target,
						       share_of(m, bandwidth),
						       &ignored);
	}
}
