/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inject_point.c - the names of the places where a fault can be injected.
 *
 * [PHASE.]MESSAGE, [PHASE.][lane|fault|push.]FRAME, journal.STATE or WRITE,
 * move.STATE. Messages and states are read from their tables, so that a new
 * one has its points. A name that a message and a frame share is the
 * message's; lane.NAME is the frame.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "protocol/inject_spec.h"

#define PARTS_MAX	3

struct frame_name {
	const char *name;
	uint64_t types;			/* bits enum frame_type */
	unsigned int phases;
	uint32_t role;			/* the only one, or INJECT_ANY_ROLE */
	enum side side;			/* that sends it */
	const char *says;
};

#define TYPE_BIT(type)	(UINT64_C(1) << (type))
#define BYTES		(TYPE_BIT(FRAME_DATA) | TYPE_BIT(FRAME_PACKED))
#define WITH_MEMORY	(PHASE_BIT(PHASE_PERFORM) | PHASE_BIT(PHASE_FINISH) | \
			 PHASE_BIT(PHASE_CONFIRM))
#define ANY_PHASE	((1u << PHASE_COUNT) - 1)

static const struct frame_name frame_names[] = {
	{ "run", BYTES | TYPE_BIT(FRAME_ZERO), WITH_MEMORY, INJECT_ANY_ROLE,
	  SIDE_SOURCE, "pages, of zeroes or not" },
	{ "data", BYTES, WITH_MEMORY, INJECT_ANY_ROLE,
	  SIDE_SOURCE, "pages and their bytes, packed or not" },
	{ "zero", TYPE_BIT(FRAME_ZERO), WITH_MEMORY, INJECT_ANY_ROLE,
	  SIDE_SOURCE, "pages of zeroes" },
	{ "barrier", TYPE_BIT(FRAME_BARRIER), PHASE_BIT(PHASE_PERFORM), LANE_PUSH,
	  SIDE_SOURCE, "a round ends on this lane" },
	{ "want", TYPE_BIT(FRAME_WANT), WITH_MEMORY, LANE_FAULT,
	  SIDE_DEST, "a guest waits for pages" },
};

struct named {
	const char *name;
	unsigned int number;
	const char *says;
};

static const struct named role_names[] = {
	{ "lane", INJECT_ANY_ROLE, "any lane" },
	{ "fault", LANE_FAULT, "a fault lane" },
	{ "push", LANE_PUSH, "a push lane" },
};

static const struct named write_names[] = {
	{ "note", INJECT_NOTE, "the reason of a failure, a summary, a proof" },
	{ "process", INJECT_PROCESS, "which process is the guest's" },
	{ "peer", INJECT_PEER, "where the dest is now" },
	{ "paused", INJECT_PAUSED, "that its owner paused or resumed the guest" },
	{ "acknowledge", INJECT_ACKNOWLEDGE, "that the peer has heard how it ended" },
	{ "expire", INJECT_EXPIRE, "that old migrations are dropped" },
};

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

static const struct named *named_find(const struct named *table, size_t count,
				      const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(table[i].name, name))
			return &table[i];
	return NULL;
}

static const struct frame_name *frame_find(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(frame_names); i++)
		if (!strcmp(frame_names[i].name, name))
			return &frame_names[i];
	return NULL;
}

static void lower(const char *name, char *text, size_t size)
{
	size_t i;

	for (i = 0; name[i] && i < size - 1; i++)
		text[i] = (char)tolower((unsigned char)name[i]);
	text[i] = '\0';
}

static const struct message_rule *message_find(const char *name)
{
	char text[32];
	size_t i;

	for (i = 0; i < message_table_count; i++) {
		lower(message_table[i].name, text, sizeof(text));
		if (!strcmp(text, name))
			return &message_table[i];
	}
	return NULL;
}

/* Return: PHASE_COUNT: it is no phase's name. */
static enum phase phase_find(const char *name)
{
	char text[32];
	enum phase phase;

	for (phase = 0; phase < PHASE_COUNT; phase++) {
		lower(phase_name(phase), text, sizeof(text));
		if (!strcmp(text, name))
			break;
	}
	return phase;
}

static void phases_list(unsigned int phases, char *text, size_t size)
{
	enum phase phase;
	char name[32];
	size_t used = 0;

	text[0] = '\0';
	for (phase = 0; phase < PHASE_COUNT; phase++) {
		if (!(phases & PHASE_BIT(phase)))
			continue;
		lower(phase_name(phase), name, sizeof(name));
		used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", name);
	}
}

