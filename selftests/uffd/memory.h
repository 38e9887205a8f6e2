/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.h - guest memory of every kind, as tests of uffd/ need it. */
#ifndef STRADDLE_TEST_MEMORY_H
#define STRADDLE_TEST_MEMORY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uffd/uffd.h"

struct memory_kind {
	bool file;		/* a memfd, else anonymous */
	bool shared;		/* MAP_SHARED */
	bool huge;		/* 2 MiB pages of hugetlbfs */
};

struct memory {
	struct memory_kind kind;
	size_t page_size;
	size_t pages;
	size_t size;
	int fd;			/* -1: none */
	char *guest;		/* the mapping that is registered */
	char *alias;		/* ours, of shared memory; or NULL */
	long huge_pages;	/* added to the host's pool */
};

int memory_create(struct memory *memory, struct memory_kind kind,
		  size_t pages);
void memory_destroy(struct memory *memory);
struct range memory_range(const struct memory *memory, size_t page,
			  size_t count);
bool memory_has_flag(const void *addr, const char *flag);

/* A thread that touches one byte and tells what it saw. */
struct toucher {
	pthread_t thread;
	volatile char *addr;
	bool write;
	int pipe[2];
};

int toucher_start(struct toucher *toucher, void *addr, bool write);
int toucher_done(struct toucher *toucher, int timeout_ms);
void toucher_end(struct toucher *toucher);

int await_events(int uffd, struct uffd_event *events, size_t max);

#endif
