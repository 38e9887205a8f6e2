/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lane_greet.h - source: the token opens a lane, inside of TLS. */
#ifndef STRADDLE_LANE_GREET_H
#define STRADDLE_LANE_GREET_H

#include "protocol/channel.h"

int lane_greet(struct channel *channel, const uint8_t *token, const char *host,
	       int timeout_ms, struct fail *fail);

#endif
