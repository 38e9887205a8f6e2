// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * wait.c - the one place where a migration waits.
 *
 * Silence, progress reports, commands about bandwidth and the death of the
 * guest are dealt with here; a phase sees only what it has to decide about.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "protocol/accept.h"
#include "protocol/deadline.h"
#include "protocol/dial.h"
#include "protocol/phase.h"
#include "protocol/storage.h"
#include "sys.h"

#define NS_PER_MS	1000000ull
#define REASON_MS	1000	/* the peer says why it broke a lane */
#define TICK_MS		100	/* progress reports, and whether all are there */

static uint64_t elapsed_ms(uint64_t since_ns)
{
	return (now_ns() - since_ns) / NS_PER_MS;
}

/**
 * send_message() - send on the control channel
 * @m: whose channel
 * @type: of the message
 * @body: or NULL
 *
 * Return: 0; -ENOTCONN without a channel; or -errno with @m->fail.
 */
int send_message(struct migration *m, enum message_type type,
		 const ProtobufCMessage *body)
{
	int ret;

	if (!m->channel)
		return -ENOTCONN;
	inject_phase(m->inject, m->phase);
	ret = inject_message(m->inject, m->phase, m->channel, type, body, &m->fail);
	if (!ret)
		__atomic_store_n(&m->last_sent_ns, now_ns(), __ATOMIC_RELAXED);
	return ret;
}

/**
 * cancel_send() - source: have the dest give up, if it still may
 * @m: of the migration; a channel that breaks is closed
 * @reason: in words
 */
void cancel_send(struct migration *m, const char *reason)
{
	Straddle__Cancel cancel = STRADDLE__CANCEL__INIT;

	cancel.reason = (char *)reason;
	if (m->channel && send_message(m, MSG_CANCEL, &cancel.base) < 0)
		channel_lost(m);
}

/* A message that needs no decision. Return: whether that was one. */
static bool message_absorbed(struct migration *m, struct message *message)
{
	m->last_heard_ns = now_ns();
	if (message->type == MSG_PROGRESS)
		progress_absorb(m, (Straddle__Progress *)message->body);
	else if (message->type != MSG_PING)
		return false;
	message_fini(message);
	return true;
}

static int read_message(struct migration *m, struct event *event)
{
	enum side peer = m->side == SIDE_SOURCE ? SIDE_DEST : SIDE_SOURCE;
	struct fail why = { 0 };
	int ret = message_receive(m->channel, peer, m->phase, 0,
				  &event->message, &why);

	/* Part of a TLS record came, or one without a message in it. */
	if (ret == -ETIMEDOUT)
		return 0;
	if (ret < 0)
		return fail_set(&m->fail, ret, "%s",
				why.err ? why.text : strerror(-ret));
	if (message_absorbed(m, &event->message))
		return 0;
	event->kind = EVENT_MESSAGE;
	return 1;
}

static void drain(int fd)
{
	uint64_t value;

	(void)sys_retry(read(fd, &value, sizeof(value)));
}

/**
 * cookie_take() - what the other host says beside its message
 * @m: of the migration
 * @bytes: the message's cookie
 *
 * Return: 0, or -EPROTO with @m->fail.
 */
int cookie_take(struct migration *m, const ProtobufCBinaryData *bytes)
{
	int ret = cookie_eat(&m->peer, bytes, &m->fail);

	snprintf(m->progress.peer_host, sizeof(m->progress.peer_host), "%s",
		 m->peer.host);
	return ret;
}

/**
 * wall_clock_ns() - the time of day, to be told to people on another host
 *
 * Return: ns of CLOCK_REALTIME.
 */
uint64_t wall_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int engine_news(struct migration *m, struct event *event)
{
	drain(m->source ? m->source->event_fd : m->dest->event_fd);
	event->kind = EVENT_ENGINE;
	if (past_perform(m) || engine_error(m) >= 0)
		return 1;
	/* Lanes that the dest has closed: it has a reason. */
	if (m->source && (m->fail.err == -EPIPE || m->fail.err == -ECONNRESET))
		return peer_reason(m);
	return m->fail.err;
}

static int guest_ended(struct migration *m, struct event *event)
{
	if (past_perform(m)) {
		m->guest_ended = true;
		event->kind = EVENT_GUEST_ENDED;
		return 1;
	}
	event->kind = EVENT_GUEST_ENDED;
	return event_refuse(m, event);
}

/* Before the deadline, however much it says. */
static bool peer_speaks(const struct migration *m, uint64_t deadline)
{
	int left = deadline_left_ms(deadline);

	return m->channel && left &&
	       (channel_pending(m->channel) ||
		!sys_wait_fd(channel_fd(m->channel), POLLIN, left));
}

/**
 * peer_reason() - something of the peer's broke: it tells why at the same time
 * @m: with what was noticed here in @m->fail
 *
 * Return: -errno, never 0; @m->fail has the peer's words, if it says any.
 */
int peer_reason(struct migration *m)
{
	uint64_t deadline = deadline_after(REASON_MS);
	struct event event = { .kind = EVENT_MESSAGE };
	struct fail why = m->fail;
	int ret = 0;

	while (ret >= 0 && peer_speaks(m, deadline)) {
		memset(&m->fail, 0, sizeof(m->fail));
		ret = read_message(m, &event);
		if (ret > 0 && event.message.type == MSG_FAILED)
			return event_refuse(m, &event);
		if (ret > 0)
			message_fini(&event.message);
	}
	m->fail = why;
	return why.err;
}

