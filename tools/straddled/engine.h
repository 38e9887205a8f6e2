/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine.h - who moves a guest: straddle, or libvirt under its command. */
#ifndef STRADDLE_ENGINE_H
#define STRADDLE_ENGINE_H

#include "protocol/protocol.h"

struct agent;

/* engine.c: by the engine that the options name. */
int engine_run(struct migration *m);

/* worker_native.c */
int native_run(struct migration *m);

/* settle_native.c: the state in which a DELEGATED row ends, or when to look. */
int native_settle(const struct journal_row *row, enum owner_state *to,
		  struct fail *fail);

#endif
