/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check.h - the verdict on the test that runs, shared with its children. */
#ifndef STRADDLE_TEST_CHECK_H
#define STRADDLE_TEST_CHECK_H

#include <setjmp.h>
#include <stdbool.h>
#include <sys/types.h>

/* In shared memory: the test, its threads and children write, all only set. */
struct verdict {
	bool failed;
	bool skipped;
	char reason[400];	/* why skipped */
};

/* The one test of this process. */
struct test_run {
	struct verdict *verdict;
	const char *name;	/* fixture.variant.name */
	const char *dir;	/* its test_dir(), and TMPDIR for its children */
	pid_t pid;		/* the test's process, and its main thread */
	jmp_buf end;		/* where a failed ASSERT_* goes */
};

extern struct test_run test_now;

#endif
