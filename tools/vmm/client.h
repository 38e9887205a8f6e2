/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client.h - one connection to the control socket: lines and descriptors. */
#ifndef STRADDLE_VMM_CLIENT_H
#define STRADDLE_VMM_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#define CLIENT_LINE_MAX	(2u << 20)	/* bytes of a request */
#define CLIENT_FDS_MAX	4		/* received and not yet taken */

struct client {
	int fd;			/* -1: this place is free */
	char *in;		/* CLIENT_LINE_MAX bytes once it spoke */
	size_t in_used;		/* bytes of it received */
	size_t in_taken;	/* of these: lines that were dealt with */
	char *out;		/* an answer under way, or NULL */
	size_t out_size, out_sent;
	int out_fd;		/* goes with the first byte; -1: none */
	int fds[CLIENT_FDS_MAX];
	unsigned int fd_count;
	bool waits;		/* its request is not answered yet */
	bool last;		/* close it after the answer */
};

void client_init(struct client *client, int fd);
void client_close(struct client *client);
int client_read(struct client *client);
char *client_line(struct client *client, size_t *length, size_t *used);
void client_consume(struct client *client, size_t used);
int client_take_fd(struct client *client);
int client_answer(struct client *client, const char *text, int fd);
int client_flush(struct client *client);

#endif
