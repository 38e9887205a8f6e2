// SPDX-License-Identifier: LGPL-2.1-or-later
/* progress.c - how far a migration is, for whoever watches it. */
#include <stdarg.h>
#include <stdio.h>

#include "protocol/phase.h"
#include "sys.h"

#define NS_PER_S	1000000000.0
#define TELL_NS		200000000ull	/* at most so often */
#define WAITING_NS	1000000000ull	/* likewise, what the guest waits for */

static void rate_update(struct progress *progress, struct migration *m)
{
	uint64_t now = now_ns(), passed = now - m->last_progress_ns;
	uint64_t bytes = progress->round_bytes + progress->push_bytes +
			 progress->fault_bytes;

	if (passed < TELL_NS)
		return;
	progress->rate = (uint64_t)((double)(bytes - m->last_progress_bytes) *
				    NS_PER_S / (double)passed);
	m->last_progress_ns = now;
	m->last_progress_bytes = bytes;
}

static void from_source(struct progress *progress, struct source *source)
{
	struct source_stats *stats = &source->stats;

	progress->data_bytes = stat_read(&stats->data_bytes);
	progress->zero_pages = stat_read(&stats->zero_pages);
	progress->left_out_bytes = stat_read(&stats->left_out_bytes);
	progress->round_bytes = stat_read(&stats->round_bytes);
	progress->push_bytes = stat_read(&stats->push_bytes);
	progress->fault_bytes = stat_read(&stats->fault_bytes);
	progress->repeated_pages = stat_read(&stats->repeated_pages);
	progress->packed_bytes = stat_read(&stats->packed_bytes);
	progress->packed_to_bytes = stat_read(&stats->packed_to_bytes);
}

static void from_dest(struct progress *progress, struct dest *dest)
{
	struct dest_stats *stats = &dest->stats;

	if (!progress->broken_ns)
		progress->waiting_pages = 0;

	progress->missing_pages = __atomic_load_n(&dest->missing,
						  __ATOMIC_RELAXED);
	progress->faults = stat_read(&stats->faults);
	progress->network_faults = stat_read(&stats->network_faults);
	progress->fault_p50_ns = histogram_quantile(&stats->fault_ns, 0.5);
	progress->fault_p99_ns = histogram_quantile(&stats->fault_ns, 0.99);
}

/* Looks at every page: only while nothing moves, and not often. */
static void waiting_count(struct migration *m)
{
	uint64_t waiting = 0;
	unsigned int i;

	if (!m->dest || !m->progress.broken_ns ||
	    now_ns() - m->last_waiting_ns < WAITING_NS)
		return;
	for (i = 0; i < m->map.count; i++)
		waiting += small_pages(&m->map.regions[i],
				       pages_with(&m->dest->states.pages[i],
						  PAGE_STATE | PAGE_WAITING,
						  PAGE_MISSING | PAGE_WAITING));
	m->progress.waiting_pages = waiting;
	m->last_waiting_ns = now_ns();
}

/* What is across: in a round what is not dirty, then what is not missing. */
static uint64_t done_bytes(struct migration *m)
{
	uint64_t left;

	if (!m->source && !m->dest)
		return m->progress.done_bytes;
	if (m->dest || m->progress.postcopy)
		left = m->progress.missing_pages * 4096;
	else
		left = source_dirty_bytes(m->source);
	return left < m->progress.memory_bytes
		? m->progress.memory_bytes - left : 0;
}

/**
 * progress_tell() - report how far the migration is
 * @m: to report on
 */
void progress_tell(struct migration *m)
{
	struct progress *progress = &m->progress;

	progress->phase = m->phase;
	progress->state = m->state;
	progress->total_ns = now_ns() - m->began_ns;
	/* Without a map it is libvirt that counts. */
	if (m->map.count)
		progress->memory_bytes = region_map_bytes(&m->map);
	if (m->source)
		from_source(progress, m->source);
	if (m->dest)
		from_dest(progress, m->dest);
	progress->silent_ns = silence_since(m);
	waiting_count(m);
	rate_update(progress, m);
	progress->done_bytes = done_bytes(m);
	m->port_ops->progress(m->port, progress);
}

/**
 * progress_tell_peer() - the dest tells the source, whose user watches
 * @m: dest
 */
void progress_tell_peer(struct migration *m)
{
	Straddle__Progress said = STRADDLE__PROGRESS__INIT;
	struct progress *progress = &m->progress;

	said.has_missing_pages = said.has_faults = true;
	said.has_network_faults = said.has_fault_p50_ns = true;
	said.has_fault_p99_ns = true;
	said.missing_pages = progress->missing_pages;
	said.faults = progress->faults;
	said.network_faults = progress->network_faults;
	said.fault_p50_ns = progress->fault_p50_ns;
	said.fault_p99_ns = progress->fault_p99_ns;
	send_message(m, MSG_PROGRESS, &said.base);
}

/**
 * progress_tell_due() - report, unless it was done a moment ago
 * @m: to report on
 */
void progress_tell_due(struct migration *m)
{
	if (now_ns() - m->last_progress_ns < TELL_NS)
		return;
	progress_tell(m);
	if (m->side == SIDE_DEST && m->phase == PHASE_CONFIRM && m->channel)
		progress_tell_peer(m);
}

/**
 * progress_absorb() - take over what the dest tells
 * @m: source
 * @said: from the dest; shown, never relied upon
 */
void progress_absorb(struct migration *m, const Straddle__Progress *said)
{
	struct progress *progress = &m->progress;

	progress->missing_pages = said->missing_pages;
	progress->missing_unknown = false;
	progress->faults = said->faults;
	progress->network_faults = said->network_faults;
	progress->fault_p50_ns = said->fault_p50_ns;
	progress->fault_p99_ns = said->fault_p99_ns;
}

/**
 * part_time() - do one step of the downtime and note how long it took
 * @m: of the migration
 * @part: of its progress; the step's time is added
 * @step: what to do
 *
 * Return: what @step returns.
 */
int part_time(struct migration *m, uint64_t *part,
	      int (*step)(struct migration *m))
{
	uint64_t began_ns = now_ns();
	int ret = step(m);

	*part += now_ns() - began_ns;
	return ret;
}

/**
 * progress_decide() - say in words what was decided and why
 * @m: to report on
 * @fmt: one sentence
 */
void progress_decide(struct migration *m, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(m->progress.note, sizeof(m->progress.note), fmt, args);
	va_end(args);
	utf8_mend(m->progress.note);
	progress_tell(m);
}
