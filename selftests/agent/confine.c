/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * confine.c - a process in a worker's filter does what a worker does, and dies
 * of anything else.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cleanup.h"
#include "harness.h"
#include "lib/process.h"
#include "sys.h"
#include "tools/lib/textfile.h"
#include "tools/straddled/confine.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FILTERED	0
#else
#define FILTERED	1
#endif

#define KILLED	(128 + SIGSYS)

/* What a child made of it: its exit status, or 128 + the signal. */
static int confined(int (*act)(void))
{
	pid_t pid = fork();

	if (!pid) {
		struct fail fail = { .err = 0 };

		if (confine_rights(&fail) || confine_calls(false, &fail))
			_exit(100);
		_exit(act());
	}
	ASSERT_LT(0, pid);
	return process_wait(pid, 20000);
}

#define EXPECT_KILLED(what_) do {						\
	if (!FILTERED)								\
		SKIP(return, "there is no filter in a build with a sanitizer");	\
	EXPECT_EQ(KILLED, confined(what_));					\
} while (0)

static int do_execve(void)
{
	return execl("/bin/true", "true", NULL);
}

static int do_fork(void)
{
	return (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static int do_vfork(void)
{
	return (int)syscall(SYS_vfork);
}

static int do_ptrace(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int do_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int do_bind(void)
{
	struct sockaddr address = { .sa_family = AF_UNIX };

	return bind(0, &address, sizeof(address));
}

static int do_kill(void)
{
	return kill(getppid(), 0);
}

static int do_tgkill_another(void)
{
	return (int)syscall(SYS_tgkill, getppid(), getppid(), SIGURG);
}

static int do_read_another(void)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { &byte, 1 };

	return (int)process_vm_readv(getppid(), &here, 1, &there, 1, 0);
}

static int do_executable_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED;
}

static int do_make_executable(void)
{
	static char page[8192] __attribute__((aligned(4096)));

	return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static int do_unlink(void)
{
	return unlink("/nonexistent");
}

static int do_setuid(void)
{
	return (int)syscall(SYS_setresuid, 1, 1, 1);
}

static int do_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1);
}

static int do_unknown_ioctl(void)
{
	return (int)syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x");
}

static int do_io_uring(void)
{
	return (int)syscall(SYS_io_uring_setup, 1, NULL);
}

/* 32-bit calls have other numbers, and none of them is on the list. */
static int do_other_abi(void)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(20 /* getpid */) : "memory");
	return (int)ret;
}

TEST(execve_kills) { EXPECT_KILLED(do_execve); }
TEST(fork_kills) { EXPECT_KILLED(do_fork); }
TEST(vfork_kills) { EXPECT_KILLED(do_vfork); }
TEST(ptrace_kills) { EXPECT_KILLED(do_ptrace); }
TEST(socket_kills) { EXPECT_KILLED(do_socket); }
TEST(bind_kills) { EXPECT_KILLED(do_bind); }
TEST(kill_kills) { EXPECT_KILLED(do_kill); }
TEST(signal_to_a_thread_of_others_kills) { EXPECT_KILLED(do_tgkill_another); }
TEST(reading_another_process_kills) { EXPECT_KILLED(do_read_another); }
TEST(executable_memory_kills) { EXPECT_KILLED(do_executable_memory); }
TEST(making_memory_executable_kills) { EXPECT_KILLED(do_make_executable); }
TEST(unlink_kills) { EXPECT_KILLED(do_unlink); }
TEST(setuid_kills) { EXPECT_KILLED(do_setuid); }
TEST(other_prctl_kills) { EXPECT_KILLED(do_dumpable); }
TEST(other_ioctl_kills) { EXPECT_KILLED(do_unknown_ioctl); }
TEST(io_uring_kills) { EXPECT_KILLED(do_io_uring); }
TEST(calls_of_another_abi_kill) { EXPECT_KILLED(do_other_abi); }

/* Of a thread that there was before, and of one that came later: TSYNC. */
static int gate;

static void *thread_forbidden(void *arg)
{
	uint64_t go;

	(void)arg;
	(void)sys_retry(read(gate, &go, sizeof(go)));
	(void)socket(AF_INET, SOCK_STREAM, 0);
	return NULL;
}

