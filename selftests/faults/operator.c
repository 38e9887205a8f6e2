// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * operator.c - what people do in a course: a scenario's steps, and decisions.
 *
 * A decision is due where no host can go on alone: the guest died at the dest,
 * the proofs differ, a copy was superseded, or the dest knows nothing of a
 * guest that it was asked to run. Then `straddle status` and `straddle resolve`
 * have to say so first.
 */
#include "operator.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "selftests/lib/inspect.h"
#include "selftests/lib/move.h"
#include "selftests/lib/process.h"
#include "sys.h"
#include "uffd/sys.h"

#define TEXT		8192
#define COMMAND_MS	15000
#define TRIES_MAX	8
#define NS_PER_S	UINT64_C(1000000000)
#define SILENT_NS	(12 * NS_PER_S)	/* nothing more is to be expected */

/* straddle resolve GUEST ...; bounded, whatever becomes of the agent. */
static int resolve(struct course *course, enum side side, const char *const more[])
{
	const char *argv[8] = { "resolve", COURSE_GUEST };
	struct fail fail = { 0 };
	size_t n = 2;
	pid_t pid;
	int ret;

	while (*more && n < 7)
		argv[n++] = *more++;
	argv[n] = NULL;
	pid = pair_straddle_start(course->pair, course_host(course, side), argv, "resolve.log",
				  &fail);
	if (pid < 0)
		return pid;
	ret = process_wait(pid, COMMAND_MS);
	if (ret == -ETIMEDOUT)
		process_stop(pid);
	return ret;
}

#define RESOLVE(course, side, ...) \
	resolve(course, side, (const char *const[]){ __VA_ARGS__, NULL })

/* The witness has no stop of one that is killed: it is written for it. */
static int guest_kill(struct course *course, enum side side)
{
	struct guest_view view;
	struct fail fail = { 0 };
	FILE *witness;
	int fd, ret = guest_view_get(course_host(course, side), COURSE_GUEST, &view, &fail);

	if (ret)
		return ret;
	fd = sys_pidfd_open(view.pid);
	ret = fd < 0 ? fd : sys_ret(kill(view.pid, SIGKILL));
	if (!ret)
		ret = sys_wait_fd(fd, POLLIN, COMMAND_MS);
	witness = ret ? NULL : fopen(course->pair->witness, "ae");
	if (witness) {
		fprintf(witness, "%llu %d %s stop\n", (unsigned long long)now_ns(),
			(int)view.pid, COURSE_GUEST);
		fclose(witness);
	}
	if (fd >= 0)
		close(fd);
	guest_view_fini(&view);
	return ret;
}

static int deed_do(struct course *course, enum deed deed)
{
	const struct host *source = course_host(course, SIDE_SOURCE);
	const char *dest = course_host(course, SIDE_DEST)->address;
	struct fail fail = { 0 };

	switch (deed) {
	case DO_ABORT:
		return agent_ask(source, NULL, &fail, "{\"do\":\"abort\",\"guest\":\"%s\"}",
				 COURSE_GUEST);
	case DO_LINK_DOWN:
		return net_link_down(source->net, HOST_LINK, &fail);
	case DO_LINK_UP:
		return net_link_up(source->net, HOST_LINK, &fail);
	case DO_DAMAGE_THERE:
		return guest_damage(course_host(course, SIDE_DEST), COURSE_GUEST, &fail) > 0 ?
		       0 : -EAGAIN;
	case DO_RECOVER_TO:
		return agent_ask(source, NULL, &fail,
				 "{\"do\":\"recover\",\"guest\":\"%s\",\"to\":\"%s:" STRADDLE_PORT "\"}",
				 COURSE_GUEST, dest);
	case DO_KILL_THERE:
		return guest_kill(course, SIDE_DEST);
	case DO_TAKE_BACK:
		return RESOLVE(course, SIDE_SOURCE, "--take-back");
	case DO_TAKE_BACK_FENCED:
		return RESOLVE(course, SIDE_SOURCE, "--take-back", "--fenced", dest);
	case DO_GIVE_UP:
		return RESOLVE(course, SIDE_SOURCE, "--give-up", COURSE_GUEST);
	case DO_GIVE_UP_THERE:
		return RESOLVE(course, SIDE_DEST, "--give-up", COURSE_GUEST);
	case DO_POISON:
		return RESOLVE(course, SIDE_DEST, "--poison", COURSE_GUEST);
	default:
		return -EINVAL;
	}
}

