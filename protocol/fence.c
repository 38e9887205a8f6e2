// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * fence.c - the source's guest does not run any more, whoever resumes it.
 *
 * A held guest is an ordinary paused one to everybody else: an operator, or a
 * program that watches over guests, may resume it. Before the dest is asked,
 * its process is stopped by SIGSTOP. Once the dest has answered, or takes long,
 * its memory is write-protected here by a userfaultfd of its own; then the
 * process goes on, so that its hypervisor answers. A vCPU that is started
 * nevertheless waits at its first write.
 *
 * Protecting takes mmap_lock, 20 ms for a GiB, and whoever reads a page that
 * the dest wants waits for it: it is done in small steps, between the events of
 * event_wait(), and not before the answer unless that takes long.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "protocol/phase.h"
#include "protocol/testament.h"
#include "sys.h"

#define ARM_STEP	(UINT64_C(32) << 20)	/* bytes at a time */
#define ARM_WAIT_NS	UINT64_C(100000000)	/* the dest answers by then */

#define FENCE_FEATURES	(UFFD_FEATURE_PAGEFAULT_FLAG_WP |	\
			 UFFD_FEATURE_WP_HUGETLBFS_SHMEM |	\
			 UFFD_FEATURE_WP_UNPOPULATED)

static int process_signal(struct migration *m, int signal)
{
	int ret = !m->guest ? -ESRCH :
		  m->port_ops->process_signal(m->port, signal);

	if (!ret)
		m->frozen = signal == SIGSTOP;
	return ret;
}

/**
 * fence_make() - a second userfaultfd in the guest's process, for later
 * @m: performing, the guest may run
 *
 * Without one (an older kernel, say) the process stays stopped instead.
 *
 * Return: 0 or -errno with @m->fail.
 */
int fence_make(struct migration *m)
{
	struct fail ignored = { 0 };
	int ret = m->port_ops->attach(m->port, m->description.pid, &m->fence,
				      &m->fail);

	if (ret < 0)
		return ret;
	if (uffd_enable(m->fence.uffd, FENCE_FEATURES) < 0)
		m->port_ops->detach(m->port, &m->fence, &ignored);
	return 0;
}

/**
 * fence_freeze() - stop the guest's process, before the dest is asked
 * @m: stopped
 *
 * Return: 0 or -errno with @m->fail.
 */
int fence_freeze(struct migration *m)
{
	int ret = process_signal(m, SIGSTOP);

	return ret < 0 ? fail_set(&m->fail, ret,
				  "cannot stop process %d of guest '%s': %s",
				  (int)m->description.pid, m->description.name,
				  strerror(-ret)) : 0;
}

static int written_one(struct range range, void *arg)
{
	(void)range;
	(void)arg;
	return 1;
}

/*
 * Did anybody have the guest run since the last look? One that was resumed and
 * paused again looks as before to its hypervisor. Its memory does not, where
 * that is tracked.
 */
static int written_check(struct migration *m)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < m->map.count && m->tracking && !ret; i++)
		ret = uffd_written(&m->tracker,
				   page_range(&m->map.regions[i], 0,
					      m->map.regions[i].pages),
				   written_one, NULL);
	if (ret > 0)
		return fail_set(&m->fail, -EBUSY,
				"guest '%s' wrote memory after it was stopped: somebody resumed it for a while; migrate it again",
				m->description.name);
	return ret;
}

/* One that cannot be held is moved all the same, and its owner told. */
static int hold(struct migration *m)
{
	struct fail why = { 0 };
	int ret = m->driver->hold ? m->driver->hold(m->guest, true, &why) : 0;

	if (ret && ret != -EREMOTEIO)
		return fail_set(&m->fail, ret,
				"guest '%s' may be being saved or moved by somebody else: %s",
				m->description.name, why.text);
	if (ret)
		progress_decide(m, "do not save or move guest '%s' while it is held here: %.200s",
				m->description.name, why.text);
	return 0;
}

/**
 * fence_close() - what is true of the guest now stays so
 * @m: stopped, before the dest is asked
 *
 * Its process is stopped. Where that process itself is to tell what is true, it
 * tells before.
 *
 * Return: 0; -EBUSY with @m->fail: it is not the guest that was stopped any more;
 * or -errno.
 */
int fence_close(struct migration *m)
{
	int ret = hold(m);

	if (!ret && !m->driver->described_elsewhere)
		ret = perform_compare(m);
	if (!ret)
		ret = fence_freeze(m);
	if (!ret && m->driver->described_elsewhere)
		ret = perform_compare(m);
	return ret ? ret : written_check(m);
}

/**
 * fence_arm() - begin to protect the guest's memory
 * @m: asked; frozen
 *
 * From here on its writes are not tracked any more.
 */
