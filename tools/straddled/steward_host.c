/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* steward_host.c - files, connections and processes that a worker asks for. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "proc.h"
#include "protocol/address.h"
#include "steward_own.h"
#include "sys.h"
#include "tools/guests/maps.h"

/* ---- the guest's process ------------------------------------------------ */

static int process_is_there(const struct steward *steward)
{
	return sys_ret(syscall(SYS_pidfd_send_signal, steward->driver->pidfd(steward->guest), 0,
			       NULL, 0));
}

/* Pages arrive by its memory at the dest; a source only reads them. */
static int file_flags(const struct steward *steward, enum process_file file,
		      struct fail *fail)
{
	if (file == PROCESS_PAGEMAP)
		return O_RDONLY;
	if (file != PROCESS_MEMORY)
		return -EINVAL;
	if (!__atomic_load_n(&steward->private, __ATOMIC_RELAXED))
		return fail_set(fail, -EACCES,
				"all memory of this guest is in files, which its worker has");
	return steward->job.side == SIDE_DEST ? O_RDWR : O_RDONLY;
}

/**
 * verb_process_open() - a file in /proc of the guest's process
 * @steward: with its job
 * @driver: of the guest, or of the one that is to come
 * @in: arguments, not trusted
 * @out: receives what it gives
 * @fail: says why not
 *
 * Return: >= 0 or -errno.
 */
int verb_process_open(struct steward *steward, const struct guest_driver *driver,
		      struct wire *in, struct wire *out, struct fail *fail)
{
	pid_t pid = __atomic_load_n(&steward->pid, __ATOMIC_RELAXED);
	enum process_file file;
	char path[64];
	int fd, ret;

	(void)driver;
	wire_value(in, &file);
	ret = wire_end(in);
	if (!ret)
		ret = file_flags(steward, file, fail);
	if (ret < 0)
		return ret;
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid,
		 file == PROCESS_MEMORY ? "mem" : "pagemap");
	fd = sys_ret(open(path, ret | O_CLOEXEC));
	/* Still the same process: the number was not given to another. */
	ret = fd < 0 ? fd : process_is_there(steward);
	if (!ret)
		wire_fd(out, &fd);
	if (fd >= 0)
		close(fd);
	return ret ? fail_set(fail, ret, "cannot open %s: %s", path, strerror(-ret)) : 0;
}

/**
 * verb_process_signal() - stop the guest's process, have it go on, or end it
 * @steward: with its job
 * @driver: of the guest, or of the one that is to come
 * @in: arguments, not trusted
 * @out: receives what it gives
 * @fail: says why not
 *
 * Return: >= 0 or -errno.
 */
int verb_process_signal(struct steward *steward, const struct guest_driver *driver,
			struct wire *in, struct wire *out, struct fail *fail)
{
	int signal, ret;

	(void)out;
	(void)fail;
	wire_value(in, &signal);
	ret = wire_end(in);
	if (!ret && signal != SIGSTOP && signal != SIGCONT && signal != SIGKILL)
		ret = -EINVAL;
	return ret ? ret : (int)sys_ret(syscall(SYS_pidfd_send_signal,
						driver->pidfd(steward->guest), signal, NULL, 0));
}

/* ---- the other host, and one file ---------------------------------------- */

/* Where its peer is now, and where it was when the guest left for it. */
static bool is_called(const struct steward_job *job, const char *host)
{
	return !strcmp(host, job->peer) || (*job->went_to && !strcmp(host, job->went_to));
}

/**
 * verb_dial() - connect to the other host of this migration
 * @steward: with its job
 * @driver: of the guest, or of the one that is to come
 * @in: arguments, not trusted
 * @out: receives what it gives
 * @fail: says why not
 *
 * Return: >= 0 or -errno.
 */
int verb_dial(struct steward *steward, const struct guest_driver *driver,
	      struct wire *in, struct wire *out, struct fail *fail)
{
	char host[sizeof(steward->job.peer)], congestion[16];
	struct address address;
	int fd, timeout_ms, ret;

	(void)driver;
	wire_chars(in, host, sizeof(host));
	wire_chars(in, congestion, sizeof(congestion));
	wire_value(in, &timeout_ms);
	ret = wire_end(in);
	if (!ret && !is_called(&steward->job, host))
		ret = fail_set(fail, -EACCES, "'%s' is not the host of this migration", host);
	if (!ret)
		ret = address_parse(host, &address, fail);
	if (ret)
		return ret;
	fd = address_connect(&address, *congestion ? congestion : NULL, timeout_ms, fail);
	if (fd < 0)
		return fd;
	wire_fd_give(out, fd);
	return 0;
}