static int storage_news(struct migration *m, struct event *event)
{
	drain(m->storage->news);
	event->kind = EVENT_ENGINE;
	if (past_perform(m) || !storage_error(m))
		return 1;
	return m->side == SIDE_SOURCE ? peer_reason(m) : m->fail.err;
}

enum { WAIT_CHANNEL, WAIT_COMMAND, WAIT_ENGINE, WAIT_STORAGE, WAIT_ACCEPT,
       WAIT_GUEST, WAIT_NEWS, WAIT_FENCE, WAIT_LOAD, WAIT_DIAL, WAIT_COUNT };

static void wait_set(const struct migration *m, struct pollfd *fds)
{
	int i;

	for (i = 0; i < WAIT_COUNT; i++) {
		fds[i].fd = -1;
		fds[i].events = POLLIN;
		fds[i].revents = 0;
	}
	if (m->channel)
		fds[WAIT_CHANNEL].fd = channel_fd(m->channel);
	if (!m->agent_gone)
		fds[WAIT_COMMAND].fd = m->port_ops->command_fd(m->port);
	if (m->source)
		fds[WAIT_ENGINE].fd = m->source->event_fd;
	if (m->dest)
		fds[WAIT_ENGINE].fd = m->dest->event_fd;
	if (m->storage)
		fds[WAIT_STORAGE].fd = m->storage->news;
	if (m->accepter)
		fds[WAIT_ACCEPT].fd = accepter_fd(m->accepter);
	if (m->fenced && !m->fence_tried && !m->guest_ended)
		fds[WAIT_FENCE].fd = m->fence.uffd;
	if (m->guest && !m->guest_ended)
		fds[WAIT_GUEST].fd = m->driver->pidfd(m->guest);
	if (!m->loading)	/* which uses the guest, too */
		fds[WAIT_NEWS].fd = m->news_fd;
	fds[WAIT_LOAD].fd = load_fd(m);
	fds[WAIT_DIAL].fd = dial_fd(m->dial);
}

/* What became ready, first things first. Return: 1 when @event is set. */
static int wait_serve(struct migration *m, const struct pollfd *fds,
		      struct event *event)
{
	if (fds[WAIT_GUEST].revents)
		return guest_ended(m, event);
	if (fds[WAIT_FENCE].revents) {
		fence_broken(m);
		return 0;
	}
	if (fds[WAIT_NEWS].revents)
		return news_take(m);
	if (fds[WAIT_COMMAND].revents)
		return command_obey(m, event);
	/* A reason that the peer tells comes before what it broke. */
	if (fds[WAIT_CHANNEL].revents ||
	    (m->channel && channel_pending(m->channel)))
		return read_message(m, event);
	if (fds[WAIT_ENGINE].revents)
		return engine_news(m, event);
	if (fds[WAIT_STORAGE].revents)
		return storage_news(m, event);
	if (fds[WAIT_LOAD].revents) {
		event->kind = EVENT_LOADED;
		return 1;
	}
	if (fds[WAIT_DIAL].revents) {
		event->kind = EVENT_DIALLED;
		return 1;
	}
	if (fds[WAIT_ACCEPT].revents) {
		drain(fds[WAIT_ACCEPT].fd);
		event->kind = EVENT_LANE;
		return 1;
	}
	return 0;
}

/* What went wrong can only be the control channel by now. */
static int wait_failed(struct migration *m, int error, struct event *event)
{
	if (!past_perform(m) || !m->channel)
		return error;
	if (m->side == SIDE_SOURCE)
		recover_channel_broke(m, m->fail.text);
	else
		channel_lost(m);
	memset(&m->fail, 0, sizeof(m->fail));
	event->kind = EVENT_LOST;
	return 0;
}

static int wait_once(struct migration *m, int timeout_ms, struct event *event)
{
	struct pollfd fds[WAIT_COUNT];
	int ret;

	wait_set(m, fds);
	if ((m->channel && channel_pending(m->channel)) || fence_is_due(m))
		timeout_ms = 0;
	ret = sys_retry(poll(fds, WAIT_COUNT, timeout_ms));
	if (ret >= 0)
		ret = wait_serve(m, fds, event);
	if (!ret && fence_is_due(m))
		fence_step(m);
	/* What waits to be read was not silent. */
	if (!ret && !fds[WAIT_CHANNEL].revents)
		ret = silence_check(m);
	return ret;
}

/**
 * event_wait() - wait until there is something to decide
 * @m: of the migration
 * @timeout_ms: at most so long; -1: for ever
 * @event: receives what it is
 *
 * Return: 0, or -errno with @m->fail: before Finish, the guest ended, the
 * engine failed, or the control channel broke.
 */
int event_wait(struct migration *m, int timeout_ms, struct event *event)
{
	uint64_t began_ns = now_ns();

	memset(event, 0, sizeof(*event));
	for (;;) {
		int left = TICK_MS;
		int ret;

		if (timeout_ms >= 0) {
			uint64_t gone = elapsed_ms(began_ns);

			if (gone > (uint64_t)timeout_ms)
				return 0;	/* EVENT_TIMEOUT */
			if (timeout_ms - (int)gone < left)
				left = timeout_ms - (int)gone;
		}
		ret = wait_once(m, left, event);
		progress_tell_due(m);
		owner_record_due(m);
		if (ret < 0)
			return wait_failed(m, ret, event);
		if (ret)
			return 0;
		if (timeout_ms == 0)
			return 0;
	}
}
