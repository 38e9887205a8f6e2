/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* victim.c - tests that fail, hang and leak, for harness.c to look at. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

TEST(passes)
{
	EXPECT_EQ(-1, (long)-1);
	EXPECT_LT(-1, 0u);
	EXPECT_GT(~0ull, 1);
	EXPECT_STREQ("a", "a");
	EXPECT_STRNE("a", NULL);
}

TEST(expect_goes_on)
{
	EXPECT_EQ(1, 2);
	TH_LOG("went on");
}

TEST(assert_ends)
{
	ASSERT_EQ(1, 2) {
		TH_LOG("in the block");
	}
	TH_LOG("went on");
}

TEST(minus_one_is_not_a_large_number)
{
	EXPECT_EQ(-1, 0xffffffffu);
}

TEST(is_skipped)
{
	SKIP(return, "there is no such thing as %s", "this");
	TH_LOG("went on");
}

TEST(fails_before_it_is_skipped)
{
	EXPECT_TRUE(false);
	SKIP(return, "too late");
}

TEST(crashes)
{
	raise(SIGSEGV);
}

TEST(exits)
{
	exit(3);
}

static void hang(void)
{
	for (;;)
		pause();
}

/* Under a second of waiting is what this test costs. */
TEST_TIMEOUT(hangs, 1)
{
	hang();
}

TEST(interrupts_the_program)
{
	kill(getppid(), SIGINT);
	hang();
}

TEST(interrupts_the_program_no_more)
{
	TH_LOG("went on");
}

static void say_pid(const char *name)
{
	TH_LOG("%s is %d", name, getpid());
}

/* A daemon: in a session of its own, its parent is gone. */
static void leave_daemon(void)
{
	int pipe_fds[2];
	char byte;

	ASSERT_EQ(0, pipe(pipe_fds));
	if (!fork()) {
		setsid();
		if (fork())
			_exit(0);
		say_pid("daemon");
		close(pipe_fds[1]);
		hang();
	}
	close(pipe_fds[1]);
	EXPECT_EQ(0, read(pipe_fds[0], &byte, 1));
}

TEST(leaves_a_daemon)
{
	leave_daemon();
}

TEST_TIMEOUT(hangs_and_leaves_a_daemon, 1)
{
	leave_daemon();
	hang();
}

TEST(fails_in_a_child)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		ASSERT_TRUE(false);
		TH_LOG("went on");
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
}

static void *fail_in_thread(void *arg)
{
	(void)arg;
	ASSERT_TRUE(false);
	TH_LOG("went on");
	return NULL;
}

TEST(fails_in_a_thread)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, fail_in_thread, NULL));
	pthread_join(thread, NULL);
}

TEST(leaves_a_file)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/file", test_dir());
	file = fopen(path, "w");
	ASSERT_NE(NULL, file);
	TH_LOG("dir is %s", test_dir());
	abort();
}

FIXTURE(staged) {
	int *memory;
};

FIXTURE_VARIANT(staged) {
	int value;
	bool fail_setup;
	bool skip_setup;
};

FIXTURE_VARIANT_ADD(staged, one) { .value = 1, };
FIXTURE_VARIANT_ADD(staged, two) { .value = 2, };
FIXTURE_VARIANT_ADD(staged, unset) { .fail_setup = true, };
FIXTURE_VARIANT_ADD(staged, skipped) { .skip_setup = true, };

FIXTURE_SETUP(staged)
{
	TH_LOG("setup");
	ASSERT_FALSE(variant->fail_setup);
	if (variant->skip_setup)
		SKIP(return, "nothing to set up");
	self->memory = malloc(sizeof(*self->memory));
	*self->memory = variant->value;
}

FIXTURE_TEARDOWN(staged)
{
	TH_LOG("teardown");
	free(self->memory);
}

TEST_F(staged, value_is_one)
{
	TH_LOG("test");
	ASSERT_EQ(1, *self->memory);
}

int main(int argc, char **argv)
{
	return test_harness_run(argc, argv);
}
