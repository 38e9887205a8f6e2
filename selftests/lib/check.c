/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check.c - what ASSERT_*, EXPECT_*, SKIP and TH_LOG come down to. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "harness.h"

struct test_run test_now;

static const char *const signs[] = {
	[TEST_EQ] = "==", [TEST_NE] = "!=", [TEST_LT] = "<",
	[TEST_LE] = "<=", [TEST_GT] = ">", [TEST_GE] = ">=",
};

static bool is_negative(struct test_value value)
{
	return value.is_signed && (long long)value.bits < 0;
}

/* -1, 0 or 1: the order of the mathematical values. */
static int value_order(struct test_value a, struct test_value b)
{
	if (is_negative(a) != is_negative(b))
		return is_negative(a) ? -1 : 1;
	return (a.bits > b.bits) - (a.bits < b.bits);
}

static bool relation_holds(enum test_relation relation, int order)
{
	switch (relation) {
	case TEST_EQ:
		return order == 0;
	case TEST_NE:
		return order != 0;
	case TEST_LT:
		return order < 0;
	case TEST_LE:
		return order <= 0;
	case TEST_GT:
		return order > 0;
	case TEST_GE:
		return order >= 0;
	}
	return false;
}

static const char *value_text(struct test_value value, char *text, size_t size)
{
	if (value.is_signed)
		snprintf(text, size, "%lld", (long long)value.bits);
	else
		snprintf(text, size, "%llu/%#llx", value.bits, value.bits);
	return text;
}

/**
 * test_log() - print a diagnostic line of the test that runs
 * @file: where it comes from
 * @line: where it comes from
 * @fmt: the text, no newline
 */
void test_log(const char *file, int line, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	dprintf(STDOUT_FILENO, "# %s:%d:%s: %s\n", file, line, test_now.name,
		text);
}

/**
 * test_skip() - note that the test cannot run here; SKIP() adds the return
 * @fmt: what is missing and how to get it
 */
void test_skip(const char *fmt, ...)
{
	struct verdict *verdict = test_now.verdict;
	va_list args;

	va_start(args, fmt);
	vsnprintf(verdict->reason, sizeof(verdict->reason), fmt, args);
	va_end(args);
	verdict->skipped = true;
}

/**
 * test_has_failed() - has a check of the test that runs failed?
 *
 * Return: true when one has, also in a child or thread of it.
 */
bool test_has_failed(void)
{
	return __atomic_load_n(&test_now.verdict->failed, __ATOMIC_RELAXED);
}

/**
 * test_fails() - check a relation of two numbers, and say so if it fails
 * @place: the check in the source
 * @relation: what is to hold: expected RELATION seen
 * @expected: the left side
 * @seen: the right side
 *
 * Return: true when the relation does not hold.
 */
bool test_fails(struct test_place place, enum test_relation relation,
		struct test_value expected, struct test_value seen)
{
	char left[64], right[64];

	if (relation_holds(relation, value_order(expected, seen)))
		return false;
	__atomic_store_n(&test_now.verdict->failed, true, __ATOMIC_RELAXED);
	test_log(place.file, place.line, "expected %s (%s) %s %s (%s)",
		 place.expected, value_text(expected, left, sizeof(left)),
		 signs[relation], place.seen,
		 value_text(seen, right, sizeof(right)));
	return true;
}

/**
 * test_fails_string() - check two strings, and say so if that fails
 * @place: the check in the source
 * @want_equal: they are to be the same, or to differ
 * @expected: a string, or NULL, which equals only NULL
 * @seen: the other one
 *
 * Return: true when it is not as wanted.
 */
bool test_fails_string(struct test_place place, bool want_equal,
		       const char *expected, const char *seen)
{
	bool equal = expected && seen ? !strcmp(expected, seen) :
		     expected == seen;

	if (equal == want_equal)
		return false;
	__atomic_store_n(&test_now.verdict->failed, true, __ATOMIC_RELAXED);
	test_log(place.file, place.line, "expected %s (\"%s\") %s %s (\"%s\")",
		 place.expected, expected ? expected : "(null)",
		 want_equal ? "==" : "!=", place.seen,
		 seen ? seen : "(null)");
	return true;
}

/**
 * test_end_if() - end what failed a check, if it was an ASSERT_*
 * @is_assert: do end
 *
 * The test's own thread goes to its teardown; another thread of it ends; a
 * child process exits with 1. The verdict is noted already.
 *
 * Return: false: the check is done with.
 */
bool test_end_if(bool is_assert)
{
	if (!is_assert)
		return false;
	if (getpid() != test_now.pid)
		_exit(1);
	if (gettid() != test_now.pid)
		pthread_exit(NULL);
	longjmp(test_now.end, 1);
}