/* What this migration keeps in the run directory, and no other file. */
static int own_path(const struct steward *steward, struct wire *in, char *path, size_t size)
{
	const char *run_dir = steward->job.host.run_dir, *id = steward->job.id;
	const char *side = side_name(steward->job.side);
	char mine[512];

	wire_chars(in, path, size);
	snprintf(mine, sizeof(mine), "%s/testament.%s.%s", run_dir, id, side);
	if (!strcmp(path, mine))
		return 0;
	strncat(mine, ".new", sizeof(mine) - strlen(mine) - 1);
	if (!strcmp(path, mine))
		return 0;
	snprintf(mine, sizeof(mine), "%s/pages-%s", run_dir, id);
	return steward->job.side == SIDE_DEST && !strcmp(path, mine) ? 0 : -EACCES;
}

/**
 * verb_file_open() - open a file of this migration
 * @steward: with its job
 * @driver: not used
 * @in: path and flags, not trusted
 * @out: receives the descriptor
 * @fail: not used
 *
 * Return: 0 or -errno.
 */
int verb_file_open(struct steward *steward, const struct guest_driver *driver,
		   struct wire *in, struct wire *out, struct fail *fail)
{
	char path[512];
	int flags, fd, ret = own_path(steward, in, path, sizeof(path));

	(void)driver;
	(void)fail;
	wire_value(in, &flags);
	if (!ret)
		ret = wire_end(in);
	if (!ret && flags & ~(O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC))
		ret = -EINVAL;
	if (ret)
		return ret;
	fd = sys_ret(open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600));
	if (fd < 0)
		return fd;
	wire_fd_give(out, fd);
	return 0;
}

/**
 * verb_file_rename() - put a file of this migration in the place of another
 * @steward: with its job
 * @driver: not used
 * @in: both paths, not trusted
 * @out: not used
 * @fail: not used
 *
 * Return: 0 or -errno.
 */
int verb_file_rename(struct steward *steward, const struct guest_driver *driver,
		     struct wire *in, struct wire *out, struct fail *fail)
{
	char from[512], to[512];
	int ret = own_path(steward, in, from, sizeof(from));
	int other = own_path(steward, in, to, sizeof(to));

	(void)driver;
	(void)out;
	(void)fail;
	ret = ret ? ret : other ? other : wire_end(in);
	return ret ? ret : sys_ret(rename(from, to));
}

/**
 * verb_file_remove() - remove a file of this migration
 * @steward: with its job
 * @driver: not used
 * @in: its path, not trusted
 * @out: not used
 * @fail: not used
 *
 * Return: 0 or -errno.
 */
int verb_file_remove(struct steward *steward, const struct guest_driver *driver,
		     struct wire *in, struct wire *out, struct fail *fail)
{
	char path[512];
	int ret = own_path(steward, in, path, sizeof(path));

	(void)driver;
	(void)out;
	(void)fail;
	return ret ? ret : wire_end(in) ?: sys_ret(unlink(path));
}

/* ---- for a successor ------------------------------------------------------ */

/**
 * verb_process_started() - when a process started, as everybody may see
 * @steward: not used
 * @driver: not used
 * @in: its number
 * @out: receives ticks since boot, 0: there is none
 * @fail: not used
 *
 * Return: 0 or -errno.
 */
int verb_process_started(struct steward *steward, const struct guest_driver *driver,
			 struct wire *in, struct wire *out, struct fail *fail)
{
	uint64_t started;
	pid_t pid;
	int ret;

	(void)steward;
	(void)driver;
	(void)fail;
	wire_value(in, &pid);
	ret = wire_end(in);
	if (ret)
		return ret;
	ret = proc_start(pid, &started);
	if (ret && ret != -ESRCH)
		return ret;
	/* One that has ended, and nobody has waited for, started at no time. */
	if (ret || !proc_lives(pid, started))
		started = 0;
	wire_value(out, &started);
	return 0;
}

/**
 * verb_process_of() - the number of the guest's process
 * @steward: with an open guest
 * @driver: of the guest
 * @in: nothing
 * @out: not used
 * @fail: not used
 *
 * Return: it, or -errno.
 */
int verb_process_of(struct steward *steward, const struct guest_driver *driver,
		    struct wire *in, struct wire *out, struct fail *fail)
{
	(void)out;
	(void)fail;
	return wire_end(in) ?: proc_of_pidfd(driver->pidfd(steward->guest));
}

/**
 * verb_files() - the files of a guest's regions, from its process
 * @steward: with an open guest
 * @driver: not used
 * @in: description with regions, not trusted
 * @out: receives it with their files
 * @fail: says which cannot be opened
 *
 * Return: 0 or -errno.
 */
int verb_files(struct steward *steward, const struct guest_driver *driver,
	       struct wire *in, struct wire *out, struct fail *fail)
{
	struct guest_description description = { .pid = 0 };
	int ret;

	(void)driver;
	wire_description(in, &description);
	ret = wire_end(in);
	/* Of no other process, whatever it says. */
	description.pid = __atomic_load_n(&steward->pid, __ATOMIC_RELAXED);
	if (!ret)
		ret = maps_open_regions(&description, fail);
	if (!ret)
		wire_description(out, &description);
	guest_description_fini(&description);
	return ret;
}
