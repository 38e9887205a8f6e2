/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* harness.c - run the registered tests, one process each; report as KTAP. */
#include <fnmatch.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "check.h"
#include "descendants.h"
#include "directory.h"
#include "harness.h"
#include "parallel.h"
#include "sys.h"

enum { KSFT_PASS = 0, KSFT_FAIL = 1, KSFT_SKIP = 4 };

struct options {
	const char *pattern;	/* NULL: all */
	bool list;
};

/* Filled by the constructors, in the order of the source. */
static struct test_case *cases;
static volatile int ended_by;	/* signal; 0: none came */
static unsigned int jobs = 1;	/* tests at a time */
/* Where several processes run them: a byte a test, set by who takes it. */
static unsigned char *taken;

/**
 * test_register_case() - add a test to those that the program runs
 * @test: the test, static
 */
void test_register_case(struct test_case *test)
{
	struct test_case **last = &cases;

	while (*last)
		last = &(*last)->next;
	*last = test;
}

/**
 * test_register_variant() - add a variant to a fixture
 * @list: the fixture's variants
 * @variant: the variant, static
 */
void test_register_variant(struct test_variant **list,
			   struct test_variant *variant)
{
	while (*list)
		list = &(*list)->next;
	*list = variant;
}

/**
 * test_dir() - the directory of the test that runs
 *
 * It is empty when the test starts and goes away with all in it when the test
 * ended, in whatever way.
 *
 * Return: its path, valid as long as the test runs.
 */
const char *test_dir(void)
{
	return test_now.dir;
}

static unsigned long environment_number(const char *name)
{
	const char *text = getenv(name);
	unsigned long value = text ? strtoul(text, NULL, 10) : 1;

	return value ? value : 1;
}

/**
 * test_sample_divisor() - how much less than all is to be tried
 *
 * Return: TEST_SAMPLE_DIVISOR, or 1.
 */
unsigned long test_sample_divisor(void)
{
	return environment_number("TEST_SAMPLE_DIVISOR");
}

/**
 * test_sample() - how many of something a test is to try
 * @full: how many in a full run
 *
 * Return: @full, or the part that TEST_SAMPLE_DIVISOR asks for, at least 1.
 */
unsigned long test_sample(unsigned long full)
{
	unsigned long part = full / test_sample_divisor();

	return part ? part : 1;
}

/* ---- in the test's process ---------------------------------------------- */

static void run_body(const struct test_case *test, void *self,
		     const void *variant, volatile bool *ready)
{
	if (setjmp(test_now.end))
		return;
	if (test->setup) {
		test->setup(self, variant);
		*ready = !test_now.verdict->skipped;
	}
	if (!test_now.verdict->skipped)
		test->run(self, variant);
}

static void run_teardown(const struct test_case *test, void *self,
			 const void *variant)
{
	if (!setjmp(test_now.end))
		test->teardown(self, variant);
}

/* Setup, test, teardown; the last one only where the first one completed. */
static void run_here(const struct test_case *test,
		     const struct test_variant *variant)
{
	void *self = calloc(1, test->self_size + 1);
	const void *data = variant ? variant->data : NULL;
	volatile bool ready = false;

	if (!self)
		abort();
	run_body(test, self, data, &ready);
	if (ready)
		run_teardown(test, self, data);
	free(self);
}

/* ---- in the program that starts them ------------------------------------ */

static void waited_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
}

/*
 * Wait until the test's process ends: 0, with its status; or -ETIMEDOUT; or
 * -EINTR when somebody wants the whole program to end.
 */
static int wait_test(pid_t pid, unsigned int timeout_s, int *status)
{
	uint64_t end = now_ns() + timeout_s * 1000000000ull;
	sigset_t set;

	waited_signals(&set);
	for (;;) {
		uint64_t now = now_ns(), left = now < end ? end - now : 0;
		struct timespec timeout = {
			.tv_sec = (time_t)(left / 1000000000u),
			.tv_nsec = (long)(left % 1000000000u),
		};
		int signal;

		if (waitpid(pid, status, WNOHANG) == pid)
			return 0;
		signal = sys_ret(sigtimedwait(&set, NULL, &timeout));
		if (signal == -EAGAIN)
			return -ETIMEDOUT;
		if (signal == SIGINT || signal == SIGTERM) {
			ended_by = signal;
			return -EINTR;
		}
	}
}

