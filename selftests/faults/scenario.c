// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * scenario.c - which migration leads to which point.
 *
 * A point that no row of the table fits belongs to the plain scenario. The first
 * row that fits counts. A cell
 * whose fault never struck fails: then its point needs a row here.
 */
#include "scenario.h"

#include <fnmatch.h>
#include <string.h>

#define SLOW_PUSH	"\"postcopy_bandwidth\":4000000"
#define SWITCHED	"\"live\":true,\"postcopy\":true,\"postcopy_after_precopy\":true," SLOW_PUSH
#define PLAIN		SWITCHED ",\"bandwidth\":24000000"
#define ALL_LATER	"\"live\":true,\"postcopy\":true,\"rounds_max\":0," \
			"\"postcopy_bandwidth\":2000000"
#define CRAWLING	SWITCHED ",\"bandwidth\":8000000"

static const struct scenario plain = {
	.name = "plain", .options = PLAIN,
};

static const struct scenario all_later = {
	.name = "post-copy of all", .options = ALL_LATER,
};

static const struct scenario slow_prepare = {
	.name = "slow prepare", .options = PLAIN,
	.inject = { NULL, "prepared:delay=1500ms" },
};

static const struct scenario slow_round = {
	.name = "slow round", .options = CRAWLING,
};

static const struct scenario slow_answer = {
	.name = "slow answer", .options = PLAIN,
	.inject = { NULL, "finish.answer:delay=1500ms" },
};

static const struct scenario slow_complete = {
	.name = "slow COMPLETE", .options = PLAIN,
	.inject = { NULL, "confirm.answer:delay=1500ms" },
};

static const struct scenario damaged_round = {
	.name = "damaged round", .options = PLAIN,
	.inject = { "perform.push.data:flip=body/#3", NULL },
};

static const struct scenario lost_answer = {
	.name = "lost answer", .options = PLAIN,
	.inject = { NULL, "finish.answer:cut-before" },
};

static const struct scenario lost_control = {
	.name = "control connection lost", .options = ALL_LATER,
	.inject = { "confirm.ping:cut-before", NULL },
};

static const struct scenario lost_lane = {
	.name = "lane lost", .options = PLAIN,
	.inject = { "confirm.push.run:cut-after/#4", NULL },
};

static const struct scenario lost_fault_lane = {
	.name = "fault lane lost at the dest",
	.options = ALL_LATER,	/* what is left of PLAIN may come before it is missed */
	.inject = { NULL, "confirm.want:cut-before" },
};

static const struct scenario refused = {
	.name = "refused", .options = PLAIN,
	.inject = { NULL, "journal.LOADED:fail=ENOSPC" },
};

static const struct scenario refused_early = {
	.name = "refused early", .options = PLAIN,
	.inject = { NULL, "journal.PREPARED:fail=ENOSPC" },
};

static const struct scenario abort_in_prepare = {
	.name = "aborted in Prepare", .options = PLAIN,
	.inject = { NULL, "prepared:delay=1500ms" },
	.steps = { { DO_ABORT, SIDE_SOURCE, "BEGUN" } },
};

static const struct scenario abort_in_perform = {
	.name = "aborted in Perform", .options = CRAWLING,
	.steps = { { DO_ABORT, SIDE_SOURCE, "PERFORMING" } },
};

static const struct scenario abort_in_finish = {
	.name = "aborted in Finish", .options = PLAIN,
	.inject = { NULL, "finish.answer:delay=1500ms" },
	.steps = { { DO_ABORT, SIDE_SOURCE, "ASKED" } },
};

static const struct scenario moved = {
	.name = "another address", .options = ALL_LATER,
	.steps = {
		{ DO_LINK_DOWN, SIDE_SOURCE, "HELD" },
		{ DO_RECOVER_TO, SIDE_SOURCE, "HELD" },
		{ DO_LINK_UP, SIDE_SOURCE, "HELD" },
	},
};

static const struct scenario died = {
	.name = "died at the dest", .options = ALL_LATER, .operated = true,
	.steps = {
		{ DO_KILL_THERE, SIDE_DEST, "RUNNING" },
		{ DO_TAKE_BACK, SIDE_SOURCE, "DIED_THERE" },
	},
};

/* Pages of rounds are changed before the guest starts there. */
static const struct scenario damaged = {
	.name = "damaged at the dest", .options = PLAIN, .operated = true,
	.inject = { "finish:delay=1500ms", NULL },
	.steps = {
		{ DO_DAMAGE_THERE, SIDE_DEST, "LOADED" },
		{ DO_TAKE_BACK_FENCED, SIDE_SOURCE, "CORRUPT" },
	},
};

static const struct scenario fenced = {
	.name = "taken back", .options = ALL_LATER, .operated = true,
	.steps = {
		{ DO_LINK_DOWN, SIDE_SOURCE, "HELD" },
		{ DO_TAKE_BACK_FENCED, SIDE_SOURCE, "HELD" },
		{ DO_LINK_UP, SIDE_SOURCE, "TAKEN_BACK" },
		{ DO_GIVE_UP_THERE, SIDE_DEST, "SUPERSEDED" },
	},
};

