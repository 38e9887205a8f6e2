// SPDX-License-Identifier: LGPL-2.1-or-later
/* phase.c - the five phases, in order, and what undoes them. */
#include "protocol/phase.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/accept.h"
#include "protocol/dial.h"
#include "protocol/storage.h"
#include "sys.h"

#define WRITE_AGAIN_NS	UINT64_C(1000000000)	/* a fact, to its row */

/*
 * A phase that fails is undone together with all before it, last one first.
 * Past GO nothing is undone: whoever owns the guest keeps it, and the phases
 * there do not fail but wait.
 */
const struct phase_step phase_table[] = {
	{ SIDE_SOURCE, PHASE_BEGIN, begin_source, begin_undo_source, NULL },
	{ SIDE_SOURCE, PHASE_PREPARE, prepare_source, prepare_undo_source, NULL },
	{ SIDE_SOURCE, PHASE_PERFORM, perform_source, perform_undo_source, NULL },
	{ SIDE_SOURCE, PHASE_FINISH, finish_source, NULL, finish_source_again },
	{ SIDE_SOURCE, PHASE_CONFIRM, confirm_source, NULL, confirm_source },
	{ SIDE_DEST, PHASE_PREPARE, prepare_dest, prepare_undo_dest, NULL },
	{ SIDE_DEST, PHASE_PERFORM, perform_dest, NULL, NULL },
	{ SIDE_DEST, PHASE_FINISH, finish_dest, finish_undo_dest, start_guest },
	{ SIDE_DEST, PHASE_CONFIRM, confirm_dest, NULL, confirm_dest },
};

const size_t phase_table_count = sizeof(phase_table) / sizeof(phase_table[0]);

/**
 * migration_init() - make a migration that has learnt nothing yet
 * @m: to initialise; migration_fini() frees what it gathers
 * @side: which end this is
 */
void migration_init(struct migration *m, enum side side)
{
	memset(m, 0, sizeof(*m));
	m->side = side;
	m->news_fd = -1;
	m->pagemap = -1;
	m->state_fd = -1;
	m->resolve_fd = -1;
	m->attachment.uffd = -1;
	m->attachment.pidfd = -1;
	m->attachment.remote_fd = -1;
	m->fence = m->attachment;
	m->tracker.pagemap = -1;
	m->began_ns = now_ns();
	cookie_init(&m->mine);
}

/*
 * Is the guest's fate decided, or another's to decide? Then nothing is undone:
 * from ASKED only the promise NEVER_RAN leads back, whatever else fails.
 */
static bool past_undoing(const struct migration *m)
{
	if (m->undecided)
		return true;	/* the next agent knows */
	switch (m->state) {
	case STATE_ASKED:
		return !m->never_ran;
	case STATE_HELD:
	case STATE_CORRUPT:
	case STATE_TEARING_DOWN:
	case STATE_TORN_DOWN:
	case STATE_DELEGATED:
	case STATE_MOVED:
	case STATE_DIED_THERE:
	case STATE_TAKING_BACK:
	case STATE_TAKEN_BACK:
	case STATE_SUPERSEDED:
	case STATE_POISONED:
	case STATE_GO:
	case STATE_RUNNING:
	case STATE_COMPLETE:
	case STATE_DONE:
	case STATE_DIED:
		return true;
	default:
		return false;
	}
}

static void engine_tell(struct migration *m)
{
	if (m->side == SIDE_SOURCE && m->options.engine == ENGINE_AUTO &&
	    m->phase == PHASE_PREPARE)
		progress_decide(m,
				"engine straddle: nothing stands in its way on this host or on %s",
				m->options.host);
}

static void undo_from(struct migration *m, size_t step)
{
	if (past_undoing(m))
		return;
	do {
		if (phase_table[step].side == m->side &&
		    phase_table[step].undo)
			phase_table[step].undo(m);
	} while (step--);
}

/* One step; what it began is undone if it fails, with all before it. */
static int step_run(struct migration *m, size_t step,
		    int (*run)(struct migration *m))
{
	int ret;

	m->phase = phase_table[step].phase;
	inject_phase(m->inject, m->phase);
	progress_tell(m);
	ret = run(m);
	if (!ret)
		return 0;
	fail_set(&m->fail, ret, "%s of guest '%s' failed: %s",
		 phase_name(m->phase), m->description.name, strerror(-ret));
	undo_from(m, step);
	progress_tell(m);
	return ret;
}

