// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * perform.c - Perform: the source sends memory, then stops the guest and
 * sends its device state.
 *
 * Handed: lanes, a dest that waits. Hands on: the bitmap of pages that the
 * dest keeps, the device state; the guest stands still.
 * Undone by: resuming the guest, unless it was paused before Begin.
 */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/phase.h"
#include "protocol/storage.h"
#include "sys.h"

/* ---- source ------------------------------------------------------------ */

/**
 * perform_stop() - stop the vCPUs, drain the devices: memory does not change
 * @m: performing. Twice is once
 *
 * Return: 0 or -errno with @m->fail.
 */
int perform_stop(struct migration *m)
{
	int ret;

	if (m->state == STATE_STOPPED)
		return 0;
	ret = owner_move(m, STATE_STOPPING);
	if (ret < 0)
		return ret;
	m->stopped_ns = m->drained ? m->drained_ns : now_ns();
	m->mine.stopped_ns = wall_clock_ns() - (now_ns() - m->stopped_ns);
	m->paused_by_us = m->description.running;
	if (!m->drained) {
		m->progress.downtime_pause_ns = 0;
		ret = part_time(m, &m->progress.downtime_pause_ns, pause_ask);
		m->paused_by_us = m->description.running;
	}
	m->looked = m->drained;
	m->drained = false;	/* it stands still for good */
	if (!ret)
		ret = owner_move(m, STATE_STOPPED);
	return ret;
}

static bool is_same(const struct migration *m, const char *live)
{
	return !strcmp(live, m->description.live) ||
	       (m->driver->same && m->driver->same(m->description.live, live));
}

/**
 * perform_compare() - is it still the guest that Prepare made?
 * @m: stopped
 *
 * Return: 0; -EBUSY with @m->fail: its definition or memory was changed since
 * Begin, or somebody resumed it; or -errno.
 */
int perform_compare(struct migration *m)
{
	struct guest_description now = { 0 };
	unsigned int i;
	int ret = m->driver->describe(m->guest, &now, &m->fail);

	if (!ret)
		ret = m->driver->map(m->guest, &now, &m->fail);
	if (ret < 0) {
		guest_description_fini(&now);
		return ret;
	}
	if (!is_same(m, now.live) ||
	    now.region_count != m->description.region_count || now.running)
		ret = -EBUSY;
	for (i = 0; i < now.region_count && !ret; i++)
		if (now.regions[i].address !=
		    m->description.regions[i].address ||
		    now.regions[i].size != m->description.regions[i].size)
			ret = -EBUSY;
	guest_description_fini(&now);
	if (ret == -EBUSY)
		fail_set(&m->fail, ret,
			 "guest '%s' was changed while it was being migrated (its definition or memory is not what Begin saw, or somebody resumed it); migrate it again",
			 m->description.name);
	return ret;
}

static int scan_last(struct migration *m)
{
	if (!m->looked)
		m->progress.downtime_scan_ns = 0;
	return m->looked ? source_written_since(m->source, &m->tracker)
			 : source_written(m->source, &m->tracker);
}

/* What the guest wrote up to the stop, then the last round or none. */
static int memory_last(struct migration *m, enum finish_by how)
{
	int ret = 0;

	if (!m->generation)
		ret = source_populated(m->source);	/* once more */
	else if (m->tracking)
		ret = part_time(m, &m->progress.downtime_scan_ns, scan_last);
	if (!ret && how == FINISH_BY_COPY)
		ret = round_run(m);
	if (!ret)
		source_hold(m->source);
	return ret;
}

static int save(struct migration *m)
{
	return m->driver->save(m->guest, &m->state_fd, &m->fail);
}

/*
 * A kernel that cannot track has no rounds; post-copy works without. A guest
 * that stands still is tracked, too: whoever has it run is noticed.
 */
