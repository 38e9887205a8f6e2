// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * recover_source.c - what broke is made again, as often as it breaks.
 *
 * Held, the source loses nothing by a cut. It connects again, asks what became
 * of the guest (QUERY), and when it runs there and lanes are missing, says
 * RECOVER: the dest answers with the bitmap of the pages that it has, and with
 * what opens lanes of a new generation. All others are sent again. Whatever
 * fails on the way is tried later; nothing of it ends the hold. Where that has
 * a limit (--recover-timeout), an operator has to say that it is tried again.
 */
#include <errno.h>
#include <string.h>

#include "protocol/dial.h"
#include "protocol/phase.h"
#include "sys.h"

#define BACKOFF_MIN_MS	100
#define BACKOFF_MAX_MS	5000
#define NS_PER_MS	1000000ull
#define STEADY_NS	UINT64_C(5000000000)	/* lanes that lasted so long */
#define CONNECT_MS	5000
#define PATIENCE_MS	1000			/* while something is under way */
#define ASK_AGAIN_NS	UINT64_C(3000000000)	/* what was not answered */
#define RECOVER_NS	UINT64_C(15000000000)	/* for all of PRESENT to come */

/* How it stands with --recover-timeout; UINT64_MAX: it is tried for ever. */
static uint64_t tried_until_ns(const struct migration *m)
{
	if (!m->options.recover_timeout_ns || !m->cut_ns)
		return UINT64_MAX;
	return m->cut_ns + m->options.recover_timeout_ns;
}

static void try_later(struct migration *m)
{
	if (!m->cut_ns)
		m->cut_ns = now_ns();
	m->backoff_ms *= 2;
	if (m->backoff_ms < BACKOFF_MIN_MS)
		m->backoff_ms = BACKOFF_MIN_MS;
	if (m->backoff_ms > BACKOFF_MAX_MS)
		m->backoff_ms = BACKOFF_MAX_MS;
	m->next_try_ns = now_ns() + m->backoff_ms * NS_PER_MS;
	if (m->next_try_ns > tried_until_ns(m))
		m->next_try_ns = tried_until_ns(m);
	broken_next_try(m, m->progress.recover_due ? 0 : m->next_try_ns);
}

/**
 * recover_channel_broke() - nobody hears us on the control channel
 * @m: asked or held
 * @why: in words
 */
void recover_channel_broke(struct migration *m, const char *why)
{
	channel_lost(m);
	if (m->progress.poisoned)
		return;		/* there is nothing to connect for */
	m->unanswered = false;
	m->recovering = m->dial != NULL && dial_what(m->dial) == DIAL_LANES;
	if (m->next_try_ns < now_ns())
		try_later(m);
	broken_note(m, "no connection to %.60s (%.80s): held here",
		    m->options.host, why);
}

/**
 * recover_lanes_broke() - pages cannot move on these lanes any more
 * @m: asked or held; its memory stays as it is
 * @why: in words
 */
void recover_lanes_broke(struct migration *m, const char *why)
{
	if (!m->lanes_up)
		return;
	m->lanes_up = false;
	source_lanes_end(m->source);
	if (m->recovered_ns && now_ns() - m->recovered_ns > STEADY_NS)
		m->backoff_ms = 0;
	try_later(m);
	if (memory_is_lost(m))
		broken_lost(m);
	else
		broken_note(m, "lanes to %.60s broke (%.60s): held here, missing pages wait",
			    m->options.host, why);
}

/**
 * recover_memory_lost() - nothing can be sent any more
 * @m: asked or held; memory_is_lost()
 *
 * It is held all the same: the dest may have been faster, or an operator may
 * have the missing pages poisoned there.
 */
void recover_memory_lost(struct migration *m)
{
	m->lanes_up = false;
	source_lanes_end(m->source);
	broken_lost(m);
}

static int query_send(struct migration *m)
{
	Straddle__Query query = STRADDLE__QUERY__INIT;

	query.migration.data = m->id;
	query.migration.len = sizeof(m->id);
	m->asked_ns = now_ns();
	return send_message(m, MSG_QUERY, &query.base);
}

/**
 * query_connect() - a new control connection, and the question on it
 * @m: source, without one
 *
 * Return: 0 or -errno with @m->fail.
 */
int query_connect(struct migration *m)
{
	int ret = control_connect(m, CONNECT_MS);

	return ret ? ret : query_send(m);
}

static int recover_send(struct migration *m)
{
	Straddle__Recover recover = STRADDLE__RECOVER__INIT;

	recover.generation = m->generation;
	recover.has_packs = recover.packs = m->options.compressed;
	m->asked_ns = now_ns();
	page_set_reset(m);
	return send_message(m, MSG_RECOVER, &recover.base);
}