/**
 * migration_run() - all phases of one side
 * @m: with everything that its owner gives filled in
 *
 * Return: 0, or -errno with @m->fail; then what was begun is undone, unless
 * the guest's fate was decided already.
 */
int migration_run(struct migration *m)
{
	size_t step;
	int ret;

	for (step = 0; step < phase_table_count; step++) {
		if (phase_table[step].side != m->side)
			continue;
		ret = step_run(m, step, phase_table[step].run);
		if (ret < 0)
			return ret;
		if (m->options.dry_run && m->phase == PHASE_PREPARE)
			break;
		engine_tell(m);
	}
	progress_tell(m);
	return 0;
}

/* The phase that a row's state belongs to. */
static enum phase phase_of(enum owner_state state)
{
	return state == STATE_ASKED || state == STATE_GO ? PHASE_FINISH
							 : PHASE_CONFIRM;
}

/**
 * migration_continue() - the phases that a predecessor did not end
 * @m: with everything that its owner gives, and the state of the row
 *
 * Return: as migration_run().
 */
int migration_continue(struct migration *m)
{
	size_t step;
	int ret;

	m->phase = phase_of(m->state);
	inject_phase(m->inject, m->phase);
	if (owner_is_heralded(m->state))
		return herald(m);
	ret = successor_begin(m);
	if (!ret && m->state == STATE_TAKING_BACK)
		return taken_back(m);
	if (!ret && m->resolution)
		ret = resolve(m);
	for (step = 0; step < phase_table_count && !ret; step++)
		if (phase_table[step].side == m->side &&
		    phase_table[step].again &&
		    phase_table[step].phase >= phase_of(m->state))
			ret = step_run(m, step, phase_table[step].again);
	progress_tell(m);
	return ret;
}

/* Somebody will have to go on with it, after us. */
static bool is_left_open(const struct migration *m)
{
	const struct owner_rule *rule = owner_rule(m->state);

	return m->undecided || (past_undoing(m) && rule && !rule->ended &&
				m->state != STATE_COMPLETE);
}

/**
 * migration_fini() - free what a migration gathered
 * @m: over, one way or the other. The guest is left as it is
 *
 * Its testament is left, too: whether somebody has to go on says the journal,
 * and the agent, which reads it, removes what nobody needs.
 */
void migration_fini(struct migration *m)
{
	dial_cancel(m);
	pulse_end(m);
	fence_finish(m);	/* whatever ended it: its hypervisor answers */
	source_destroy(m->source);
	dest_destroy(m->dest);
	accepter_destroy(m->accepter);
	storage_destroy(m->storage);
	uffd_attachment_close(&m->attachment);
	uffd_attachment_close(&m->fence);
	if (m->pagemap >= 0)
		close(m->pagemap);
	if (m->process_memory > 0)
		close(m->process_memory);
	if (m->state_fd >= 0)
		close(m->state_fd);
	if (m->resolve_fd >= 0)
		close(m->resolve_fd);
	region_map_fini(&m->map);
	if (m->states_path[0] && !is_left_open(m))
		states_unlink(m->states_path);
	channel_close(m->channel);
	guest_description_fini(&m->description);
	answer_free(m->complete);
	if (m->guest)
		m->driver->close(m->guest);
	free(m->leaving.live);
	free(m->leaving.persistent);
	free(m->prepare_live);
	free(m->prepare_given);
	free(m->device);
	free(m->persistent);
	explicit_bzero(m->token, sizeof(m->token));
}

/**
 * owner_begin() - journal a migration in its first state
 * @m: whose row begins
 * @row: as it is to be; its epoch may change
 *
 * Return: 0; -EEXIST: the guest has another one; or -errno with @m->fail.
 */
int owner_begin(struct migration *m, struct journal_row *row)
{
	struct inject_plan plan;
	int ret;

	inject_move(m->inject, row->state, &plan);
	ret = m->port_ops->begin(m->port, row, &m->fail);
	inject_after(&plan);
	return ret;
}

/**
 * owner_move() - journal a state before it is true
 * @m: whose row moves
 * @to: where to
 *
 * Return: 0; -ESTALE: the row stood elsewhere (@m->fail says where); -errno.
 */
