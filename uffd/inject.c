/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inject.c - run system calls inside another process.
 *
 * The tracer is a process of its own, made as posix_spawn() makes one
 * (shared memory and descriptors, the calling thread waits): its SIGCHLD is
 * its alone, so stops are awaited with a time limit and without handlers,
 * and it ends its work and frees the thread even if our process is killed.
 *
 * A thread is left only from the trap that PTRACE_INTERRUPT makes, which is
 * where the kernel handles signals. With registers put back as they were,
 * including -ERESTART* and orig_rax, it is the kernel itself that restarts
 * an interrupted call, or hands a signal that arrived meanwhile to its
 * handler (arch_do_signal_or_restart()). Calls are stepped by syscall stops,
 * not by PTRACE_SINGLESTEP, whose forced SIGTRAP resets an ignored or
 * blocked one to its default. No floating-point state is touched.
 */
#ifndef __x86_64__
#error "calls are injected on x86-64 only"
#endif

#include <sched.h>
#include <string.h>

#include "uffd/inject.h"
#include "uffd/sys.h"

#define NEVER		UINT64_MAX
#define LIMIT_NS	UINT64_C(2000000000)	/* to be stopped, all told */
#define TRY_NS		UINT64_C(400000000)	/* for one thread of several */
#define CALL_NS		UINT64_C(250000000)	/* a call begun late */
#define STACK_SIZE	(256u << 10)
#define USER_CS		0x33			/* 64-bit code */
#define ERESTARTNOHAND	514			/* include/linux/errno.h */

static int await_sigchld(uint64_t deadline_ns)
{
	uint64_t now = now_ns(), left;
	struct timespec timeout;
	sigset_t set;
	int ret;

	if (now >= deadline_ns)
		return -ETIMEDOUT;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	left = deadline_ns - now;
	timeout.tv_sec = (time_t)(left / 1000000000u);
	timeout.tv_nsec = (long)(left % 1000000000u);
	ret = sys_ret(sigtimedwait(&set, NULL,
				   deadline_ns == NEVER ? NULL : &timeout));
	return ret == -EAGAIN ? -ETIMEDOUT : 0;
}

/* Wait for the thread's next stop; -ESRCH: it ended, or became another. */
static int await_stop(struct inject *inject, uint64_t deadline_ns, int *status)
{
	int ret;

	for (;;) {
		ret = sys_ret(waitpid(inject->tid, status, __WALL | WNOHANG));
		if (ret < 0)
			return ret == -ECHILD ? -ESRCH : ret;
		if (ret)
			break;
		ret = await_sigchld(deadline_ns);
		if (ret)
			return ret;
	}
	inject->at_trap = *status >> 16 == PTRACE_EVENT_STOP;
	if (!WIFSTOPPED(*status) || *status >> 16 == PTRACE_EVENT_EXEC)
		return -ESRCH;
	return 0;
}

/* The signal that a stop was about and that must go on to the thread. */
static int stop_signal(int status)
{
	int signal = WSTOPSIG(status);

	return status >> 16 || signal == (SIGTRAP | 0x80) ? 0 : signal;
}

/* Let it run, handing on its signals, until it stands at a trap. */
static int await_trap(struct inject *inject, uint64_t deadline_ns)
{
	int status, ret;

	for (;;) {
		ret = await_stop(inject, deadline_ns, &status);
		if (ret || inject->at_trap)
			return ret;
		ret = sys_ptrace(PTRACE_CONT, inject->tid, 0,
				 (uintptr_t)stop_signal(status));
		if (ret)
			return ret;
	}
}

static int interrupt(struct inject *inject, uint64_t deadline_ns)
{
	int ret = sys_ptrace(PTRACE_INTERRUPT, inject->tid, 0, 0);

	return ret ? ret : await_trap(inject, deadline_ns);
}

/*
 * A filter could kill the process for a call that is not its own: suspend
 * it (that takes CAP_SYS_ADMIN), or leave the process alone.
 */
static int seize(struct inject *inject)
{
	uintptr_t options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC;
	int ret;

	ret = sys_ptrace(PTRACE_SEIZE, inject->tid, 0,
			 options | PTRACE_O_SUSPEND_SECCOMP);
	if (ret != -EPERM && ret != -EINVAL)
		return ret;
	if (threads_filtered(inject->tid))
		return ret;
	return sys_ptrace(PTRACE_SEIZE, inject->tid, 0, options);
}

/* These answer -EINTR where others restart, although no handler ran. */
static bool answers_eintr(uint64_t number)
{
	switch (number) {
	case __NR_epoll_wait:
	case __NR_epoll_pwait:
	case 441:				/* epoll_pwait2, 5.11 */
	case __NR_rt_sigtimedwait:
	case __NR_semop:
	case __NR_semtimedop:
	case __NR_io_getevents:
		return true;
	}
	return false;
}

