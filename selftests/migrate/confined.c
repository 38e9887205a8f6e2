// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * confined.c - what workers hold while they migrate, and what becomes of one
 * that does what it may not.
 *
 * A worker that was broken into is played by ptrace: its next system call is
 * another one. Without the filter the call is merely done, and the migration
 * goes on: then broken_into.* fail.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "crossing.h"
#include "harness.h"
#include "sys.h"

#define SLOW	"\"live\":true,\"rounds_max\":1,\"bandwidth\":2097152"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FILTERED	0
#else
#define FILTERED	1
#endif

FIXTURE(confined) {
	struct pair *pair;
	struct host *source, *dest;
	struct fail fail;
	struct move move;
};

FIXTURE_SETUP(confined)
{
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_X509, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->move.fd = -1;
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
}

FIXTURE_TEARDOWN(confined)
{
	move_end(&self->move);
	pair_destroy(self->pair);
}

/* A guest that takes its time, in its first round. */
static void begin(struct pair *pair, struct move *move, const char *const *options)
{
	crossing_guest(pair, "db", options);
	ASSERT_EQ(0, move_start(move, &pair->hosts->source, "db", pair->hosts->dest.address,
				SLOW));
	ASSERT_EQ(0, move_wait_round(move, 1));
}

static void status_text(pid_t pid, const char *key, char *value, size_t size)
{
	__cleanup_file FILE *file = NULL;
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	*value = '\0';
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ':')
			snprintf(value, size, "%s", line + strlen(key) + 2);
	value[strcspn(value, "\n")] = '\0';
}

static void expect_status(pid_t pid, const char *key, const char *expected)
{
	char value[256];

	status_text(pid, key, value, sizeof(value));
	EXPECT_STREQ(expected, value) {
		TH_LOG("%s of process %d", key, (int)pid);
	}
}

/* In each of its threads. */
static void expect_no_rights(pid_t worker)
{
	char path[64];
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)worker);
	tasks = opendir(path);
	ASSERT_NE(NULL, tasks);
	while ((entry = readdir(tasks))) {
		pid_t thread = atoi(entry->d_name);

		if (thread <= 0)
			continue;
		expect_status(thread, "CapEff", "0000000000000000");
		expect_status(thread, "CapPrm", "0000000000000000");
		expect_status(thread, "CapInh", "0000000000000000");
		expect_status(thread, "CapBnd", "0000000000000000");
		expect_status(thread, "CapAmb", "0000000000000000");
		expect_status(thread, "NoNewPrivs", "1");
		if (FILTERED)
			expect_status(thread, "Seccomp", "2");
	}
	closedir(tasks);
}

/* No file with a name, but for its log, and nothing of a directory. */
static void expect_few_descriptors(pid_t worker, const struct host *host)
{
	static const char *const fine[] = {
		"socket:", "anon_inode:", "/memfd:", "/dev/null", "pipe:",
	};
	char path[64], file[400], target[400], log[200];
	struct dirent *entry;
	DIR *fds;

	snprintf(log, sizeof(log), "%s/straddled.log", host->dir);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)worker);
	fds = opendir(path);
	ASSERT_NE(NULL, fds);
	while ((entry = readdir(fds))) {
		ssize_t length;
		bool known = false;
		size_t i;

		snprintf(file, sizeof(file), "%s/%.20s", path, entry->d_name);
		length = readlink(file, target, sizeof(target) - 1);
		if (length < 0)
			continue;
		target[length] = '\0';
		for (i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
			known |= !strncmp(target, fine[i], strlen(fine[i]));
		/* Of the guest's process, which it does not name itself. */
		known |= !strncmp(target, "/proc/", 6) && (strstr(target, "/pagemap") ||
							   strstr(target, "/mem"));
		EXPECT_TRUE(known || !strcmp(target, log)) {
			TH_LOG("descriptor %s is %s", entry->d_name, target);
		}
	}
	closedir(fds);
}

/* What it holds of the memory of its guest's process: O_RDWR, O_RDONLY, or -1. */
static int memory_held(pid_t worker)
{
	char path[64], file[400], target[64];
	struct dirent *entry;
	struct stat status;
	int mode = -1;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)worker);
	fds = opendir(path);
	ASSERT_NE(NULL, fds);
	while ((entry = readdir(fds))) {
		ssize_t length;

		snprintf(file, sizeof(file), "%s/%.20s", path, entry->d_name);
		length = readlink(file, target, sizeof(target) - 1);
		target[length < 0 ? 0 : length] = '\0';
		if (!strncmp(target, "/proc/", 6) && strstr(target, "/mem") &&
		    !lstat(file, &status))
			mode = status.st_mode & S_IWUSR ? O_RDWR : O_RDONLY;
	}
	closedir(fds);
	return mode;
}

/* Private memory is read and written by a file of the guest's process. */
TEST_F(confined, workers_have_no_rights_once_lanes_carry_bytes)
{
	pid_t source, dest;

	begin(self->pair, &self->move, (const char *const[]){ "--private", NULL });
	source = host_worker(self->source, "source");
	dest = host_worker(self->dest, "dest");
	ASSERT_LT(0, source);
	ASSERT_LT(0, dest);
	expect_no_rights(source);
	expect_no_rights(dest);
	expect_few_descriptors(source, self->source);
	expect_few_descriptors(dest, self->dest);
	EXPECT_EQ(O_RDONLY, memory_held(source));
	EXPECT_EQ(O_RDWR, memory_held(dest));
	ASSERT_EQ(0, agent_ask(self->source, NULL, &self->fail,
			       "{\"do\":\"bandwidth\",\"guest\":\"db\",\"bytes\":0}"));
	EXPECT_EQ(0, move_wait(&self->move));
	crossing_rows(self->pair, self->move.id, "TORN_DOWN", "DONE");
	crossing_arrived(self->pair, self->dest, "db");
}

