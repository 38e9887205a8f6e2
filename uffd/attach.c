/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attach.c - a userfaultfd of somebody else's process.
 *
 * The descriptor is made inside the process, which keeps it: if ours were
 * the only one and we died, its missing pages would read as zero.
 */
#include <stdio.h>
#include <string.h>

#include "uffd/uffd.h"
#include "uffd/inject.h"
#include "uffd/sys.h"

#define UFFD_FLAGS	(O_CLOEXEC | O_NONBLOCK)

/* What recvmsg() needs, at the start of scratch memory over there. */
struct parcel {
	int pair[2];
	char byte;
	struct iovec iov;
	struct msghdr message;
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
};

static void close_remote(struct inject *inject, int fd)
{
	inject_call(inject, __NR_close, INJECT_ARGS((uint64_t)fd));
}

static int send_fd(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .header = {
		.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t ret;

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	ret = sys_ret(sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
	return ret < 0 ? (int)ret : 0;
}

/* Our descriptor, over a socket pair of theirs, becomes one of theirs. */
static int pass_device(struct inject *inject, int pidfd, const int pair[2])
{
	int device, socket, ret;

	device = sys_ret(open("/dev/userfaultfd", O_RDWR | O_CLOEXEC));
	if (device < 0)
		return device;
	socket = sys_pidfd_getfd(pidfd, pair[1]);
	ret = socket;
	if (socket >= 0) {
		ret = send_fd(socket, device);
		close(socket);
	}
	close(device);
	return inject->broken ? inject->broken : ret;
}

static int receive_device(struct inject *inject, uint64_t scratch,
			  const struct parcel *parcel)
{
	struct parcel got;
	int64_t ret;
	int device;

	ret = inject_call(inject, __NR_recvmsg, INJECT_ARGS(
			  (uint64_t)parcel->pair[0],
			  scratch + offsetof(struct parcel, message),
			  MSG_CMSG_CLOEXEC | MSG_DONTWAIT));
	if (ret < 0)
		return (int)ret;
	ret = sys_peek(inject->pid, scratch, &got, sizeof(got));
	if (ret)
		return (int)ret;
	if (got.control.header.cmsg_len != CMSG_LEN(sizeof(int)) ||
	    got.control.header.cmsg_type != SCM_RIGHTS)
		return -EMFILE;		/* no room in its table */
	memcpy(&device, CMSG_DATA(&got.control.header), sizeof(device));
	return device;
}

static int uffd_from_device(struct inject *inject, int device)
{
	int64_t uffd = inject_call(inject, __NR_ioctl, INJECT_ARGS(
				   (uint64_t)device, USERFAULTFD_IOC_NEW,
				   UFFD_FLAGS));

	close_remote(inject, device);
	return (int)uffd;
}

static int through_socket(struct inject *inject, int pidfd, uint64_t scratch)
{
	struct parcel parcel = {
		.iov = {
			(void *)(scratch + offsetof(struct parcel, byte)), 1,
		},
		.message = {
			.msg_iov = (void *)(scratch +
					    offsetof(struct parcel, iov)),
			.msg_iovlen = 1,
			.msg_control = (void *)(scratch +
					offsetof(struct parcel, control)),
			.msg_controllen = sizeof(parcel.control),
		},
	};
	int64_t ret;

	ret = inject_call(inject, __NR_socketpair, INJECT_ARGS(
			  AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			  0, scratch));
	if (ret < 0)
		return (int)ret;
	ret = sys_peek(inject->pid, scratch, parcel.pair, sizeof(parcel.pair));
	if (ret)
		return (int)ret;
	ret = sys_poke(inject->pid, scratch, &parcel, sizeof(parcel));
	if (!ret)
		ret = pass_device(inject, pidfd, parcel.pair);
	if (!ret)
		ret = receive_device(inject, scratch, &parcel);
	if (ret >= 0)
		ret = uffd_from_device(inject, (int)ret);
	close_remote(inject, parcel.pair[0]);
	close_remote(inject, parcel.pair[1]);
	return (int)ret;
}

/* A process without rights makes one from the device that we may open. */
static int make_by_device(struct inject *inject, int pidfd)
{
	const size_t size = 4096;
	uint64_t scratch;
	int ret;

	ret = inject_scratch(inject, size, &scratch);
	if (ret)
		return ret;
	ret = through_socket(inject, pidfd, scratch);
	inject_scratch_free(inject, size, scratch);
	return ret;
}

static int attach_inside(struct inject *inject, void *arg)
{
	struct uffd_attachment *attachment = arg;
	int64_t remote;
	int uffd;

	remote = sys_pidfd_alive(attachment->pidfd);
	if (remote)
		return (int)remote;
	remote = inject_call(inject, __NR_userfaultfd,
			     INJECT_ARGS(UFFD_FLAGS));
	if (remote == -EPERM || remote == -ENOSYS)
		remote = make_by_device(inject, attachment->pidfd);
	if (remote < 0)
		return (int)remote;
	uffd = sys_pidfd_getfd(attachment->pidfd, (int)remote);
	if (uffd < 0) {
		close_remote(inject, (int)remote);
		return uffd == -EBADF ? -ESRCH : uffd;	/* is ending */
	}
	attachment->uffd = uffd;
	attachment->remote_fd = (int)remote;
	return 0;
}

/**
 * uffd_attach() - make a userfaultfd inside another process
 * @pid: the process, of any privilege; it needs no knowledge of us
 * @attachment: receives the attachment; unchanged on an error
 *
 * One of its threads is stopped for a moment. The descriptor is full (not
 * user-mode-only) and not enabled. On an error nothing is left in there.
 *
 * Return: 0 or -errno as inject_run(); -EPERM: we lack CAP_SYS_PTRACE (or
 * /dev/userfaultfd, if the process lacks it too); -EMFILE: its table of
 * descriptors is full.
 */
int uffd_attach(pid_t pid, struct uffd_attachment *attachment)
{
	struct uffd_attachment made = {
		.pid = pid, .pidfd = -1, .uffd = -1, .remote_fd = -1,
	};
	int ret;

	if (pid <= 0)
		return -EINVAL;
	made.pidfd = sys_pidfd_open(pid);
	if (made.pidfd < 0)
		return made.pidfd;
	ret = inject_run(pid, attach_inside, &made);
	if (ret) {
		uffd_attachment_close(&made);
		return ret;
	}
	*attachment = made;
	return 0;
}

static bool is_userfaultfd(const char *path)
{
	static const char expected[] = "anon_inode:[userfaultfd]";
	char link[64];
	ssize_t len = sys_ret(readlink(path, link, sizeof(link)));

	return len == (ssize_t)strlen(expected) &&
	       !memcmp(link, expected, (size_t)len);
}

/**
 * uffd_adopt() - take a descriptor that was left in another process
 * @pid: the process
 * @remote_fd: its number there, as uffd_attach() told
 * @attachment: receives the attachment; unchanged on an error
 *
 * Nothing is stopped. What was enabled and registered still is; faults that
 * a dead handler had read come again after uffd_wake().
 *
 * Return: 0; -EBADF: no userfaultfd has that number there; or -errno.
 */
int uffd_adopt(pid_t pid, int remote_fd, struct uffd_attachment *attachment)
{
	struct uffd_attachment made = { .pid = pid, .remote_fd = remote_fd };
	char path[64];
	int ret = 0;

	if (pid <= 0 || remote_fd < 0)
		return -EINVAL;
	made.pidfd = sys_pidfd_open(pid);
	if (made.pidfd < 0)
		return made.pidfd;
	made.uffd = sys_pidfd_getfd(made.pidfd, remote_fd);
	if (made.uffd < 0)
		ret = made.uffd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", made.uffd);
	if (!ret && !is_userfaultfd(path))
		ret = -EBADF;
	if (ret) {
		uffd_attachment_close(&made);
		return ret;
	}
	*attachment = made;
	return 0;
}

/* The number may be another file's by now: its owner is a free program. */
static bool is_ours(const struct uffd_attachment *attachment)
{
	char path[64];
	int same = sys_kcmp_file(attachment->pid, attachment->remote_fd,
				 attachment->uffd);

	if (same != -ENOSYS)
		return same == 0;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", attachment->pid,
		 attachment->remote_fd);
	return is_userfaultfd(path);
}

static int detach_inside(struct inject *inject, void *arg)
{
	struct uffd_attachment *attachment = arg;

	if (sys_pidfd_alive(attachment->pidfd))
		return -ESRCH;
	if (!is_ours(attachment))
		return -EBADF;
	return (int)inject_call(inject, __NR_close, INJECT_ARGS(
				(uint64_t)attachment->remote_fd));
}

/**
 * uffd_detach() - close the descriptor in the process, and ours
 * @attachment: an attachment whose ranges are unregistered
 *
 * Return: 0, also when the process is gone; -EBADF: the number is not our
 * userfaultfd any more (ours is closed); else -errno as inject_run(), and
 * the attachment stands.
 */
int uffd_detach(struct uffd_attachment *attachment)
{
	int ret = inject_run(attachment->pid, detach_inside, attachment);

	if (ret && ret != -ESRCH && ret != -EBADF)
		return ret;
	uffd_attachment_close(attachment);
	return ret == -EBADF ? ret : 0;
}

/**
 * uffd_attachment_close() - close our descriptors; the process keeps its own
 * @attachment: an attachment, or one that was closed
 */
void uffd_attachment_close(struct uffd_attachment *attachment)
{
	if (attachment->uffd >= 0)
		close(attachment->uffd);
	if (attachment->pidfd >= 0)
		close(attachment->pidfd);
	attachment->uffd = -1;
	attachment->pidfd = -1;
}
