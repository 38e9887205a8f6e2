/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settling.c - the guest of a row that is settled, and its process.
 *
 * It may be gone, have got another of its name, be stopped, or not answer; and
 * it may hold a userfaultfd that a dead worker put into it.
 */
#include "settling.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "log.h"
#include "proc.h"
#include "sys.h"
#include "tools/lib/broker_client.h"
#include "tools/straddled/port.h"

#define END_MS	10000	/* for a guest that is killed to be gone */

/**
 * settling_guest() - the very guest of the row, not one that got its name since
 * @self: whose row
 * @found: receives it; found_close() ends that
 * @fail: says why not
 *
 * Return: 0; -ENOENT: it is not here; or -errno.
 */
int settling_guest(const struct settling *self, struct found *found, struct fail *fail)
{
	int ret = guest_find(guest_drivers, &self->host, self->row.guest,
			     &found->driver, &found->guest, fail);

	if (ret)
		return ret;
	ret = found->driver->describe(found->guest, &found->description, fail);
	if (!ret && strcmp(found->description.uuid, self->row.uuid)) {
		guest_description_fini(&found->description);
		ret = -ENOENT;
	}
	if (ret) {
		found->driver->close(found->guest);
		found->guest = NULL;
	}
	return ret;
}

/**
 * found_close() - it is looked at no more
 * @found: by settling_guest() or settling_incoming()
 */
void found_close(struct found *found)
{
	guest_description_fini(&found->description);
	found->driver->close(found->guest);
}

/* It knows the guest itself: it has no steward. */
static int userfaultfd_adopt(pid_t pid, int remote_fd, struct uffd_attachment *attachment,
			     struct fail *fail)
{
	__cleanup_fd int pidfd = (int)sys_ret(syscall(SYS_pidfd_open, pid, 0));
	int ret = pidfd < 0 ? pidfd : broker_bind(PORT_BINDER_FD, pidfd, fail);

	return ret ? ret : broker_adopt(PORT_BROKER_FD, pid, remote_fd, attachment, fail);
}

/* Else the next migration of the guest could not track what it writes. */
static void userfaultfd_close(pid_t pid, int remote_fd)
{
	struct uffd_attachment attachment;
	struct fail fail = { 0 };
	int ret = userfaultfd_adopt(pid, remote_fd, &attachment, &fail);

	if (!ret) {
		ret = broker_detach(PORT_BROKER_FD, &attachment, &fail);
		uffd_attachment_close(&attachment);
	}
	if (ret && ret != -EBADF)
		log_warning("a userfaultfd is left in process %d: %s", (int)pid,
			    fail.err ? fail.text : strerror(-ret));
}

/**
 * settling_release() - take out what the dead worker left in the guest
 * @self: whose row
 * @pid: the guest's process
 */
void settling_release(const struct settling *self, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < self->left.count; i++)
		userfaultfd_close(pid, self->left.fd[i]);
}

/* Is a userfaultfd of ours in it? Then no fault of a vCPU was ever answered. */
static bool is_attached(const struct settling *self, pid_t pid)
{
	struct uffd_attachment attachment;
	bool attached = false;
	unsigned int i;

	for (i = 0; i < self->left.count && !attached; i++) {
		attached = !userfaultfd_adopt(pid, self->left.fd[i], &attachment, NULL);
		if (attached)
			uffd_attachment_close(&attachment);
	}
	return attached;
}

/**
 * found_is_to_end() - was it made for the row, and never started?
 * @self: whose row
 * @found: its guest
 *
 * It waits for its state, or is known by the userfaultfd.
 *
 * Return: true if it was.
 */
bool found_is_to_end(const struct settling *self, const struct found *found)
{
	bool waits = found->description.incoming && !found->description.running;
	pid_t pid = proc_identified(self->row.process);

	/* Killed before it was said which process it is: it has the name that was free. */
	if (pid < 0)
		return waits;
	return pid == found->description.pid && (waits || is_attached(self, pid));
}

/**
 * settling_thaw() - let a process go on that was stopped so that nobody could resume its guest
 * @row: which names it
 */
void settling_thaw(const struct journal_row *row)
{
	pid_t pid = proc_identified(row->process);
	__cleanup_file FILE *file = NULL;
	char path[64], line[512], *name_end = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = pid > 0 ? fopen(path, "re") : NULL;
	if (file && fgets(line, sizeof(line), file))
		name_end = strrchr(line, ')');	/* it may have some of its own */
	if (name_end && !strncmp(name_end, ") T", 3))
		kill(pid, SIGCONT);
}

/**
 * found_end() - end it, whatever it is busy with
 * @found: never started, or not to go on
 * @fail: says why not
 *
 * Killed first: a thread that waits in a fault hears no polite request.
 *
 * Return: 0 or -errno.
 */
int found_end(struct found *found, struct fail *fail)
{
	(void)sys_ret(syscall(SYS_pidfd_send_signal, found->driver->pidfd(found->guest),
			      SIGKILL, NULL, 0));
	return found->driver->destroy(found->guest, fail);
}

/*
 * One that does not answer is known by the userfaultfd that was put into it: it
 * waits for a migration, and no instruction of it has run.
 */
static int silent_guest(const struct settling *self, struct found *found, int error,
			struct fail *fail)
{
	pid_t pid = 0;

	if (error != -ETIMEDOUT || guest_find(guest_drivers, &self->host, self->row.guest,
					      &found->driver, &found->guest, NULL))
		return error;
	pid = proc_of_pidfd(found->driver->pidfd(found->guest));
	if (pid > 0 && is_attached(self, pid)) {
		found->description.pid = pid;
		return 0;
	}
	found->driver->close(found->guest);
	found->guest = NULL;
	return fail_set(fail, error, "guest '%s' does not answer", self->row.guest);
}

/**
 * settling_incoming() - the guest of a row that never started
 * @self: whose row
 * @found: receives it, also if it does not answer; found_close() ends that
 * @fail: says why not
 *
 * Return: 0; -ENOENT: it is not here; -ESRCH: it is just ending; or -errno.
 */
int settling_incoming(const struct settling *self, struct found *found, struct fail *fail)
{
	int ret = settling_guest(self, found, fail);

	return ret ? silent_guest(self, found, ret, fail) : 0;
}

/**
 * settling_process_end() - kill the process that the row names
 * @row: which: who has its name now is another one
 *
 * Return: 0: it is gone; -EAGAIN: nobody knows; -ETIMEDOUT: it does not end.
 */
int settling_process_end(const struct journal_row *row)
{
	pid_t pid = proc_identified(row->process);
	__cleanup_fd int pidfd = -1;

	if (pid <= 0)
		return pid == -EAGAIN ? pid : 0;
	pidfd = (int)sys_ret(syscall(SYS_pidfd_open, pid, 0));
	if (pidfd < 0 || proc_identified(row->process) != pid)
		return 0;
	(void)sys_ret(syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0));
	return sys_wait_fd(pidfd, POLLIN, END_MS);
}
