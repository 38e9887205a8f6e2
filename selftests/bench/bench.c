// SPDX-License-Identifier: LGPL-2.1-or-later
/* bench.c - the benchmark runs, and what it writes can be read. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "lib/hugepages.h"
#include "lib/program.h"
#include "tools/bench/qemu.h"

static struct json_object *member(struct json_object *json, const char *name)
{
	struct json_object *value = NULL;

	EXPECT_TRUE(json_object_object_get_ex(json, name, &value)) {
		TH_LOG("no member '%s'", name);
	}
	return value;
}

static double number(struct json_object *json, const char *name)
{
	return json_object_get_double(member(json, name));
}

/* Nothing about how much: only that the three are in order. */
static void spread_check(struct json_object *spread)
{
	EXPECT_TRUE(number(spread, "min") > 0);
	EXPECT_TRUE(number(spread, "min") <= number(spread, "median"));
	EXPECT_TRUE(number(spread, "median") <= number(spread, "max"));
}

static void row_check(struct json_object *row)
{
	EXPECT_NE(NULL, json_object_get_string(member(row, "id")));
	EXPECT_NE(NULL, json_object_get_string(member(row, "unit")));
	member(row, "goal");
	member(row, "met");
	spread_check(member(row, "ours"));
	if (!member(row, "against"))
		return;
	spread_check(member(row, "peer"));
	spread_check(member(row, "ratio"));
}

static struct json_object *bench_run(const char *rows, char *text, size_t size)
{
	char path[256];
	const char *const argv[] = { "straddle-bench", "--quick", "--rows", rows, "--json", path,
				     NULL };
	struct json_object *json;
	int ret;

	snprintf(path, sizeof(path), "%s/bench.json", test_dir());
	ret = program_output(argv, text, size);
	ASSERT_EQ(0, ret) {
		TH_LOG("%s", text);
	}
	json = json_object_from_file(path);
	ASSERT_NE(NULL, json);
	return json;
}

static void rows_check(const char *rows, size_t at_least)
{
	struct json_object *json, *list;
	char text[8192];
	size_t i;

	json = bench_run(rows, text, sizeof(text));
	list = member(json, "rows");
	EXPECT_LE(at_least, json_object_array_length(list));
	for (i = 0; i < json_object_array_length(list); i++)
		row_check(json_object_array_get_idx(list, i));
	EXPECT_TRUE(number(member(json, "machine"), "processors") > 0);
	json_object_put(json);
}

TEST_TIMEOUT(every_row_is_measured_and_well_formed, 180)
{
	if (geteuid())
		SKIP(return, "network namespaces take root");
	/* 44 where this host has pages of 2 MiB. */
	rows_check("push-*,round-*,fill-*,wire,fault*,walk*,states-*,resident-*", 42);
}

TEST_TIMEOUT(large_pages_are_measured_and_given_back, 60)
{
	long before = hugepages_free();

	if (geteuid())
		SKIP(return, "network namespaces take root");
	if (hugepages_add(32))
		SKIP(return, "this host has no 32 pages of 2 MiB");
	EXPECT_EQ(0, hugepages_add(-32));
	rows_check("push-2-huge,fault-huge", 2);
	EXPECT_EQ(before, hugepages_free());
}

/* By straddle, by QEMU, and by QEMU in another way: all its pages are looked at each time. */
TEST_TIMEOUT(guest_is_moved_by_each_that_can, 120)
{
	if (access(QEMU_DEFAULT, X_OK))
		SKIP(return, "there is no QEMU 10: make test-qemu");
	rows_check("vm-idle-p50,vm-push,vm-total-multifd,vm-cpu", 4);
}

TEST(row_that_is_not_there_is_named)
{
	const char *const argv[] = { "straddle-bench", "--rows", "push-1,nothing", NULL };
	char text[1024];

	EXPECT_EQ(2, program_output(argv, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "'nothing'"));
}

TEST(no_row_at_all_is_refused)
{
	const char *const argv[] = { "straddle-bench", "--rows", "", NULL };
	char text[1024];

	EXPECT_EQ(2, program_output(argv, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "--rows names no row"));
}

TEST(number_out_of_bounds_is_refused_with_the_bounds)
{
	const char *const argv[] = { "straddle-bench", "--pairs", "1000", NULL };
	char text[1024];

	EXPECT_EQ(2, program_output(argv, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "from 1 to 101"));
}

/* Fails if the machine is asked for more than it has: then it kills somebody. */
TEST(memory_that_is_not_there_is_refused)
{
	const char *const argv[] = {
		"straddle-bench", "--size", "65536", "--rows", "push-1", NULL
	};
	char text[1024];

	if (sysconf(_SC_PHYS_PAGES) / 256 >= 3 * 65536L)
		SKIP(return, "this machine may have 192 GiB to spare");
	EXPECT_EQ(1, program_output(argv, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "give a smaller --size"));
}

TEST(file_that_cannot_be_written_is_named_before_measuring)
{
	const char *const argv[] = { "straddle-bench", "--json", "/nowhere/bench.json", NULL };
	char text[1024];

	EXPECT_EQ(1, program_output(argv, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "cannot write /nowhere/bench.json: No such file"));
	EXPECT_EQ(NULL, strstr(text, "..."));
}

TEST_HARNESS_MAIN
