// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * silence.c - the peer says nothing, although something is due.
 *
 * Heartbeats are due on the control channel. On a narrow link they wait behind
 * bulk, in a queue that may hold seconds of it, and that is no cut. But what
 * comes out of such a queue meanwhile has waited as long, and so TCP knows of
 * the lanes' round trips how long that is: so much more is given.
 *
 * On a lane nothing is due but what was sent on it: the peer's kernel
 * acknowledges that, also when its process has no room for more. So bulk that is
 * not taken is no cut.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "protocol/phase.h"
#include "sys.h"

#define NS_PER_MS	1000000ull
#define SILENT_MS	2000	/* then it is cut, past Perform */
/* Before, the migration is given up; a guest that runs can wait a little. */
#define PATIENCE_MS	10000	/* and --recover-timeout less */

static struct lane *lane_at(const struct migration *m, unsigned int i)
{
	if (m->source)
		return i < m->source->lane_count ? m->source->lanes[i]->lane
						 : NULL;
	return m->dest && i < m->dest->lane_count ? m->dest->lanes[i]->lane
						  : NULL;
}

/* What TCP knows of a connection; false: it is of another kind, or none now. */
static bool tcp_look(int fd, struct tcp_info *info)
{
	socklen_t size = sizeof(*info);

	return !sys_ret(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size)) &&
	       size >= offsetof(struct tcp_info, tcpi_rcv_space) &&
	       info->tcpi_state == TCP_ESTABLISHED;
}

static uint64_t heard_ms(const struct tcp_info *info)
{
	return info->tcpi_last_data_recv < info->tcpi_last_ack_recv
		? info->tcpi_last_data_recv : info->tcpi_last_ack_recv;
}

/* As TCP waits before it sends again; who only receives knows the other one. */
static uint64_t round_trip_ms(const struct tcp_info *info)
{
	uint64_t us = info->tcpi_rtt + 4ull * info->tcpi_rttvar;

	return (us > info->tcpi_rcv_rtt ? us : info->tcpi_rcv_rtt) / 1000;
}

/* What the lanes say of the peer and of the way there. */
struct lanes_look {
	uint64_t heard_ms;	/* since anything came on any */
	uint64_t queue_ms;	/* how long what comes now was under way at most */
};

static struct lanes_look lanes_look(const struct migration *m)
{
	struct lanes_look look = { .heard_ms = UINT64_MAX };
	const struct lane *lane;
	struct tcp_info info;
	unsigned int i;

	for (i = 0; (lane = lane_at(m, i)); i++) {
		uint64_t heard, queue;

		if (!tcp_look(lane->fd, &info))
			continue;
		heard = heard_ms(&info);
		queue = round_trip_ms(&info);
		if (heard < look.heard_ms)
			look.heard_ms = heard;
		/* One that is silent for longer knows of a queue that was. */
		if (heard <= SILENT_MS + queue && queue > look.queue_ms)
			look.queue_ms = queue;
	}
	return look;
}

/*
 * For so long something that was sent is not acknowledged. When each byte was
 * sent is not known; but where none is under way at a look, all have come.
 */
static bool is_unheard(const struct tcp_info *info, uint64_t *unacked_ns,
		       uint64_t limit)
{
	if (!info->tcpi_unacked) {
		*unacked_ns = 0;
		return false;
	}
	if (!*unacked_ns)
		*unacked_ns = now_ns();
	return info->tcpi_last_ack_recv > limit &&
	       now_ns() - *unacked_ns > limit * NS_PER_MS;
}

static uint64_t limit_ms(const struct migration *m)
{
	uint64_t given = m->options.recover_timeout_ns / NS_PER_MS;

	if (past_perform(m))
		return SILENT_MS;
	return given && given < PATIENCE_MS ? given : PATIENCE_MS;
}

static const char *limit_option(const struct migration *m)
{
	return !past_perform(m) && limit_ms(m) < PATIENCE_MS
		? " (--recover-timeout)" : "";
}

/* Past Perform its thread ends, and lanes are made anew; before, all ends. */
static int lane_cut(struct migration *m, struct lane *lane, uint64_t limit)
{
	if (!past_perform(m))
		return fail_set(&m->fail, -ETIMEDOUT,
				"nothing that was sent on %s lane %u of guest '%s' was acknowledged for %llu s%s; does something on the way drop it?",
				lane->role == LANE_PUSH ? "push" : "fault",
				lane->index, m->description.name,
				(unsigned long long)(limit / 1000),
				limit_option(m));
	if (m->source)
		source_fail(m->source, -ETIME);
	else
		dest_fail(m->dest, -ETIME);
	lane_shutdown(lane);
	return 0;
}

static int lanes_check(struct migration *m, uint64_t limit)
{
	struct lane *lane;
	struct tcp_info info;
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && (lane = lane_at(m, i)); i++)
		if (tcp_look(lane->fd, &info) &&
		    is_unheard(&info, &lane->unacked_ns, limit))
			ret = lane_cut(m, lane, limit);
	return ret;
}

/*
 * Whatever comes on the lanes: nothing does here, in neither direction. The first
 * heartbeat that is not acknowledged was sent a while after what came last.
 */
static bool control_is_cut(struct migration *m, uint64_t limit)
{
	struct tcp_info info;

	return tcp_look(channel_fd(m->channel), &info) &&
	       is_unheard(&info, &m->unacked_ns, limit / 2) &&
	       heard_ms(&info) > limit;
}

static uint64_t control_silent_ms(const struct migration *m)
{
	return (now_ns() - m->last_heard_ns) / NS_PER_MS;
}

/**
 * silence_since() - since when nothing came from the peer, before it is given up
 * @m: of the migration
 *
 * Return: ns of CLOCK_REALTIME; 0: it was heard a moment ago, or there is none.
 */
uint64_t silence_since(const struct migration *m)
{
	uint64_t silent;

	if (!m->channel || past_perform(m))
		return 0;
	silent = control_silent_ms(m);
	if (silent > SILENT_MS) {
		uint64_t lanes = lanes_look(m).heard_ms;

		silent = lanes < silent ? lanes : silent;
	}
	return silent > SILENT_MS ? wall_clock_ns() - silent * NS_PER_MS : 0;
}

/**
 * silence_check() - is the peer there?
 * @m: its control channel was looked at just now, and had nothing
 *
 * Past Perform, lanes that are cut are broken; their threads say so.
 *
 * Return: 0, or -ETIMEDOUT with @m->fail: the channel is of no use any more, or,
 * before Finish, a lane.
 */
int silence_check(struct migration *m)
{
	struct lanes_look look = lanes_look(m);
	uint64_t silent = control_silent_ms(m), limit = limit_ms(m);
	uint64_t patience = limit + look.queue_ms;
	int ret = lanes_check(m, patience);

	if (ret || !m->channel)
		return ret;
	if (control_is_cut(m, patience) && look.heard_ms <= limit)
		return fail_set(&m->fail, -ETIMEDOUT,
				"the control connection alone is silent for %llu s%s; does something drop its packets? (%s of guest '%s')",
				(unsigned long long)(silent / 1000),
				limit_option(m), phase_name(m->phase),
				m->description.name);
	if (silent <= limit || look.heard_ms <= limit)
		return 0;
	return fail_set(&m->fail, -ETIMEDOUT,
			"the peer of guest '%s' said nothing for %llu s%s; is its host up, and the network?",
			m->description.name,
			(unsigned long long)(silent / 1000), limit_option(m));
}
