/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* jsonline.h - JSON objects over a stream, one a line, of bounded length. */
#ifndef STRADDLE_JSONLINE_H
#define STRADDLE_JSONLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct json_object;

/* The receiving half. */
struct jsonline {
	char *buf;
	size_t used;		/* bytes of it received */
	size_t taken;		/* of these: lines that were taken already */
	size_t max;		/* bytes of it: one line with its newline */
};

int jsonline_init(struct jsonline *line, size_t max);
void jsonline_fini(struct jsonline *line);
ssize_t jsonline_read(struct jsonline *line, int fd);
int jsonline_next(struct jsonline *line, struct json_object **object);
bool jsonline_ready(const struct jsonline *line);
bool jsonline_full(const struct jsonline *line);
int jsonline_write(int fd, struct json_object *object);

int json_parse(const char *text, size_t size, struct json_object **object);
const char *json_text(struct json_object *object, const char *key);

#endif
