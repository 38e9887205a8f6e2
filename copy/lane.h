/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lane.h - a connection that carries pages.
 *
 * One thread sends on a lane and one receives. What is beneath is a
 * connection with four operations: a plain socket here, TLS above us.
 */
#ifndef STRADDLE_LANE_H
#define STRADDLE_LANE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "copy/frame.h"
#include "copy/pack.h"

/*
 * A connection, non-blocking. -EAGAIN: nothing can move now, wait in poll();
 * 0 from receive_some(): end of file; less than it might bring: poll() tells of
 * the rest, unless pending(), or NULL, says that bytes are out of the socket
 * already. narrow(), or NULL, says how many bytes are to be sent at once, 0: any,
 * and keeps little on the way if @hurry.
 */
struct lane_ops {
	ssize_t (*sendv_some)(void *connection, const struct iovec *parts,
			      int count);
	ssize_t (*receive_some)(void *connection, void *buf, size_t size);
	size_t (*pending)(void *connection);
	size_t (*narrow)(void *connection, bool hurry);
	void (*shutdown)(void *connection);
	void (*close)(void *connection);
};

#define LANE_GATHERED	32	/* headers that leave together */

enum lane_role { LANE_FAULT, LANE_PUSH };

struct lane;

/*
 * Sends the frames of a lane in its stead; for tests. Called by the lane's
 * sending thread, with the header as it travels and, for DATA, the pages.
 */
struct lane_tap {
	int (*send)(struct lane_tap *tap, struct lane *lane, const struct frame *frame,
		    struct iovec *parts, int count);
};

struct lane {
	const struct lane_ops *ops;
	void *connection;
	int fd;				/* for poll() only */
	enum lane_role role;
	unsigned int index;		/* within its role */
	struct region_map *map;
	struct lane_tap *tap;		/* or NULL; set before anything is sent */
	uint64_t unacked_ns;		/* of whoever watches over it; 0 at first */
	/* Push lanes whose ends agreed on PACKED, set before their threads start;
	 * or NULL. The lane's own. */
	struct packer *packer;		/* source */
	struct unpacker *unpacker;	/* dest */

	/* Written by the receiving thread only. */
	uint8_t *input;			/* received, not yet used */
	size_t capacity, start, end;
	bool emptied;			/* the last receive got less than it might */
	uint32_t generation;		/* dest: of the frames that are due */
	struct digest got;		/* of the runs since the last barrier */

	/* Written by the sending thread; bytes_sent is read by statistics. */
	struct digest sent;		/* of the runs since the last barrier */
	uint64_t bytes_sent;
	uint64_t waited_ns;		/* for the connection to take more */
	size_t most;			/* at once; 0: any */
	bool gathers;			/* headers wait in @output */
	size_t output_size;
	uint8_t output[LANE_GATHERED * FRAME_HEADER_SIZE];
};

int lane_create(const struct lane_ops *ops, void *connection, int fd,
		enum lane_role role, unsigned int index,
		struct region_map *map, struct lane **lane);
void lane_destroy(struct lane *lane);
void lane_shutdown(struct lane *lane);
void lane_stop_receiving(struct lane *lane);

void lane_narrow(struct lane *lane, bool hurry);
int lane_send(struct lane *lane, const struct frame *frame,
	      const void *payload);
void lane_gather(struct lane *lane);
int lane_flush(struct lane *lane);
/* For a tap: all of it, waiting as needed; uses @parts up. */
int lane_put(struct lane *lane, struct iovec *parts, int count);
int lane_receive_some(struct lane *lane, struct frame *frame,
		      const void **payload);
int lane_receive(struct lane *lane, struct frame *frame, const void **payload);

/* A lane over a plain stream socket; owns @fd, also when it fails. */
int lane_create_plain(int fd, enum lane_role role, unsigned int index,
		      struct region_map *map, struct lane **lane);

#endif
