/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmm_client.h - a client of straddle-vmm's control protocol. */
#ifndef STRADDLE_GUESTS_VMM_CLIENT_H
#define STRADDLE_GUESTS_VMM_CLIENT_H

#include <json-c/json.h>
#include <stdint.h>
#include <sys/types.h>

#include "fail.h"

struct vmm_client;		/* calls of several threads take turns */

int vmm_connect(const char *run_dir, const char *name,
		struct vmm_client **client, struct fail *fail);
void vmm_disconnect(struct vmm_client *client);
pid_t vmm_client_pid(const struct vmm_client *client);

/* What a call sends and gets; members not named are none. */
struct vmm_call {
	struct json_object *request;	/* owned by the call from then on */
	int send_fd;			/* borrowed; -1: none */
	struct json_object *answer;	/* owned by the caller, on success */
	int fd;				/* came with it, owned; -1: none */
	int timeout_ms;			/* for all of it */
};

int vmm_call(struct vmm_client *client, struct vmm_call *call,
	     struct fail *fail);
int vmm_verb(struct vmm_client *client, const char *verb, int timeout_ms,
	     struct fail *fail);
struct json_object *vmm_request(const char *verb);
uint64_t vmm_number(struct json_object *answer, const char *key);
const char *vmm_text(struct json_object *answer, const char *key);

#endif
