// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * rescue.c - a file instead of the network.
 *
 * It holds the frames that a lane would carry, behind a line that says what it
 * is, and ends with a barrier: a file that was cut short has none. What is read
 * is checked as what a peer sends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "copy/dest.h"
#include "copy/source.h"
#include "copy/walk.h"
#include "sys.h"

static const char magic[16] = "STRADDLE-RESCUE";

struct rescue_header {
	char magic[16];
	uint8_t migration[16];
};

static int file_fd(const void *connection)
{
	return *(const int *)connection;
}

static ssize_t file_sendv(void *connection, const struct iovec *parts, int count)
{
	return sys_retry(writev(file_fd(connection), parts, count));
}

static ssize_t file_receive(void *connection, void *buf, size_t size)
{
	return sys_retry(read(file_fd(connection), buf, size));
}

static void file_leave(void *connection)
{
	(void)connection;	/* the caller's */
}

static const struct lane_ops file_ops = {
	.sendv_some = file_sendv,
	.receive_some = file_receive,
	.shutdown = file_leave,
	.close = file_leave,
};

struct rescue {
	struct source *source;
	struct source_lane lane;
	uint64_t pages;
};

static uint64_t next_lost(void *arg, const struct region *region, uint64_t from,
			  uint64_t end, uint64_t *first)
{
	struct rescue *rescue = arg;
	struct bitmap *dirty = &rescue->source->regions[region->id].dirty;

	*first = bitmap_next(dirty, from, end, true);
	return bitmap_next(dirty, *first, end, false) - *first;
}

static int write_run(void *arg, struct region *region, uint64_t first,
		     uint64_t count, const uint8_t *bytes)
{
	struct rescue *rescue = arg;
	struct frame frame = {
		.type = FRAME_ZERO, .region = region, .first = first,
		.count = count,
	};

	rescue->pages += small_pages(region, count);
	if (bytes)
		return run_send(&rescue->lane, &frame, bytes, NULL);
	frame.digest = digest_zero_run(region, first, count);
	return lane_send(rescue->lane.lane, &frame, NULL);
}

static int file_write(struct rescue *rescue, const struct rescue_header *header,
		      int fd)
{
	struct frame end = { .type = FRAME_BARRIER };
	struct walk walk = {
		.map = rescue->source->map,
		.next = next_lost,
		.run = write_run,
		.arg = rescue,
	};
	int ret = sys_write_all(fd, header, sizeof(*header));

	if (!ret)
		ret = walk_pages(&walk);
	if (!ret)
		ret = lane_send(rescue->lane.lane, &end, NULL);
	return ret ? ret : sys_ret(fsync(fd));
}

/**
 * source_rescue() - write every page that the dest may lack into a file
 * @source: held
 * @fd: of the file, empty
 * @migration: 16 bytes, its id
 * @pages: receives how many, of 4 KiB
 *
 * All that it did not keep from pre-copy: what it has got since is not known.
 *
 * Return: 0: all of it is on the disk; or -errno.
 */
int source_rescue(struct source *source, int fd, const uint8_t *migration,
		  uint64_t *pages)
{
	struct rescue rescue = { .source = source };
	struct rescue_header header;
	int ret;

	memcpy(header.magic, magic, sizeof(magic));
	memcpy(header.migration, migration, sizeof(header.migration));
	rescue.lane.source = source;
	ret = lane_create(&file_ops, &fd, fd, LANE_PUSH, 0, source->map,
			  &rescue.lane.lane);
	if (ret)
		return ret;
	ret = file_write(&rescue, &header, fd);
	lane_destroy(rescue.lane.lane);
	*pages = rescue.pages;
	return ret;
}

/* A run that is not what it says would be asked for again: of whom? */
static int frame_take(struct dest_lane *self, struct frame *frame,
		      const void *payload)
{
	uint64_t bad = stat_read(&self->dest->stats.bad_runs);
	int ret;

	frame->generation = self->dest->generation;
	ret = receive_frame(self, frame, payload);
	if (!ret && stat_read(&self->dest->stats.bad_runs) != bad)
		ret = -EBADMSG;
	return ret;
}

static int file_read(struct dest_lane *self)
{
	for (;;) {
		struct frame frame;
		const void *payload;
		int ret = lane_receive(self->lane, &frame, &payload);

		if (ret)
			return ret;
		if (frame.type == FRAME_BARRIER)
			return digest_equal(frame.digest, self->lane->got)
				? 0 : -EBADMSG;
		ret = frame_take(self, &frame, payload);
		if (ret)
			return ret;
	}
}

/**
 * dest_rescue() - take in what source_rescue() wrote
 * @dest: switched; lanes may go on meanwhile
 * @fd: of the file
 * @migration: 16 bytes, whose it has to be
 *
 * Return: 0; -EPROTO: it is none, or of another migration; -EBADMSG: damaged;
 * -EPIPE: cut short; -EBUSY: no room beside so many lanes; or -errno.
 */
int dest_rescue(struct dest *dest, int fd, const uint8_t *migration)
{
	struct dest_lane self = { .dest = dest };
	struct rescue_header header;
	int ret;

	if (dest->lane_count == DEST_LANES_MAX)
		return -EBUSY;
	self.ledger = &dest->states.ledgers[DEST_LANES_MAX - 1];
	ret = sys_read_all(fd, &header, sizeof(header));
	if (ret)
		return ret;
	if (memcmp(header.magic, magic, sizeof(magic)) ||
	    memcmp(header.migration, migration, sizeof(header.migration)))
		return -EPROTO;
	ret = lane_create(&file_ops, &fd, fd, LANE_PUSH, 0, dest->map,
			  &self.lane);
	if (ret)
		return ret;
	ret = file_read(&self);
	lane_destroy(self.lane);
	return ret;
}