static int no_such_point(const char *text, struct fail *fail)
{
	return fail_set(fail, -EINVAL, "there is no point '%s'; 'straddled --inject help' lists "
			"them, messages and frames in lower case, states in upper case", text);
}

/* @phase: PHASE_COUNT: any in which it is sent. */
static int phase_take(struct inject_spec *spec, enum phase phase, unsigned int legal,
		      const char *name, struct fail *fail)
{
	char list[80];

	spec->phases = legal;
	if (phase == PHASE_COUNT)
		return 0;
	spec->phases = legal & PHASE_BIT(phase);
	if (spec->phases)
		return 0;
	phases_list(legal, list, sizeof(list));
	return fail_set(fail, -EINVAL, "'%s' is not sent in phase %s, but in %s", name,
			phase_name(phase), list);
}

static int frame_take(struct inject_spec *spec, enum phase phase, uint32_t role,
		      const struct frame_name *frame, struct fail *fail)
{
	if (role != INJECT_ANY_ROLE && frame->role != INJECT_ANY_ROLE && role != frame->role)
		return fail_set(fail, -EINVAL, "a '%s' travels on %s lanes only", frame->name,
				frame->role == LANE_FAULT ? "fault" : "push");
	spec->kind = INJECT_FRAME;
	spec->numbers = frame->types;
	spec->role = role;
	return phase_take(spec, phase, frame->phases, frame->name, fail);
}

static int state_take(struct inject_spec *spec, enum inject_kind kind, const char *name)
{
	enum owner_state state = owner_state_named(name);
	const struct named *write = kind != INJECT_JOURNAL ? NULL :
		named_find(write_names, COUNT(write_names), name);

	if (state == STATE_NONE && !write)
		return -EINVAL;
	spec->kind = kind;
	spec->numbers = UINT64_C(1) << (write ? write->number : state);
	return 0;
}

/* What is left of a message's or frame's point once its phase is known. */
static int sent_take(struct inject_spec *spec, enum phase phase, char *const parts[],
		     size_t count, const char *whole, struct fail *fail)
{
	const struct message_rule *rule = count == 1 ? message_find(parts[0]) : NULL;
	const struct frame_name *frame = count ? frame_find(parts[count - 1]) : NULL;
	const struct named *role = &role_names[0];

	if (rule) {
		spec->kind = INJECT_MESSAGE;
		spec->numbers = UINT64_C(1) << rule->type;
		return phase_take(spec, phase, rule->phases, parts[0], fail);
	}
	if (count == 2)
		role = named_find(role_names, COUNT(role_names), parts[0]);
	if (!frame || !role || count > 2)
		return no_such_point(whole, fail);
	return frame_take(spec, phase, role->number, frame, fail);
}

/**
 * inject_point_parse() - where a fault is to strike
 * @text: "answer", "finish.answer", "push.run", "journal.GO", "move.ASKED"
 * @spec: receives it
 * @fail: says why not, and what to do
 *
 * Return: 0 or -EINVAL.
 */
int inject_point_parse(const char *text, struct inject_spec *spec, struct fail *fail)
{
	char copy[INJECT_TEXT_MAX], *parts[PARTS_MAX], *at = copy;
	enum phase phase = PHASE_COUNT;
	size_t count = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	spec->phases = ANY_PHASE;
	spec->role = INJECT_ANY_ROLE;
	while (at && count < PARTS_MAX)
		parts[count++] = strsep(&at, ".");
	if (at)
		return no_such_point(text, fail);
	if (count == 2 && !strcmp(parts[0], "journal"))
		return state_take(spec, INJECT_JOURNAL, parts[1]) ? no_such_point(text, fail) : 0;
	if (count == 2 && !strcmp(parts[0], "move"))
		return state_take(spec, INJECT_MOVE, parts[1]) ? no_such_point(text, fail) : 0;
	if (count > 1)
		phase = phase_find(parts[0]);
	if (phase != PHASE_COUNT)
		return sent_take(spec, phase, parts + 1, count - 1, text, fail);
	return sent_take(spec, phase, parts, count, text, fail);
}

