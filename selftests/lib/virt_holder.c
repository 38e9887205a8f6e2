/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virt_holder.c - namespaces of a host, kept by a process that only reaps.
 *
 * It is process 1 of its PID namespace: when it ends, the kernel kills all the
 * others there, daemons too, and the mounts go with the last of them.
 * libvirtd cannot be process 1 itself: it does not reap what QEMU's start
 * leaves to it, and then waits for minutes.
 */
#include "virt_holder.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "sys.h"
#include "virt_config.h"

#define NAMESPACES	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID)
#define STOP_TIMEOUT_MS	30000

/* ---- in the holder ------------------------------------------------------ */

struct mount {
	const char *type, *target, *options;
	bool make;		/* its mount point, which is in a tmpfs */
};

/*
 * /proc and /sys show what is in the namespaces that they are mounted in. In
 * the others are directories that a machine lacks where libvirtd never ran.
 */
static const struct mount mounts[] = {
	{ "proc", "/proc", NULL, false },
	{ "sysfs", "/sys", NULL, false },
	{ "tmpfs", "/run", "mode=755", false },
	{ "tmpfs", "/var/lib", "mode=755", false },
	{ "tmpfs", "/var/cache", "mode=755", false },
	{ "tmpfs", "/var/log", "mode=755", false },
	{ "hugetlbfs", "/run/hugepages", "pagesize=2M", true },
};

static int mount_one(const struct mount *mount_, struct fail *fail)
{
	int ret;

	if (mount_->make)
		mkdir(mount_->target, 0755);
	ret = sys_ret(mount(mount_->type, mount_->target, mount_->type, 0,
			    mount_->options));
	if (ret)
		fail_set(fail, ret, "cannot mount %s: %s", mount_->target,
			 strerror(-ret));
	return ret;
}

static int bind_one(const char *from, const char *to, struct fail *fail)
{
	int ret = sys_ret(mount(from, to, NULL, MS_BIND, NULL));

	return ret ? fail_set(fail, ret, "cannot mount %s at %s: %s", from, to,
			      strerror(-ret)) : 0;
}

static int mount_all(const struct virt_host *virt, struct fail *fail)
{
	const struct virt_bind *bind;
	char from[256];
	size_t i;
	int ret = sys_ret(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));

	if (ret)
		return fail_set(fail, ret, "cannot make the mounts private");
	umount2("/sys", MNT_DETACH);	/* with the cgroups: libvirt takes none */
	snprintf(from, sizeof(from), "%s/tests", virt->dir);
	if (!access(VIRT_TESTS, F_OK))	/* before it is hidden */
		ret = bind_one(VIRT_TESTS, from, fail);
	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]) && !ret; i++)
		ret = mount_one(&mounts[i], fail);
	for (bind = virt_binds; bind->from && !ret; bind++) {
		if (!bind->is_file)
			mkdir(bind->to, 0755);
		snprintf(from, sizeof(from), "%s/%s", virt->dir, bind->from);
		if (!bind->is_optional || !access(from, F_OK))
			ret = bind_one(from, bind->to, fail);
	}
	mkdir("/run/libvirt", 0755);
	symlink(VIRT_SOCKETS "/libvirt-sock", "/run/libvirt/libvirt-sock");
	return ret ? ret : bind_one(virt->shared, VIRT_SHARED, fail);
}

static int holder_setup(const struct virt_host *virt, struct fail *fail)
{
	int ret = sys_ret(setns(virt->host->netns, CLONE_NEWNET));

	if (!ret)
		ret = sys_ret(sethostname(virt->host->name,
					  strlen(virt->host->name)));
	if (ret)
		return fail_set(fail, ret, "cannot enter host %s: %s",
				virt->host->name, strerror(-ret));
	return mount_all(virt, fail);
}

/* Ends with the test: nobody else has the lifeline's other end. */
static void holder_reap(int signals, int lifeline)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = lifeline, .events = POLLIN },
	};
	struct signalfd_siginfo info;

	while (!fds[1].revents) {
		if (sys_retry(poll(fds, 2, -1)) < 0)
			return;
		if (fds[0].revents)
			sys_retry(read(signals, &info, sizeof(info)));
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static int child_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return sys_ret(signalfd(-1, &set, SFD_CLOEXEC));
}

/* Close what the test had open, so that it does not live on here. */
static void keep_only(int fd)
{
	dup2(open("/dev/null", O_RDWR | O_CLOEXEC), STDIN_FILENO);
	dup2(STDIN_FILENO, STDOUT_FILENO);
	dup2(STDIN_FILENO, STDERR_FILENO);
	if (fd > 3)
		syscall(SYS_close_range, 3, fd - 1, 0);
	syscall(SYS_close_range, fd + 1, ~0u, 0);
}

