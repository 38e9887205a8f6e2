/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine.c - run a migration by the engine that was asked for, or can do it. */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "protocol/phase.h"

/* What @m was given, and its row, are all that is left of it. */
static int start_over(struct migration *m)
{
	struct migration *next = malloc(sizeof(*next));

	if (!next)
		return fail_set(&m->fail, -ENOMEM, "no memory to start over");
	migration_init(next, m->side);
	memcpy(next->id, m->id, sizeof(next->id));
	next->options = m->options;
	next->drivers = m->drivers;
	next->host = m->host;
	next->credentials = m->credentials;
	next->run_dir = m->run_dir;
	next->inject = m->inject;
	next->port_ops = m->port_ops;
	next->port = m->port;
	next->began_ns = m->began_ns;
	next->state = m->state;
	next->epoch = m->epoch;
	migration_fini(m);
	*m = *next;
	free(next);
	return 0;
}

/*
 * Up to Prepare nothing was changed; then libvirt may be able to. But it would
 * send disks in the clear, to a port that anybody may connect to.
 */
static bool may_fall_back(const struct migration *m)
{
	return !m->options.copy_storage &&
	       m->phase <= PHASE_PREPARE && m->fail.err != -ECANCELED &&
	       (m->state == STATE_NONE || m->state == STATE_BEGUN) &&
	       m->driver && !strcmp(m->driver->name, libvirt_driver.name);
}

/* A row that Begin's undo left for the other engine. */
static void row_end(struct migration *m)
{
	if (m->state == STATE_BEGUN)
		owner_move(m, STATE_RESUMED);
}

static int fall_back(struct migration *m)
{
	struct fail ours = m->fail;
	int ret = start_over(m);

	if (ret)
		return ret;
	m->progress.engine = ENGINE_NATIVE;
	log_notice("guest '%s' is moved by libvirt, as straddle cannot: %s",
		   m->options.guest, ours.text);
	progress_decide(m, "engine native, libvirt's own, as straddle cannot: %s",
			ours.text);
	ret = native_run(m);
	if (ret) {
		struct fail theirs = m->fail;

		m->fail = (struct fail){ .err = 0 };
		/* Ours was told already, and is cut short first. */
		fail_set(&m->fail, ret, "%s; straddle itself could not, either: %s",
			 theirs.text, ours.text);
	}
	return ret;
}

static int auto_run(struct migration *m)
{
	int ret = migration_run(m);

	if (!ret)
		return 0;
	if (may_fall_back(m))
		return fall_back(m);
	row_end(m);
	return ret;
}

/**
 * engine_run() - migrate, by whoever is to do it
 * @m: with everything that its owner gives filled in
 *
 * Return: 0 or -errno with @m->fail, as of migration_run().
 */
int engine_run(struct migration *m)
{
	if (m->side == SIDE_SOURCE && m->options.engine == ENGINE_NATIVE)
		return native_run(m);
	if (m->side == SIDE_SOURCE && m->options.engine == ENGINE_AUTO)
		return auto_run(m);
	return migration_run(m);
}