/*
 * The kernel takes a thread that it finds outside of a critical section of
 * restartable sequences as having left it: do what it does to one inside.
 */
static void abort_rseq(struct inject *inject)
{
	struct __ptrace_rseq_configuration config = { 0 };
	struct {
		uint32_t version, flags;
		uint64_t start, len, abort;
	} section;
	uint64_t pointer = 0;

	if (sys_ptrace(PTRACE_GET_RSEQ_CONFIGURATION, inject->tid,
		       sizeof(config), (uintptr_t)&config) < 0 ||
	    !config.rseq_abi_pointer)
		return;
	if (sys_peek(inject->tid, config.rseq_abi_pointer + 8, &pointer,
		     sizeof(pointer)) || !pointer)
		return;
	if (sys_peek(inject->tid, pointer, &section, sizeof(section)))
		return;
	if (inject->saved.rip - section.start < section.len)
		inject->saved.rip = section.abort;
}

static int save(struct inject *inject)
{
	unsigned char code[2];
	int ret;

	ret = sys_ptrace(PTRACE_GETREGS, inject->tid, 0,
			 (uintptr_t)&inject->saved);
	if (ret)
		return ret;
	if (inject->saved.cs != USER_CS)
		return -EOPNOTSUPP;
	ret = sys_peek(inject->tid, inject->gate, code, sizeof(code));
	if (ret || code[0] != 0x0f || code[1] != 0x05)
		return -ESRCH;		/* another program by now */
	if ((int64_t)inject->saved.rax == -EINTR &&
	    answers_eintr(inject->saved.orig_rax))
		inject->saved.rax = (uint64_t)-ERESTARTNOHAND;
	abort_rseq(inject);
	return sys_ptrace(PTRACE_GETSIGMASK, inject->tid,
			  sizeof(inject->signal_mask),
			  (uintptr_t)&inject->signal_mask);
}

static int set_mask(struct inject *inject, uint64_t mask)
{
	return sys_ptrace(PTRACE_SETSIGMASK, inject->tid, sizeof(mask),
			  (uintptr_t)&mask);
}

/* From any stop but the trap: go there. Then leave it as it was. */
static int restore(struct inject *inject)
{
	int ret;

	if (!inject->at_trap) {
		ret = sys_ptrace(PTRACE_INTERRUPT, inject->tid, 0, 0);
		if (!ret)
			ret = sys_ptrace(PTRACE_CONT, inject->tid, 0, 0);
		if (!ret)
			ret = await_trap(inject, NEVER);
		if (ret)
			return ret;
	}
	ret = sys_ptrace(PTRACE_SETREGS, inject->tid, 0,
			 (uintptr_t)&inject->saved);
	if (!ret)
		ret = set_mask(inject, inject->signal_mask);
	return ret;
}

/*
 * Resume up to the next end of a system call stop. Past the deadline the
 * thread is called back: -ETIMEDOUT if that caught it before the call.
 */
static int run_to_call(struct inject *inject, uint64_t deadline_ns)
{
	int status, ret, signal = 0;
	bool late = false;

	for (;;) {
		ret = sys_ptrace(PTRACE_SYSCALL, inject->tid, 0,
				 (uintptr_t)signal);
		if (ret)
			return ret;
		ret = await_stop(inject, deadline_ns, &status);
		if (ret == -ETIMEDOUT) {
			late = true;
			ret = sys_ptrace(PTRACE_INTERRUPT, inject->tid, 0, 0);
			if (!ret)
				ret = await_stop(inject, NEVER, &status);
		}
		if (ret)
			return ret;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			return 0;
		if (late && inject->at_trap)
			return -ETIMEDOUT;
		signal = stop_signal(status);
	}
}

/**
 * inject_call() - make the stopped thread call the kernel
 * @inject: a stopped thread
 * @number: of the system call, __NR_*
 * @args: its arguments; pointers are addresses in that process
 *
 * Only calls that do not sleep: what has begun is waited for.
 *
 * Return: what the call returned there, -errno included; after a failure
 * of our own, which @inject->broken holds, that same -errno from here on.
 */
int64_t inject_call(struct inject *inject, long number,
		    struct inject_args args)
{
	struct user_regs_struct regs = inject->saved;
	uint64_t deadline_ns = now_ns() + CALL_NS;
	int ret = inject->broken;

	if (ret)
		return ret;
	if (deadline_ns < inject->deadline_ns)
		deadline_ns = inject->deadline_ns;
	regs.rip = inject->gate;
	regs.rax = (uint64_t)number;
	regs.orig_rax = (uint64_t)-1;	/* nothing to restart here */
	regs.rdi = args.value[0];
	regs.rsi = args.value[1];
	regs.rdx = args.value[2];
	regs.r10 = args.value[3];
	regs.r8 = args.value[4];
	regs.r9 = args.value[5];
	ret = sys_ptrace(PTRACE_SETREGS, inject->tid, 0, (uintptr_t)&regs);
	if (!ret)
		ret = run_to_call(inject, deadline_ns);
	if (!ret)
		ret = run_to_call(inject, NEVER);
	if (!ret)
		ret = sys_ptrace(PTRACE_GETREGS, inject->tid, 0,
				 (uintptr_t)&regs);
	inject->broken = ret;
	return ret ? ret : (int64_t)regs.rax;
}

