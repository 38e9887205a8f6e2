/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * segment.h - the Ethernet segment of the guests, apart from the hosts' link.
 *
 * A bridge br0 in either host takes the guests' tap devices; both hang at a
 * third one, which is the client's. So a guest that moves keeps its address,
 * and its traffic does not share the link that it migrates over.
 */
#ifndef STRADDLE_TEST_SEGMENT_H
#define STRADDLE_TEST_SEGMENT_H

#include "fail.h"
#include "selftests/lib/topology.h"

#define SEGMENT_BRIDGE	"br0"		/* in the hosts and the client */
#define SEGMENT_CLIENT	"10.99.0.1"
#define SEGMENT_SOURCE	"10.99.0.2"
#define SEGMENT_DEST	"10.99.0.3"
#define SEGMENT_GUESTS	"10.99.0."	/* from .16 on; /24 */

struct segment {
	/*
	 * Talks to the guests: host_spawn() starts a program there, and
	 * netns_run() with its netns makes a socket.
	 */
	struct host client;
};

int segment_create(struct segment **segment, struct two_hosts *hosts,
		   struct fail *fail);
void segment_destroy(struct segment *segment);

#endif
