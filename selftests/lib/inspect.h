/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inspect.h - look at guests from outside, as nobody asks them. */
#ifndef STRADDLE_TEST_INSPECT_H
#define STRADDLE_TEST_INSPECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fail.h"
#include "selftests/lib/topology.h"

/* A guest's memory, as its process maps it. */
struct guest_view {
	pid_t pid;
	uint64_t address, size;		/* bytes */
	uint32_t page_size;
	bool shared;
	char *live, *persistent;	/* definitions; NULL: none */
};

int guest_view_get(const struct host *host, const char *name,
		   struct guest_view *view, struct fail *fail);
void guest_view_fini(struct guest_view *view);
/* One request without arguments: pause, resume, ... */
int guest_verb(const struct host *host, const char *name, const char *verb,
	       struct fail *fail);
int guest_set_rate(const struct host *host, const char *name, uint64_t rate,
		   bool live, bool persistent, struct fail *fail);
/* A copy of all memory of a paused guest; free() it. */
int guest_memory_copy(const struct host *host, const char *name, char **copy,
		      uint64_t *size, struct fail *fail);
/* Change a byte of pages that are there; how many, or -errno. Shared memory only. */
int guest_damage(const struct host *host, const char *name, struct fail *fail);
/* 4 KiB pages of a paused guest that differ from the copy, or -errno. */
int64_t guest_memory_differs(const struct host *host, const char *name,
			     const char *copy, uint64_t size,
			     struct fail *fail);

#endif