/* No connection loses an answer without breaking; what is at its ends might. */
static bool answer_is_late(const struct migration *m)
{
	bool due = m->state == STATE_ASKED ||
		   (m->state == STATE_HELD &&
		    (!m->answered || !m->progress.missing_pages));

	return due && !m->recovering && now_ns() - m->asked_ns > ASK_AGAIN_NS;
}

/* Nothing is cut: the dest decides yet, or cannot write down what it decided. */
static int ask_again(struct migration *m)
{
	bool first = m->state == STATE_ASKED && !m->progress.broken_ns;

	m->unanswered |= first;
	if (m->unanswered)
		broken_next_try(m, now_ns() + ASK_AGAIN_NS);
	if (first)
		broken_note(m,
			    "%.60s does not say whether the guest runs there: held here, asking again",
			    m->options.host);
	return query_send(m);
}

/* What is due now, if anything is. */
static int next_step(struct migration *m)
{
	int ret = 0;

	if (!m->channel)
		return dial_start(m, DIAL_CONTROL);
	if (m->recovering && now_ns() - m->asked_ns > RECOVER_NS)
		return -ETIMEDOUT;
	if (answer_is_late(m))
		return ask_again(m);
	if (m->lanes_up || !m->answered || m->recovering ||
	    m->state != STATE_HELD || memory_is_lost(m))
		return 0;
	ret = recover_send(m);
	m->recovering = !ret;
	return ret;
}

/* What may mend it yet, however long it has been tried. */
static bool is_under_way(const struct migration *m)
{
	bool mended = m->lanes_up || !m->map.count;	/* but for the answer */

	return m->dial || m->recovering ||
	       (m->channel && (!m->answered || mended));
}

/* Nothing is lost by it, and nothing is gained by trying on. */
static void rest(struct migration *m)
{
	m->progress.recover_due = true;
	broken_next_try(m, 0);
	progress_decide(m,
			"guest '%s' is held here, and %.200s is not tried any more: --recover-timeout has passed; 'straddle recover %s' tries again",
			m->description.name, m->options.host,
			m->description.name);
}

static bool is_due(const struct migration *m)
{
	return !m->dial && !m->progress.recover_due && !m->progress.poisoned &&
	       now_ns() >= m->next_try_ns;
}

/**
 * recover_tick() - connect, ask or recover, if that is due
 * @m: asked or held
 */
void recover_tick(struct migration *m)
{
	int ret;

	if (!m->progress.recover_due && !is_under_way(m) &&
	    now_ns() >= tried_until_ns(m))
		rest(m);
	ret = is_due(m) ? next_step(m) : 0;
	if (ret < 0) {
		if (m->channel)
			recover_channel_broke(m, strerror(-ret));
		try_later(m);
	}
	memset(&m->fail, 0, sizeof(m->fail));
}

/**
 * recover_patience_ms() - how long to wait until something may be due
 * @m: asked or held
 *
 * Return: ms, for event_wait().
 */
int recover_patience_ms(const struct migration *m)
{
	uint64_t now = now_ns();

	if (m->dial || now >= m->next_try_ns)
		return PATIENCE_MS;
	return (int)((m->next_try_ns - now) / NS_PER_MS) + 1;
}

/**
 * recover_again() - an operator's word: try it now, and for as long as before
 * @m: asked or held
 */
void recover_again(struct migration *m)
{
	m->backoff_ms = 0;
	m->progress.poisoned = false;
	m->next_try_ns = m->cut_ns = 0;
	if (m->unanswered)
		m->asked_ns = 0;
	m->progress.recover_due = false;
	progress_decide(m, "%.200s is tried again: an operator says so",
			m->options.host);
}

/**
 * recover_answered() - the dest says on this channel that the guest runs there
 * @m: held
 */
void recover_answered(struct migration *m)
{
	if (!m->answered && memory_is_lost(m))
		broken_lost(m);
	m->answered = true;
	if (m->unanswered)
		broken_over(m);
	m->unanswered = false;
	if (!m->lanes_up)
		return;
	m->backoff_ms = 0;
	broken_mended(m);
}

/**
 * recover_poisoned() - the dest says that its guest goes on without our pages
 * @m: held; an operator is to give it up, and nothing is tried any more
 */
void recover_poisoned(struct migration *m)
{
	m->progress.poisoned = true;
	m->lanes_up = m->unanswered = false;
	m->cut_ns = 0;
	source_lanes_end(m->source);
	broken_next_try(m, 0);
	broken_note(m,
		    "missing pages were poisoned on %.60s by an operator: the copy here is of no use to the guest any more, and to be given up ('straddle resolve')",
		    m->options.host);
}

