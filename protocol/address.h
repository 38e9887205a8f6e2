/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* address.h - "HOST[:PORT]", and TCP sockets from and to it. */
#ifndef STRADDLE_ADDRESS_H
#define STRADDLE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "fail.h"

#define ADDRESS_TEXT	96	/* bytes of a numeric address with its port */

struct address {
	char host[256];		/* name or numeric, without brackets */
	char port[8];		/* decimal */
};

/* "HOST", "HOST:PORT", "V6" or "[V6]:PORT"; STRADDLE_PORT where none. */
int address_parse(const char *text, struct address *address,
		  struct fail *fail);
/* The same of this host: port 0 lets the kernel choose one. */
int address_parse_own(const char *text, struct address *address, struct fail *fail);
/* A connected, non-blocking socket; bounded by @timeout_ms in all. */
int address_connect(const struct address *address, const char *congestion,
		    int timeout_ms, struct fail *fail);
/* A listening, non-blocking socket; port 0: the kernel chooses one. */
int address_listen(const struct address *address, struct fail *fail);
/* Is it numeric and of this host alone (127/8, ::1) or "localhost"? */
bool address_is_loopback(const struct address *address);
void address_print(const struct sockaddr_storage *storage, socklen_t length, char *text,
		   size_t size);
/* Where the other (or this) end of a socket is: "10.0.0.2:49300". */
void address_of_peer(int fd, char *text, size_t size);
void address_of_socket(int fd, char *text, size_t size);

#endif