/* Messages, each in each of its phases. Return: whether it is one of them. */
static bool message_point(size_t *index, struct inject_point *point)
{
	char name[32], phase_text[32];
	enum phase phase;
	size_t i;

	for (i = 0; i < message_table_count; i++)
		for (phase = 0; phase < PHASE_COUNT; phase++) {
			if (!(message_table[i].phases & PHASE_BIT(phase)) || (*index)--)
				continue;
			lower(message_table[i].name, name, sizeof(name));
			lower(phase_name(phase), phase_text, sizeof(phase_text));
			point->kind = INJECT_MESSAGE;
			point->sides = message_table[i].senders;
			snprintf(point->name, sizeof(point->name), "%.20s.%.24s", phase_text,
				 name);
			return true;
		}
	return false;
}

static bool frame_point(size_t *index, struct inject_point *point)
{
	const struct frame_name *frame;

	if (*index >= COUNT(frame_names)) {
		*index -= COUNT(frame_names);
		return false;
	}
	frame = &frame_names[*index];
	point->kind = INJECT_FRAME;
	point->sides = 1u << frame->side;
	point->phases = frame->phases;
	snprintf(point->name, sizeof(point->name), "lane.%s", frame->name);
	return true;
}

static bool state_point(size_t *index, enum inject_kind kind, struct inject_point *point)
{
	const char *where = kind == INJECT_JOURNAL ? "journal" : "move";

	if (*index >= owner_table_count) {
		*index -= owner_table_count;
		return false;
	}
	point->kind = kind;
	point->sides = 1u << owner_table[*index].side;
	snprintf(point->name, sizeof(point->name), "%s.%s", where, owner_table[*index].name);
	return true;
}

/**
 * inject_point_get() - the points, one by one
 * @index: from 0
 * @point: receives it
 *
 * Return: false: there is no further one.
 */
bool inject_point_get(size_t index, struct inject_point *point)
{
	memset(point, 0, sizeof(*point));
	if (message_point(&index, point) || frame_point(&index, point) ||
	    state_point(&index, INJECT_JOURNAL, point) ||
	    state_point(&index, INJECT_MOVE, point))
		return true;
	if (index >= COUNT(write_names))
		return false;
	point->kind = INJECT_JOURNAL;
	point->sides = 1u << SIDE_SOURCE | 1u << SIDE_DEST;
	snprintf(point->name, sizeof(point->name), "journal.%s", write_names[index].name);
	return true;
}

static void message_help(FILE *out)
{
	char name[32], phases[80];
	size_t i;

	fputs("Control messages; MESSAGE, or PHASE.MESSAGE:\n", out);
	for (i = 0; i < message_table_count; i++) {
		const struct message_rule *rule = &message_table[i];

		lower(rule->name, name, sizeof(name));
		phases_list(rule->phases, phases, sizeof(phases));
		fprintf(out, "  %-14s from %-7s %s; in %s\n", name, rule->senders == 3 ? "either" :
			side_name(rule->senders & 1 ? SIDE_SOURCE : SIDE_DEST),
			rule->purpose, phases);
	}
}

static void frame_help(FILE *out)
{
	char name[32], phases[80];
	size_t i;

	fputs("\nFrames on lanes; FRAME, lane.FRAME (where a message has that name, too),\n"
	      "fault.FRAME or push.FRAME, and PHASE. before any of them:\n", out);
	for (i = 0; i < COUNT(frame_names); i++) {
		const struct frame_name *frame = &frame_names[i];

		snprintf(name, sizeof(name), "%s%s", message_find(frame->name) ? "lane." : "",
			 frame->name);
		phases_list(frame->phases, phases, sizeof(phases));
		fprintf(out, "  %-14s from %-7s %s; in %s\n", name, side_name(frame->side),
			frame->says, phases);
	}
}

static void state_help(FILE *out)
{
	char name[40];
	size_t i;

	fputs("\nWrites of the agent's journal, each before and after it is on the disk:\n", out);
	for (i = 0; i < owner_table_count; i++) {
		snprintf(name, sizeof(name), "journal.%s", owner_table[i].name);
		fprintf(out, "  %-22s at the %s, %s\n", name, side_name(owner_table[i].side),
			owner_table[i].intent ? "an intent" : "a fact");
	}
	for (i = 0; i < COUNT(write_names); i++) {
		snprintf(name, sizeof(name), "journal.%s", write_names[i].name);
		fprintf(out, "  %-22s %s\n", name, write_names[i].says);
	}
	fputs("\nThe worker's side of that: it asks its agent to write a state, and is answered:\n"
	      "  move.STATE             of the same states\n", out);
}

/**
 * inject_point_help() - list all points
 * @out: where to
 */
void inject_point_help(FILE *out)
{
	message_help(out);
	frame_help(out);
	state_help(out);
}
