// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * wait.c - the one place where a migration waits.
 *
 * Heartbeats, progress reports, commands about bandwidth and the death of the
 * guest are dealt with here; a phase sees only what it has to decide about.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "protocol/accept.h"
#include "protocol/phase.h"
#include "protocol/storage.h"
#include "sys.h"

#define NS_PER_MS	1000000ull
#define PING_MS		1000	/* a heartbeat when nothing else was said */
#define SILENCE_MS	30000	/* then the peer is taken for lost */
#define REASON_MS	1000	/* the peer says why it broke a lane */
#define TICK_MS		100	/* progress reports and heartbeats */

static uint64_t elapsed_ms(uint64_t since_ns)
{
	return (now_ns() - since_ns) / NS_PER_MS;
}

/**
 * channel_lost() - close a control channel that broke
 * @m: goes on without one
 */
void channel_lost(struct migration *m)
{
	channel_close(m->channel);
	m->channel = NULL;
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
	ret = message_send(m->channel, type, body, &m->fail);
	if (!ret)
		m->last_sent_ns = now_ns();
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

/* Heartbeat out, silence noticed. */
static int heartbeat(struct migration *m)
{
	if (!m->channel)
		return 0;
	if (elapsed_ms(m->last_heard_ns) > SILENCE_MS)
		return fail_set(&m->fail, -ETIMEDOUT,
				"the peer of guest '%s' said nothing for %u s; is its host up, and the network?",
				m->description.name, SILENCE_MS / 1000);
	if (elapsed_ms(m->last_sent_ns) < PING_MS)
		return 0;
	return send_message(m, MSG_PING, NULL);
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

static bool past_perform(const struct migration *m)
{
	return m->phase >= PHASE_FINISH;
}

/* The guest's fate is decided past Perform: its pages go on moving. */
static int agent_lost(struct migration *m, int error)
{
	if (past_perform(m)) {
		m->agent_gone = true;
		progress_decide(m, "this host's agent is gone: pages go on, the journal waits");
		return 0;
	}
	return fail_set(&m->fail, error,
			"the agent of this host ended during %s of guest '%s'",
			phase_name(m->phase), m->description.name);
}

static int read_command(struct migration *m, struct event *event)
{
	struct command_data data = { .fd = -1 };
	int ret = m->port_ops->command(m->port, &data);

	if (ret == -EAGAIN)
		return 0;
	if (ret < 0)
		return agent_lost(m, ret);
	switch (data.command) {
	case COMMAND_ABORT:
		event->kind = EVENT_ABORT;
		return 1;
	case COMMAND_POSTCOPY:
		m->switch_asked = true;
		event->kind = EVENT_SWITCH;
		return 1;
	case COMMAND_BANDWIDTH:
		if (m->source)
			limit_set(&m->source->limit, data.bandwidth);
		if (m->side == SIDE_SOURCE)
			storage_limit(m, data.bandwidth);
		return 0;
	case COMMAND_CONNECTION:
		accepter_take(m->accepter, &data.preamble, data.fd);
		return 0;
	default:
		return 0;
	}
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

/**
 * engine_error() - what went wrong first in a thread that moves pages
 * @m: to ask; @m->fail receives it in words
 *
 * Return: 0 or -errno.
 */
int engine_error(struct migration *m)
{
	int error = 0;

	if (m->source)
		error = source_error(m->source);
	else if (m->dest)
		error = dest_error(m->dest);
	if (error == -EBADMSG)
		return fail_set(&m->fail, error,
				"pages of guest '%s' arrived damaged, again and again; is the network or a host's memory faulty?",
				m->description.name);
	if (error < 0)
		return fail_set(&m->fail, error,
				"moving pages of guest '%s' failed during %s: %s",
				m->description.name, phase_name(m->phase),
				strerror(-error));
	return 0;
}

static int engine_news(struct migration *m, struct event *event)
{
	drain(m->source ? m->source->event_fd : m->dest->event_fd);
	event->kind = EVENT_ENGINE;
	if (!past_perform(m) && engine_error(m) < 0)
		return m->fail.err;
	return 1;
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

/* What the dest says instead of what was expected. */
static int message_refuse(struct migration *m, const struct message *message)
{
	const char *reason = NULL;

	if (message->type == MSG_FAILED)
		reason = ((Straddle__Failed *)message->body)->reason;
	else if (message->type == MSG_CANCEL)
		reason = ((Straddle__Cancel *)message->body)->reason;
	if (message->type == MSG_FAILED)
		return fail_set(&m->fail, -EREMOTEIO, "%s: %s",
				m->options.host, reason);
	if (message->type == MSG_CANCEL)
		return fail_set(&m->fail, -ECANCELED,
				"the source gave up: %s",
				reason && *reason ? reason : "no reason given");
	return fail_set(&m->fail, -EPROTO,
			"the peer sent %s, which does not belong here",
			message_rule(message->type)->name);
}

/**
 * event_refuse() - an event that ends the phase
 * @m: of the migration
 * @event: freed here
 *
 * Return: -errno, never 0, with @m->fail in words.
 */
int event_refuse(struct migration *m, struct event *event)
{
	int ret;

	switch (event->kind) {
	case EVENT_MESSAGE:
		ret = message_refuse(m, &event->message);
		message_fini(&event->message);
		return ret;
	case EVENT_ABORT:
		return fail_set(&m->fail, -ECANCELED,
				"migration of guest '%s' was aborted by the user",
				m->description.name);
	case EVENT_LOST:
		return fail_set(&m->fail, -EPIPE,
				"the connection to the peer of guest '%s' broke",
				m->description.name);
	case EVENT_GUEST_ENDED:
		return fail_set(&m->fail, -ESRCH,
				"guest '%s' (process %d) ended during %s",
				m->description.name, (int)m->description.pid,
				phase_name(m->phase));
	default:
		return fail_set(&m->fail, -EPROTO,
				"guest '%s': nothing came that %s could go on with",
				m->description.name, phase_name(m->phase));
	}
}

/**
 * peer_reason() - something of the peer's broke: it tells why at the same time
 * @m: with what was noticed here in @m->fail
 *
 * Return: -errno, never 0; @m->fail has the peer's words, if it says any.
 */
int peer_reason(struct migration *m)
{
	struct event event = { .kind = EVENT_MESSAGE };
	struct fail why = m->fail;
	int ret;

	if (!m->channel ||
	    sys_wait_fd(channel_fd(m->channel), POLLIN, REASON_MS))
		return why.err;
	memset(&m->fail, 0, sizeof(m->fail));
	ret = read_message(m, &event);
	if (ret > 0 && event.message.type == MSG_FAILED)
		return event_refuse(m, &event);
	if (ret > 0)
		message_fini(&event.message);
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
       WAIT_GUEST, WAIT_NEWS, WAIT_FENCE, WAIT_LOAD, WAIT_COUNT };

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
		return read_command(m, event);
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
	memset(&m->fail, 0, sizeof(m->fail));
	channel_lost(m);
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
	if (!ret)
		ret = heartbeat(m);
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
		if (ret < 0)
			return wait_failed(m, ret, event);
		if (ret)
			return 0;
		if (timeout_ms == 0)
			return 0;
	}
}
