/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * harness.h - tests with the names that the kernel's kselftest_harness has.
 *
 *	FIXTURE(pair) { int fd[2]; };
 *	FIXTURE_VARIANT(pair) { int type; };
 *	FIXTURE_VARIANT_ADD(pair, stream) { .type = SOCK_STREAM, };
 *	FIXTURE_SETUP(pair) { ASSERT_EQ(0, socketpair(..., self->fd)); }
 *	FIXTURE_TEARDOWN(pair) { close(self->fd[0]); close(self->fd[1]); }
 *	TEST_F(pair, what_is_written_is_read) { EXPECT_EQ(1, write(...)); }
 *	TEST_HARNESS_MAIN
 *
 * What it does beyond, or other than, the kernel's:
 * - Each test is a process with a time limit. Whatever it leaves running is
 *   killed and reaped, also what it daemonised, after failure and time-out.
 * - ASSERT_* and EXPECT_* work in helper functions, threads and child
 *   processes: a failed ASSERT_* ends the test, thread or child.
 * - Numbers compare by value: -1 is not 0xffffffff, and -Wsign-compare rests.
 * - The teardown runs when the setup completed, however the test ended,
 *   unless it crashed or timed out; a test_dir() goes away in any case.
 *
 * Output is KTAP. Exit code: 0 all passed, 1 some failed, 4 all skipped.
 */
#ifndef STRADDLE_HARNESS_H
#define STRADDLE_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#define TEST_TIMEOUT_DEFAULT	30	/* seconds; times TEST_TIMEOUT_SCALE */

struct test_variant {
	const char *name;
	const void *data;
	struct test_variant *next;
};

struct test_case {
	const char *fixture;		/* NULL: a plain TEST() */
	const char *name;
	void (*run)(void *self, const void *variant);
	void (*setup)(void *self, const void *variant);
	void (*teardown)(void *self, const void *variant);
	size_t self_size;
	struct test_variant **variants;	/* of the fixture; NULL: none */
	unsigned int timeout_s;
	int is_long;			/* run where TEST_LONG=1 says so */
	struct test_case *next;
};

/* An integer or pointer, with what is needed to compare it by value. */
struct test_value {
	unsigned long long bits;
	int is_signed;
};

enum test_relation { TEST_EQ, TEST_NE, TEST_LT, TEST_LE, TEST_GT, TEST_GE };

/* Where a check stands, and what it says in the source. */
struct test_place {
	const char *file;
	int line;
	const char *expected;
	const char *seen;
};

void test_register_case(struct test_case *test);
void test_register_variant(struct test_variant **list,
			   struct test_variant *variant);
int test_harness_run(int argc, char **argv);

bool test_fails(struct test_place place, enum test_relation relation,
		struct test_value expected, struct test_value seen);
bool test_fails_string(struct test_place place, bool want_equal,
		       const char *expected, const char *seen);
bool test_end_if(bool is_assert);
__attribute__((format(printf, 3, 4)))
void test_log(const char *file, int line, const char *fmt, ...);
__attribute__((format(printf, 1, 2)))
void test_skip(const char *fmt, ...);
int test_is_long(void);
/* How many tests of this program may run at a time. */
void test_jobs(unsigned int count);

/* In a program whose tests do not disturb each other: so many at a time. */
#define TEST_JOBS(count) \
	__attribute__((constructor)) \
	static void test_jobs_set_(void) \
	{ \
		test_jobs(count); \
	}
/* Has the test that runs failed by now? */
bool test_has_failed(void);

/* A directory of this test alone; removed with all in it when it ended. */
const char *test_dir(void);
/* @full divided by the environment's TEST_SAMPLE_DIVISOR, at least 1. */
unsigned long test_sample(unsigned long full);
/* That divisor; 1 where there is none. */
unsigned long test_sample_divisor(void);

/* ---- tests and fixtures ------------------------------------------------- */

#define TEST_UNUSED __attribute__((unused))

#define FIXTURE_DATA(fixture)		struct fixture##_fixture_data
#define FIXTURE_VARIANT(fixture)	struct fixture##_fixture_variant

#define FIXTURE(fixture)						\
	FIXTURE_VARIANT(fixture);					\
	static struct test_variant *fixture_variants_##fixture;		\
	FIXTURE_DATA(fixture)