/* Does not return. */
static void holder_main(const struct virt_host *virt, int report, int lifeline)
{
	struct fail fail = { 0 };

	holder_setup(virt, &fail);
	sys_write_all(report, &fail, sizeof(fail));
	keep_only(lifeline);
	if (!fail.err)
		holder_reap(child_signals(), lifeline);
	_exit(0);
}

/* ---- in the test -------------------------------------------------------- */

/**
 * virt_holder_start() - make the namespaces of a host
 * @virt: the host; its directories are there. Receives the holder, our child
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int virt_holder_start(struct virt_host *virt, struct fail *fail)
{
	struct fail said = { 0 };
	int report[2], lifeline[2], ret;

	if (pipe2(report, O_CLOEXEC) || pipe2(lifeline, O_CLOEXEC))
		return fail_set(fail, -EMFILE, "no pipe for a holder");
	virt->holder_pid = (pid_t)sys_ret(syscall(SYS_clone,
				NAMESPACES | SIGCHLD, 0, 0, 0, 0));
	if (!virt->holder_pid) {
		close(lifeline[1]);
		holder_main(virt, report[1], lifeline[0]);
	}
	close(report[1]);
	close(lifeline[0]);
	virt->lifeline = lifeline[1];
	if (virt->holder_pid < 0) {
		close(report[0]);
		return fail_set(fail, virt->holder_pid,
				"cannot create the namespaces of host %s: %s",
				virt->host->name, strerror(-virt->holder_pid));
	}
	virt->holder = (int)sys_ret(syscall(SYS_pidfd_open, virt->holder_pid, 0));
	ret = sys_read_all(report[0], &said, sizeof(said));
	close(report[0]);
	if (ret || virt->holder < 0)
		return fail_set(fail, -ECHILD, "the holder of host %s ended",
				virt->host->name);
	return said.err ? fail_set(fail, said.err, "%s", said.text) : 0;
}

static void children_reap(struct virt_host *virt)
{
	siginfo_t info;
	size_t i;

	for (i = 0; i < virt->program_count; i++) {
		waitid(P_PIDFD, (id_t)virt->programs[i], &info, WEXITED);
		close(virt->programs[i]);
	}
	virt->program_count = 0;
}

/**
 * virt_holder_stop() - end all that runs in a host
 * @virt: the host; one that did not start is fine
 *
 * The kernel lets the holder end after its whole namespace, and that waits
 * for us to reap those that are our children: so these come first.
 *
 * Return: 0, or -ETIMEDOUT when something does not die.
 */
int virt_holder_stop(struct virt_host *virt)
{
	siginfo_t info;
	int ret = 0;

	if (virt->lifeline >= 0)
		close(virt->lifeline);
	virt->lifeline = -1;
	if (virt->holder < 0)
		return 0;
	syscall(SYS_pidfd_send_signal, virt->holder, SIGKILL, NULL, 0);
	children_reap(virt);
	ret = sys_wait_fd(virt->holder, POLLIN, STOP_TIMEOUT_MS);
	if (!ret)
		waitid(P_PIDFD, (id_t)virt->holder, &info, WEXITED);
	close(virt->holder);
	virt->holder = -1;
	return ret;
}

/* Does not return. */
static void program_exec(const char *path, const char *const argv[], int output)
{
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	execv(path, (char *const *)argv);
	dprintf(STDERR_FILENO, "cannot run %s\n", path);
	_exit(127);
}

/*
 * In a child that is there for this only: a PID namespace is for the children
 * of who enters it. The new one becomes the test's own child (CLONE_PARENT).
 */
static void enter_and_clone(const struct virt_host *virt, const char *path,
			    const char *const argv[], int output, int answer)
{
	pid_t pid = (pid_t)sys_ret(setns(virt->holder, CLONE_NEWNET | NAMESPACES));

	setenv("LC_ALL", "C", 1);
	if (!pid)
		pid = (pid_t)sys_ret(syscall(SYS_clone, CLONE_PARENT | SIGCHLD,
					     0, 0, 0, 0));
	if (!pid)
		program_exec(path, argv, output);
	sys_write_all(answer, &pid, sizeof(pid));
	_exit(0);
}

/**
 * virt_holder_exec() - run a program in all namespaces of a host
 * @virt: the host
 * @path: of the program, absolute
 * @argv: its arguments, NULL at the end
 * @output: for its stdout and stderr
 *
 * Return: its pid, a child of the caller; or -errno.
 */
pid_t virt_holder_exec(const struct virt_host *virt, const char *path,
		       const char *const argv[], int output)
{
	int answer[2], ret = sys_ret(pipe2(answer, O_CLOEXEC));
	pid_t helper, pid;

	if (ret)
		return ret;
	helper = sys_ret(fork());
	if (!helper)
		enter_and_clone(virt, path, argv, output, answer[1]);
	close(answer[1]);
	ret = helper < 0 ? helper : sys_read_all(answer[0], &pid, sizeof(pid));
	close(answer[0]);
	if (helper > 0)
		sys_retry(waitpid(helper, NULL, 0));
	return ret ? ret : pid;
}
