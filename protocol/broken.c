// SPDX-License-Identifier: LGPL-2.1-or-later
/* broken.c - what is broken, since when, when it is tried again: for status. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "protocol/phase.h"
#include "sys.h"

/**
 * broken_note() - pages do not move any more
 * @m: goes on with what there is
 * @fmt: what broke; the first that breaks gives the time
 */
void broken_note(struct migration *m, const char *fmt, ...)
{
	va_list args;

	if (m->given_up)
		return;		/* that says it all */
	va_start(args, fmt);
	vsnprintf(m->progress.broken, sizeof(m->progress.broken), fmt, args);
	va_end(args);
	utf8_mend(m->progress.broken);
	if (!m->progress.broken_ns)
		m->progress.broken_ns = wall_clock_ns();
	progress_decide(m, "%s", m->progress.broken);
}

/**
 * broken_words() - what an error of the lanes means
 * @error: -errno of a thread that moves pages, or of silence_check()
 *
 * Return: text, for people.
 */
const char *broken_words(int error)
{
	return error == -ETIME ? "nothing sent on one was acknowledged for 2 s"
			       : strerror(-error);
}

/**
 * broken_no_room() - is it that this host has no room for the guest's memory?
 * @error: -errno of a thread of the dest
 *
 * A file of it is full, or a limit of its process is reached: no lane broke.
 *
 * Return: whether somebody has to make room.
 */
bool broken_no_room(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -ENOMEM;
}

/**
 * broken_lost() - source: pages can never move any more
 * @m: held; memory_is_lost()
 */
void broken_lost(struct migration *m)
{
	broken_note(m, "the guest's process and its memory are gone here: what is missing on "
		    "%.60s stays so", m->options.host);
	m->progress.next_try_ns = 0;
}

/**
 * broken_over() - nothing is broken any more
 * @m: broken or not
 */
void broken_over(struct migration *m)
{
	m->cut_ns = 0;
	m->progress.recover_due = false;
	m->progress.broken_ns = m->progress.next_try_ns = 0;
	m->progress.broken[0] = '\0';
}

/**
 * broken_mended() - they move again
 * @m: broken or not
 */
void broken_mended(struct migration *m)
{
	bool broken = m->progress.broken_ns;

	broken_over(m);
	if (!broken)
		return;
	m->progress.recoveries++;
	progress_decide(m, "connected again (%u): pages move on",
			m->progress.recoveries);
}

/**
 * broken_link() - the link to the peer lost its carrier, or has it again
 * @m: of the migration
 * @up: it has it
 *
 * That breaks nothing by itself: TCP waits, and what is cut shows as such. But
 * what waits to be tried again is tried at once.
 */
void broken_link(struct migration *m, bool up)
{
	if (!up) {
		broken_note(m, "the link to the other host is down");
		return;
	}
	m->next_try_ns = 0;
	m->backoff_ms = 0;
	if (m->channel && (m->side == SIDE_DEST ? !m->broken_told
						: m->lanes_up)) {
		m->progress.broken_ns = 0;
		m->progress.broken[0] = '\0';
	}
	progress_decide(m, "the link to the other host is up again");
}

/**
 * broken_next_try() - when it is tried again; told with the next news
 * @m: broken
 * @when_ns: of now_ns(); 0: right now, or nobody tries
 */
void broken_next_try(struct migration *m, uint64_t when_ns)
{
	m->progress.next_try_ns = when_ns ? wall_clock_ns() + when_ns - now_ns()
					  : 0;
}