/* Last, after what atexit() has: the caller is to see what ended it. */
__attribute__((destructor))
static void end_by_signal(void)
{
	sigset_t set;

	if (!ended_by)
		return;
	fflush(stdout);
	waited_signals(&set);
	raise(ended_by);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void judge_status(struct verdict *verdict, int status)
{
	if (WIFSIGNALED(status))
		printf("# killed by signal %d (%s)\n", WTERMSIG(status),
		       strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) && !verdict->failed)
		printf("# exited with %d\n", WEXITSTATUS(status));
	if (status)
		verdict->failed = true;
}

static pid_t start_test(const struct test_case *test,
			const struct test_variant *variant)
{
	pid_t pid;
	sigset_t set;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	waited_signals(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);	/* so that it can reap, too */
	test_now.pid = getpid();
	setenv("TMPDIR", test_now.dir, 1);
	run_here(test, variant);
	exit(test_now.verdict->failed);
}

/* Start one test, wait for it, and leave nothing of it behind. */
static int run_process(const struct test_case *test,
		       const struct test_variant *variant)
{
	unsigned int timeout_s = test->timeout_s *
		(unsigned int)environment_number("TEST_TIMEOUT_SCALE");
	struct verdict *verdict = test_now.verdict;
	int ret, status = 0;
	pid_t pid = start_test(test, variant);

	if (pid < 0) {
		printf("# no process for the test\n");
		verdict->failed = true;
		return 0;
	}
	ret = wait_test(pid, timeout_s, &status);
	if (!ret) {
		judge_status(verdict, status);
	} else {
		verdict->failed = true;
		if (ret == -ETIMEDOUT)
			printf("# timed out after %u s\n", timeout_s);
	}
	descendants_kill();
	return ret == -EINTR ? ret : 0;
}

static void report(unsigned int number, const struct verdict *verdict,
		   struct totals *totals)
{
	bool skipped = verdict->skipped && !verdict->failed;

	printf("%s %u %s", verdict->failed ? "not ok" : "ok", number,
	       test_now.name);
	if (skipped)
		printf(" # SKIP %s", verdict->reason);
	putchar('\n');
	fflush(stdout);
	if (verdict->failed)
		totals->failed++;
	else if (skipped)
		totals->skipped++;
	else
		totals->passed++;
}

/**
 * test_is_long() - is there time for tests of a long grid?
 *
 * Return: true where TEST_LONG=1 says so.
 */
int test_is_long(void)
{
	const char *text = getenv("TEST_LONG");

	return text && !strcmp(text, "1");
}

/* Each test is run by one process. */
static bool take_next(void)
{
	static size_t next;

	return !taken || !__atomic_exchange_n(&taken[next++], 1, __ATOMIC_RELAXED);
}

static int run_one(const struct test_case *test,
		   const struct test_variant *variant, struct totals *totals)
{
	char dir[256];
	uint64_t start = now_ns();
	int ret;

	if (!take_next())
		return 0;
	memset(test_now.verdict, 0, sizeof(*test_now.verdict));
	if (directory_create(dir, sizeof(dir))) {
		printf("Bail out! %s cannot be made\n", dir);
		return -EIO;
	}
	test_now.dir = dir;
	printf("# RUN %s\n", test_now.name);
	ret = 0;
	if (test->is_long && !test_is_long())
		test_skip("part of the long grid: TEST_LONG=1 runs it");
	else
		ret = run_process(test, variant);
	if (directory_remove(dir))
		printf("# %s is not removed: something in it is in use\n",
		       dir);
	printf("# %s took %llu ms\n", test_now.name,
	       (unsigned long long)(now_ns() - start) / 1000000);
	report(totals->passed + totals->failed + totals->skipped + 1,
	       test_now.verdict, totals);
	return ret;
}

/* ---- all tests, each variant -------------------------------------------- */

typedef int (*visit_fn)(const struct test_case *test,
			const struct test_variant *variant,
			struct totals *totals);

