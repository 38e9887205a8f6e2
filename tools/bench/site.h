/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * site.h - where measurements happen: two hosts, a cable, some guest memory.
 *
 * A host is a network namespace. What runs on one is a process of its own,
 * forked for one measurement; the two talk through a socketpair about what
 * is not measured.
 */
#ifndef STRADDLE_BENCH_SITE_H
#define STRADDLE_BENCH_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "fail.h"
#include "protocol/channel.h"

#define DEST_ADDRESS	"10.177.0.2"
#define SITE_LINK	"eth0"		/* its name on either host */
#define SITE_DIR	"/dev/shm"	/* a tmpfs that nobody else sees */

struct site {
	int source_netns, dest_netns;
	struct credentials *credentials;	/* of the TLS rows */
	int memory;			/* memfd, filled: a guest's */
	uint64_t memory_size;		/* bytes */
	unsigned int faults;		/* in one measurement */
	const char *qemu;		/* program, of the rows with a QEMU */
	const char *plots;		/* directory for data to plot; NULL: not wanted */
	bool quick;			/* these are of little memory */
};

/* What a process found out. */
struct outcome {
	int err;
	uint64_t began_ns, ended_ns;	/* CLOCK_MONOTONIC, one for both */
	uint64_t cpu_ns;		/* of the process, in between */
	double value;
	struct fail fail;
};

/* One process's view of a measurement. */
struct party {
	const struct site *site;
	int peer;			/* socketpair to the other process */
	void *arg;
	struct outcome *outcome;
};

/* Return: 0 or -errno, with a text in the outcome where there is more to say. */
typedef int party_fn(struct party *party);

int site_open(struct site *site, uint64_t memory_size, struct fail *fail);
void site_close(struct site *site);
int site_narrow(const struct site *site, bool on, struct fail *fail);
int site_narrow_bands(const struct site *site, struct fail *fail);
int memory_create(uint64_t size, uint64_t filled);
int memory_create_huge(uint64_t size, uint64_t filled);
void memory_warm(uint64_t size);
bool memory_fits(uint64_t size);

int parties_run(const struct site *site, party_fn *source, party_fn *dest,
		void *arg, struct outcome outcomes[2], struct fail *fail);
int party_tell(const struct party *party, const void *what, size_t size);
int party_hear(const struct party *party, void *what, size_t size);
int party_meet(const struct party *party);
int party_apart(bool source);
void party_begin(struct party *party);
void party_end(struct party *party);

/* Stream sockets between the two hosts: socket.c */
int socket_listen(void);
int socket_accept(int listener);
int socket_connect(const char *congestion);
int channels_open(const struct party *party, bool source, unsigned int count,
		  bool tls, const enum channel_role *roles,
		  struct channel **channels);

#endif