static void control_made(struct migration *m, struct channel *channel)
{
	channel_set(m, channel);
	m->next_try_ns = 0;
	if (query_send(m) < 0)
		recover_channel_broke(m, m->fail.text);
}

/* All of them, or none. */
static int lanes_made(struct migration *m, const struct dialled *made,
		      unsigned int count)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < count; i++) {
		if (ret)
			channel_close(made[i].channel);
		else
			ret = lane_add(m, made[i].role, made[i].index,
				       made[i].channel);
	}
	if (!ret)
		ret = source_push_start(m->source, m->generation);
	if (ret)
		source_lanes_end(m->source);
	return ret;
}

static void lanes_dialled(struct migration *m, const struct dialled *made,
			  unsigned int count, int ret)
{
	m->recovering = false;
	if (!ret)
		ret = lanes_made(m, made, count);
	if (ret) {
		try_later(m);
		broken_note(m, "no lanes to %.60s (%.60s): held here",
			    m->options.host,
			    m->fail.err ? m->fail.text : strerror(-ret));
		return;
	}
	m->lanes_up = true;
	m->recovered_ns = now_ns();
	broken_mended(m);
}

/**
 * recover_dialled() - connections were made, or could not be
 * @m: asked or held; EVENT_DIALLED
 */
void recover_dialled(struct migration *m)
{
	enum dial_for what = dial_what(m->dial);
	struct dialled made[DIALLED_MAX];
	unsigned int count;
	int ret = dial_end(m, made, &count, &m->fail);

	if (what == DIAL_LANES) {
		lanes_dialled(m, made, count, ret);
	} else if (ret) {
		try_later(m);
		broken_note(m, "no answer from %.60s (%.60s): held here, asking again",
			    m->options.host, m->fail.text);
	} else {
		control_made(m, made[0].channel);
	}
	memset(&m->fail, 0, sizeof(m->fail));
}

static int present_take(struct migration *m, struct region *region,
			uint64_t first, uint64_t pages, const uint64_t *present)
{
	(void)m;
	return source_has(m->source, region, first, pages, present);
}

static int recovered_take(struct migration *m,
			  const Straddle__Recovered *said)
{
	if (!page_set_complete(m, MSG_PRESENT) ||
	    said->token.len != TOKEN_SIZE ||
	    said->generation <= m->generation || !said->fault_lanes ||
	    !said->push_lanes || said->fault_lanes > LANES_A_ROLE_MAX ||
	    said->push_lanes > LANES_A_ROLE_MAX)
		return fail_set(&m->fail, -EPROTO,
				"%s answered RECOVER with numbers that make no sense",
				m->options.host);
	memcpy(m->token, said->token.data, TOKEN_SIZE);
	m->generation = said->generation;
	m->fault_lanes = said->fault_lanes;
	m->push_lanes = said->push_lanes;
	lanes_packed(m, said->has_packs && said->packs);
	return dial_start(m, DIAL_LANES);
}

/* What is seen here first may be no more than that lanes were closed. */
static void broken_take(struct migration *m, const Straddle__Broken *said)
{
	const char *why = said->reason ? said->reason : "the dest says so";

	recover_lanes_broke(m, why);
	if (said->has_no_room && said->no_room && !m->lanes_up &&
	    !m->progress.poisoned && !memory_is_lost(m))
		broken_note(m,
			    "no room on %.40s for the guest's memory (%.40s): held here, missing pages wait; make room there, then they go on",
			    m->options.host, why);
}

static int message_take(struct migration *m, const struct message *message)
{
	switch (message->type) {
	case MSG_BROKEN:
		broken_take(m, (const Straddle__Broken *)message->body);
		return 0;
	case MSG_PRESENT:
		if (!m->recovering || m->lanes_up || m->dial)
			return -EPROTO;
		m->asked_ns = now_ns();	/* it is being answered */
		return page_set_receive(m, MSG_PRESENT,
					(const Straddle__PageSet *)message->body,
					present_take);
	case MSG_RECOVERED:
		if (!m->recovering || m->lanes_up || m->dial)
			return -EPROTO;
		return recovered_take(m,
			(const Straddle__Recovered *)message->body);
	default:
		return -EPROTO;
	}
}

/**
 * recover_message() - a message that is no answer
 * @m: asked or held
 * @message: from the dest; freed here
 *
 * Return: 0, or -EPROTO: the channel was of no use, and is closed.
 */
int recover_message(struct migration *m, struct message *message)
{
	int ret = message_take(m, message);

	message_fini(message);
	if (ret < 0)
		recover_channel_broke(m, m->fail.err ? m->fail.text
			: "it sent what does not belong here");
	memset(&m->fail, 0, sizeof(m->fail));
	return ret;
}
