/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * maps.c - fuzz the list of what a process has mapped.
 *
 * The kernel writes it, but names of files are the process's.
 */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "fuzz.h"
#include "tools/guests/maps.h"

/**
 * LLVMFuzzerTestOneInput() - read a list, look at what lies where
 * @data: as /proc/PID/maps
 * @size: bytes of it
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__cleanup_file FILE *file = size ? fmemopen((void *)(uintptr_t)data, size, "r")
					 : NULL;
	struct maps maps = { .count = 0 };
	size_t i;
	int ret = file ? maps_parse(file, &maps) : -ESRCH;

	FUZZ_CHECK(ret == 0 || ret == -ESRCH || ret == -EPROTO);
	FUZZ_CHECK(!ret == !!maps.count);
	for (i = 0; i < maps.count; i++) {
		uint64_t address = maps.table[i].start;
		const struct mapping *mapping = maps_at(&maps, address);

		FUZZ_CHECK(!mapping || (mapping->start <= address &&
					mapping->end > address));
	}
	maps_fini(&maps);
	return 0;
}

/* A file may have any name, also one with a mapping in it. */
TEST(end_of_a_long_name_is_no_mapping)
{
	static char text[16384];
	struct maps maps = { .count = 0 };
	FILE *file;
	int used = snprintf(text, sizeof(text), "1000-2000 rw-p 00000000 00:01 7 /");

	/* The name's second part would be read as a line of its own. */
	memset(text + used, 'x', 8191 - (size_t)used);
	snprintf(text + 8191, sizeof(text) - 8191,
		 "5000-9000 rw-s 00000000 00:01 5\n3000-4000 r--p 00000000 00:00 0\n");
	file = fmemopen(text, strlen(text), "r");
	ASSERT_TRUE(file);
	ASSERT_EQ(0, maps_parse(file, &maps));
	fclose(file);
	ASSERT_EQ(2, maps.count);
	EXPECT_EQ(0x1000, maps.table[0].start);
	EXPECT_EQ(0x3000, maps.table[1].start);
	maps_fini(&maps);
}

FUZZ_TARGET(maps)

TEST_HARNESS_MAIN
