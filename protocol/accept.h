/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * accept.h - dest: handshakes with whoever connects to a migration.
 *
 * A connection is nobody until its TLS handshake proves the recorded peer's
 * names and, for a lane, the token matches. Each handshake runs in a
 * thread of its own, bounded in number and time, so that a silent peer delays
 * nobody.
 */
#ifndef STRADDLE_ACCEPT_H
#define STRADDLE_ACCEPT_H

#include "protocol/address.h"
#include "protocol/channel.h"

/* What a lane says first, inside of TLS, and what it is answered. */
#define LANE_HELLO_SIZE		TOKEN_SIZE
#define LANE_WELCOME		0x6e616c2b	/* "+lan", little-endian */

struct accepter;

struct accepted {
	enum channel_role role;
	unsigned int index;
	char from[ADDRESS_TEXT];
	struct channel *channel;	/* owned by whoever takes it */
};

/*
 * Somebody is turned away, who has proven a name before, or not: called by a
 * thread of the handshake's own, too.
 */
typedef void accept_refused_fn(void *arg, enum channel_role role, const char *from,
			       bool proven, const char *why);

int accepter_create(struct credentials *credentials, const uint8_t *token,
		    const uint8_t *peer, struct accepter **accepter);
void accepter_tell(struct accepter *accepter, accept_refused_fn *refused, void *arg);
void accepter_destroy(struct accepter *accepter);
int accepter_fd(const struct accepter *accepter);
void accepter_take(struct accepter *accepter, const struct preamble *preamble,
		   const char *from, int fd);
void accepter_renew(struct accepter *accepter, const uint8_t *token);
bool accepter_next(struct accepter *accepter, struct accepted *accepted);

#endif
