/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys.h - what uffd/ asks of the kernel, answering 0, a count or -errno.
 *
 * With tools/include/sys.h, which it extends, the one place where errno is
 * read.
 */
#ifndef STRADDLE_UFFD_SYS_H
#define STRADDLE_UFFD_SYS_H

#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <sys.h>

#include "uffd/compat.h"

/* ioctl() with a structure that carries the answer too. */
static inline int sys_ioctl(int fd, unsigned long request, void *arg)
{
	return sys_ret(ioctl(fd, request, arg));
}

static inline int sys_userfaultfd(int flags)
{
	return (int)sys_ret(syscall(__NR_userfaultfd, flags));
}

static inline int sys_pidfd_open(pid_t pid)
{
	return (int)sys_ret(syscall(__NR_pidfd_open, pid, 0));
}

static inline int sys_pidfd_getfd(int pidfd, int fd)
{
	return (int)sys_ret(syscall(__NR_pidfd_getfd, pidfd, fd, 0));
}

/*
 * 0: the process of @pidfd lives (perhaps as a zombie); else -ESRCH. One that
 * we may not signal, another user's without CAP_KILL, was found: it lives.
 */
static inline int sys_pidfd_alive(int pidfd)
{
	int ret = (int)sys_ret(syscall(__NR_pidfd_send_signal, pidfd, 0,
				       NULL, 0));

	return ret == -EPERM ? 0 : ret;
}

/* 0 when @fd here and @other_fd in @pid are the same open file. */
static inline int sys_kcmp_file(pid_t pid, int other_fd, int fd)
{
	return (int)sys_ret(syscall(__NR_kcmp, getpid(), pid, 0, fd,
				    other_fd));
}

static inline int sys_ptrace(int request, pid_t tid, uintptr_t addr,
			     uintptr_t data)
{
	return (int)sys_ret(ptrace(request, tid, addr, data));
}

/* Bytes of another process's memory; -EFAULT when not all are there. */
static inline int sys_peek(pid_t pid, uint64_t addr, void *buf, size_t size)
{
	struct iovec ours = { buf, size };
	struct iovec theirs = { (void *)(uintptr_t)addr, size };
	ssize_t got = sys_ret(process_vm_readv(pid, &ours, 1, &theirs, 1, 0));

	if (got < 0)
		return (int)got;
	return (size_t)got == size ? 0 : -EFAULT;
}

static inline int sys_poke(pid_t pid, uint64_t addr, const void *buf,
			   size_t size)
{
	struct iovec ours = { (void *)(uintptr_t)buf, size };
	struct iovec theirs = { (void *)(uintptr_t)addr, size };
	ssize_t put = sys_ret(process_vm_writev(pid, &ours, 1, &theirs, 1, 0));

	if (put < 0)
		return (int)put;
	return (size_t)put == size ? 0 : -EFAULT;
}

#endif
