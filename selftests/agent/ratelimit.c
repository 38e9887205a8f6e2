/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ratelimit.c - a burst passes in each period, and the rest is counted. */
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "harness.h"
#include "log.h"
#include "ratelimit.h"
#include "sys.h"
#include "tools/straddled/left_out.h"

#define PERIOD	1000
#define BURST	3

TEST(burst_passes_in_each_period)
{
	struct ratelimit limit = { .period_ns = PERIOD, .burst = BURST };
	unsigned int missed = 7;
	int i;

	for (i = 0; i < BURST; i++) {
		EXPECT_TRUE(ratelimit_pass(&limit, 5, &missed));
		EXPECT_EQ(0, missed);
	}
	for (i = 0; i < 5; i++)
		EXPECT_FALSE(ratelimit_pass(&limit, PERIOD + 4, &missed));
	EXPECT_EQ(0, missed);
	/* The next one that passes tells of them, and none after it. */
	EXPECT_TRUE(ratelimit_pass(&limit, PERIOD + 5, &missed));
	EXPECT_EQ(5, missed);
	for (i = 1; i < BURST; i++) {
		EXPECT_TRUE(ratelimit_pass(&limit, PERIOD + 5, &missed));
		EXPECT_EQ(0, missed);
	}
	EXPECT_FALSE(ratelimit_pass(&limit, PERIOD + 5, &missed));
}

TEST(first_period_begins_when_it_is_used)
{
	struct ratelimit limit = { .period_ns = UINT64_MAX, .burst = 1 };
	unsigned int missed;

	EXPECT_TRUE(ratelimit_pass(&limit, 100, &missed));
	EXPECT_FALSE(ratelimit_pass(&limit, UINT64_MAX, &missed));
	EXPECT_FALSE(ratelimit_pass(&limit, UINT64_MAX, &missed));
	EXPECT_EQ(2, limit.missed);
}

TEST(rest_is_told_once_when_its_period_is_over)
{
	struct ratelimit limit = { .period_ns = PERIOD, .burst = 1 };
	unsigned int missed;
	int i;

	EXPECT_EQ(0, ratelimit_over(&limit, PERIOD));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(!i, ratelimit_pass(&limit, 100, &missed));
	EXPECT_EQ(0, ratelimit_over(&limit, PERIOD + 99));
	EXPECT_EQ(3, ratelimit_over(&limit, PERIOD + 100));
	EXPECT_EQ(0, ratelimit_over(&limit, PERIOD + 101));
	/* Nor does the next one that passes tell of them. */
	EXPECT_TRUE(ratelimit_pass(&limit, PERIOD + 102, &missed));
	EXPECT_EQ(0, missed);
	/* Whoever ends does not wait for that. */
	EXPECT_FALSE(ratelimit_pass(&limit, PERIOD + 103, &missed));
	EXPECT_EQ(1, ratelimit_over(&limit, UINT64_MAX));
}

/* ---- by a loop, in the log -------------------------------------------------- */

#define WAIT_US		20000000
#define SHORT_NS	200000000	/* of a minute */
#define REFUSALS	5000		/* in that time many more than LOG_LIMIT */

static int stranger_comes(sd_event_source *source, uint64_t usec, void *arg)
{
	int i;

	(void)source;
	(void)usec;
	(void)arg;
	for (i = 0; i < REFUSALS; i++)
		log_refusal(REFUSED_STRANGER, "stranger %d", i);
	return 0;
}

/* Nobody comes any more, and no line is logged. */
TEST(loop_tells_of_the_last_ones_that_were_left_out)
{
	__cleanup_fd int log = open(test_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	uint64_t began = now_ns();
	char text[65536] = "";
	sd_event *event;

	ASSERT_LE(0, log);
	ASSERT_LE(0, dup2(log, STDERR_FILENO));
	log_limit_ns = SHORT_NS;
	ASSERT_LE(0, sd_event_new(&event));
	ASSERT_EQ(0, left_out_watch(event));
	ASSERT_LE(0, sd_event_add_time(event, NULL, CLOCK_MONOTONIC, 0, 0, stranger_comes, NULL));
	while (!strstr(text, "more lines were left out") &&
	       now_ns() - began < WAIT_US * UINT64_C(1000)) {
		ASSERT_LE(0, sd_event_run(event, WAIT_US));
		ASSERT_LE(0, pread(log, text, sizeof(text) - 1, 0));
	}
	EXPECT_TRUE(strstr(text, "stranger 0\n"));
	EXPECT_TRUE(strstr(text, " more lines were left out: of refusals of connections of who "
			   "has proven nothing there are 20 a minute\n"));
	sd_event_unref(event);
}

TEST_HARNESS_MAIN
