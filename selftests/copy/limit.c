// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * limit.c - what a limiter lets pass, by its own account of bytes and time.
 *
 * Nothing here says how fast this machine is: that bytes do not pass sooner
 * than the rate allows holds however slowly the test runs.
 */
#include <pthread.h>

#include "copy/limit.h"
#include "harness.h"

#define RATE	(100ull << 20)
#define BURST	(RATE / 50)
#define TAKE	(64ull << 10)

FIXTURE(limit) { struct limit limit; };
FIXTURE_SETUP(limit)
{
	ASSERT_EQ(0, limit_init(&self->limit, RATE));
}
FIXTURE_TEARDOWN(limit)
{
	limit_fini(&self->limit);
}

/* What the rate has given since @began_ns, by the limiter's last look. */
static double earned(const struct limit *limit, uint64_t began_ns)
{
	return (double)(limit->filled_ns - began_ns) / 1e9 *
	       (double)limit->rate;
}

struct taker {
	struct limit *limit;
	unsigned int times;
	pthread_t thread;
};

static void *take_times(void *arg)
{
	struct taker *taker = arg;
	unsigned int i;

	for (i = 0; i < taker->times; i++)
		limit_take(taker->limit, TAKE);
	return NULL;
}

TEST_F(limit, no_more_passes_than_was_earned)
{
	struct taker taker = { .limit = &self->limit, .times = 400 };
	uint64_t began = self->limit.filled_ns;

	take_times(&taker);
	/* The last take may run into debt, by itself. */
	EXPECT_LE((uint64_t)(400 * TAKE),
		  (uint64_t)earned(&self->limit, began) + BURST + TAKE);
	EXPECT_GE((int64_t)self->limit.tokens, -(int64_t)TAKE);
}

/* Lanes share one bucket: four of them pass no more than one. */
TEST_F(limit, lanes_share_the_rate)
{
	struct taker takers[4];
	uint64_t began = self->limit.filled_ns;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		takers[i] = (struct taker){ .limit = &self->limit,
					    .times = 100 };
		ASSERT_EQ(0, pthread_create(&takers[i].thread, NULL,
					    take_times, &takers[i]));
	}
	for (i = 0; i < 4; i++)
		pthread_join(takers[i].thread, NULL);
	EXPECT_LE((uint64_t)(400 * TAKE),
		  (uint64_t)earned(&self->limit, began) + BURST + TAKE);
}

TEST_F(limit, first_take_passes_and_is_a_debt)
{
	limit_take(&self->limit, 10 * RATE);
	EXPECT_LE((int64_t)self->limit.tokens, -(int64_t)(9 * RATE));
}

/* A debt of 1000 s is over when what it was for did not leave. */
TEST_F(limit, what_did_not_leave_is_no_debt)
{
	struct taker taker = { .limit = &self->limit, .times = 1 };

	limit_take(&self->limit, 1000 * RATE);
	ASSERT_EQ(0, pthread_create(&taker.thread, NULL, take_times, &taker));
	limit_return(&self->limit, 1000 * RATE);
	EXPECT_EQ(0, pthread_join(taker.thread, NULL));
	EXPECT_GE((int64_t)self->limit.tokens, -(int64_t)TAKE);
}

TEST_F(limit, what_is_returned_saves_no_more_than_a_burst)
{
	limit_return(&self->limit, 1000 * RATE);
	limit_take(&self->limit, 0);
	EXPECT_LE((int64_t)self->limit.tokens, (int64_t)BURST);
}

TEST_F(limit, idle_time_saves_no_more_than_a_burst)
{
	self->limit.filled_ns -= 60 * 1000000000ull;	/* a minute ago */
	limit_take(&self->limit, 0);
	EXPECT_LE((int64_t)self->limit.tokens, (int64_t)BURST);
	EXPECT_GT((int64_t)self->limit.tokens, 0);
}

TEST_F(limit, no_rate_is_no_limit)
{
	struct taker taker = { .limit = &self->limit, .times = 100000 };

	limit_set(&self->limit, 0);
	take_times(&taker);		/* 6 GiB: a minute, were there one */
	EXPECT_LE((int64_t)self->limit.tokens, 0);
}

/* A debt of 1000 s: only being let out ends the wait before the time-out. */
TEST_F(limit, open_lets_waiters_go)
{
	struct taker taker = { .limit = &self->limit, .times = 1 };

	limit_take(&self->limit, 1000 * RATE);
	ASSERT_EQ(0, pthread_create(&taker.thread, NULL, take_times, &taker));
	limit_pass(&self->limit, true);
	EXPECT_EQ(0, pthread_join(taker.thread, NULL));
}

TEST_F(limit, new_rate_forgets_the_debt)
{
	struct taker taker = { .limit = &self->limit, .times = 1 };

	limit_take(&self->limit, 1000 * RATE);
	ASSERT_EQ(0, pthread_create(&taker.thread, NULL, take_times, &taker));
	limit_set(&self->limit, 2 * RATE);
	EXPECT_EQ(0, pthread_join(taker.thread, NULL));
}

TEST_HARNESS_MAIN
