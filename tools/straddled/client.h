/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client.h - who commands the agent: what the control socket has of each. */
#ifndef STRADDLE_CLIENT_H
#define STRADDLE_CLIENT_H

#include "control.h"
#include "tools/lib/jsonline.h"

struct client {
	struct control *control;
	int fd;				/* -1: this place is free */
	sd_event_source *source;
	struct jsonline in;
	char *out;			/* what it has not read yet */
	size_t out_used;
	bool cut_off;			/* hears and says no more */
	uint64_t turn;			/* when it was heard last: larger is later */
	struct worker *watched;		/* whose news it gets, or NULL */
	enum resolution decides;	/* what that was told to carry out */
	struct worker *lister;		/* asks guests for it, or NULL */
};

struct control {
	struct agent *agent;
	int listen_fd;
	sd_event_source *listening;
	uint64_t turns;
	unsigned int room;		/* CLIENTS_MAX and one for each worker */
	struct client clients[];
};

extern const struct audience clients;

void client_take(struct control *control, struct client *client, int fd);
void client_release(struct client *client);

#endif
