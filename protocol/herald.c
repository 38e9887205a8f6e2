// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * herald.c - how it ended at the source, told until the dest has heard.
 *
 * TORN_DOWN: the dest keeps its guest from migrating on as long as that might
 * be taken back. TAKEN_BACK: it may run a copy that is to stop. What is said
 * once is lost with a connection, so it is said again, by a worker that does
 * nothing else, until an answer shows that it is written there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/dial.h"
#include "protocol/phase.h"
#include "sys.h"

#define HEARD_MS	5000	/* for the dest to say what it did */
#define HERALD_MIN_MS	1000
#define HERALD_MAX_MS	60000
#define NS_PER_MS	1000000ull

typedef bool heard_fn(const Straddle__Answer *answer, uint64_t epoch);

/* What the dest is waited for to say. */
struct hearing {
	heard_fn *is_heard;
	uint64_t epoch;			/* of what it is told */
	uint64_t end_ns;
	bool heard;
};

/* An answer may be older than what was told: then it is none to that. */
static int answer_hear(struct migration *m, struct hearing *hearing)
{
	struct message message;
	bool answered = false;
	int ret = 0;

	while (!ret && !answered) {
		if (now_ns() > hearing->end_ns)
			return fail_set(&m->fail, -ETIMEDOUT, "%s does not say that it has heard",
					m->options.host);
		ret = message_receive(m->channel, SIDE_DEST, PHASE_CONFIRM,
				      HEARD_MS, &message, &m->fail);
		if (ret)
			break;
		answered = message.type == MSG_ANSWER;
		hearing->heard = answered && hearing->is_heard(
			(const Straddle__Answer *)message.body, hearing->epoch);
		message_fini(&message);
	}
	return ret;
}

static int heard_wait(struct migration *m, struct hearing *hearing)
{
	int ret = 0;

	while (!ret && !hearing->heard)
		ret = answer_hear(m, hearing);
	return ret;
}

/* ---- torn down --------------------------------------------------------- */

/* A dest without the guest, or without a row of it, lets go of nothing. */
static bool confirmed_is_heard(const Straddle__Answer *answer, uint64_t epoch)
{
	(void)epoch;
	switch (answer->kind) {
	case STRADDLE__ANSWER_KIND__COMPLETE:
	case STRADDLE__ANSWER_KIND__RAN:
		return answer->has_confirmed && answer->confirmed;
	default:
		return true;
	}
}

static int confirmed_send(struct migration *m)
{
	Straddle__Confirmed confirmed = STRADDLE__CONFIRMED__INIT;
	int ret;

	confirmed.has_cookie = !cookie_bake(&m->mine, &confirmed.cookie);
	ret = send_message(m, MSG_CONFIRMED, &confirmed.base);
	free(confirmed.cookie.data);
	return ret;
}

/* Who has no row of it closes the connection behind its answer: that comes first. */
static int confirmed_tell_once(struct migration *m)
{
	struct hearing hearing = {
		.is_heard = confirmed_is_heard,
		.end_ns = now_ns() + HEARD_MS * NS_PER_MS,
	};
	bool asked = !m->channel;
	int ret = asked ? query_connect(m) : 0;

	if (!ret && asked)
		ret = answer_hear(m, &hearing);
	if (!ret && !hearing.heard)
		ret = confirmed_send(m);
	return ret ? ret : heard_wait(m, &hearing);
}

/**
 * confirmed_tell() - tell the dest that nothing is left here
 * @m: torn down
 *
 * Once, over the connection that there is, or a new one. A dest that has not
 * heard it is told by a herald, which is another worker.
 */
void confirmed_tell(struct migration *m)
{
	m->mine.downtime_ns = m->progress.downtime_ns;
	m->mine.total_ns = now_ns() - m->began_ns;
	if (!confirmed_tell_once(m))
		m->port_ops->acknowledge(m->port, &m->fail);
	memset(&m->fail, 0, sizeof(m->fail));
}

/* ---- taken back -------------------------------------------------------- */

/* That it runs, or did, is none of the answers to it, but of its own epoch. */
static bool supersede_is_heard(const Straddle__Answer *answer, uint64_t epoch)
{
	switch (answer->kind) {
	case STRADDLE__ANSWER_KIND__COMPLETE:
		return false;
	case STRADDLE__ANSWER_KIND__RAN:
		return answer->has_epoch && answer->epoch == epoch;
	default:
		return true;		/* it does not run there */
	}
}

static int supersede_tell(struct migration *m)
{
	Straddle__Supersede said = STRADDLE__SUPERSEDE__INIT;
	struct hearing hearing = {
		.is_heard = supersede_is_heard,
		.epoch = m->epoch,
		.end_ns = now_ns() + HEARD_MS * NS_PER_MS,
	};
	int ret = control_connect(m, HEARD_MS);

	said.migration.data = m->id;
	said.migration.len = sizeof(m->id);
	said.epoch = m->epoch;
	if (!ret)
		ret = send_message(m, MSG_SUPERSEDE, &said.base);
	return ret ? ret : heard_wait(m, &hearing);
}

/* ---- both -------------------------------------------------------------- */

/* Shown as what recovery fails of is: somebody has to mend it. */
static void herald_failed(struct migration *m, int ret, int delay_ms)
{
	broken_next_try(m, now_ns() + (uint64_t)delay_ms * NS_PER_MS);
	broken_note(m, "%.50s could not be told (%.80s)", m->options.host,
		    m->fail.err ? m->fail.text : strerror(-ret));
	memset(&m->fail, 0, sizeof(m->fail));
}

static int herald_once(struct migration *m)
{
	int ret = m->state == STATE_TAKEN_BACK ? supersede_tell(m)
					       : confirmed_tell_once(m);

	channel_lost(m);
	return ret ? ret : m->port_ops->acknowledge(m->port, &m->fail);
}

/* An operator said another address: he may be wrong. The next try is for the other. */
static void host_swap(struct migration *m)
{
	char host[sizeof(m->went_to)];

	if (!*m->went_to)
		return;
	memcpy(host, m->options.host, sizeof(host));
	memcpy(m->options.host, m->went_to, sizeof(host));
	memcpy(m->went_to, host, sizeof(host));
}

/*
 * Until it is tried again, or a word comes: that the link is there again, say.
 * Others are for nobody here.
 */
static int herald_wait(struct migration *m, int *delay_ms)
{
	struct command_data data = { .fd = -1 };
	int ret = sys_wait_fd(m->port_ops->command_fd(m->port), POLLIN, *delay_ms);

	if (!ret)
		ret = m->port_ops->command(m->port, &data);
	if (data.fd >= 0)
		close(data.fd);
	if (data.command == COMMAND_LINK_UP)
		*delay_ms = HERALD_MIN_MS;
	else if (*delay_ms < HERALD_MAX_MS)
		*delay_ms *= 2;
	return ret == -ETIMEDOUT || ret == -EAGAIN ? 0 : ret;
}

/**
 * herald() - tell the dest how it ended here, until it has heard
 * @m: owner_is_heralded(), with the row's epoch; called where the dest is now,
 *	and where it was when the guest left
 *
 * Return: 0, or -errno: the agent is gone.
 */
int herald(struct migration *m)
{
	int delay_ms = HERALD_MIN_MS, ret;

	m->phase = PHASE_CONFIRM;
	while ((ret = herald_once(m))) {
		herald_failed(m, ret, delay_ms);
		host_swap(m);
		ret = herald_wait(m, &delay_ms);
		if (ret)
			return ret;
	}
	return 0;
}
