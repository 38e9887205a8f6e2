// SPDX-License-Identifier: LGPL-2.1-or-later
/* lanes.c - lanes over channels: made by the source, taken by the dest. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "protocol/accept.h"
#include "protocol/phase.h"
#include "protocol/storage.h"
#include "sys.h"

#define CONNECT_TIMEOUT_MS	10000

static ssize_t lane_sendv_some(void *connection, const struct iovec *parts,
			       int count)
{
	return channel_sendv_some(connection, parts, count);
}

static ssize_t lane_receive_bytes(void *connection, void *buf, size_t size)
{
	return channel_receive_some(connection, buf, size);
}

static void lane_break(void *connection)
{
	channel_shutdown(connection);
}

static void lane_close(void *connection)
{
	channel_close(connection);
}

static const struct lane_ops channel_lane_ops = {
	.sendv_some = lane_sendv_some,
	.receive_some = lane_receive_bytes,
	.shutdown = lane_break,
	.close = lane_close,
};

/**
 * lane_over_channel() - put a lane on a channel
 * @channel: owned by the lane, and closed when this fails
 * @role: of the lane
 * @index: within its role
 * @map: the regions that frames may name
 * @lane: receives the lane
 *
 * Return: 0 or -ENOMEM.
 */
int lane_over_channel(struct channel *channel, enum lane_role role,
		      unsigned int index, struct region_map *map,
		      struct lane **lane)
{
	int ret = lane_create(&channel_lane_ops, channel, channel_fd(channel),
			      role, index, map, lane);

	if (ret < 0)
		channel_close(channel);
	return ret;
}

/* Inside of TLS: the token that came over the control channel. */
static int lane_greet(struct migration *m, struct channel *channel)
{
	uint32_t welcome;
	int ret = channel_send(channel, m->token, sizeof(m->token),
			       CONNECT_TIMEOUT_MS);

	if (!ret)
		ret = channel_receive(channel, &welcome, sizeof(welcome),
				      CONNECT_TIMEOUT_MS);
	if (!ret && le32toh(welcome) != LANE_WELCOME)
		ret = -EPROTO;
	if (ret < 0)
		return fail_set(&m->fail, ret,
				"%s does not take a lane for guest '%s': %s",
				m->options.host, m->description.name,
				strerror(-ret));
	return 0;
}

/**
 * lane_channel() - source: one more connection, welcome at the dest
 * @m: prepared, with the token
 * @role: what it is for
 * @index: within its role
 * @channel: receives it
 *
 * Return: 0 or -errno with @m->fail.
 */
int lane_channel(struct migration *m, enum channel_role role,
		 unsigned int index, struct channel **channel)
{
	struct preamble preamble;
	struct channel *made;
	int ret;

	preamble_init(&preamble, role, index, m->id);
	ret = channel_connect(m->options.host, &preamble, m->credentials,
			      CONNECT_TIMEOUT_MS, &made, &m->fail);
	if (ret < 0)
		return ret;
	ret = lane_greet(m, made);
	if (!ret)
		ret = channel_tune(made, role);
	if (ret < 0) {
		channel_close(made);
		return ret;
	}
	*channel = made;
	return 0;
}

static int lane_connect(struct migration *m, enum lane_role role,
			unsigned int index)
{
	enum channel_role wire = role == LANE_FAULT ? ROLE_FAULT : ROLE_PUSH;
	struct channel *channel;
	struct lane *lane;
	int ret = lane_channel(m, wire, index, &channel);

	if (ret < 0)
		return ret;
	ret = lane_over_channel(channel, role, index, &m->map, &lane);
	if (ret < 0)
		return ret;
	ret = source_add_lane(m->source, lane);
	if (ret < 0)
		lane_destroy(lane);
	return ret;
}

/**
 * lanes_connect() - source: open all lanes
 * @m: prepared, with the token
 *
 * Return: 0 or -errno with @m->fail.
 */
int lanes_connect(struct migration *m)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < m->fault_lanes && !ret; i++)
		ret = lane_connect(m, LANE_FAULT, i);
	for (i = 0; i < m->push_lanes && !ret; i++)
		ret = lane_connect(m, LANE_PUSH, i);
	return ret ? ret : storage_connect(m);
}

static bool lane_known(const struct migration *m, enum lane_role role,
		       unsigned int index)
{
	unsigned int i;

	for (i = 0; i < m->dest->lane_count; i++) {
		const struct lane *lane = m->dest->lanes[i]->lane;

		if (lane->role == role && lane->index == index)
			return true;
	}
	return false;
}

static int lane_take(struct migration *m, struct accepted *accepted)
{
	enum lane_role role = accepted->role == ROLE_FAULT ? LANE_FAULT
							  : LANE_PUSH;
	unsigned int most = role == LANE_FAULT ? m->fault_lanes
					       : m->push_lanes;
	struct lane *lane;
	int ret;

	/* One use a lane: a second one of the same number is nobody. */
	if (accepted->index >= most ||
	    lane_known(m, role, accepted->index)) {
		channel_close(accepted->channel);
		return 0;
	}
	ret = lane_over_channel(accepted->channel, role, accepted->index,
				&m->map, &lane);
	if (ret < 0)
		return ret;
	ret = dest_add_lane(m->dest, lane);
	if (ret < 0)
		lane_destroy(lane);
	return ret;
}

/* The peer has connected anew: the old control connection is history. */
static void control_take(struct migration *m, struct channel *channel)
{
	if (m->phase < PHASE_FINISH) {
		channel_close(channel);
		return;
	}
	channel_lost(m);
	m->channel = channel;
	m->last_heard_ns = m->last_sent_ns = now_ns();
}

/**
 * lanes_accepted() - dest: take in connections whose handshake succeeded
 * @m: prepared
 *
 * Return: 0 or -errno.
 */
int lanes_accepted(struct migration *m)
{
	struct accepted accepted;
	int ret = 0;

	while (!ret && accepter_next(m->accepter, &accepted)) {
		if (accepted.role == ROLE_CONTROL)
			control_take(m, accepted.channel);
		else if (accepted.role == ROLE_STORAGE)
			ret = storage_take(m, &accepted);
		else
			ret = lane_take(m, &accepted);
	}
	return ret;
}

/**
 * lanes_complete() - dest: are all lanes here?
 * @m: prepared
 *
 * Return: true when every lane that was agreed upon was taken.
 */
bool lanes_complete(const struct migration *m)
{
	return m->dest->lane_count == m->fault_lanes + m->push_lanes &&
	       storage_complete(m);
}

/**
 * lanes_late() - dest: some never came
 * @m: prepared
 *
 * Return: -ETIMEDOUT, with @m->fail.
 */
int lanes_late(struct migration *m)
{
	return fail_set(&m->fail, -ETIMEDOUT,
			"the source did not open its lanes");
}
