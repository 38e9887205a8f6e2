/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hugepages.c - 2 MiB pages for a test, given back afterwards. */
#include <stdlib.h>

#include "lib/hugepages.h"
#include "sys.h"
#include "tools/lib/hugepool.h"

/*
 * What tests of this program have added. A test that is killed gives nothing
 * back: then the program does, at its end.
 */
static long *outstanding;	/* shared with the tests; NULL: no memory */
static pid_t program;

static void give_back(void)
{
	if (getpid() == program && *outstanding > 0)
		hugepages_add(-*outstanding);
}

__attribute__((constructor))
static void outstanding_init(void)
{
	void *map = NULL;

	if (sys_mmap(&map, sizeof(*outstanding), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0))
		return;
	outstanding = map;
	program = getpid();
	atexit(give_back);
}

/**
 * hugepages_free() - how many 2 MiB pages nobody has or was promised
 *
 * Return: their number, or -errno.
 */
long hugepages_free(void)
{
	return hugepool_free();
}

/**
 * hugepages_add() - make the host's pool of 2 MiB pages larger or smaller
 * @pages: how many more; < 0: give back what was added
 *
 * Return: as hugepool_add().
 */
int hugepages_add(long pages)
{
	int ret = hugepool_add(pages);

	if (!ret && outstanding)
		*outstanding += pages;
	return ret;
}
