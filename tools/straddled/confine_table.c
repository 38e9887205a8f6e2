/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * confine_table.c - the system calls of a confined worker, and why.
 *
 * All others kill it (SIGSYS; the kernel's log says which call it was). Nothing
 * here opens a file, makes a socket, or starts or looks into a process: where
 * that is needed the steward does it, or the broker.
 */
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/prctl.h>

#include "confine.h"
#include "uffd/sys.h"

#define FREE(name_)	{ .call = SCMP_SYS(name_) }
#define RULE(name_, rule_) { .call = SCMP_SYS(name_), .rule = rule_ }
#define REFUSED(name_, error_) \
	{ .call = SCMP_SYS(name_), .rule = CALL_REFUSED, .error = error_ }
#define VALUES(name_, rule_, values_) \
	{ .call = SCMP_SYS(name_), .rule = rule_, .values = values_, \
	  .count = sizeof(values_) / sizeof((values_)[0]) }

/* On userfaultfds and a pagemap that it was handed; FIONREAD and TCGETS: stdio. */
static const uint64_t ioctls[] = {
	UFFDIO_API, UFFDIO_REGISTER, UFFDIO_UNREGISTER, UFFDIO_WAKE, UFFDIO_COPY,
	UFFDIO_ZEROPAGE, UFFDIO_CONTINUE, UFFDIO_WRITEPROTECT, UFFDIO_POISON,
	PAGEMAP_SCAN, FIONREAD, TCGETS,
};

/* Not F_SETOWN, which sends signals, and no locks. */
static const uint64_t fcntls[] = {
	F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GET_SEALS,
};

static const uint64_t prctls[] = { PR_SET_NAME, PR_GET_NAME };

static const struct confine_call lanes[] = {
	FREE(read), FREE(write), FREE(readv), FREE(writev),
	FREE(sendto), FREE(recvfrom), FREE(sendmsg), FREE(recvmsg),
	FREE(sendmmsg), FREE(recvmmsg),
	FREE(poll), FREE(ppoll), FREE(select), FREE(pselect6),
	FREE(epoll_create1), FREE(epoll_ctl), FREE(epoll_wait), FREE(epoll_pwait),
	FREE(accept4), FREE(shutdown), FREE(getsockopt), FREE(setsockopt),
	FREE(getsockname), FREE(getpeername), FREE(close),
	VALUES(fcntl, CALL_ONE_OF_1, fcntls),
};

static const struct confine_call memory[] = {
	FREE(pread64), FREE(pwrite64), FREE(preadv), FREE(pwritev),
	FREE(preadv2), FREE(pwritev2), FREE(lseek), FREE(fallocate),
	FREE(ftruncate), FREE(fsync), FREE(fstat), FREE(newfstatat), FREE(statx),
	FREE(memfd_create), FREE(mincore),
	VALUES(ioctl, CALL_ONE_OF_1, ioctls),
};

static const struct confine_call own_memory[] = {
	RULE(mmap, CALL_NOT_EXEC), RULE(mprotect, CALL_NOT_EXEC),
	FREE(munmap), FREE(mremap), FREE(madvise), FREE(brk), FREE(msync),
	FREE(membarrier),
};

static const struct confine_call threads[] = {
	RULE(clone, CALL_THREADS),
	REFUSED(clone3, ENOSYS),	/* its flags are out of sight: libc takes clone() */
	FREE(futex), FREE(futex_waitv), FREE(set_robust_list), FREE(rseq),
	FREE(exit), FREE(exit_group), FREE(gettid), FREE(getpid),
	FREE(sched_yield), FREE(sched_getaffinity), FREE(getcpu),
	FREE(setpriority), FREE(getpriority),
	VALUES(prctl, CALL_ONE_OF_0, prctls),
};

static const struct confine_call waiting[] = {
	FREE(eventfd2), FREE(timerfd_create), FREE(timerfd_settime),
	FREE(timerfd_gettime), FREE(clock_gettime), FREE(clock_getres),
	FREE(clock_nanosleep), FREE(nanosleep), FREE(gettimeofday), FREE(time),
	FREE(restart_syscall), FREE(pipe2), FREE(dup), FREE(dup3),
};

static const struct confine_call signals[] = {
	FREE(rt_sigaction), FREE(rt_sigprocmask), FREE(rt_sigreturn),
	FREE(sigaltstack),
	RULE(tgkill, CALL_SELF),	/* abort() */
	FREE(wait4), FREE(waitid),	/* for the steward, its only child */
};

static const struct confine_call itself[] = {
	FREE(getrandom), FREE(uname), FREE(getuid), FREE(geteuid), FREE(getgid),
	FREE(getegid), FREE(getppid), FREE(sysinfo), FREE(getrusage), FREE(times),
};

/* Libraries try these and can do without: time zones, numbers of CPUs, files of
 * settings, limits. */
static const struct confine_call tried[] = {
	REFUSED(open, EACCES), REFUSED(openat, EACCES), REFUSED(openat2, EACCES),
	REFUSED(access, EACCES), REFUSED(faccessat, EACCES),
	REFUSED(faccessat2, EACCES), REFUSED(stat, EACCES),
	REFUSED(lstat, EACCES), REFUSED(readlink, EACCES),
	REFUSED(readlinkat, EACCES), REFUSED(prlimit64, EPERM),
	REFUSED(userfaultfd, EPERM),	/* which features there are was asked before */
};

#define GROUP(calls_, why_) \
	{ why_, calls_, sizeof(calls_) / sizeof((calls_)[0]) }

const struct confine_group confine_table[] = {
	GROUP(lanes, "bytes over connections that were handed to it: the other host's, "
	      "the agent's, the broker's, the steward's, a guest's disk's"),
	GROUP(memory, "the guest's memory, its userfaultfds and page tables, by "
	      "descriptors; the states of its pages and devices; the file of a rescue"),
	GROUP(own_memory, "its own memory, no part of it executable"),
	GROUP(threads, "threads, which have names and priorities; no processes"),
	GROUP(waiting, "to wait, and to wake one's own threads"),
	GROUP(signals, "signals of its own, and the end of its steward"),
	GROUP(itself, "to know itself"),
	GROUP(tried, "refused with an error instead of death, as libraries try them"),
};

const size_t confine_table_count = sizeof(confine_table) / sizeof(confine_table[0]);
