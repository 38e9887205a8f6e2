/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scripted.h - either end of a migration, as a test wants it to behave. */
#ifndef STRADDLE_TEST_SCRIPTED_H
#define STRADDLE_TEST_SCRIPTED_H

#include <pthread.h>

#include "lib/topology.h"
#include "protocol/channel.h"
#include "protocol/message.h"

#define SCRIPTED_PORT	49301	/* of a dest, beside the agent's */
#define SCRIPTED_LANES	2	/* one of each role */

/* What an end may do instead of what it should. */
enum misdeed { GARBAGE, WRONG_MESSAGE, UNKNOWN_MESSAGE, HUGE_MESSAGE, CLOSED };

struct scripted {
	int listen_fd;			/* dest */
	struct channel *control;
	struct channel *lanes[SCRIPTED_LANES];
	struct credentials *credentials;
	uint8_t id[MIGRATION_ID_SIZE];
	uint8_t token[TOKEN_SIZE];
	pthread_t drain;		/* reads what comes on the lanes */
	int drain_stop;			/* eventfd, -1: it does not run */
	bool packs;			/* dest: says that it takes PACKED */
};

/* Both: */
void scripted_end(struct scripted *end);
void scripted_misdeed(struct scripted *end, enum misdeed misdeed);
void scripted_send(struct scripted *end, enum message_type type,
		   const ProtobufCMessage *body);
/* Skips others up to that message; its body is dropped. False: it ended. */
bool scripted_await(struct scripted *end, enum message_type type);
void scripted_hang_up(struct scripted *end);

/* Dest: */
void scripted_listen(struct scripted *dest, const struct host *host);
/* Take the next control connection, up to its first message. */
void scripted_take(struct scripted *dest, enum message_type first);
/* Say PREPARED, take the lanes, and whatever comes on them. */
void scripted_prepared(struct scripted *dest);

/* Source: @credentials NULL for plain. */
int scripted_connect(const struct host *host, const char *to,
		     enum channel_role role, const uint8_t *id,
		     struct credentials *credentials,
		     struct channel **channel);

#endif