/**
 * inject_scratch() - memory in the stopped thread's process
 * @inject: a stopped thread
 * @size: bytes, whole pages
 * @addr: receives the address there
 *
 * Return: 0 or -errno. To be freed with inject_scratch_free().
 */
int inject_scratch(struct inject *inject, size_t size, uint64_t *addr)
{
	int64_t ret = inject_call(inject, __NR_mmap, INJECT_ARGS(
				  0, size, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1));

	if (ret < 0)
		return (int)ret;
	*addr = (uint64_t)ret;
	return 0;
}

/**
 * inject_scratch_free() - give scratch memory back
 * @inject: the thread it was made with
 * @size: as asked for
 * @addr: as received
 */
void inject_scratch_free(struct inject *inject, size_t size, uint64_t addr)
{
	inject_call(inject, __NR_munmap, INJECT_ARGS(addr, size));
}

/* One use of one thread. */
struct session {
	struct inject inject;
	inject_fn *fn;
	void *arg;
	bool stopped;		/* the thread was: do not try another */
	int ret;
};

static int use_thread(struct session *session)
{
	struct inject *inject = &session->inject;
	int ret, put_back;

	ret = seize(inject);
	if (!ret)
		ret = interrupt(inject, inject->deadline_ns);
	if (ret)
		return ret;
	session->stopped = true;
	ret = save(inject);
	if (!ret)
		ret = set_mask(inject, ~UINT64_C(0));
	if (!ret) {
		ret = session->fn(inject, session->arg);
		put_back = restore(inject);
		if (inject->broken || put_back)
			ret = inject->broken ? inject->broken : put_back;
	}
	sys_ptrace(PTRACE_DETACH, inject->tid, 0, 0);
	return ret;
}

/* Its end detaches what could not be stopped: the thread never noticed. */
static int session_main(void *arg)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	struct session *session = arg;

	sigaction(SIGCHLD, &action, NULL);	/* its own table: no SIG_IGN */
	session->ret = use_thread(session);
	return 0;
}

static int session_run(struct session *session)
{
	sigset_t all, before;
	void *stack = NULL;
	int ret, status;

	ret = sys_mmap(&stack, STACK_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (ret)
		return ret;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = sys_ret(clone(session_main, (char *)stack + STACK_SIZE,
			    CLONE_VM | CLONE_VFORK | CLONE_FILES, session));
	if (ret > 0) {
		ret = sys_retry(waitpid(ret, &status, __WALL));
		if (ret > 0)
			ret = session->ret;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	munmap(stack, STACK_SIZE);
	return ret;
}

/**
 * inject_run() - stop a thread of a process and make it call the kernel
 * @pid: the process; not the caller's own
 * @fn: makes the calls
 * @arg: handed to @fn
 *
 * If a thread does not stop in time the next one is tried.
 *
 * Return: what @fn returned; -ESRCH: the process ended; -EPERM: no right to
 * trace it, or it is traced; -ETIMEDOUT: no thread could be stopped within
 * two seconds; -EBUSY: all of them sleep uninterruptibly; -EOPNOTSUPP: not
 * a 64-bit program.
 */
int inject_run(pid_t pid, inject_fn *fn, void *arg)
{
	uint64_t end_ns = now_ns() + LIMIT_NS;
	pid_t tids[THREADS_MAX];
	uint64_t gate;
	int count, ret;

	if (pid <= 0 || pid == getpid())
		return -EINVAL;
	count = threads_choose(pid, tids, THREADS_MAX);
	if (count < 0)
		return count;
	ret = threads_find_gate(pid, &gate);
	if (ret)
		return ret;
	for (int i = 0; i < count && now_ns() < end_ns; i++) {
		uint64_t try_ns = now_ns() + TRY_NS;
		struct session session = {
			.inject = { .pid = pid, .tid = tids[i], .gate = gate },
			.fn = fn,
			.arg = arg,
			.ret = -EIO,
		};

		session.inject.deadline_ns = i + 1 == count ||
			try_ns > end_ns ? end_ns : try_ns;
		ret = session_run(&session);
		/* The kernel says -EPERM of a thread that is ending, too. */
		if (ret == -EPERM && threads_ended(pid, tids[i]))
			ret = -ESRCH;
		if (session.stopped || (ret != -ETIMEDOUT && ret != -ESRCH))
			return ret;
	}
	return ret;
}