static int track(struct migration *m)
{
	int ret = memory_track(m);

	if (ret != -EOPNOTSUPP || (m->options.live && !m->options.postcopy))
		return ret;
	if (m->options.live)
		progress_decide(m, "no pre-copy rounds: %s", m->fail.text);
	memset(&m->fail, 0, sizeof(m->fail));
	return 0;
}

static int send_ahead(struct migration *m)
{
	__cleanup_fd int fd = -1;
	int ret;

	if (!m->driver->save_ahead)
		return 0;
	ret = m->driver->save_ahead(m->guest, &fd, &m->fail);
	return ret ? ret : state_send(m, fd, true);
}

static int precopy(struct migration *m, enum finish_by *how)
{
	int ret = 0;

	if (!m->options.live)
		ret = perform_stop(m);
	if (!ret)
		ret = storage_copy(m);
	if (!ret)
		ret = fence_make(m);
	if (!ret)
		ret = send_ahead(m);
	if (!ret && m->options.rounds_max)
		ret = track(m);
	if (!ret)
		ret = rounds_run(m, how);
	return ret;
}

/**
 * perform_source() - memory, the stop, device state
 * @m: prepared
 *
 * Return: 0 or -errno with @m->fail.
 */
int perform_source(struct migration *m)
{
	enum finish_by how;
	int ret = owner_move(m, STATE_PERFORMING);

	if (!ret)
		ret = news_watch(m);
	if (!ret)
		ret = precopy(m, &how);
	if (!ret)
		ret = perform_stop(m);
	if (!ret)
		ret = storage_end(m);
	if (!ret)
		ret = memory_last(m, how);
	if (!ret)
		ret = page_set_send(m, MSG_KEEP);
	if (!ret)
		ret = storage_ended(m);
	if (!ret)
		ret = part_time(m, &m->progress.downtime_save_ns, save);
	if (!ret)
		ret = state_send(m, m->state_fd, false);
	m->state_sent = !ret;
	return ret;
}

/*
 * A journal that cannot be written keeps no guest paused: before the question,
 * and after NEVER_RAN, whoever finds the row as it is resumes the guest, too.
 */
static int resume_intent(struct migration *m)
{
	struct fail why = m->fail;
	int ret = owner_move(m, STATE_RESUMING);

	if (!ret || ret == -ESTALE || (m->state == STATE_ASKED && !m->never_ran))
		return ret;
	progress_decide(m,
			"the journal here cannot be written (%.120s): guest '%.60s' is resumed all the same",
			m->fail.text, m->description.name);
	if (why.err)
		m->fail = why;
	return 0;
}

/*
 * The guest goes on where it was, unless it was paused before Begin. Return:
 * whether that is done, and only its row has to say so.
 */
static bool guest_resume(struct migration *m)
{
	struct fail failed = { 0 };

	if (m->drained)
		drain_end(m);
	if (m->state != STATE_STOPPING && m->state != STATE_STOPPED &&
	    m->state != STATE_ASKED)
		return false;
	if (resume_intent(m) < 0)
		return false;
	fence_open(m);
	if (m->guest_ended || !m->driver->alive(m->guest))
		m->paused_by_us = false;
	else if (!m->paused_by_us && m->driver->hold)
		m->driver->hold(m->guest, false, &failed);
	/* Else the intent stands: it is redone by the agent. */
	return !m->paused_by_us || m->driver->resume(m->guest, &failed) >= 0;
}

/**
 * perform_undo_source() - resume the guest, let go of its memory
 * @m: failed, or answered NEVER_RAN
 */
void perform_undo_source(struct migration *m)
{
	bool resumed;

	storage_cancel(m);	/* may keep libvirt from resuming it */
	/* What loads there has the locks of its disks. */
	if (m->state_sent && !m->never_ran)
		prepare_give_up(m);
	resumed = guest_resume(m);
	if (m->state == STATE_ASKED) {
		m->undecided = true;	/* another worker hears the same */
		return;
	}
	/* The dest hears why before its lanes break. */
	prepare_undo_source(m);
	source_destroy(m->source);
	m->source = NULL;
	fence_open(m);
	memory_detach(m);
	/* Nobody looks again at what a row that has ended left behind. */
	if (resumed && m->state == STATE_RESUMING)
		owner_move(m, STATE_RESUMED);
}

