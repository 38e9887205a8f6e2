/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virt_host.c - bring two libvirt hosts up, run programs there, end them. */
#include "virt_host.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "directory.h"
#include "process.h"
#include "program.h"
#include "sys.h"
#include "virt_config.h"
#include "virt_holder.h"

#define LIBVIRTD_LOG	"libvirtd.log"
#define READY_TRIES	1200	/* 50 ms apart */
#define TRY_MS		50
#define RUN_TIMEOUT_MS	120000
#define STOP_TIMEOUT_MS	30000

/* ---- programs ----------------------------------------------------------- */

/* Forget those that were reaped. */
static void programs_sweep(struct virt_host *virt)
{
	size_t i, kept = 0;

	for (i = 0; i < virt->program_count; i++) {
		siginfo_t info;
		int fd = virt->programs[i];

		if (sys_ret(waitid(P_PIDFD, (id_t)fd, &info,
				   WEXITED | WNOHANG | WNOWAIT)) == -ECHILD)
			close(fd);
		else
			virt->programs[kept++] = fd;
	}
	virt->program_count = kept;
}

static pid_t program_start(struct virt_host *virt, const char *const argv[],
			   int output)
{
	char path[512];
	pid_t pid;
	int fd;

	programs_sweep(virt);
	if (virt->program_count == VIRT_PROGRAMS_MAX)
		return -EAGAIN;
	build_path(path, sizeof(path), argv[0]);
	pid = virt_holder_exec(virt, path, argv, output);
	if (pid < 0)
		return pid;
	fd = (int)sys_ret(syscall(SYS_pidfd_open, pid, 0));
	if (fd >= 0)
		virt->programs[virt->program_count++] = fd;
	return pid;
}

/**
 * virt_host_spawn() - start a program inside all namespaces of a host
 * @virt: where
 * @argv: its arguments; the first is its path for build_path()
 * @log: the file for host_log() that its output is added to
 * @fail: says why not
 *
 * Return: its pid out here, a child of the caller; or -errno.
 */
pid_t virt_host_spawn(struct virt_host *virt, const char *const argv[],
		      const char *log, struct fail *fail)
{
	__cleanup_fd int output = -1;
	char path[256];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/%s", virt->host->dir, log);
	output = sys_ret(open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
			      0644));
	pid = output < 0 ? output : program_start(virt, argv, output);
	if (pid < 0)
		fail_set(fail, pid, "cannot start %s on host %s: %s", argv[0],
			 virt->host->name, strerror(-pid));
	return pid;
}

/**
 * virt_host_run() - run a program inside of a host to its end
 * @virt: where
 * @argv: its arguments; the first is its path for build_path()
 * @text: receives its output as a string; NULL: nobody wants it
 * @size: of @text
 * @fail: says why not; also when it said something and ended with an error
 *
 * Return: its exit code, 128 + the signal that ended it, or -errno:
 * -ETIMEDOUT after two minutes, when it was killed.
 */
int virt_host_run(struct virt_host *virt, const char *const argv[], char *text,
		  size_t size, struct fail *fail)
{
	char log[32], path[256], said[400] = "";
	pid_t pid;
	int ret;

	snprintf(log, sizeof(log), "run.%d", gettid());
	pid = virt_host_spawn(virt, argv, log, fail);
	if (pid < 0)
		return pid;
	ret = process_wait(pid, RUN_TIMEOUT_MS);
	if (ret == -ETIMEDOUT) {
		kill(pid, SIGKILL);
		process_wait(pid, -1);
	}
	if (text && size)
		host_log(virt->host, log, text, size);
	host_log(virt->host, log, said, sizeof(said));
	if (ret)
		fail_set(fail, ret, "%s on host %s ended with %d: %s", argv[0],
			 virt->host->name, ret, said);
	snprintf(path, sizeof(path), "%s/%s", virt->host->dir, log);
	unlink(path);
	return ret;
}

/* Its pid in its own namespace, the innermost; 0: it is gone. */
static pid_t inner_pid(const char *pid)
{
	__cleanup_file FILE *file = NULL;
	char path[64], line[256];
	pid_t inner = 0;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "NSpid:", 6))
			inner = atoi(strrchr(line, '\t') + 1);
	return inner;
}

