// SPDX-License-Identifier: LGPL-2.1-or-later
/* lanes.c - lanes over channels: made by the source, taken by the dest. */
#include <endian.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "protocol/accept.h"
#include "protocol/lane_greet.h"
#include "protocol/lanes.h"
#include "protocol/phase.h"
#include "protocol/storage.h"

#define CONNECT_TIMEOUT_MS	10000
#define PACKED_MOST	(UINT64_C(4) << 20)	/* bytes of a run; pages of 1 GiB are not packed */

static ssize_t lane_sendv_some(void *connection, const struct iovec *parts,
			       int count)
{
	return channel_sendv_some(connection, parts, count);
}

static ssize_t lane_receive_bytes(void *connection, void *buf, size_t size)
{
	return channel_receive_some(connection, buf, size);
}

static size_t lane_pending(void *connection)
{
	return channel_pending(connection);
}

static size_t lane_hurry(void *connection, bool hurry)
{
	return channel_narrow(connection, hurry);
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
	.pending = lane_pending,
	.narrow = lane_hurry,
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

/* A lane of this migration, with what its end of it needs to pack. */
static int lane_make(struct migration *m, struct channel *channel, enum lane_role role,
		     unsigned int index, struct lane **lane)
{
	uint64_t most = frame_payload_max(&m->map);
	int ret = lane_over_channel(channel, role, index, &m->map, lane);

	if (ret < 0)
		return ret;
	inject_lane(m->inject, *lane);
	if (m->packs && role == LANE_PUSH && most <= PACKED_MOST)
		ret = m->source ? packer_create(most, &(*lane)->packer)
				: unpacker_create(most, &(*lane)->unpacker);
	if (ret < 0)
		lane_destroy(*lane);
	return ret;
}

/**
 * lanes_packed() - source: the dest has said whether it takes PACKED
 * @m: prepared, or recovering; told in words if that is not as asked for
 * @accepted: whether it does
 */
void lanes_packed(struct migration *m, bool accepted)
{
	m->packs = m->options.compressed && accepted;
	if (m->options.compressed && !accepted)
		progress_decide(m,
				"%s does not take compressed pages (is it an older version?): they are sent as they are",
				m->options.host);
}

/**
 * lane_greet() - show the token that came over the control channel
 * @channel: connected as a lane
 * @token: TOKEN_SIZE bytes
 * @host: the dest, for messages
 * @timeout_ms: for each of the two words
 * @fail: says why not
 *
 * Return: 0: the lane is welcome; or -errno.
 */
int lane_greet(struct channel *channel, const uint8_t *token, const char *host,
	       int timeout_ms, struct fail *fail)
{
	uint32_t welcome;
	int ret = channel_send(channel, token, TOKEN_SIZE, timeout_ms);

	if (!ret)
		ret = channel_receive(channel, &welcome, sizeof(welcome),
				      timeout_ms);
	if (!ret && le32toh(welcome) != LANE_WELCOME)
		ret = -EPROTO;
	if (ret < 0)
		return fail_set(fail, ret, "%s does not take a lane: %s", host,
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
	ret = lane_greet(made, m->token, m->options.host, CONNECT_TIMEOUT_MS,
			 &m->fail);
	if (!ret)
		ret = channel_tune(made, role);
	if (ret < 0) {
		channel_close(made);
		return ret;
	}
	*channel = made;
	return 0;
}

/**
 * lane_add() - source: have a lane's thread use a connection
 * @m: prepared
 * @role: ROLE_FAULT or ROLE_PUSH
 * @index: within its role
 * @channel: welcome at the dest; owned from here on, also when this fails
 *
 * Return: 0 or -errno.
 */
int lane_add(struct migration *m, enum channel_role role, unsigned int index,
	     struct channel *channel)
{
	struct lane *lane;
	int ret = lane_make(m, channel, role == ROLE_FAULT ? LANE_FAULT : LANE_PUSH, index,
			    &lane);

	if (ret < 0)
		return ret;
	ret = source_add_lane(m->source, lane);
	if (ret < 0)
		lane_destroy(lane);
	return ret;
}

static int lane_connect(struct migration *m, enum channel_role role,
			unsigned int index)
{
	struct channel *channel;
	int ret = lane_channel(m, role, index, &channel);

	return ret < 0 ? ret : lane_add(m, role, index, channel);
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
		ret = lane_connect(m, ROLE_FAULT, i);
	for (i = 0; i < m->push_lanes && !ret; i++)
		ret = lane_connect(m, ROLE_PUSH, i);
	m->lanes_up = !ret;
	return ret ? ret : storage_connect(m);
}

/* ---- dest --------------------------------------------------------------- */

static const char *const role_words[] = {
	[ROLE_CONTROL] = "a control connection",
	[ROLE_FAULT] = "a fault lane",
	[ROLE_PUSH] = "a push lane",
	[ROLE_STORAGE] = "a disk's lane",
};

/* In any thread. */
static void connection_refused(void *arg, enum channel_role role, const char *from,
			       bool proven, const char *why)
{
	struct migration *m = arg;
	char text[FAIL_TEXT_MAX];

	snprintf(text, sizeof(text), "%s from %s is refused: %s", role_words[role],
		 *from ? from : "somewhere", why);
	utf8_mend(text);
	m->port_ops->refused(m->port, proven, text);
}

static void accepted_refuse(struct migration *m, struct accepted *accepted, const char *why)
{
	channel_close(accepted->channel);
	connection_refused(m, accepted->role, accepted->from,
			   channel_accept_proved(m->credentials, 0), why);
}

/**
 * lanes_listen() - dest: make a token, and be ready for who shows it
 * @m: with credentials
 * @peer: who the source proved to be: channel_peer(), or its row's
 *
 * Return: 0 or -errno with @m->fail.
 */
int lanes_listen(struct migration *m, const uint8_t *peer)
{
	int ret;

	if (gnutls_rnd(GNUTLS_RND_KEY, m->token, sizeof(m->token)))
		return fail_set(&m->fail, -EIO, "no random numbers for a token");
	ret = accepter_create(m->credentials, m->token, peer, &m->accepter);
	if (!ret)
		accepter_tell(m->accepter, connection_refused, m);
	return ret;
}

/**
 * lanes_connection() - somebody has connected to this migration
 * @m: of either side, wherever it is
 * @data: COMMAND_CONNECTION; its descriptor is owned from here on
 */
void lanes_connection(struct migration *m, const struct command_data *data)
{
	if (m->accepter) {
		accepter_take(m->accepter, &data->preamble, data->from, data->fd);
		return;
	}
	preamble_refuse(data->fd, PREAMBLE_BUSY);
	close(data->fd);
	connection_refused(m, data->preamble.role, data->from, false,
			   "this migration expects none yet");
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
		accepted_refuse(m, accepted, "its number is none, or another one's");
		return 0;
	}
	ret = lane_make(m, accepted->channel, role, accepted->index, &lane);
	if (ret < 0)
		return ret;
	ret = dest_add_lane(m->dest, lane);
	if (ret < 0)
		lane_destroy(lane);
	return ret;
}

/* The peer has connected anew: the old control connection is history. */
static void control_take(struct migration *m, struct accepted *accepted)
{
	if (m->phase < PHASE_FINISH) {
		accepted_refuse(m, accepted, "before Finish there is one and no other");
		return;
	}
	channel_lost(m);
	channel_set(m, accepted->channel);
	if (!m->agent_gone)
		m->port_ops->peer(m->port, accepted->from,
				  channel_peer_name(accepted->channel));
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
			control_take(m, &accepted);
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