static const struct scenario poisoned = {
	.name = "poisoned", .options = ALL_LATER, .operated = true, .poisoned = true,
	.slow = true,		/* else it ends at a page before its row is written */
	.steps = {
		{ DO_LINK_DOWN, SIDE_SOURCE, "HELD" },
		{ DO_POISON, SIDE_DEST, "RUNNING" },
		{ DO_GIVE_UP, SIDE_DEST, "POISONED" },
		{ DO_LINK_UP, SIDE_SOURCE, "TORN_DOWN" },
	},
};

static const struct scenario restarted = {
	.name = "agents restarted", .options = PLAIN, .restart = true,
};

#define EITHER	2			/* not an enum side: of both */

static const struct {
	const char *points;		/* shell pattern */
	unsigned int origin;
	const struct scenario *scenario;	/* NULL: it is never come to */
	const char *never;
} table[] = {
	{ "begin.ping", EITHER, NULL, "nobody is connected in Begin" },
	{ "prepare.query", EITHER, NULL, "who asks is in Finish or Confirm" },
	{ "prepare.supersede", EITHER, NULL, "who says so is in Finish or Confirm" },
	{ "confirm.cancel", EITHER, NULL, "no agent lets a guest be aborted that is held" },
	{ "finish.progress", EITHER, NULL, "it is told in Confirm only" },
	{ "finish.recover", EITHER, NULL, "lanes are made again in Confirm only" },
	{ "finish.present", EITHER, NULL, "lanes are made again in Confirm only" },
	{ "finish.recovered", EITHER, NULL, "lanes are made again in Confirm only" },
	{ "finish.broken", EITHER, NULL, "it is told in Confirm only" },
	{ "journal.process", SIDE_SOURCE, NULL, "the source's row begins with it" },
	{ "journal.peer", SIDE_SOURCE, &moved, NULL },
	{ "journal.peer", SIDE_DEST, NULL, "it is the source that connects" },
	{ "journal.paused", EITHER, NULL, "only libvirt tells it: selftests/libvirt/writes.c" },
	{ "*.DELEGATED", EITHER, NULL, "libvirt's own engine: selftests/libvirt/writes.c" },
	{ "*.MOVED", EITHER, NULL, "libvirt's own engine: selftests/libvirt/writes.c" },
	{ "confirm.ping", SIDE_SOURCE, &all_later, NULL },
	{ "confirm.ping", SIDE_DEST, &slow_complete, NULL },
	{ "prepare.ping", EITHER, &slow_prepare, NULL },
	{ "perform.ping", EITHER, &slow_round, NULL },
	{ "finish.ping", EITHER, &slow_answer, NULL },
	{ "perform.lane.want", EITHER, NULL, "before GO nobody waits for a page" },
	{ "confirm.lane.zero", EITHER, &all_later, NULL },
	{ "finish.lane.zero", EITHER, NULL, "who waits gets data; zeroes are pushed, later" },
	{ "finish.lane.*", EITHER, &slow_answer, NULL },
	{ "finish.query", EITHER, &lost_answer, NULL },
	{ "confirm.query", EITHER, &lost_control, NULL },
	{ "confirm.recover", EITHER, &lost_lane, NULL },
	{ "confirm.present", EITHER, &lost_lane, NULL },
	{ "confirm.recovered", EITHER, &lost_lane, NULL },
	{ "confirm.broken", EITHER, &lost_fault_lane, NULL },
	{ "prepare.failed", EITHER, &refused_early, NULL },
	{ "perform.failed", EITHER, &damaged_round, NULL },
	{ "prepare.cancel", EITHER, &abort_in_prepare, NULL },
	{ "perform.cancel", EITHER, &abort_in_perform, NULL },
	{ "finish.cancel", EITHER, &abort_in_finish, NULL },
	{ "finish.supersede", EITHER, NULL, "it has a connection of its own, in Confirm" },
	{ "confirm.supersede", EITHER, &fenced, NULL },
	{ "*.RESUMING", EITHER, &refused, NULL },
	{ "*.RESUMED", EITHER, &refused, NULL },
	{ "*.DISCARDED", EITHER, &refused, NULL },
	{ "*.CORRUPT", EITHER, &damaged, NULL },
	{ "*.DIED", EITHER, &died, NULL },
	{ "*.DIED_THERE", EITHER, &died, NULL },
	{ "*.TAKING_BACK", EITHER, &fenced, NULL },
	{ "*.TAKEN_BACK", EITHER, &fenced, NULL },
	{ "*.SUPERSEDED", EITHER, &fenced, NULL },
	{ "*.POISONED", EITHER, &poisoned, NULL },
	{ "journal.acknowledge", EITHER, &plain, NULL },
	{ "journal.expire", EITHER, &restarted, NULL },
};

/**
 * scenario_find() - the migration in which a point is come to
 * @point: its name
 * @origin: who comes to it
 * @scenario: receives it, or NULL
 * @never: receives why there is none, or NULL
 */
void scenario_find(const char *point, enum side origin, const struct scenario **scenario,
		   const char **never)
{
	size_t i;

	*scenario = &plain;
	*never = NULL;
	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (fnmatch(table[i].points, point, 0) ||
		    (table[i].origin != EITHER && table[i].origin != (unsigned int)origin))
			continue;
		*scenario = table[i].scenario;
		*never = table[i].never;
		return;
	}
}
