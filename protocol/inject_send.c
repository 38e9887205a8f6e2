/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inject_send.c - messages and frames that leave otherwise than they should.
 *
 * Above TLS: what is flipped or cut short reaches the peer as the sender's own
 * words. A connection that is reset or closed here is found broken here, too.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/channel.h"
#include "protocol/inject_spec.h"
#include "protocol/tls.h"
#include "sys.h"

/* What either kind of connection can do. */
struct line {
	int (*send)(void *to, uint8_t *bytes, size_t size);
	void (*shutdown)(void *to);
	void *to;
	int fd;
};

/* One thing that is to leave, as it travels. */
struct parcel {
	uint8_t *bytes;
	size_t header, size;	/* of it the header; all of it */
};

/* RST where it is TCP: what is not sent yet is lost. */
static void line_reset(const struct line *line)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	if (sys_ret(connect(line->fd, &none, sizeof(none))))
		line->shutdown(line->to);
}

static void flip(const struct parcel *parcel, const struct inject_plan *plan)
{
	size_t first = 0, size = parcel->size;
	uint64_t bit;

	if (plan->part == INJECT_HEADER || (plan->part == INJECT_BODY && size > parcel->header)) {
		first = plan->part == INJECT_BODY ? parcel->header : 0;
		size = plan->part == INJECT_BODY ? size - first : parcel->header;
	}
	bit = plan->random % (8 * (uint64_t)size);
	parcel->bytes[first + bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* The actions that exclude each other; then those that do not. */
static int parcel_leave(const struct line *line, const struct parcel *parcel,
			const struct inject_plan *plan)
{
	int ret;

	if (plan->actions & INJECT_DROP)
		return 0;
	if (plan->actions & INJECT_CUT_BEFORE) {
		line_reset(line);
		return -ECONNRESET;
	}
	if (plan->actions & (INJECT_TRUNCATE | INJECT_CUT_MIDDLE)) {
		ret = line->send(line->to, parcel->bytes, (parcel->size + 1) / 2);
		if (ret)
			return ret;
		if (plan->actions & INJECT_TRUNCATE) {
			line->shutdown(line->to);
			return 0;
		}
		line_reset(line);
		return -ECONNRESET;
	}
	ret = line->send(line->to, parcel->bytes, parcel->size);
	if (!ret && plan->actions & INJECT_DUPLICATE)
		ret = line->send(line->to, parcel->bytes, parcel->size);
	if (!ret && plan->actions & INJECT_CUT_AFTER)
		line->shutdown(line->to);
	return ret;
}

static int parcel_send(const struct line *line, const struct parcel *parcel,
		       const struct inject_plan *plan)
{
	if (plan->actions & INJECT_FLIP)
		flip(parcel, plan);
	return parcel_leave(line, parcel, plan);
}

/**
 * inject_phase_now() - the phase that frames are sent in
 * @inject: NULL is fine
 *
 * Return: what inject_phase() said last; any thread may ask.
 */
enum phase inject_phase_now(const struct inject *inject)
{
	return inject ? (enum phase)__atomic_load_n(&inject->phase, __ATOMIC_RELAXED)
		      : PHASE_BEGIN;
}

/**
 * inject_phase() - the phase that frames are sent in from now on
 * @inject: NULL is fine
 * @phase: of this side
 */
void inject_phase(struct inject *inject, enum phase phase)
{
	if (inject)
		__atomic_store_n(&inject->phase, phase, __ATOMIC_RELAXED);
}

static int message_line_send(void *to, uint8_t *bytes, size_t size)
{
	return message_put(to, bytes, size);
}

static void message_line_shutdown(void *to)
{
	channel_shutdown(to);
}

/**
 * inject_message() - send a control message, unless a fault strikes it
 * @inject: NULL: none does
 * @phase: of this side
 * @channel: where to
 * @type: its number
 * @body: as message_send() takes it
 * @fail: says why not
 *
 * Return: as of message_send(); 0 also where it was lost without the sender's
 * notice.
 */
int inject_message(struct inject *inject, enum phase phase, struct channel *channel,
		   enum message_type type, const ProtobufCMessage *body, struct fail *fail)
{
	struct line line = {
		.send = message_line_send, .shutdown = message_line_shutdown,
		.to = channel, .fd = channel_fd(channel),
	};
	struct inject_place place = { .kind = INJECT_MESSAGE, .number = type, .phase = phase };
	struct parcel parcel = { .header = sizeof(struct message_header) };
	__cleanup_free uint8_t *bytes = NULL;
	struct inject_plan plan;
	int ret;

	if (!inject)
		return message_send(channel, type, body, fail);
	ret = message_encode(channel, type, body, &bytes, &parcel.size, fail);
	if (ret)
		return ret;
	place.bytes = parcel.size;
	parcel.bytes = bytes;
	inject_at(inject, &place, &plan);
	inject_before(&plan, line.fd);
	pthread_mutex_lock(&channel->sending);
	ret = parcel_send(&line, &parcel, &plan);
	pthread_mutex_unlock(&channel->sending);
	inject_after(&plan);
	return ret ? message_unsent(channel, type, ret, fail) : 0;
}

static int lane_line_send(void *to, uint8_t *bytes, size_t size)
{
	struct iovec part = { bytes, size };

	return lane_put(to, &part, 1);
}

static void lane_line_shutdown(void *to)
{
	lane_shutdown(to);
}

/* A copy of it: what a page holds is not ours to change. */
static int frame_send(struct lane *lane, const struct iovec *parts, int count,
		      const struct inject_plan *plan)
{
	struct line line = {
		.send = lane_line_send, .shutdown = lane_line_shutdown,
		.to = lane, .fd = lane->fd,
	};
	struct parcel parcel = { .header = parts[0].iov_len, .size = parts[0].iov_len };
	__cleanup_free uint8_t *bytes = NULL;
	int ret;

	if (count > 1)
		parcel.size += parts[1].iov_len;
	bytes = malloc(parcel.size);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, parts[0].iov_base, parcel.header);
	if (count > 1)
		memcpy(bytes + parcel.header, parts[1].iov_base, parts[1].iov_len);
	parcel.bytes = bytes;
	inject_before(plan, line.fd);
	ret = parcel_send(&line, &parcel, plan);
	inject_after(plan);
	return ret;
}

static int tap_send(struct lane_tap *tap, struct lane *lane, const struct frame *frame,
		    struct iovec *parts, int count)
{
	struct inject *inject = (struct inject *)((char *)tap - offsetof(struct inject, tap));
	struct inject_place place = {
		.kind = INJECT_FRAME,
		.number = frame->type,
		.phase = inject_phase_now(inject),
		.role = lane->role,
		.bytes = parts[0].iov_len + (count > 1 ? parts[1].iov_len : 0),
	};
	struct inject_plan plan;

	inject_at(inject, &place, &plan);
	return plan.actions ? frame_send(lane, parts, count, &plan)
			    : lane_put(lane, parts, count);
}

/**
 * inject_lane() - have faults strike the frames of a lane
 * @inject: outlives the lane; NULL: none do
 * @lane: nobody sends on it yet
 */
void inject_lane(struct inject *inject, struct lane *lane)
{
	size_t i;

	for (i = 0; i < inject_count(inject); i++) {
		if (inject->specs[i].kind != INJECT_FRAME)
			continue;
		if (!inject->tap.send)	/* once: lanes of before read it */
			inject->tap.send = tap_send;
		lane->tap = &inject->tap;
	}
}
