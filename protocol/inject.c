/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inject.c - which faults strike now, and what a process does to itself.
 *
 * Chance is a function of the seed, the spec and how often its point was come
 * to: the same seed strikes the same times. The counters may lie in a file
 * that an agent, its workers and their successors share: what struck once does
 * not strike again after the death that it caused.
 */
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/inject_spec.h"
#include "sys.h"

#define NS_PER_S	1000000000u
#define NS_PER_MS	1000000u

/**
 * inject_create() - make a set of faults, none yet
 * @inject: receives it; inject_destroy() frees it
 * @fail: says why not, and what to do
 *
 * Return: 0, -EOPNOTSUPP (this build injects nothing) or -ENOMEM.
 */
int inject_create(struct inject **inject, struct fail *fail)
{
	struct inject *made;

	if (!STRADDLE_INJECT)
		return fail_set(fail, -EOPNOTSUPP, "this straddled was built without fault "
				"injection, as releases are: 'make INJECT=1' builds one with it");
	made = calloc(1, sizeof(*made));
	if (!made)
		return fail_set(fail, -ENOMEM, "no memory for faults to inject");
	made->counters = made->own;
	*inject = made;
	return 0;
}

/**
 * inject_destroy() - free a set of faults
 * @inject: no lane or journal has it any more; NULL is fine
 */
void inject_destroy(struct inject *inject)
{
	if (!inject)
		return;
	inject_unshare(inject);
	free(inject);
}

static int spec_add(struct inject *inject, const char *text, struct fail *fail)
{
	struct fail why = { 0 };
	int ret;

	if (inject->count == INJECT_SPECS_MAX)
		return fail_set(fail, -EINVAL, "--inject: more than %d faults", INJECT_SPECS_MAX);
	ret = inject_parse(text, &inject->specs[inject->count], &why);
	if (ret)
		return fail_set(fail, ret, "--inject '%s': %s", text, why.text);
	inject->count++;
	return 0;
}

/**
 * inject_add() - add faults
 * @inject: to add to
 * @text: one or more specs, with commas between them
 * @fail: says which is wrong, why, and what to do
 *
 * Return: 0, -EINVAL or -ENOMEM; then some may have been added.
 */
int inject_add(struct inject *inject, const char *text, struct fail *fail)
{
	__cleanup_free char *copy = strdup(text);
	char *rest = copy, *one;
	int ret = copy ? 0 : -ENOMEM;

	while (!ret && (one = strsep(&rest, ",")))
		ret = spec_add(inject, one, fail);
	return ret;
}

/**
 * inject_seed() - choose what chance will be
 * @inject: of which
 * @seed: any number
 */
void inject_seed(struct inject *inject, uint64_t seed)
{
	inject->seed = seed;
}

/**
 * inject_tell() - whom to tell of each fault
 * @inject: of which
 * @told: called by any thread, just before the fault; NULL: nobody
 * @id: of the process's one migration, or NULL
 */
void inject_tell(struct inject *inject, inject_told_fn *told, const char *id)
{
	inject->told = told;
	snprintf(inject->id, sizeof(inject->id), "%s", id ? id : "");
}

/**
 * inject_count() - how many faults were asked for
 * @inject: of which; NULL: none
 *
 * Return: that number.
 */
size_t inject_count(const struct inject *inject)
{
	return inject ? inject->count : 0;
}

/**
 * inject_text() - a fault as it was asked for
 * @inject: of which
 * @spec: below inject_count()
 *
 * Return: its text, which lives as long as @inject.
 */
const char *inject_text(const struct inject *inject, size_t spec)
{
	return inject->specs[spec].text;
}

/**
 * inject_seed_get() - what chance depends on
 * @inject: of which
 *
 * Return: the seed.
 */
uint64_t inject_seed_get(const struct inject *inject)
{
	return inject->seed;
}

/**
 * inject_counts() - what came of a fault so far
 * @inject: of which
 * @spec: below inject_count()
 * @reached: receives how often its point was come to
 * @struck: receives how often it struck
 */
void inject_counts(const struct inject *inject, size_t spec, uint64_t *reached,
		   uint64_t *struck)
{
	const struct inject_counter *counter = &inject->counters[spec];

	*reached = __atomic_load_n(&counter->reached, __ATOMIC_RELAXED);
	*struck = __atomic_load_n(&counter->struck, __ATOMIC_RELAXED);
}

/**
 * inject_help() - say what can be injected, and where
 * @out: where to
 */