void fence_arm(struct migration *m)
{
	m->arming = m->fence.uffd >= 0;
	m->arm_untracks = m->attachment.uffd >= 0;
	m->arm_at_ns = now_ns() + ARM_WAIT_NS;
	m->arm_region = 0;
	m->arm_done = 0;
	if (m->arming && m->tracking)
		uffd_tracker_close(&m->tracker);
	m->tracking &= !m->arming;
}

/**
 * fence_is_due() - is there a step to be made now?
 * @m: of the migration
 *
 * Return: true: fence_step() goes on with it.
 */
bool fence_is_due(const struct migration *m)
{
	return m->arming &&
	       (m->state != STATE_ASKED || now_ns() >= m->arm_at_ns);
}

static int protect(struct migration *m, struct range range)
{
	int ret;

	if (m->arm_untracks)
		uffd_unregister(m->attachment.uffd, range);
	ret = uffd_register(m->fence.uffd, range, UFFDIO_REGISTER_MODE_WP);
	return ret ? ret : uffd_protect(m->fence.uffd, range);
}

/**
 * fence_step() - protect some more; after the last of it the process goes on
 * @m: arming
 *
 * Where memory cannot be protected, the process stays stopped: a fence too,
 * but its hypervisor does not answer.
 */
void fence_step(struct migration *m)
{
	const struct region *region = &m->map.regions[m->arm_region];
	struct range range = page_range(region, 0, region->pages);
	uint64_t left = range.len - m->arm_done;

	range.start += m->arm_done;
	range.len = left < ARM_STEP ? left : ARM_STEP;
	if (protect(m, range) < 0) {
		m->arming = false;
		return;
	}
	m->arm_done += range.len;
	if (range.len < left)
		return;
	m->arm_done = 0;
	if (++m->arm_region < m->map.count)
		return;
	m->arming = false;
	m->fenced = true;
	process_signal(m, SIGCONT);
}

/**
 * fence_finish() - make all steps that are left
 * @m: held
 */
void fence_finish(struct migration *m)
{
	while (m->arming)
		fence_step(m);
}

/**
 * fence_again() - close it around a copy that had been let go of
 * @m: nobody has the guest; anybody may resume it
 *
 * Where memory cannot be protected nothing is done: its process, stopped, could
 * not be asked whether the guest runs.
 *
 * Return: 0, or -errno with @m->fail: it is open.
 */
int fence_again(struct migration *m)
{
	int ret = m->fence.uffd < 0 ? fence_make(m) : 0;

	/* Before it protects anything: whoever comes next opens it. */
	if (!ret)
		ret = testament_write(m);
	if (ret || m->fence.uffd < 0)
		return ret;
	ret = fence_freeze(m);
	if (ret)
		return ret;
	fence_arm(m);
	fence_finish(m);
	if (m->fenced)
		return 0;
	fence_open(m);
	return fail_set(&m->fail, -EIO, "its memory cannot be protected");
}

/**
 * fence_broken() - somebody resumed the held guest: it waits, and is told
 * @m: fenced; its userfaultfd has an event
 *
 * The process is stopped once more: a vCPU that waits in a fault cannot be
 * paused by its hypervisor.
 */
void fence_broken(struct migration *m)
{
	process_signal(m, SIGSTOP);
	m->fence_tried = true;
	progress_decide(m,
			"somebody resumed guest '%s', which is held here: process %d is stopped (SIGSTOP), it changed nothing",
			m->description.name, (int)m->description.pid);
}

/**
 * fence_lift() - the other copy is gone: an operator may resume this one
 * @m: held
 *
 * But for a guest that somebody has resumed already: its vCPUs wait, and would
 * run at once.
 */
void fence_lift(struct migration *m)
{
	struct fail ignored = { 0 };

	if (m->fence_tried)
		return;
	fence_open(m);
	if (m->guest && m->driver->hold)
		m->driver->hold(m->guest, false, &ignored);
	memory_detach(m);	/* else the next migration is refused */
}

/**
 * fence_open() - the guest may run here again, or its process is to end
 * @m: fenced, frozen or neither
 */
void fence_open(struct migration *m)
{
	struct fail ignored = { 0 };
	unsigned int i;

	for (i = 0; i < m->map.count && (m->fenced || m->arming); i++)
		uffd_unregister(m->fence.uffd,
				page_range(&m->map.regions[i], 0,
					   m->map.regions[i].pages));
	m->fenced = m->arming = false;
	if (m->frozen)
		process_signal(m, SIGCONT);
	if (m->fence.uffd >= 0)
		m->port_ops->detach(m->port, &m->fence, &ignored);
}
