/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker_native.c - libvirt moves the guest, and our policy rules it.
 *
 * QEMU's look at what was written ends a round, as ours does; what it
 * measured is judged by the same words and numbers (protocol/rounds.c).
 */
#include <string.h>

#include "engine.h"
#include "protocol/phase.h"
#include "sys.h"
#include "tools/guests/libvirt_native.h"

#define PAGE	4096

/* A migration that libvirt runs. */
struct run {
	struct migration *m;
	struct native *native;
	struct native_job job;		/* as last told */
	struct native_job mark;		/* when this round began */
	uint64_t mark_ns;		/* likewise; 0: libvirt has not begun */
	uint64_t switched_bytes;	/* on the wire, before the switch */
	bool aborting;			/* until libvirt takes it */
	bool switching;			/* decided; until libvirt takes it */
	bool stopped;			/* the rest is being copied */
};

static int check_driver(struct migration *m)
{
	if (!strcmp(m->driver->name, libvirt_driver.name))
		return 0;
	return fail_set(&m->fail, -EOPNOTSUPP,
			"guest '%s' is none of libvirt's (its driver is %s), so there is no native migration for it: leave --engine native out",
			m->description.name, m->driver->name);
}

static int begin(struct run *run)
{
	struct migration *m = run->m;
	int ret = guest_find(m->drivers, &m->host, m->options.guest,
			     &m->driver, &m->guest, &m->fail);

	if (!ret)
		ret = m->driver->describe(m->guest, &m->description, &m->fail);
	if (!ret)
		ret = check_driver(m);
	/* The other engine may have begun it. */
	if (!ret && m->state == STATE_NONE)
		ret = begin_row(m);
	if (!ret)
		ret = native_open(m->description.uuid,
				  m->port_ops->command_fd(m->port),
				  &run->native, &m->fail);
	/* From here on libvirt owns it. */
	return ret ? ret : owner_move(m, STATE_DELEGATED);
}

/* ---- numbers ------------------------------------------------------------ */

/* Zero pages count as memory, as in our own rounds. */
static uint64_t memory_sent(const struct native_job *job)
{
	return job->data_bytes + job->zero_pages * PAGE;
}

static void count(struct run *run)
{
	struct progress *progress = &run->m->progress;
	const struct native_job *job = &run->job;

	progress->memory_bytes = job->memory_bytes;
	progress->done_bytes = job->memory_bytes - job->left_bytes;
	progress->data_bytes = job->data_bytes;
	progress->zero_pages = job->zero_pages;
	progress->network_faults = job->requests;
	progress->round_bytes = job->wire_bytes;
	if (!progress->postcopy)
		return;
	progress->round_bytes = run->switched_bytes;
	progress->push_bytes = job->wire_bytes - run->switched_bytes;
	progress->missing_pages = job->left_bytes / PAGE;
}

/* Rounds shorter than a tick come together: their mean is judged. */
static void measure(struct run *run)
{
	struct migration *m = run->m;
	uint64_t now = now_ns();
	uint32_t rounds = run->job.looks - run->mark.looks;

	if (!rounds)
		rounds = 1;		/* it was cut */
	m->round = (struct round_result){
		.number = m->progress.round - 1,
		.bytes = (run->job.wire_bytes - run->mark.wire_bytes) / rounds,
		.ns = (now - run->mark_ns) / rounds,
		.pages = (memory_sent(&run->job) - memory_sent(&run->mark)) / rounds,
		.dirty = run->job.left_bytes,
	};
	m->progress.link_rate = estimate_rate(&m->round);
	m->progress.dirty_rate = estimate_dirty_rate(&m->round);
	run->mark = run->job;
	run->mark_ns = now;
}

/* ---- what is done ------------------------------------------------------- */

/* What libvirt refuses is told; it may be too early, or too late by a moment. */
static void told(struct run *run, const struct fail *fail)
{
	progress_decide(run->m, "%s", fail->text);
}

static void try_abort(struct run *run)
{
	if (run->aborting && !native_abort(run->native, NULL))
		run->aborting = false;
}

static void try_switch(struct run *run)
{
	struct progress *progress = &run->m->progress;

	if (!run->switching || native_switch(run->native, NULL))
		return;
	run->switching = false;
	run->switched_bytes = run->job.wire_bytes;
	progress->postcopy = true;
	count(run);
	progress_tell(run->m);
}

static void stop(struct run *run)
{
	struct fail fail = { 0 };

	run->stopped = true;
	if (native_suspend(run->native, &fail))
		told(run, &fail);
}

/*
 * That the rest fits the downtime is QEMU's to act upon: it stops the guest
 * itself, by the same target. What it does not see is that time is up.
 */
static void decide(struct run *run)
{
	struct migration *m = run->m;
	enum finish_by how;

	measure(run);
	if (!round_decide(m, &how))
		return;
	if (how == FINISH_BY_POSTCOPY)
		run->switching = true;
	else if (rounds_timed_out(m) || m->progress.round >= m->options.rounds_max)
		stop(run);
}

static bool is_cut(const struct migration *m)
{
	return m->switch_asked || rounds_timed_out(m);
}

