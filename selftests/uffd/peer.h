/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* peer.h - a process that knows nothing of us, in a certain situation. */
#ifndef STRADDLE_TEST_PEER_H
#define STRADDLE_TEST_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PEER_SIZE	(4u << 20)	/* bytes of its memory for tests */

/* What the peer and its test share. */
struct peer_board {
	volatile uint32_t ready;	/* it has set itself up */
	volatile uint32_t stop;		/* it should end, also a futex */
	volatile uint32_t signals;	/* that its handler saw */
	volatile uint64_t work[8];	/* done by its threads */
};

struct peer {
	pid_t pid;
	int pidfd;
	int wake[2];			/* a byte here ends its waiting */
	struct peer_board *board;
	char *memory;			/* PEER_SIZE, at this address there */
	bool shared;			/* and it is ours, too */
};

/* The peer's life; what it returns is its exit status, 0: all was well. */
typedef int peer_main_fn(struct peer *peer);

int peer_start(struct peer *peer, peer_main_fn *main_fn, bool shared);
int peer_exit_status(struct peer *peer);
void peer_end(struct peer *peer);
void peer_wake(struct peer *peer);
int peer_await_call(struct peer *peer, long number);
int peer_await_state(struct peer *peer, char state);
int peer_read_proc(struct peer *peer, const char *name, char *text,
		   size_t size);
int peer_list_fds(struct peer *peer, char *text, size_t size);

#endif