void inject_help(FILE *out)
{
	fputs("--inject POINT:ACTION[=ARGUMENT][/WHEN],... has this agent and its workers do to\n"
	      "themselves what others have to bear. See straddle-inject(7).\n\n", out);
	inject_point_help(out);
	fputs("\nActions:\n", out);
	inject_action_help(out);
	fputs("\nWhen:\n"
	      "  /once                  the first time; this is the default\n"
	      "  /#N                    the Nth time\n"
	      "  /N%                    each time with this chance; --inject-seed chooses which\n"
	      "  /all                   each time\n", out);
}

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static bool spec_matches(const struct inject_spec *spec, const struct inject_place *place)
{
	if (spec->kind != place->kind || !(spec->numbers & UINT64_C(1) << place->number))
		return false;
	if (spec->kind == INJECT_MESSAGE || spec->kind == INJECT_FRAME)
		if (!(spec->phases & PHASE_BIT(place->phase)))
			return false;
	return spec->kind != INJECT_FRAME || spec->role == INJECT_ANY_ROLE ||
	       spec->role == (uint32_t)place->role;
}

/* @time: from 1. @random: of this spec and this time. */
static bool spec_strikes(const struct inject_spec *spec, uint64_t time, uint64_t random)
{
	switch (spec->when) {
	case INJECT_ONCE:
		return time == 1;
	case INJECT_NTH:
		return time == spec->when_argument;
	case INJECT_CHANCE:
		return (random >> 32) < spec->when_argument;
	default:
		return true;
	}
}

static void plan_add(struct inject_plan *plan, const struct inject_spec *spec,
		     uint64_t bytes, uint64_t random)
{
	plan->actions |= spec->action;
	plan->random = mix(random);
	switch (spec->action) {
	case INJECT_DELAY:
		plan->wait_ns += spec->argument;
		break;
	case INJECT_SLOW:
		plan->wait_ns += (uint64_t)((double)bytes * NS_PER_S / (double)spec->argument);
		break;
	case INJECT_FAIL:
		plan->error = -(int)spec->argument;
		break;
	case INJECT_FLIP:
		plan->part = (enum inject_part)spec->argument;
		break;
	default:
		break;
	}
}

static void tell(const struct inject *inject, const struct inject_spec *spec, uint64_t time,
		 const char *id)
{
	char text[256];

	if (!id && *inject->id)
		id = inject->id;
	snprintf(text, sizeof(text), "injected fault %s, time %" PRIu64 " at that point%s%s",
		 spec->text, time, id ? ", migration " : "", id ? id : "");
	if (inject->told)
		inject->told(text);
}

/**
 * inject_at() - what strikes at a place
 * @inject: of which; NULL: nothing
 * @place: where the process has come to
 * @plan: receives what is to be done now
 *
 * Counts, and tells of what strikes: what it says is then to be done. Any
 * thread may call.
 */
void inject_at(struct inject *inject, const struct inject_place *place,
	       struct inject_plan *plan)
{
	size_t i;

	*plan = (struct inject_plan){ .actions = 0 };
	for (i = 0; i < inject_count(inject); i++) {
		const struct inject_spec *spec = &inject->specs[i];
		struct inject_counter *counter = &inject->counters[i];
		uint64_t time, random;

		if (!spec_matches(spec, place))
			continue;
		time = __atomic_add_fetch(&counter->reached, 1, __ATOMIC_RELAXED);
		random = mix(inject->seed ^ mix(i << 48 ^ time));
		if (!spec_strikes(spec, time, random))
			continue;
		__atomic_add_fetch(&counter->struck, 1, __ATOMIC_RELAXED);
		plan_add(plan, spec, place->bytes, random);
		tell(inject, spec, time, place->id);
	}
}

/* Nothing after this is done. raise(): a confined worker signals nobody else. */
static void die(void)
{
	raise(SIGKILL);
	for (;;)
		pause();
}

static int wait_ms(uint64_t ns)
{
	uint64_t ms = (ns + NS_PER_MS - 1) / NS_PER_MS;

	return ms < INT_MAX ? (int)ms : INT_MAX;
}

/**
 * inject_before() - what a plan does to the process before
 * @plan: of inject_at()
 * @fd: a wait ends when this connection breaks; -1: there is none
 */
void inject_before(const struct inject_plan *plan, int fd)
{
	if (plan->actions & INJECT_KILL)
		die();
	if (plan->actions & INJECT_STALL)
		raise(SIGSTOP);
	if (plan->wait_ns)
		(void)sys_wait_fd(fd, 0, wait_ms(plan->wait_ns));
}

/**
 * inject_move() - what strikes a worker that asks its agent to write a state
 * @inject: of which; NULL: nothing
 * @to: the state
 * @plan: receives what inject_after() is to do once it is answered
 */
void inject_move(struct inject *inject, enum owner_state to, struct inject_plan *plan)
{
	struct inject_place place = { .kind = INJECT_MOVE, .number = to };

	inject_at(inject, &place, plan);
	inject_before(plan, -1);
}

/**
 * inject_after() - what a plan does to the process after
 * @plan: of inject_at()
 */
void inject_after(const struct inject_plan *plan)
{
	if (plan->actions & INJECT_KILL_AFTER)
		die();
	if (plan->actions & INJECT_STALL_AFTER)
		raise(SIGSTOP);
}