/* A dest's is so before anybody has proven who he is, and sees it through. */
TEST_F(confined, steward_ends_with_its_worker)
{
	pid_t steward;
	int fd;

	begin(self->pair, &self->move, NO_OPTIONS);
	steward = host_worker(self->source, "steward");
	ASSERT_LT(0, steward);
	fd = (int)sys_ret(syscall(SYS_pidfd_open, steward, 0));
	ASSERT_LE(0, fd);
	kill(host_worker(self->source, "source"), SIGKILL);
	EXPECT_EQ(0, sys_wait_fd(fd, POLLIN, 20000));
	close(fd);
	EXPECT_EQ(-ECANCELED, move_wait(&self->move));
	crossing_rows(self->pair, self->move.id, "RESUMED", "DISCARDED");
	crossing_undone(self->pair, "db");
}

/* It cannot know any more what became of its guest, and says nothing of it. */
TEST_F(confined, worker_ends_with_its_steward)
{
	begin(self->pair, &self->move, NO_OPTIONS);
	kill(host_worker(self->source, "steward"), SIGKILL);
	EXPECT_EQ(-ECANCELED, move_wait(&self->move));
	crossing_rows(self->pair, self->move.id, "RESUMED", "DISCARDED");
	crossing_undone(self->pair, "db");
}

FIXTURE(broken_into) {
	struct pair *pair;
	struct fail fail;
	struct move move;
};

FIXTURE_VARIANT(broken_into) {
	bool dest;
	long call;
	unsigned long args[3];
};

#define BROKEN(name_, dest_, call_, ...) \
	FIXTURE_VARIANT_ADD(broken_into, name_) { dest_, call_, { __VA_ARGS__ } }

BROKEN(source_socket, false, SYS_socket, AF_INET, SOCK_STREAM);
BROKEN(source_execve, false, SYS_execve, 0);
BROKEN(source_fork, false, SYS_clone, SIGCHLD);
BROKEN(dest_socket, true, SYS_socket, AF_UNIX, SOCK_STREAM);
BROKEN(dest_execve, true, SYS_execve, 0);
BROKEN(dest_kill, true, SYS_kill, 1);
BROKEN(dest_executable_memory, true, SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC);

FIXTURE_SETUP(broken_into)
{
	if (!FILTERED)
		SKIP(return, "workers built with a sanitizer have no filter");
	self->move.fd = -1;
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PLAIN, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
}

FIXTURE_TEARDOWN(broken_into)
{
	move_end(&self->move);
	pair_destroy(self->pair);
}

/* The next call that it makes becomes another one. */
static void call_make(pid_t pid, long call, const unsigned long *args)
{
	struct user_regs_struct regs;
	int status;

	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	ASSERT_EQ(pid, waitpid(pid, &status, __WALL));
	ASSERT_EQ(0, ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
	ASSERT_EQ(pid, waitpid(pid, &status, __WALL));
	ASSERT_TRUE(WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80));
	ASSERT_EQ(0, ptrace(PTRACE_GETREGS, pid, NULL, &regs));
	regs.orig_rax = (unsigned long)call;
	regs.rdi = args[0];
	regs.rsi = args[1];
	regs.rdx = args[2];
	ASSERT_EQ(0, ptrace(PTRACE_SETREGS, pid, NULL, &regs));
	ASSERT_EQ(0, ptrace(PTRACE_DETACH, pid, NULL, NULL));
}

TEST_F(broken_into, worker_is_killed_and_the_guest_goes_on)
{
	struct host *host = variant->dest ? &self->pair->hosts->dest :
					    &self->pair->hosts->source;
	char log[16384];

	begin(self->pair, &self->move, NO_OPTIONS);
	call_make(host_worker(host, variant->dest ? "dest" : "source"), variant->call,
		  variant->args);
	EXPECT_EQ(-ECANCELED, move_wait(&self->move));
	crossing_rows(self->pair, self->move.id, "RESUMED", "DISCARDED");
	crossing_undone(self->pair, "db");
	host_log(host, "straddled.log", log, sizeof(log));
	EXPECT_NE(NULL, strstr(log, "worker died: signal 31 (SIGSYS): a call that its filter "
			       "forbids")) {
		TH_LOG("%s", log);
	}
	if (!variant->dest)
		EXPECT_NE(NULL, strstr(self->move.error, "(SIGSYS)"));
}

/* Past GO another worker takes its place, in a filter of its own. */
TEST_F_TIMEOUT(broken_into, worker_past_go_is_replaced, 60)
{
	struct host *source = &self->pair->hosts->source, *dest = &self->pair->hosts->dest;
	struct host *host = variant->dest ? dest : source;
	char log[16384];

	crossing_guest(self->pair, "db", NO_OPTIONS);
	ASSERT_EQ(0, move_start(&self->move, source, "db", dest->address,
				"\"live\":true,\"postcopy\":true,\"rounds_max\":0,"
				"\"postcopy_bandwidth\":8388608"));
	ASSERT_EQ(0, move_wait_state(&self->move, STATE_HELD));
	call_make(host_worker(host, variant->dest ? "dest" : "source"), variant->call,
		  variant->args);
	EXPECT_TRUE(crossing_row_reaches(source, self->move.id, SIDE_SOURCE, "TORN_DOWN"));
	EXPECT_TRUE(crossing_row_reaches(dest, self->move.id, SIDE_DEST, "DONE"));
	crossing_arrived(self->pair, dest, "db");
	crossing_left(source, "db", 0);
	host_log(host, "straddled.log", log, sizeof(log));
	EXPECT_NE(NULL, strstr(log, "(SIGSYS): a call that its filter forbids"));
}

TEST_HARNESS_MAIN