#define FIXTURE_VARIANT_ADD(fixture, variant)				\
	static const FIXTURE_VARIANT(fixture)				\
		variant_data_##fixture##_##variant;			\
	__attribute__((constructor))					\
	static void variant_register_##fixture##_##variant(void)	\
	{								\
		static struct test_variant node = {			\
			#variant, &variant_data_##fixture##_##variant,	\
			NULL						\
		};							\
		test_register_variant(&fixture_variants_##fixture, &node); \
	}								\
	static const FIXTURE_VARIANT(fixture)				\
		variant_data_##fixture##_##variant =

/* A function of @fixture with its types, and one without to call it by. */
#define TEST_FUNCTION_(symbol, fixture)					\
	static void symbol##_body(FIXTURE_DATA(fixture) *self,		\
				  const FIXTURE_VARIANT(fixture) *variant); \
	static void symbol(void *self, const void *variant)		\
	{								\
		symbol##_body(self, variant);				\
	}								\
	static void symbol##_body(					\
		TEST_UNUSED FIXTURE_DATA(fixture) *self,		\
		TEST_UNUSED const FIXTURE_VARIANT(fixture) *variant)

#define FIXTURE_SETUP(fixture)	TEST_FUNCTION_(fixture_setup_##fixture, fixture)
#define FIXTURE_TEARDOWN(fixture) \
	TEST_FUNCTION_(fixture_teardown_##fixture, fixture)

#define TEST_REGISTER_(symbol, ...)					\
	static void symbol(void *self, const void *variant);		\
	__attribute__((constructor))					\
	static void symbol##_register(void)				\
	{								\
		static struct test_case test = {			\
			.run = symbol, __VA_ARGS__			\
		};							\
		test_register_case(&test);				\
	}

#define TEST_F_REGISTER_(fixture_, name_, seconds, long_)		\
	TEST_REGISTER_(test_##fixture_##_##name_,			\
		.fixture = #fixture_, .name = #name_,			\
		.setup = fixture_setup_##fixture_,			\
		.teardown = fixture_teardown_##fixture_,		\
		.self_size = sizeof(FIXTURE_DATA(fixture_)),		\
		.variants = &fixture_variants_##fixture_,		\
		.timeout_s = (seconds), .is_long = (long_))		\
	TEST_FUNCTION_(test_##fixture_##_##name_, fixture_)

#define TEST_F_TIMEOUT(fixture, name, seconds) \
	TEST_F_REGISTER_(fixture, name, seconds, 0)

/* One of a grid too long for each time: SKIP, unless TEST_LONG=1. */
#define TEST_F_LONG(fixture, name, seconds) \
	TEST_F_REGISTER_(fixture, name, seconds, 1)

#define TEST_F(fixture, name) \
	TEST_F_TIMEOUT(fixture, name, TEST_TIMEOUT_DEFAULT)

#define TEST_TIMEOUT(name_, seconds)					\
	TEST_REGISTER_(test_##name_, .name = #name_,			\
		       .timeout_s = (seconds))				\
	static void test_##name_(TEST_UNUSED void *self,		\
				 TEST_UNUSED const void *variant)

#define TEST(name) TEST_TIMEOUT(name, TEST_TIMEOUT_DEFAULT)

#define TEST_HARNESS_MAIN						\
	int main(int argc, char **argv)					\
	{								\
		return test_harness_run(argc, argv);			\
	}

/* ---- what a test says --------------------------------------------------- */

#define TH_LOG(...) test_log(__FILE__, __LINE__, __VA_ARGS__)

/* Skip the test for a reason, which says what is missing: SKIP(return, ...) */
#define SKIP(statement, ...) do {					\
	test_skip(__VA_ARGS__);						\
	statement;							\
} while (0)

#define TEST_JOIN__(a, b) a##b
#define TEST_JOIN_(a, b) TEST_JOIN__(a, b)

/*
 * One statement, which a block may follow: ASSERT_EQ(a, b) { TH_LOG(...); }
 * The block runs when the check failed, before the test ends.
 */