int owner_move(struct migration *m, enum owner_state to)
{
	enum owner_state now = m->state;
	struct inject_plan plan;
	int ret;

	inject_move(m->inject, to, &plan);
	ret = m->port_ops->move(m->port, to, &now, &m->fail);
	inject_after(&plan);
	if (ret < 0) {
		m->state = now;
		return ret;
	}
	m->state = to;
	m->unwritten = STATE_NONE;
	progress_tell(m);
	return 0;
}

/**
 * owner_record() - journal a fact; without an agent it is true all the same
 * @m: past the decision: its pages must go on moving
 * @to: where it stands
 *
 * A row that could not follow is behind by facts only, and says so: whoever
 * reads it asks, or looks at the guest. owner_record_due() has it follow.
 *
 * Return: 0; -ESTALE: the row stood elsewhere (@m->fail says where).
 */
int owner_record(struct migration *m, enum owner_state to)
{
	int ret = owner_move(m, to);

	if (!ret || ret == -ESTALE)
		return ret;
	memset(&m->fail, 0, sizeof(m->fail));
	m->state = m->unwritten = to;
	m->write_again_ns = now_ns() + WRITE_AGAIN_NS;
	return 0;
}

/* Return: 0: it may be written by now; or -errno with @m->fail. */
static int insist_wait(struct migration *m)
{
	struct event event;
	int ret = event_wait(m, RECORD_AGAIN_MS, &event);

	if (ret < 0)
		return ret;
	if (m->agent_gone)
		return -EPIPE;
	switch (event.kind) {
	case EVENT_RESOLVE:	/* at the dest there is no guest to decide about */
		return m->side == SIDE_SOURCE ? resolve(m) : 0;
	case EVENT_DIALLED:
		recover_dialled(m);
		return 0;
	case EVENT_MESSAGE:
		message_fini(&event.message);
		return 0;
	default:
		return 0;
	}
}

/**
 * owner_insist() - journal a fact that only an operator can go on from
 * @m: source, asked or held; dest, past GO; @m->fail has the fact in words, and
 *	keeps them
 * @to: where it stands
 *
 * It is written again until it is there, and not told before: the row as it was
 * would say that there is nothing to decide. Who ends before leaves it to a
 * successor, which finds the same.
 *
 * Return: 0; or -errno with @m->fail: an operator has decided meanwhile, the
 * row stood elsewhere, or the agent is gone.
 */
int owner_insist(struct migration *m, enum owner_state to)
{
	struct fail why = m->fail;
	int ret;

	memset(&m->fail, 0, sizeof(m->fail));
	while ((ret = owner_move(m, to)) && ret != -ESTALE) {
		progress_decide(m, "that it is %s is not recorded yet: %.200s",
				owner_state_name(to), m->fail.text);
		memset(&m->fail, 0, sizeof(m->fail));
		ret = insist_wait(m);
		if (ret)
			return ret;
	}
	if (!ret)
		m->fail = why;
	return ret;
}

/**
 * owner_record_again() - journal what owner_record() could not, if anything
 * @m: past the decision
 * @fail: says why not
 *
 * Return: 0: its row says what is true; or -errno: it is behind yet.
 */
int owner_record_again(struct migration *m, struct fail *fail)
{
	struct fail first = m->fail;
	int ret = 0;

	memset(&m->fail, 0, sizeof(m->fail));
	if (m->unwritten != STATE_NONE)
		ret = owner_move(m, m->unwritten);
	if (ret == -ESTALE)	/* it was written, and its reply lost */
		ret = 0;
	if (ret)
		fail_set(fail, ret, "%s", m->fail.text);
	else
		m->unwritten = STATE_NONE;
	m->write_again_ns = now_ns() + WRITE_AGAIN_NS;
	m->fail = first;
	return ret;
}

/**
 * owner_record_due() - the same, now and then
 * @m: of the migration
 *
 * What an operator may decide depends on what its row says.
 */
void owner_record_due(struct migration *m)
{
	struct fail ignored = { 0 };

	if (m->unwritten != STATE_NONE && !m->agent_gone &&
	    now_ns() >= m->write_again_ns)
		owner_record_again(m, &ignored);
}