static bool is_inside(const struct virt_host *virt, const char *pid)
{
	char path[64];
	struct stat its, ours;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", virt->holder_pid);
	if (stat(path, &ours))
		return false;
	snprintf(path, sizeof(path), "/proc/%s/ns/pid", pid);
	return !stat(path, &its) && its.st_ino == ours.st_ino;
}

/**
 * virt_host_pid() - the pid out here of a process in a host
 * @virt: the host
 * @pid: what the host calls it, as in QEMU's pid file
 *
 * Return: its pid, or -ESRCH.
 */
pid_t virt_host_pid(const struct virt_host *virt, pid_t pid)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	pid_t found = -ESRCH;

	while (proc && found < 0 && (entry = readdir(proc)))
		if (atoi(entry->d_name) > 0 && is_inside(virt, entry->d_name) &&
		    inner_pid(entry->d_name) == pid)
			found = atoi(entry->d_name);
	if (proc)
		closedir(proc);
	return found;
}

/* ---- files -------------------------------------------------------------- */

static int file_open(const struct virt_host *virt, const char *path, int flags)
{
	char outside[512];

	snprintf(outside, sizeof(outside), "/proc/%d/root%s", virt->holder_pid,
		 path);
	return sys_ret(open(outside, flags | O_CLOEXEC, 0644));
}

/**
 * virt_host_read() - read a file of a host
 * @virt: the host
 * @path: of the file as the host has it; no symbolic links
 * @text: receives it as a string, as much as fits of its end
 * @size: of @text
 *
 * Return: 0 or -errno.
 */
int virt_host_read(const struct virt_host *virt, const char *path, char *text,
		   size_t size)
{
	__cleanup_fd int fd = file_open(virt, path, O_RDONLY);
	off_t end, room = (off_t)size - 1;
	ssize_t got;

	if (fd < 0)
		return fd;
	end = lseek(fd, 0, SEEK_END);
	got = sys_retry(pread(fd, text, size - 1, end > room ? end - room : 0));
	text[got > 0 ? got : 0] = '\0';
	return got < 0 ? (int)got : 0;
}

/**
 * virt_host_write() - write a file of a host
 * @virt: the host
 * @path: of the file as the host has it; what is there is replaced
 * @text: what is to be in it
 *
 * Return: 0 or -errno.
 */
int virt_host_write(const struct virt_host *virt, const char *path,
		    const char *text)
{
	__cleanup_fd int fd = file_open(virt, path,
					O_WRONLY | O_CREAT | O_TRUNC);

	return fd < 0 ? fd : sys_write_all(fd, text, strlen(text));
}

/* ---- libvirtd ----------------------------------------------------------- */

static bool listens(const struct virt_host *virt)
{
	__cleanup_fd int fd = sys_ret(socket(AF_UNIX,
					     SOCK_STREAM | SOCK_CLOEXEC, 0));
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(virt->dir) + strlen("/run/libvirt-sock") >=
	    sizeof(address.sun_path))
		return false;
	strcat(strcpy(address.sun_path, virt->dir), "/run/libvirt-sock");
	return fd >= 0 && !connect(fd, (struct sockaddr *)&address,
				   sizeof(address));
}

static int libvirtd_spawn(struct virt_host *virt, struct fail *fail)
{
	static const char *const argv[] = { VIRT_LIBVIRTD, NULL };
	pid_t pid = virt_host_spawn(virt, argv, LIBVIRTD_LOG, fail);

	if (pid < 0)
		return pid;
	virt->libvirtd = pid;
	return 0;
}

/* It answers when its drivers are there, so the answer is worth waiting for. */
static int libvirtd_wait(struct virt_host *virt, struct fail *fail)
{
	static const char *const argv[] = {
		"/usr/bin/virsh", "-c", "qemu:///system", "uri", NULL
	};
	char log[400] = "";
	int i, ret = -ETIMEDOUT;

	for (i = 0; i < READY_TRIES && ret == -ETIMEDOUT; i++) {
		if (listens(virt))
			return virt_host_run(virt, argv, NULL, 0, fail) ?
				-ENOTCONN : 0;
		ret = process_wait(virt->libvirtd, TRY_MS);
	}
	if (ret >= 0)
		virt->libvirtd = 0;
	host_log(virt->host, LIBVIRTD_LOG, log, sizeof(log));
	return fail_set(fail, -ENOTCONN, "libvirtd of host %s does not answer: %s",
			virt->host->name, log);
}

