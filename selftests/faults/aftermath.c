// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * aftermath.c - what has to be true once a course is over, and what is.
 *
 * One owner, which the journals name; all memory as the guest left it; and
 * nothing left of the migration but tombstones.
 */
#include "aftermath.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "selftests/lib/inspect.h"
#include "selftests/lib/move.h"
#include "selftests/lib/traces.h"

#define AGENT_PROCESSES	2	/* and its broker */
#define TICKS		2	/* that say that it runs */

__attribute__((format(printf, 2, 3)))
static void tell(struct aftermath *found, const char *fmt, ...)
{
	size_t used = strlen(found->text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(found->text + used, sizeof(found->text) - used, fmt, args);
	va_end(args);
	used = strlen(found->text);
	snprintf(found->text + used, sizeof(found->text) - used, "; ");
}

static void tell_unless(struct aftermath *found, bool right, const struct host *host,
			const char *what, int64_t count)
{
	if (!right)
		tell(found, "%s: %s (%lld)", host->name, what, (long long)count);
}

static bool is_one_of(const char *state, const char *const states[])
{
	while (*states && strcmp(*states, state))
		states++;
	return *states;
}

#define ONE_OF(state, ...) is_one_of(state, (const char *const[]){ __VA_ARGS__, NULL })

/* Do the journals say that the guest is at a side? */
static bool belongs(const struct course *course, enum side side)
{
	const char *state = course->rows[side].state;

	return side == SIDE_SOURCE ? ONE_OF(state, "", "RESUMED", "TAKEN_BACK")
				   : ONE_OF(state, "DONE", "POISONED");
}

/* Of a host that is done with the migration. */
static void look_for_rests(const struct host *host, int guests, struct aftermath *found)
{
	int64_t count;

	tell_unless(found, !host_settle(host), host, "its workers do not end", 0);
	count = host_processes(host, NULL);
	tell_unless(found, count == AGENT_PROCESSES + guests, host, "other processes", count);
	count = host_files(host, "pages-") + host_files(host, "testament.") +
		host_files(host, "steward.") + host_files(host, "disks-");
	tell_unless(found, !count, host, "files of workers are left", count);
	/* A guest has its own memfd, and no userfaultfd of ours any more. */
	count = host_descriptors(host, "memfd:");
	tell_unless(found, count <= guests, host, "memfds are left open", count);
	count = host_descriptors(host, "userfaultfd");
	tell_unless(found, !count, host, "userfaultfds are left open", count);
}

/* It runs, each page holds what the guest wrote there, and it is ordinary. */
static void look_at_guest(const struct course *course, struct aftermath *found)
{
	const struct host *host = course_host(course, found->owner);
	struct guest_stats stats = { .walk_bad = 1 };
	struct fail fail = { 0 };
	struct guest_view view;

	if (guest_run_on(host, COURSE_GUEST, TICKS, &fail) ||
	    guest_walk(host, COURSE_GUEST, &stats, &fail) ||
	    guest_view_get(host, COURSE_GUEST, &view, &fail)) {
		found->lost = true;
		tell(found, "the guest does not go on: %s", fail.text);
		return;
	}
	found->wrong = stats.walk_bad || stats.bad || !stats.walked;
	tell_unless(found, !found->wrong, host, "pages are wrong",
		    (int64_t)(stats.walk_bad + stats.bad));
	tell_unless(found, process_is_ordinary(view.pid) == 1, host,
		    "its process is no ordinary one", view.pid);
	guest_view_fini(&view);
}

static void look_for_guest(const struct course *course, struct aftermath *found, bool exists[2])
{
	enum side side;

	for (side = SIDE_SOURCE; side <= SIDE_DEST; side++) {
		exists[side] = guest_exists(course_host(course, side), COURSE_GUEST);
		if (exists[side])
			found->owner = side;
		/* One that touches what was given up may end. */
		if (exists[side] != belongs(course, side) &&
		    !(course->scenario->poisoned && !exists[side]))
			tell(found, "%s: a guest is %shere, and its row is '%s'",
			     course_host(course, side)->name, exists[side] ? "" : "not ",
			     course->rows[side].state);
	}
	found->lost = !exists[SIDE_SOURCE] && !exists[SIDE_DEST] && !course->scenario->poisoned;
	found->doubled = exists[SIDE_SOURCE] && exists[SIDE_DEST];
	if (found->doubled)
		tell(found, "there are two guests");
}

static enum outcome judge(const struct course *course, const struct aftermath *found)
{
	if (*found->text)
		return OUTCOME_FAILED;
	if (course->decisions || course->scenario->operated)
		return OUTCOME_RESOLVED;
	if (found->owner == SIDE_SOURCE)
		return OUTCOME_ABORTED;
	return course->restarts || course->rows[SIDE_SOURCE].recoveries
	       ? OUTCOME_RECOVERED : OUTCOME_COMPLETED;
}

/**
 * aftermath() - look at what a course has left
 * @course: over
 * @owners: how many the witness may tell of at one time
 * @found: receives it
 */
void aftermath(const struct course *course, int owners, struct aftermath *found)
{
	bool exists[2];
	enum side side;
	int worst;

	memset(found, 0, sizeof(*found));
	look_for_guest(course, found, exists);
	if (!found->lost && !found->doubled && !course->scenario->poisoned)
		look_at_guest(course, found);
	for (side = SIDE_SOURCE; side <= SIDE_DEST; side++)
		look_for_rests(course_host(course, side), exists[side], found);
	worst = witness_owners(course->pair);
	found->doubled |= worst > owners;
	if (worst > owners || worst < 1)
		tell(found, "%d copies ran at one time", worst);
	found->outcome = judge(course, found);
}
