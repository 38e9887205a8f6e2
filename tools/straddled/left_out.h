/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* left_out.h - the agent's log says in time how much it does not say. */
#ifndef STRADDLE_LEFT_OUT_H
#define STRADDLE_LEFT_OUT_H

#include <systemd/sd-event.h>

int left_out_watch(sd_event *event);

#endif
