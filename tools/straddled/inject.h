/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inject.h - the faults that an agent and its workers inject. */
#ifndef STRADDLE_AGENT_INJECT_H
#define STRADDLE_AGENT_INJECT_H

#include "agent.h"

struct json_object;
struct inject;

/* The agent's: shared with its workers, and with the agent after a crash. */
int agent_inject(struct agent *agent, struct fail *fail);
void agent_inject_end(struct agent *agent);
/* In a job packet: from the agent, to the worker. */
void inject_to_job(const struct agent *agent, struct json_object *job);
int inject_from_job(struct json_object *job, struct inject **inject, struct fail *fail);
/* For status; NULL: nothing is injected here. */
struct json_object *inject_to_json(const struct inject *inject);

#endif
