// SPDX-License-Identifier: LGPL-2.1-or-later
/* proc.c - which process is it, and does it live? */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "proc.h"

FIXTURE(proc) {
	pid_t pid;
	uint64_t started;
	char identity[128];
};

FIXTURE_SETUP(proc)
{
	self->pid = fork();
	if (!self->pid)
		for (;;)
			pause();
	ASSERT_LT(0, self->pid);
	self->started = proc_started(self->pid);
	proc_identity(self->pid, self->identity, sizeof(self->identity));
}

FIXTURE_TEARDOWN(proc)
{
	kill(self->pid, SIGKILL);
	waitpid(self->pid, NULL, 0);
}

TEST_F(proc, one_that_runs_lives)
{
	EXPECT_TRUE(proc_lives(self->pid, self->started));
	EXPECT_EQ(self->pid, proc_identified(self->identity));
	ASSERT_EQ(0, kill(self->pid, SIGSTOP));
	EXPECT_TRUE(proc_lives(self->pid, self->started));
}

TEST_F(proc, another_one_of_its_number_is_not_it)
{
	EXPECT_FALSE(proc_lives(self->pid, self->started + 1));
}

/* Whose child it is may take its time; it holds no memory any more. */
TEST_F(proc, one_that_nobody_waited_for_is_gone)
{
	siginfo_t ended;

	ASSERT_EQ(0, kill(self->pid, SIGKILL));
	ASSERT_EQ(0, waitid(P_PID, (id_t)self->pid, &ended, WEXITED | WNOWAIT));
	EXPECT_EQ(self->started, proc_started(self->pid));
	EXPECT_FALSE(proc_lives(self->pid, self->started));
	EXPECT_EQ(0, proc_identified(self->identity));
}

/* No descriptor is left to look with: that is no death. */
TEST_F(proc, one_that_cannot_be_looked_at_is_not_gone)
{
	struct rlimit old, none = { 0, 0 };
	int pidfd = (int)sys_ret(syscall(SYS_pidfd_open, self->pid, 0));
	pid_t identified, of_pidfd;
	uint64_t started;
	bool lives;
	int start;

	ASSERT_LE(0, pidfd);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	none.rlim_max = old.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	start = proc_start(self->pid, &started);
	identified = proc_identified(self->identity);
	of_pidfd = proc_of_pidfd(pidfd);
	lives = proc_lives(self->pid, self->started);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
	EXPECT_EQ(-EMFILE, start);
	EXPECT_EQ(-EAGAIN, identified);
	EXPECT_EQ(-EMFILE, of_pidfd);
	EXPECT_TRUE(lives);
	close(pidfd);
}

TEST_HARNESS_MAIN
