/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire.h - values and descriptors in a buffer, written and read by one function.
 *
 * For two processes of one build on one host. The same calls in the same order
 * write what they are given, or read it back: so a function a structure serves
 * both ways. What is wrong shows at the end, in @err; until then reading gives
 * zeroes.
 */
#ifndef STRADDLE_WIRE_H
#define STRADDLE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_MAX	(8u << 20)	/* bytes of one message */
#define WIRE_FDS_MAX	128

struct wire {
	bool reading;
	int err;			/* -errno of the first failure */
	uint8_t *data;			/* owned */
	size_t size;			/* bytes of it that count */
	size_t at;			/* reading: of these, were read */
	size_t room;			/* writing: bytes of @data */
	unsigned int fd_count, fd_at;
	int fds[WIRE_FDS_MAX];		/* owned */
};

/* What goes before the bytes, on a stream socket. */
struct wire_head {
	uint32_t size;
	uint32_t fds;
	int32_t verb;			/* of a request; of a reply: its result */
	uint32_t about;
};

void wire_init(struct wire *wire);
void wire_fini(struct wire *wire);

void wire_bytes(struct wire *wire, void *bytes, size_t size);
void wire_chars(struct wire *wire, char *text, size_t size);
void wire_text(struct wire *wire, char **text, size_t max);
void wire_fd(struct wire *wire, int *fd);
void wire_fd_give(struct wire *wire, int fd);
/* Nothing is left over, nothing was missing: 0 or -errno. */
int wire_end(const struct wire *wire);

#define wire_value(wire, value)	wire_bytes(wire, value, sizeof(*(value)))

int wire_send(int socket, const struct wire_head *about, const struct wire *wire);
int wire_receive(int socket, struct wire_head *head, struct wire *wire);

#endif
