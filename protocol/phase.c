// SPDX-License-Identifier: LGPL-2.1-or-later
/* phase.c - the five phases, in order, and what undoes them. */
#include "protocol/phase.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/accept.h"
#include "protocol/storage.h"
#include "sys.h"

/*
 * A phase that fails is undone together with all before it, last one first.
 * Past GO nothing is undone: whoever owns the guest keeps it, and the phases
 * there do not fail but wait.
 */
const struct phase_step phase_table[] = {
	{ SIDE_SOURCE, PHASE_BEGIN, begin_source, begin_undo_source },
	{ SIDE_SOURCE, PHASE_PREPARE, prepare_source, prepare_undo_source },
	{ SIDE_SOURCE, PHASE_PERFORM, perform_source, perform_undo_source },
	{ SIDE_SOURCE, PHASE_FINISH, finish_source, NULL },
	{ SIDE_SOURCE, PHASE_CONFIRM, confirm_source, NULL },
	{ SIDE_DEST, PHASE_PREPARE, prepare_dest, prepare_undo_dest },
	{ SIDE_DEST, PHASE_PERFORM, perform_dest, NULL },
	{ SIDE_DEST, PHASE_FINISH, finish_dest, finish_undo_dest },
	{ SIDE_DEST, PHASE_CONFIRM, confirm_dest, NULL },
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
	switch (m->state) {
	case STATE_ASKED:
		return !m->never_ran;
	case STATE_HELD:
	case STATE_CORRUPT:
	case STATE_TEARING_DOWN:
	case STATE_TORN_DOWN:
	case STATE_DELEGATED:
	case STATE_MOVED:
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

	for (step = 0; step < phase_table_count; step++) {
		int ret;

		if (phase_table[step].side != m->side)
			continue;
		m->phase = phase_table[step].phase;
		progress_tell(m);
		ret = phase_table[step].run(m);
		if (ret < 0) {
			fail_set(&m->fail, ret, "%s of guest '%s' failed: %s",
				 phase_name(m->phase), m->description.name,
				 strerror(-ret));
			undo_from(m, step);
			progress_tell(m);
			return ret;
		}
		if (m->options.dry_run && m->phase == PHASE_PREPARE)
			break;
		engine_tell(m);
	}
	progress_tell(m);
	return 0;
}

/**
 * migration_fini() - free what a migration gathered
 * @m: over, one way or the other. The guest is left as it is
 */
void migration_fini(struct migration *m)
{
	fence_finish(m);	/* whatever ended it: its hypervisor answers */
	source_destroy(m->source);
	dest_destroy(m->dest);
	accepter_destroy(m->accepter);
	storage_destroy(m->storage);
	uffd_attachment_close(&m->attachment);
	uffd_attachment_close(&m->fence);
	if (m->pagemap >= 0)
		close(m->pagemap);
	if (m->state_fd >= 0)
		close(m->state_fd);
	region_map_fini(&m->map);
	if (m->states_path[0])
		unlink(m->states_path);
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
 * owner_move() - journal a state before it is true
 * @m: whose row moves
 * @to: where to
 *
 * Return: 0; -ESTALE: the row stood elsewhere (@m->fail says where); -errno.
 */
int owner_move(struct migration *m, enum owner_state to)
{
	enum owner_state now = m->state;
	int ret = m->port_ops->move(m->port, to, &now, &m->fail);

	if (ret < 0) {
		m->state = now;
		return ret;
	}
	m->state = to;
	progress_tell(m);
	return 0;
}

/**
 * owner_record() - journal a fact; without an agent it is true all the same
 * @m: past the decision: its pages must go on moving
 * @to: where it stands
 *
 * A row that could not follow is behind by facts only, and says so: whoever
 * reads it asks, or looks at the guest.
 *
 * Return: 0; -ESTALE: the row stood elsewhere (@m->fail says where).
 */
int owner_record(struct migration *m, enum owner_state to)
{
	int ret = owner_move(m, to);

	if (!ret || ret == -ESTALE)
		return ret;
	memset(&m->fail, 0, sizeof(m->fail));
	m->state = to;
	return 0;
}