static void first_look(struct run *run)
{
	struct migration *m = run->m;
	struct fail fail = { 0 };

	run->mark = run->job;
	run->mark_ns = now_ns();
	m->progress.round = 1;
	if (native_set_downtime(run->native, m->options.downtime_ns, &fail))
		told(run, &fail);
	if (!m->options.rounds_max && m->options.postcopy) {
		progress_decide(m, "switching to post-copy at once, as asked");
		run->switching = true;
	}
}

/* Rounds of a guest that stands still, or is there already, end by themselves. */
static bool is_undecided(const struct run *run)
{
	return run->m->options.live && !run->stopped && !run->switching &&
	       !run->m->progress.postcopy;
}

static void look(struct run *run)
{
	struct migration *m = run->m;

	if (native_job(run->native, &run->job) || !run->job.looks)
		return;
	if (!run->mark_ns)
		first_look(run);
	count(run);
	if (is_undecided(run) && (run->job.looks > run->mark.looks || is_cut(m))) {
		m->progress.round = run->mark.looks;
		decide(run);
	}
	/* QEMU goes on looking when rounds are over. */
	if (!run->switching && !m->progress.postcopy)
		m->progress.round = run->job.looks;
	try_switch(run);
}

/* ---- what users say ----------------------------------------------------- */

static void abort_take(struct run *run)
{
	if (run->m->progress.postcopy)
		progress_decide(run->m,
				"it runs there already: since the switch it cannot be aborted any more");
	else
		run->aborting = true;
}

static void switch_take(struct run *run)
{
	if (run->m->options.postcopy)
		run->m->switch_asked = true;
	else
		progress_decide(run->m,
				"cannot switch: libvirt has to be told before it begins; abort it, and migrate with --postcopy");
}

static void bandwidth_take(struct run *run, uint64_t bytes)
{
	struct fail fail = { 0 };

	if (native_set_bandwidth(run->native, bytes, run->m->progress.postcopy, &fail))
		told(run, &fail);
}

static void agent_lost(struct run *run)
{
	native_unwatch(run->native);
	run->m->agent_gone = true;
	progress_decide(run->m, "this host's agent is gone: libvirt goes on, the journal waits");
}

static void command_take(struct run *run)
{
	struct command_data data = { .fd = -1 };
	int ret = run->m->port_ops->command(run->m->port, &data);

	if (ret == -EAGAIN)
		return;
	if (ret < 0) {
		agent_lost(run);
		return;
	}
	if (data.command == COMMAND_ABORT)
		abort_take(run);
	else if (data.command == COMMAND_POSTCOPY)
		switch_take(run);
	else if (data.command == COMMAND_BANDWIDTH)
		bandwidth_take(run, data.bandwidth);
	else if (data.command == COMMAND_CONNECTION)
		close(data.fd);
}

/* ---- its course --------------------------------------------------------- */

static int perform(struct run *run)
{
	struct migration *m = run->m;
	unsigned int seen = 0;
	int ret = native_start(run->native, &m->options, &m->fail);

	if (ret)
		return ret;
	while (!(seen & NATIVE_ENDED)) {
		seen = native_wait(run->native);
		if (seen & NATIVE_WATCHED)
			command_take(run);
		try_abort(run);
		if (seen & NATIVE_TICK)
			look(run);
		progress_tell_due(m);
	}
	ret = native_result(run->native, &run->job, &m->fail);
	if (ret)
		return ret;
	count(run);
	m->progress.downtime_ns = run->job.downtime_ns;
	return 0;
}

/* Where the guest is by now; what libvirt still moves stays open. */
static void give_up(struct migration *m)
{
	enum native_place place;
	struct fail why = { 0 };

	if (m->state == STATE_BEGUN)
		owner_move(m, STATE_RESUMED);
	if (m->state != STATE_DELEGATED)
		return;
	if (native_where(m->description.uuid, &place, &why))
		return;
	if (place == NATIVE_MOVED)
		owner_move(m, STATE_MOVED);
	else if (place != NATIVE_MOVING)
		owner_move(m, STATE_RESUMED);
}

static void explain(struct migration *m, const struct run *run)
{
	if (!run->mark_ns || m->fail.err != -ECANCELED)
		return;
	m->fail.err = 0;
	fail_set(&m->fail, -ECANCELED, "migration of guest '%s' was aborted by the user",
		 m->description.name);
}

/**
 * native_run() - have libvirt migrate a guest of its own
 * @m: with everything that its owner gives; a row that has begun is taken over
 *
 * Return: 0: libvirt says that the guest was moved; or -errno with @m->fail.
 */
int native_run(struct migration *m)
{
	struct run run = { .m = m };
	int ret;

	m->progress.engine = ENGINE_NATIVE;
	m->phase = PHASE_BEGIN;
	progress_tell(m);
	ret = begin(&run);
	if (!ret) {
		m->phase = PHASE_PERFORM;
		progress_tell(m);
		ret = perform(&run);
	}
	if (!ret) {
		ret = owner_record(m, STATE_MOVED);
	} else {
		explain(m, &run);
		give_up(m);
	}
	native_close(run.native);
	progress_tell(m);
	return ret;
}
