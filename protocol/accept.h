/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * accept.h - dest: handshakes with whoever connects to a migration.
 *
 * A connection is nobody until its TLS handshake shows the recorded peer's
 * certificate and, for a lane, the token matches. Each handshake runs in a
 * thread of its own, bounded in number and time, so that a silent peer delays
 * nobody.
 */
#ifndef STRADDLE_ACCEPT_H
#define STRADDLE_ACCEPT_H

#include "protocol/channel.h"

/* What a lane says first, inside of TLS, and what it is answered. */
#define LANE_HELLO_SIZE		TOKEN_SIZE
#define LANE_WELCOME		0x6e616c2b	/* "+lan", little-endian */

struct accepter;

struct accepted {
	enum channel_role role;
	unsigned int index;
	struct channel *channel;	/* owned by whoever takes it */
};

int accepter_create(struct credentials *credentials, const uint8_t *token,
		    const uint8_t *peer, struct accepter **accepter);
void accepter_destroy(struct accepter *accepter);
int accepter_fd(const struct accepter *accepter);
void accepter_take(struct accepter *accepter, const struct preamble *preamble,
		   int fd);
bool accepter_next(struct accepter *accepter, struct accepted *accepted);

#endif