TEST(threads_that_there_are_are_confined_too)
{
	pid_t pid;

	if (!FILTERED)
		SKIP(return, "there is no filter in a build with a sanitizer");
	pid = fork();
	if (!pid) {
		struct fail fail = { .err = 0 };
		uint64_t go = 1;
		pthread_t thread;

		gate = eventfd(0, EFD_CLOEXEC);
		if (pthread_create(&thread, NULL, thread_forbidden, NULL) ||
		    confine_rights(&fail) || confine_calls(false, &fail))
			_exit(100);
		(void)sys_retry(write(gate, &go, sizeof(go)));
		pthread_join(thread, NULL);
		_exit(0);
	}
	EXPECT_EQ(KILLED, process_wait(pid, 20000));
}

static void *thread_nothing(void *arg)
{
	prctl(PR_SET_NAME, "confined");
	return arg;
}

/* What a worker lives on. Each failure has a number of its own. */
static int do_work(void)
{
	int fds[2], copy, fd = memfd_create("state", MFD_CLOEXEC);
	struct pollfd pfd = { .events = POLLIN };
	char byte = 'x', back = 0;
	pthread_t thread;
	void *memory = NULL;

	if (fd < 0 || ftruncate(fd, 8192) || pwrite(fd, &byte, 1, 4096) != 1 ||
	    lseek(fd, 0, SEEK_DATA) < 0)
		return 1;
	if (sys_mmap(&memory, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) ||
	    ((char *)memory)[4096] != 'x')
		return 2;
	if (pthread_create(&thread, NULL, thread_nothing, NULL) || pthread_join(thread, NULL))
		return 3;
	if (pipe2(fds, O_CLOEXEC) || write(fds[1], &byte, 1) != 1)
		return 4;
	pfd.fd = fds[0];
	copy = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
	if (poll(&pfd, 1, 1000) != 1 || copy < 0 || read(copy, &back, 1) != 1 || back != 'x')
		return 5;
	if (setpriority(PRIO_PROCESS, 0, 5))
		return 6;
	/* Refused, and survived. */
	if (sys_ret(open("/etc/passwd", O_RDONLY)) != -EACCES ||
	    sys_ret(access("/etc/passwd", R_OK)) != -EACCES)
		return 7;
	return 0;
}

TEST(what_a_worker_does_is_allowed)
{
	if (!FILTERED)
		SKIP(return, "there is no filter in a build with a sanitizer");
	EXPECT_EQ(0, confined(do_work));
}

static int do_abort(void)
{
	abort();
}

/* A bug's own signal is to be seen, not the filter's. */
TEST(abort_is_an_abort)
{
	EXPECT_EQ(128 + SIGABRT, confined(do_abort));
}

TEST(each_group_has_a_reason_and_no_call_stands_twice)
{
	size_t g, c, h, d;

	for (g = 0; g < confine_table_count; g++) {
		const struct confine_group *group = &confine_table[g];

		EXPECT_NE(NULL, group->why);
		for (c = 0; c < group->count; c++)
			for (h = 0; h <= g; h++)
				for (d = 0; d < (h == g ? c : confine_table[h].count); d++)
					EXPECT_NE(confine_table[h].calls[d].call,
						  group->calls[c].call);
	}
}

static bool word_stands(const char *text, const char *word)
{
	const char *at = text;
	size_t length = strlen(word);

	while ((at = strstr(at + 1, word)))
		if (strchr(" \n", at[-1]) && strchr(" \n", at[length]))
			return true;
	return false;
}

/* Run from the top of the project, or by runner.sh. */
TEST(each_call_stands_in_the_documents)
{
	static const char *const paths[] = {
		"Documentation/security.rst", "../Documentation/security.rst",
	};
	__cleanup_free char *text = NULL;
	struct fail fail = { .err = 0 };
	size_t g, c;

	ASSERT_EQ(0, textfile_read(paths[!!access(paths[0], R_OK)], 1 << 20, &text, &fail));
	ASSERT_NE(NULL, text);
	for (g = 0; g < confine_table_count; g++)
		for (c = 0; c < confine_table[g].count; c++) {
			char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE,
						confine_table[g].calls[c].call);

			ASSERT_NE(NULL, name);
			EXPECT_TRUE(word_stands(text, name)) {
				TH_LOG("%s is missing", name);
			}
			free(name);
		}
}

TEST_HARNESS_MAIN
