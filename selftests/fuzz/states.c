/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * states.c - fuzz the file of page states that a worker leaves behind.
 *
 * An input is what was changed in a fresh one: two bytes that say which word,
 * eight that are its value, again and again. What is taken over names no page
 * that there is none of.
 */
#include <errno.h>
#include <string.h>

#include "copy/states.h"
#include "fuzz.h"
#include "sys.h"

#define PATCH_SIZE	10

static void file_patch(const char *path, struct fuzz_input input)
{
	int fd = sys_ret(open(path, O_WRONLY | O_CLOEXEC));

	FUZZ_CHECK(fd >= 0);
	while (input.left >= PATCH_SIZE) {
		uint64_t word = input.at[0] | (uint64_t)input.at[1] << 8;

		FUZZ_CHECK(!sys_pwrite_all(fd, input.at + 2, 8, word * 8));
		input.at += PATCH_SIZE;
		input.left -= PATCH_SIZE;
	}
	close(fd);
}

static void states_look(struct states *states, const struct region_map *map)
{
	unsigned int i;

	for (i = 0; i < LEDGERS_MAX; i++)
		FUZZ_CHECK(!states->ledgers[i].entry.open);
	for (i = 0; i < map->count; i++) {
		uint64_t end = map->regions[i].pages;

		(void)states_proof(states, i);
		FUZZ_CHECK(states->pages[i].count == end);
		/* A claim is its owner's, who is gone. */
		FUZZ_CHECK(pages_next(&states->pages[i], 0, end, PAGE_STATE,
				      PAGE_CLAIMED, true) == end);
	}
}

/**
 * LLVMFuzzerTestOneInput() - take over a file that somebody has changed
 * @data: the changes
 * @size: bytes of them
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct region_map map;
	struct states states;
	char path[256];
	int ret;

	map.count = 0;
	fuzz_region(&map, 12, 1000);
	fuzz_region(&map, 21, 3);
	snprintf(path, sizeof(path), "%s/states", fuzz_dir());
	FUZZ_CHECK(!states_create(&states, path, &map));
	states_close(&states);
	file_patch(path, (struct fuzz_input){ data, size });
	ret = states_open(&states, path, &map);
	FUZZ_CHECK(ret == 0 || ret == -EUCLEAN);
	if (!ret) {
		states_look(&states, &map);
		states_close(&states);
	}
	unlink(path);
	return 0;
}

FUZZ_TARGET(states)

TEST_HARNESS_MAIN
