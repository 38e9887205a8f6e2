// SPDX-License-Identifier: LGPL-2.1-or-later
/* sown.c - "make fuzz-corpus" can begin: each target has an input that is real. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "selftests/lib/program.h"

static int entries(const char *path)
{
	struct dirent *entry;
	DIR *dir = opendir(path);
	int count = 0;

	while (dir && (entry = readdir(dir)))
		count += *entry->d_name != '.';
	if (dir)
		closedir(dir);
	return count;
}

TEST(real_senders_write_an_input_for_each_target)
{
	const char *const argv[] = { "selftests/fuzz/seeds", test_dir(), NULL };
	char text[1024] = "", path[600];
	struct dirent *entry;
	DIR *corpus = opendir(FUZZ_CORPUS);
	int targets = 0;

	EXPECT_EQ(0, program_output(argv, text, sizeof(text))) {
		TH_LOG("%s", text);
	}
	ASSERT_NE(NULL, corpus);
	while ((entry = readdir(corpus))) {
		if (*entry->d_name == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", test_dir(), entry->d_name);
		EXPECT_LT(0, entries(path)) {
			TH_LOG("%s has none", entry->d_name);
		}
		targets++;
	}
	closedir(corpus);
	EXPECT_LT(0, targets);
}

TEST_HARNESS_MAIN
