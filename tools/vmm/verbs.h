/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verbs.h - what the control socket can be asked. */
#ifndef STRADDLE_VMM_VERBS_H
#define STRADDLE_VMM_VERBS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "fail.h"
#include "tools/vmm/vmm.h"

struct answer {
	struct json_object *root;	/* fields of a success; owned */
	int fd;				/* goes with it, owned; -1: none */
	uint64_t ticks, bad;		/* what a wait waits for */
	struct fail fail;		/* err set: it failed */
};

struct request {
	struct json_object *root;
	int fd;				/* came with it; -1: none */
};

struct verb {
	const char *name;
	/* 0, -errno with a text in answer->fail, or VERB_WAITS. */
	int (*act)(struct vmm *vmm, struct request *request,
		   struct answer *answer);
	/* After VERB_WAITS: is it done now? Then the answer is filled. */
	bool (*done)(struct vmm *vmm, struct answer *answer);
	bool polled;		/* done() comes true without a poke */
};

#define VERB_WAITS	1

/* Documentation/vmm-control.rst, a file each; a verb without name ends one. */
extern const struct verb verbs_report[];
extern const struct verb verbs_run[];
extern const struct verb verbs_memory[];
extern const struct verb verbs_define[];

static inline void put_number(struct json_object *root, const char *key,
			      uint64_t value)
{
	json_object_object_add(root, key, json_object_new_uint64(value));
}

static inline void put_string(struct json_object *root, const char *key,
			      const char *value)
{
	json_object_object_add(root, key,
			       value ? json_object_new_string(value) : NULL);
}

static inline void put_bool(struct json_object *root, const char *key, bool value)
{
	json_object_object_add(root, key, json_object_new_boolean(value));
}

const struct verb *verb_begin(struct vmm *vmm, const char *line,
			      size_t length, int *fd, struct answer *answer);
bool verb_poll(const struct verb *verb, struct vmm *vmm,
	       struct answer *answer);
/* For the verbs. */
int verb_number(struct json_object *member, uint64_t *value);
int verb_need_stopped(struct vmm *vmm, struct answer *answer);

const char *answer_text(struct answer *answer);
void answer_fini(struct answer *answer);

#endif
