/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pair.h - two hosts with an agent each, and guests that move between them.
 *
 * Everything is real: namespaces, agents, the reference VMM, TLS. What runs
 * on a host is started there; control sockets are files, reached from here.
 */
#ifndef STRADDLE_TEST_PAIR_H
#define STRADDLE_TEST_PAIR_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fail.h"
#include "protocol/message.h"
#include "selftests/lib/topology.h"
#include "tools/guests/vmm_client.h"

enum pair_security { PAIR_PLAIN, PAIR_X509, PAIR_PSK };

struct pair {
	struct two_hosts *hosts;
	enum pair_security security;
	bool allow_qmp;			/* for agents that are started later */
	const char *inject[2];		/* by enum side: --inject, or NULL */
	const char *allow_peer;		/* likewise; NULL: everybody */
	uint64_t inject_seed;		/* 0: a random one */
	pid_t source_agent, dest_agent;
	char witness[160];
};

struct guest_stats {
	char state[16];
	uint64_t ticks, bad;
	uint64_t walked, walk_bad;	/* of the last walk */
};

int pair_create(struct pair **pair, enum pair_security security,
		const struct net_rate *rate, struct fail *fail);
/* The same, with faults for either agent; NULL: none. -EOPNOTSUPP: this build has none. */
int pair_create_faulty(struct pair **pair, enum pair_security security,
		       const struct net_rate *rate, const char *source,
		       const char *dest, struct fail *fail);
/* The same: which bit is flipped, say, depends on @seed; 0: on chance. */
int pair_create_seeded(struct pair **pair, enum pair_security security,
		       const char *const inject[2], uint64_t seed, struct fail *fail);
void pair_destroy(struct pair *pair);
pid_t pair_start_agent(struct pair *pair, const struct host *host,
		       struct fail *fail);

/* @options: straddle-vmm's, NULL at the end. */
int pair_start_guest(struct pair *pair, const char *name,
		     const char *const options[], struct fail *fail);
/* Runs straddle on a host, with its agent. Return: its exit status. */
int pair_straddle(struct pair *pair, const struct host *host,
		  const char *const argv[], char *text, size_t size);
/* The same in the background, output in @log of the host. Return: its pid. */
pid_t pair_straddle_start(struct pair *pair, const struct host *host,
			  const char *const argv[], const char *log,
			  struct fail *fail);

int guest_stats_get(const struct host *host, const char *name,
		    struct guest_stats *stats, struct fail *fail);
/* Wait until the guest has made @ticks more visits. */
int guest_run_on(const struct host *host, const char *name, uint64_t ticks,
		 struct fail *fail);
/* Have the guest check all of its memory. */
int guest_walk(const struct host *host, const char *name,
	       struct guest_stats *stats, struct fail *fail);
bool guest_exists(const struct host *host, const char *name);

/*
 * Read the witness: did two copies ever run at once? Return: the number of
 * owners at the worst moment (1 is right), or -errno.
 */
int witness_owners(const struct pair *pair);

#endif