/*
 * What a scenario waits for does not come any more: the fault led elsewhere.
 * The host that its operator took for gone is there all the same.
 */
static bool scenario_is_over(struct course *course, const struct course_row *row,
			     const char *awaited)
{
	const struct owner_rule *rule = owner_rule(owner_state_named(row->state));

	if (!rule || !rule->ended || !strcmp(row->state, awaited))
		return false;
	deed_do(course, DO_LINK_UP);
	course->step = STEPS_MAX;
	return true;
}

/* Return: whether it was time for a step of the scenario. */
static bool scenario_step(struct course *course)
{
	const struct step *step = &course->scenario->steps[course->step];
	const struct course_row *row;

	if (course->step == STEPS_MAX || step->deed == DO_NOTHING)
		return false;
	row = &course->rows[step->side];
	if (!row->heard || (strcmp(row->state, step->state) && !course->tries))
		return row->heard && scenario_is_over(course, row, step->state);
	/* What had no answer is done once more, unless it was done all the same. */
	if (!strcmp(row->state, step->state) && deed_do(course, step->deed) &&
	    ++course->tries < TRIES_MAX)
		return true;
	course->step++;
	course->tries = 0;
	course->changed_ns = now_ns();
	return true;
}

/* ---- decisions ----------------------------------------------------------- */

struct decision {
	enum side side;
	const char *state;
	const char *peer;		/* its row; NULL: any */
	enum deed deed;
};

static const struct decision decisions[] = {
	{ SIDE_SOURCE, "DIED_THERE", NULL, DO_TAKE_BACK },
	{ SIDE_DEST, "SUPERSEDED", NULL, DO_GIVE_UP_THERE },
	{ SIDE_SOURCE, "CORRUPT", NULL, DO_GIVE_UP },
	{ SIDE_SOURCE, "ASKED", "", DO_TAKE_BACK_FENCED },
};

/* Do both commands say that this guest is held, in which state, and what to do? */
static bool is_explained(struct course *course, const struct decision *decision)
{
	const struct host *host = course_host(course, decision->side);
	char text[TEXT] = "", state[32];

	if (pair_straddle(course->pair, host, (const char *const[]){ "status", NULL }, text,
			  sizeof(text)) ||
	    !strstr(text, COURSE_GUEST) || !strstr(text, decision->state))
		return false;
	snprintf(state, sizeof(state), "state %s", decision->state);
	return !pair_straddle(course->pair, host,
			      (const char *const[]){ "resolve", COURSE_GUEST, NULL }, text,
			      sizeof(text)) &&
	       strstr(text, state) && strstr(text, "  --");
}

static bool is_due(const struct course *course, const struct decision *decision)
{
	const struct course_row *row = &course->rows[decision->side];
	const struct course_row *peer = &course->rows[!decision->side];

	return row->heard && peer->heard && !strcmp(row->state, decision->state) &&
	       (!decision->peer || !strcmp(peer->state, decision->peer)) &&
	       now_ns() - course->changed_ns > (decision->peer ? SILENT_NS : NS_PER_S);
}

static void decide(struct course *course)
{
	size_t i;

	for (i = 0; i < sizeof(decisions) / sizeof(decisions[0]); i++) {
		if (!is_due(course, &decisions[i]) || course->decisions >= TRIES_MAX)
			continue;
		if (!is_explained(course, &decisions[i])) {
			snprintf(course->wrong, sizeof(course->wrong),
				 "%s is not explained by status and resolve", decisions[i].state);
			return;
		}
		course->decisions++;
		deed_do(course, decisions[i].deed);
		return;
	}
}

/**
 * operator_step() - do what is due now, if anything is
 * @course: with its rows as they were just read
 */
void operator_step(struct course *course)
{
	if (!scenario_step(course))
		decide(course);
}