/* ---- dest -------------------------------------------------------------- */

static int barrier_send(struct migration *m)
{
	Straddle__Barrier barrier = STRADDLE__BARRIER__INIT;

	barrier.generation = m->generation;
	return send_message(m, MSG_BARRIER, &barrier.base);
}

/* All lanes first: a round is over when each has passed its barrier. */
static int barrier_look(struct migration *m)
{
	uint32_t passed = dest_barrier_passed(m->dest);

	if (passed == m->generation || !lanes_complete(m))
		return 0;
	m->generation = passed;
	return barrier_send(m);
}

static int keep_part(struct migration *m, struct region *region,
		     uint64_t first, uint64_t pages, const uint64_t *keep)
{
	return dest_keep(m->dest, region, first, pages, keep);
}

/*
 * Stale pages go while the source saves its devices: after the last part of
 * the bitmap nothing is left for Finish but what came to be mapped since.
 */
static int keep_take(struct migration *m, const Straddle__PageSet *keep)
{
	int ret = page_set_receive(m, MSG_KEEP, keep, keep_part);

	return ret || !page_set_complete(m, MSG_KEEP) ? ret :
	       memory_zap_stale(m);
}

/* The source waits with the stop until these are gone. */
static int stale_take(struct migration *m, const Straddle__PageSet *stale)
{
	int ret = page_set_receive(m, MSG_STALE, stale, memory_drop);

	if (ret || !page_set_complete(m, MSG_STALE))
		return ret;
	page_set_reset(m);
	return barrier_send(m);
}

static int state_take(struct migration *m, const Straddle__State *state)
{
	int ret = state_receive(m, state);

	if (ret || !m->ahead || !state_complete(m))
		return ret;
	m->ahead_came = true;
	m->ahead = false;
	if (!m->driver->load_ahead)
		return fail_set(&m->fail, -EPROTO,
				"the source sent something ahead of the device state: guests of '%s' take nothing",
				m->driver->name);
	return state_hand(m, m->driver->load_ahead, &m->fail);
}

static int perform_message(struct migration *m, struct event *event)
{
	int ret;

	switch (event->message.type) {
	case MSG_STALE:
		ret = stale_take(m, (Straddle__PageSet *)event->message.body);
		break;
	case MSG_KEEP:
		ret = keep_take(m, (Straddle__PageSet *)event->message.body);
		break;
	case MSG_STATE:
		ret = state_take(m, (Straddle__State *)event->message.body);
		break;
	default:
		return event_refuse(m, event);
	}
	message_fini(&event->message);
	return ret;
}

static int perform_event(struct migration *m, struct event *event)
{
	int ret;

	switch (event->kind) {
	case EVENT_ENGINE:
		return barrier_look(m);
	case EVENT_LANE:
		ret = lanes_accepted(m);
		return ret ? ret : barrier_look(m);
	case EVENT_MESSAGE:
		return perform_message(m, event);
	case EVENT_TIMEOUT:
		return lanes_late(m);
	default:
		return event_refuse(m, event);
	}
}

/**
 * perform_dest() - take in lanes, rounds, the bitmap and the device state
 * @m: prepared
 *
 * The lanes' threads store pages; this thread answers barriers. The source
 * begins when its lanes are welcome, which may be before they are taken here.
 *
 * Return: 0 or -errno with @m->fail.
 */
int perform_dest(struct migration *m)
{
	while (!state_complete(m)) {
		struct event event;
		int ret = event_wait(m, lanes_complete(m) ? -1
							  : LANES_TIMEOUT_MS,
				     &event);

		if (!ret)
			ret = perform_event(m, &event);
		if (ret < 0)
			return ret;
	}
	return 0;
}