/**
 * virt_host_start_libvirtd() - start a host's libvirtd, wait until it answers
 * @virt: the host; its libvirtd does not run
 * @fail: says why not, with libvirtd's own words
 *
 * Return: 0 or -errno.
 */
int virt_host_start_libvirtd(struct virt_host *virt, struct fail *fail)
{
	int ret = libvirtd_spawn(virt, fail);

	return ret ? ret : libvirtd_wait(virt, fail);
}

/**
 * virt_host_stop_libvirtd() - end a host's libvirtd; its domains run on
 * @virt: the host; its libvirtd runs
 * @signal: how: SIGTERM or SIGKILL
 *
 * Return: its exit code, 128 + the signal that ended it, or -errno.
 */
int virt_host_stop_libvirtd(struct virt_host *virt, int signal)
{
	int ret;

	if (virt->libvirtd <= 0)
		return -ESRCH;
	kill(virt->libvirtd, signal);
	ret = process_wait(virt->libvirtd, STOP_TIMEOUT_MS);
	if (ret >= 0)
		virt->libvirtd = 0;
	return ret;
}

/* ---- hosts -------------------------------------------------------------- */

static int virt_start(struct virt_host *virt, const struct host *host,
		      const struct two_hosts *hosts,
		      const struct virt_options *options, struct fail *fail)
{
	int ret;

	virt->host = host;
	virt->options = *options;
	if (!virt->options.qemu)
		virt->options.qemu = VIRT_QEMU;
	snprintf(virt->dir, sizeof(virt->dir), "%s/virt", host->dir);
	snprintf(virt->shared, sizeof(virt->shared), "%s/%s", hosts->dir,
		 VIRT_SHARED_DIR);
	ret = virt_config_write(virt, hosts, fail);
	if (!ret)
		ret = virt_holder_start(virt, fail);
	return ret ? ret : libvirtd_spawn(virt, fail);
}

static void virt_stop(struct virt_host *virt)
{
	if (virt_holder_stop(virt))
		printf("# host %s does not end\n", virt->host->name);
	if (*virt->dir)
		directory_remove(virt->dir);
}

/**
 * virt_hosts_create() - make two hosts libvirt hosts, with guests' bridges
 * @virts: receives what virt_hosts_destroy() frees
 * @hosts: their network and folders; destroyed by the caller, afterwards
 * @options: of both; NULL: the first of each
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int virt_hosts_create(struct virt_hosts **virts, struct two_hosts *hosts,
		      const struct virt_options *options, struct fail *fail)
{
	static const struct virt_options none;
	struct virt_hosts *created = calloc(1, sizeof(*created));
	const struct virt_options *chosen = options ? options : &none;
	int ret;

	if (!created)
		return fail_set(fail, -ENOMEM, "no memory for libvirt hosts");
	created->source.holder = created->source.lifeline = -1;
	created->dest.holder = created->dest.lifeline = -1;
	ret = segment_create(&created->segment, hosts, fail);
	if (!ret)
		ret = virt_start(&created->source, &hosts->source, hosts,
				 chosen, fail);
	if (!ret)
		ret = virt_start(&created->dest, &hosts->dest, hosts, chosen,
				 fail);
	if (!ret)
		ret = libvirtd_wait(&created->source, fail);
	if (!ret)
		ret = libvirtd_wait(&created->dest, fail);
	if (ret)
		virt_hosts_destroy(created);
	else
		*virts = created;
	return ret;
}

/**
 * virt_hosts_destroy() - end all that runs in two libvirt hosts, remove it
 * @virts: may be NULL
 */
void virt_hosts_destroy(struct virt_hosts *virts)
{
	if (!virts)
		return;
	virt_stop(&virts->source);
	virt_stop(&virts->dest);
	if (*virts->source.shared)
		directory_remove(virts->source.shared);
	segment_destroy(virts->segment);
	free(virts);
}
