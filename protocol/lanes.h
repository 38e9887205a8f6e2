/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lanes.h - a lane of pages on a channel, whoever moves the pages. */
#ifndef STRADDLE_LANES_H
#define STRADDLE_LANES_H

#include "copy/lane.h"
#include "protocol/channel.h"

int lane_over_channel(struct channel *channel, enum lane_role role,
		      unsigned int index, struct region_map *map,
		      struct lane **lane);

#endif
