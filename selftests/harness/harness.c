/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* harness.c - the harness reports what victim.c does, and cleans up after it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "lib/program.h"
#include "sys.h"

static char output[8192];

static int run_victim(const char *test)
{
	const char *argv[] = { "selftests/harness/victim", "-t", test, NULL };
	int ret;

	/* The victim's own limits are what is looked at. */
	unsetenv("TEST_TIMEOUT_SCALE");
	ret = program_output(argv, output, sizeof(output));
	TH_LOG("%s: exit code %d", test, ret);
	return ret;
}

static bool says(const char *text)
{
	return strstr(output, text);
}

TEST(passing_test_is_ok)
{
	EXPECT_EQ(0, run_victim("passes"));
	EXPECT_EQ(output, strstr(output, "KTAP version 1\n1..1\n"));
	EXPECT_TRUE(says("\nok 1 passes\n"));
	EXPECT_TRUE(says("\n# Totals: pass:1 fail:0 xfail:0 xpass:0 skip:0 "));
}

TEST(failed_expect_is_reported_and_goes_on)
{
	EXPECT_EQ(1, run_victim("expect_goes_on"));
	EXPECT_TRUE(says("\nnot ok 1 expect_goes_on\n"));
	EXPECT_TRUE(says("expected 1 (1) == 2 (2)\n"));
	EXPECT_TRUE(says("went on"));
	EXPECT_TRUE(says("pass:0 fail:1 "));
}

TEST(failed_assert_ends_the_test)
{
	EXPECT_EQ(1, run_victim("assert_ends"));
	EXPECT_TRUE(says("\nnot ok 1 assert_ends\n"));
	EXPECT_TRUE(says("in the block"));
	EXPECT_FALSE(says("went on"));
}

TEST(numbers_compare_by_value)
{
	EXPECT_EQ(1, run_victim("minus_one_is_not_a_large_number"));
	EXPECT_TRUE(says("(-1) == "));
}

TEST(skip_has_its_reason)
{
	EXPECT_EQ(4, run_victim("is_skipped"));
	EXPECT_TRUE(says("\nok 1 is_skipped # SKIP there is no such thing "
			 "as this\n"));
	EXPECT_FALSE(says("went on"));
}

TEST(skip_does_not_hide_a_failure)
{
	EXPECT_EQ(1, run_victim("fails_before_it_is_skipped"));
	EXPECT_TRUE(says("\nnot ok 1 fails_before_it_is_skipped\n"));
}

TEST(crash_and_exit_are_failures)
{
	EXPECT_EQ(1, run_victim("crashes"));
	EXPECT_TRUE(says("\nnot ok 1 crashes\n"));
	EXPECT_EQ(1, run_victim("exits"));
	EXPECT_TRUE(says("# exited with 3\n"));
	EXPECT_TRUE(says("\nnot ok 1 exits\n"));
}

TEST(hanging_test_times_out)
{
	EXPECT_EQ(1, run_victim("hangs"));
	EXPECT_TRUE(says("# timed out after 1 s\n"));
	EXPECT_TRUE(says("\nnot ok 1 hangs\n"));
}

TEST(interrupted_program_ends_by_the_signal)
{
	EXPECT_EQ(128 + SIGINT, run_victim("interrupts_*"));
	EXPECT_TRUE(says("\nnot ok 1 interrupts_the_program\n"));
	EXPECT_FALSE(says("went on"));
}

/* The process that the victim named: it is nobody's any more. */
static void expect_daemon_is_gone(void)
{
	const char *said = strstr(output, "daemon is ");
	int pid;

	ASSERT_NE(NULL, said);
	ASSERT_EQ(1, sscanf(said, "daemon is %d", &pid));
	EXPECT_EQ(-ESRCH, sys_ret(kill(pid, 0)));
	EXPECT_TRUE(says("# killed what the test left running: victim ("));
}

TEST(daemon_of_a_passed_test_is_killed)
{
	EXPECT_EQ(0, run_victim("leaves_a_daemon"));
	expect_daemon_is_gone();
}

TEST(daemon_of_a_hanging_test_is_killed)
{
	EXPECT_EQ(1, run_victim("hangs_and_leaves_a_daemon"));
	EXPECT_TRUE(says("# timed out"));
	expect_daemon_is_gone();
}

