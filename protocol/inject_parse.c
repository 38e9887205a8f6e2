/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inject_parse.c - POINT ':' ACTION ['=' ARGUMENT] ['/' WHEN].
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "protocol/inject_spec.h"

#define SENT		(INJECT_KIND_BIT(INJECT_MESSAGE) | INJECT_KIND_BIT(INJECT_FRAME))
#define WRITTEN		(INJECT_KIND_BIT(INJECT_JOURNAL) | INJECT_KIND_BIT(INJECT_MOVE))
#define DELAY_MAX_NS	(UINT64_C(3600) * 1000000000u)

enum argument { NO_ARGUMENT, TIME, RATE, ERROR, PART };

struct action {
	const char *name;
	enum inject_action action;
	unsigned int kinds;		/* INJECT_KIND_BIT()s */
	enum argument argument;
	const char *shown;		/* the argument, for help, or "" */
	const char *says;
};

static const struct action actions[] = {
	{ "drop", INJECT_DROP, SENT, NO_ARGUMENT, "", "it is not sent" },
	{ "duplicate", INJECT_DUPLICATE, SENT, NO_ARGUMENT, "", "it is sent twice" },
	{ "delay", INJECT_DELAY, SENT | WRITTEN, TIME, "=TIME",
	  "who sends or writes it waits before: 50us, 200ms, 3s" },
	{ "slow", INJECT_SLOW, SENT, RATE, "=RATE",
	  "who sends it waits as long as it takes at RATE bytes a second: 64K, 1M" },
	{ "truncate", INJECT_TRUNCATE, SENT, NO_ARGUMENT, "",
	  "half of it is sent, then the connection is closed" },
	{ "flip", INJECT_FLIP, SENT, PART, "[=header|body]", "one bit of it is wrong" },
	{ "cut-before", INJECT_CUT_BEFORE, SENT, NO_ARGUMENT, "",
	  "the connection is reset, and it is not sent" },
	{ "cut-middle", INJECT_CUT_MIDDLE, SENT, NO_ARGUMENT, "",
	  "the connection is reset after half of it" },
	{ "cut-after", INJECT_CUT_AFTER, SENT, NO_ARGUMENT, "",
	  "it is sent, then the connection is closed" },
	{ "kill", INJECT_KILL, SENT | WRITTEN, NO_ARGUMENT, "",
	  "SIGKILL to the process, just before" },
	{ "kill-after", INJECT_KILL_AFTER, SENT | WRITTEN, NO_ARGUMENT, "",
	  "SIGKILL to the process, just after" },
	{ "stall", INJECT_STALL, SENT | WRITTEN, NO_ARGUMENT, "",
	  "SIGSTOP to the process, just before; SIGCONT by hand has it go on" },
	{ "stall-after", INJECT_STALL_AFTER, SENT | WRITTEN, NO_ARGUMENT, "",
	  "SIGSTOP to the process, just after" },
	{ "fail", INJECT_FAIL, INJECT_KIND_BIT(INJECT_JOURNAL), ERROR, "=ENOSPC|EROFS|EIO",
	  "the write fails, and nothing is written" },
};

#define ACTIONS_COUNT	(sizeof(actions) / sizeof(actions[0]))

/**
 * inject_action_get() - the actions, one by one
 * @index: from 0
 * @kinds: receives the INJECT_KIND_BIT()s of the points where it is possible
 *
 * Return: its name, without an argument; NULL: there is no further one.
 */
const char *inject_action_get(size_t index, unsigned int *kinds)
{
	if (index >= ACTIONS_COUNT)
		return NULL;
	*kinds = actions[index].kinds;
	return actions[index].name;
}

/* Digits, and what follows them. */
static int number(const char *text, uint64_t *value, const char **rest)
{
	uint64_t sum = 0;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)(*text - '0'), &sum))
			return -ERANGE;
	*value = sum;
	*rest = text;
	return 0;
}

struct unit {
	const char *name;
	uint64_t value;
};