static int visit(const struct options *options, const struct test_case *test,
		 const struct test_variant *variant, visit_fn fn,
		 struct totals *totals)
{
	char name[256];

	snprintf(name, sizeof(name), "%s%s%s%s%s",
		 test->fixture ? test->fixture : "", test->fixture ? "." : "",
		 variant ? variant->name : "", variant ? "." : "", test->name);
	if (options->pattern && fnmatch(options->pattern, name, 0) &&
	    strcmp(options->pattern, test->name))
		return 0;
	test_now.name = name;
	return fn(test, variant, totals);
}

static int visit_all(const struct options *options, visit_fn fn,
		     struct totals *totals)
{
	const struct test_case *test;
	int ret = 0;

	for (test = cases; test && !ret; test = test->next) {
		const struct test_variant *variant =
			test->variants ? *test->variants : NULL;

		do {
			ret = visit(options, test, variant, fn, totals);
			variant = variant ? variant->next : NULL;
		} while (variant && !ret);
	}
	return ret;
}

static int count_one(const struct test_case *test,
		     const struct test_variant *variant, struct totals *totals)
{
	(void)test;
	(void)variant;
	totals->passed++;
	return 0;
}

static int list_one(const struct test_case *test,
		    const struct test_variant *variant, struct totals *totals)
{
	puts(test_now.name);
	return count_one(test, variant, totals);
}

/* All tests, or those that no other process takes. */
static int run_here_all(const struct options *options, struct totals *totals)
{
	sigset_t set;

	test_now.verdict = mmap(NULL, sizeof(*test_now.verdict),
				PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (test_now.verdict == MAP_FAILED)
		return -ENOMEM;
	/* A shell without job control has them ignored in the background. */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	waited_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return visit_all(options, run_one, totals);
}

static void run_share(void *arg)
{
	struct totals mine = { 0 };

	run_here_all(arg, &mine);
}

static int run_parallel(struct options *options, unsigned int planned, struct totals *totals)
{
	int ret;

	taken = mmap(NULL, planned + 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	if (taken == MAP_FAILED)
		return -ENOMEM;
	ret = parallel_run(jobs, run_share, options, totals, &ended_by);
	if (!ret && totals->passed + totals->failed + totals->skipped < planned)
		ret = -EIO;		/* one of them died, or was ended */
	return ret;
}

static int run_all(struct options *options)
{
	struct totals planned = { 0 }, totals = { 0 };
	int ret;

	visit_all(options, count_one, &planned);
	printf("KTAP version 1\n1..%u\n", planned.passed);
	ret = jobs > 1 ? run_parallel(options, planned.passed, &totals)
		       : run_here_all(options, &totals);
	printf("# Totals: pass:%u fail:%u xfail:0 xpass:0 skip:%u error:0\n",
	       totals.passed, totals.failed, totals.skipped);
	if (ret || totals.failed || !planned.passed)
		return KSFT_FAIL;
	return totals.passed ? KSFT_PASS : KSFT_SKIP;
}

/**
 * test_jobs() - how many tests of this program may run at a time
 * @count: how many; 1 where it is not called. -j overrides it
 */
void test_jobs(unsigned int count)
{
	jobs = count;
}

/**
 * test_harness_run() - the main() of a test program
 * @argc: as main()'s
 * @argv: -l lists the tests, -t PATTERN runs those with that name, -j N runs
 * N at a time
 *
 * Return: the program's exit code.
 */
int test_harness_run(int argc, char **argv)
{
	struct options options = { 0 };
	struct totals listed = { 0 };
	int option;

	while ((option = getopt(argc, argv, "j:lt:")) != -1) {
		switch (option) {
		case 'j':
			jobs = (unsigned int)atoi(optarg);
			break;
		case 'l':
			options.list = true;
			break;
		case 't':
			options.pattern = optarg;
			break;
		default:
			fprintf(stderr, "usage: %s [-l] [-t NAME|PATTERN] [-j N]\n",
				argv[0]);
			return KSFT_FAIL;
		}
	}
	if (options.list)
		return visit_all(&options, list_one, &listed);
	return run_all(&options);
}