TEST(failure_in_child_or_thread_counts)
{
	EXPECT_EQ(1, run_victim("fails_in_a_child"));
	EXPECT_FALSE(says("went on"));
	EXPECT_EQ(1, run_victim("fails_in_a_thread"));
	EXPECT_FALSE(says("went on"));
}

TEST(directory_of_a_crashed_test_is_removed)
{
	const char *said;
	char path[128];

	EXPECT_EQ(1, run_victim("leaves_a_file"));
	said = strstr(output, "dir is /tmp/straddle-test.");
	ASSERT_NE(NULL, said);
	ASSERT_EQ(1, sscanf(said, "dir is %127s", path));
	EXPECT_EQ(-ENOENT, sys_ret(access(path, F_OK)));
}

TEST(teardown_follows_a_failed_assert)
{
	EXPECT_EQ(0, run_victim("staged.one.value_is_one"));
	EXPECT_TRUE(says("teardown"));
	EXPECT_EQ(1, run_victim("staged.two.value_is_one"));
	EXPECT_TRUE(says("teardown"));
}

TEST(setup_that_fails_or_skips_is_the_end)
{
	EXPECT_EQ(1, run_victim("staged.unset.value_is_one"));
	EXPECT_FALSE(says(": test\n"));
	EXPECT_FALSE(says("teardown"));
	EXPECT_EQ(4, run_victim("staged.skipped.value_is_one"));
	EXPECT_TRUE(says("# SKIP nothing to set up\n"));
	EXPECT_FALSE(says(": test\n"));
	EXPECT_FALSE(says("teardown"));
}

TEST(pattern_selects_all_variants)
{
	EXPECT_EQ(1, run_victim("staged.*"));
	EXPECT_TRUE(says("\n1..4\n"));
	EXPECT_TRUE(says("pass:1 fail:2 xfail:0 xpass:0 skip:1 "));
}

static int run_victims(const char *jobs, const char *tests)
{
	const char *argv[] = { "selftests/harness/victim", "-j", jobs, "-t", tests, NULL };

	return program_output(argv, output, sizeof(output));
}

/* In any order, but each with its number, and what it said before it. */
TEST(tests_at_a_time_are_each_reported_once)
{
	static const char *const names[] = { "one", "two", "unset", "skipped" };
	unsigned int i, numbers = 0, number;
	char result[64];

	EXPECT_EQ(1, run_victims("3", "staged.*"));
	EXPECT_EQ(output, strstr(output, "KTAP version 1\n1..4\n"));
	EXPECT_TRUE(says("pass:1 fail:2 xfail:0 xpass:0 skip:1 "));
	for (i = 0; i < 4; i++) {
		const char *at;

		snprintf(result, sizeof(result), " staged.%s.value_is_one", names[i]);
		at = strstr(output, "ok ");
		while (at && strncmp(at + 4, result, strlen(result)))
			at = strstr(at + 1, "ok ");
		ASSERT_NE(NULL, at) {
			TH_LOG("no result of %s: %s", names[i], output);
		}
		ASSERT_EQ(1, sscanf(at, "ok %u", &number));
		numbers |= 1u << number;
	}
	EXPECT_EQ(0x1e, numbers);
}

TEST(test_that_dies_beside_others_is_a_failure)
{
	EXPECT_EQ(1, run_victims("2", "crashes"));
	EXPECT_TRUE(says("\nnot ok 1 crashes\n"));
	EXPECT_EQ(1, run_victims("2", "interrupts_*"));
}

TEST(program_without_a_matching_test_fails)
{
	EXPECT_EQ(1, run_victim("no_such_test"));
	EXPECT_TRUE(says("\n1..0\n"));
}

TEST(list_names_each_variant)
{
	const char *argv[] = { "selftests/harness/victim", "-l", NULL };

	EXPECT_EQ(0, program_output(argv, output, sizeof(output)));
	EXPECT_TRUE(says("\nis_skipped\n"));
	EXPECT_TRUE(says("\nstaged.one.value_is_one\n"));
	EXPECT_TRUE(says("\nstaged.two.value_is_one\n"));
}

TEST_HARNESS_MAIN