#define TEST_CHECK_(is_assert, fails)					\
	for (bool TEST_JOIN_(failed_, __LINE__) = (fails);		\
	     TEST_JOIN_(failed_, __LINE__);				\
	     TEST_JOIN_(failed_, __LINE__) = test_end_if(is_assert))

/* A float has no such value: it gives a pointer here, which warns. */
#define TEST_VALUE_(x) ((struct test_value){				\
	.bits = (unsigned long long)(x),				\
	.is_signed = _Generic((x), char: 1, signed char: 1, short: 1,	\
			      int: 1, long: 1, long long: 1,		\
			      float: (char *)0, double: (char *)0,	\
			      default: 0) })

#define TEST_PLACE_(expected, seen) \
	((struct test_place){ __FILE__, __LINE__, expected, seen })

/* The texts come from the first macro, before the arguments expand. */
#define TEST_COMPARE_(is_assert, relation, expected, its_text, seen, text)	\
	TEST_CHECK_(is_assert, test_fails(TEST_PLACE_(its_text, text),	\
		    relation, TEST_VALUE_(expected), TEST_VALUE_(seen)))

#define TEST_STRING_(is_assert, want_equal, expected, its_text, seen, text)	\
	TEST_CHECK_(is_assert, test_fails_string(			\
		    TEST_PLACE_(its_text, text), want_equal, expected, seen))

#define ASSERT_EQ(expected, seen) \
	TEST_COMPARE_(true, TEST_EQ, expected, #expected, seen, #seen)
#define ASSERT_NE(expected, seen) \
	TEST_COMPARE_(true, TEST_NE, expected, #expected, seen, #seen)
#define ASSERT_LT(expected, seen) \
	TEST_COMPARE_(true, TEST_LT, expected, #expected, seen, #seen)
#define ASSERT_LE(expected, seen) \
	TEST_COMPARE_(true, TEST_LE, expected, #expected, seen, #seen)
#define ASSERT_GT(expected, seen) \
	TEST_COMPARE_(true, TEST_GT, expected, #expected, seen, #seen)
#define ASSERT_GE(expected, seen) \
	TEST_COMPARE_(true, TEST_GE, expected, #expected, seen, #seen)
#define ASSERT_TRUE(seen) \
	TEST_COMPARE_(true, TEST_NE, 0, "0", seen, #seen)
#define ASSERT_FALSE(seen) \
	TEST_COMPARE_(true, TEST_EQ, 0, "0", seen, #seen)
#define ASSERT_NULL(seen) \
	TEST_COMPARE_(true, TEST_EQ, NULL, "NULL", seen, #seen)
#define ASSERT_STREQ(expected, seen) \
	TEST_STRING_(true, true, expected, #expected, seen, #seen)
#define ASSERT_STRNE(expected, seen) \
	TEST_STRING_(true, false, expected, #expected, seen, #seen)

#define EXPECT_EQ(expected, seen) \
	TEST_COMPARE_(false, TEST_EQ, expected, #expected, seen, #seen)
#define EXPECT_NE(expected, seen) \
	TEST_COMPARE_(false, TEST_NE, expected, #expected, seen, #seen)
#define EXPECT_LT(expected, seen) \
	TEST_COMPARE_(false, TEST_LT, expected, #expected, seen, #seen)
#define EXPECT_LE(expected, seen) \
	TEST_COMPARE_(false, TEST_LE, expected, #expected, seen, #seen)
#define EXPECT_GT(expected, seen) \
	TEST_COMPARE_(false, TEST_GT, expected, #expected, seen, #seen)
#define EXPECT_GE(expected, seen) \
	TEST_COMPARE_(false, TEST_GE, expected, #expected, seen, #seen)
#define EXPECT_TRUE(seen) \
	TEST_COMPARE_(false, TEST_NE, 0, "0", seen, #seen)
#define EXPECT_FALSE(seen) \
	TEST_COMPARE_(false, TEST_EQ, 0, "0", seen, #seen)
#define EXPECT_NULL(seen) \
	TEST_COMPARE_(false, TEST_EQ, NULL, "NULL", seen, #seen)
#define EXPECT_STREQ(expected, seen) \
	TEST_STRING_(false, true, expected, #expected, seen, #seen)
#define EXPECT_STRNE(expected, seen) \
	TEST_STRING_(false, false, expected, #expected, seen, #seen)

#endif