static const struct unit time_units[] = {
	{ "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 }, { NULL, 0 },
};

static const struct unit rate_units[] = {
	{ "", 1 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { NULL, 0 },
};

static int with_unit(const char *text, const struct unit *units, uint64_t *value)
{
	const char *rest;
	uint64_t count;
	int ret = number(text, &count, &rest);

	if (ret)
		return ret;
	for (; units->name; units++)
		if (!strcmp(units->name, rest))
			return __builtin_mul_overflow(count, units->value, value) ? -ERANGE : 0;
	return -EINVAL;
}

static int time_parse(const char *text, uint64_t *ns, struct fail *fail)
{
	if (with_unit(text, time_units, ns) || !*ns || *ns > DELAY_MAX_NS)
		return fail_set(fail, -EINVAL, "'%s' is no time: give a number and us, ms or s, "
				"an hour at most", text);
	return 0;
}

static int rate_parse(const char *text, uint64_t *rate, struct fail *fail)
{
	if (with_unit(text, rate_units, rate) || !*rate)
		return fail_set(fail, -EINVAL, "'%s' is no rate: give bytes a second, as a number "
				"and K, M, G or nothing", text);
	return 0;
}

static int error_parse(const char *text, uint64_t *error, struct fail *fail)
{
	if (!strcmp(text, "ENOSPC"))
		*error = ENOSPC;
	else if (!strcmp(text, "EROFS"))
		*error = EROFS;
	else if (!strcmp(text, "EIO"))
		*error = EIO;
	else
		return fail_set(fail, -EINVAL, "'%s' is no error that can be injected: there are "
				"ENOSPC, EROFS and EIO", text);
	return 0;
}

static int part_parse(const char *text, uint64_t *part, struct fail *fail)
{
	if (!strcmp(text, "header"))
		*part = INJECT_HEADER;
	else if (!strcmp(text, "body"))
		*part = INJECT_BODY;
	else
		return fail_set(fail, -EINVAL, "a bit of 'header' or 'body' can be flipped, or of "
				"either where nothing is said, but not of '%s'", text);
	return 0;
}

/* @text: NULL: none was given. */
static int argument_parse(const struct action *action, const char *text, uint64_t *value,
			  struct fail *fail)
{
	*value = 0;
	if (!text)
		return action->argument == NO_ARGUMENT || action->argument == PART ? 0 :
			fail_set(fail, -EINVAL, "'%s' needs an argument: %s%s", action->name,
				 action->name, action->shown);
	switch (action->argument) {
	case TIME:
		return time_parse(text, value, fail);
	case RATE:
		return rate_parse(text, value, fail);
	case ERROR:
		return error_parse(text, value, fail);
	case PART:
		return part_parse(text, value, fail);
	default:
		return fail_set(fail, -EINVAL, "'%s' takes no argument: leave '=%s' out",
				action->name, text);
	}
}

/* "N%", with up to three digits after a point, as a part of INJECT_CERTAIN. */
static int chance_parse(const char *text, uint64_t *chance)
{
	uint64_t whole, part = 0, scale = 1;
	const char *rest;

	if (number(text, &whole, &rest))
		return -EINVAL;
	if (*rest == '.')
		for (rest++; isdigit((unsigned char)*rest) && scale < 1000; rest++) {
			part = part * 10 + (uint64_t)(*rest - '0');
			scale *= 10;
		}
	if (strcmp(rest, "%") || whole > 100 || (whole == 100 && part))
		return -EINVAL;
	*chance = (whole * scale + part) * INJECT_CERTAIN / (100 * scale);
	return *chance ? 0 : -EINVAL;
}

static int when_parse(const char *text, struct inject_spec *spec, struct fail *fail)
{
	const char *rest;

	spec->when = INJECT_ONCE;
	if (!text || !strcmp(text, "once"))
		return 0;
	spec->when = INJECT_ALL;
	if (!strcmp(text, "all"))
		return 0;
	spec->when = INJECT_NTH;
	if (*text == '#' && !number(text + 1, &spec->when_argument, &rest) && !*rest &&
	    spec->when_argument)
		return 0;
	spec->when = INJECT_CHANCE;
	if (!chance_parse(text, &spec->when_argument))
		return 0;
	return fail_set(fail, -EINVAL, "'/%s' does not say when: there are /once (the default), "
			"/#N for the Nth time, /N%% for a chance, and /all", text);
}

static int action_parse(const char *text, const char *argument, struct inject_spec *spec,
			struct fail *fail)
{
	size_t i;

	for (i = 0; i < ACTIONS_COUNT; i++)
		if (!strcmp(actions[i].name, text))
			break;
	if (i == ACTIONS_COUNT)
		return fail_set(fail, -EINVAL, "there is no action '%s'; 'straddled --inject help' "
				"lists them", text);
	if (!(actions[i].kinds & INJECT_KIND_BIT(spec->kind)))
		return fail_set(fail, -EINVAL, "'%s' is not possible there: %s", text,
				actions[i].action == INJECT_FAIL ?
				"only writes of the journal can fail so" :
				"nothing is sent on a connection");
	spec->action = actions[i].action;
	return argument_parse(&actions[i], argument, &spec->argument, fail);
}

/**
 * inject_parse() - read one spec
 * @text: of it, NUL at the end
 * @spec: receives it
 * @fail: says why not, and what to do
 *
 * Return: 0 or -EINVAL.
 */
int inject_parse(const char *text, struct inject_spec *spec, struct fail *fail)
{
	char copy[INJECT_TEXT_MAX], *action, *when;
	int ret;

	*spec = (struct inject_spec){ .kind = INJECT_MESSAGE };
	if (strlen(text) >= sizeof(copy))
		return fail_set(fail, -EINVAL, "it is longer than %zu characters",
				sizeof(copy) - 1);
	strcpy(spec->text, text);
	strcpy(copy, text);
	when = copy;
	strsep(&when, "/");
	action = copy;
	strsep(&action, ":");
	if (!action)
		return fail_set(fail, -EINVAL, "it does not say what is to be done: "
				"POINT:ACTION[=ARGUMENT][/WHEN] is its form");
	ret = inject_point_parse(copy, spec, fail);
	if (!ret) {
		char *argument = action;

		strsep(&argument, "=");
		ret = action_parse(action, argument, spec, fail);
	}
	return ret ? ret : when_parse(when, spec, fail);
}

/**
 * inject_action_help() - list all actions
 * @out: where to
 */
void inject_action_help(FILE *out)
{
	char name[48];
	size_t i;

	for (i = 0; i < ACTIONS_COUNT; i++) {
		snprintf(name, sizeof(name), "%s%s", actions[i].name, actions[i].shown);
		fprintf(out, "  %-22s %s%s\n", name, actions[i].says,
			actions[i].kinds == (SENT | WRITTEN) ? "" : actions[i].kinds == SENT ?
			" (messages, frames)" : " (journal)");
	}
}
