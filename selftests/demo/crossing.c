// SPDX-License-Identifier: LGPL-2.1-or-later
/* crossing.c - start "straddle migrate", show its words, give up if told so. */
#include "crossing.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "selftests/lib/pair.h"
#include "selftests/lib/process.h"
#include "show.h"
#include "tools/lib/migration_json.h"

#define FOLLOW_MS	100
#define FOLLOW_TRIES	600		/* FOLLOW_MS apart */
#define TEXT_MAX	16384
#define ARGS_MAX	16

/* "... round 2: 384 MiB sent in 3.4 s, 383 MiB dirtied meanwhile: ..." */
static void round_note(struct crossing *crossing, const char *line)
{
	const char *round = strstr(line, "round ");
	double dirty;

	if (!round || sscanf(round, "round %*u: %*f MiB sent in %*f s, %lf MiB dirtied",
			     &dirty) != 1)
		return;
	if (!crossing->rounds++ || dirty < crossing->redirtied)
		crossing->redirtied = dirty;
}

/* What was added to a log since @shown, indented. */
static void show_more(struct crossing *crossing, const char *log, size_t *shown)
{
	static char text[TEXT_MAX];
	char *line, *end;

	if (host_log(crossing->from, log, text, sizeof(text)) < 0)
		return;
	for (line = text + *shown; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		say("    %s\n", line);
		round_note(crossing, line);
	}
	*shown = (size_t)(line - text);
}

static uint64_t round_now(const struct crossing *crossing)
{
	const char *const argv[] = { "--json", "status", crossing->guest, NULL };
	static char text[TEXT_MAX];
	const char *found;

	if (pair_straddle(NULL, crossing->from, argv, text, sizeof(text)))
		return 0;
	found = strstr(text, "\"round\":");
	return found ? strtoull(found + strlen("\"round\":"), NULL, 10) : 0;
}

static bool give_up(const struct crossing *crossing)
{
	const char *const argv[] = { "abort", crossing->guest, NULL };

	if (!crossing->give_up_round ||
	    round_now(crossing) < crossing->give_up_round)
		return false;
	say("  giving up: straddle abort %s\n", crossing->guest);
	pair_straddle(NULL, crossing->from, argv, NULL, 0);
	return true;
}

static int follow(struct crossing *crossing, pid_t pid, const char *log)
{
	int i, ret = -ETIMEDOUT;
	bool given_up = false;
	size_t shown = 0;

	for (i = 0; i < FOLLOW_TRIES && ret == -ETIMEDOUT && !show_interrupted();
	     i++) {
		ret = process_wait(pid, FOLLOW_MS);
		show_more(crossing, log, &shown);
		if (ret == -ETIMEDOUT && !given_up)
			given_up = give_up(crossing);
	}
	return ret;
}

static void say_command(const char *const argv[])
{
	say("\n  straddle");
	for (; *argv; argv++)
		say(" %s", *argv);
	say("\n");
}

/**
 * crossing_run() - run straddle migrate, show what it and the agent say
 * @crossing: from, to, guest and give_up_round are set
 * @options: of the command, after the host
 * @log: the file of the source for its output
 * @fail: says why not
 *
 * Return: its exit status, or -errno.
 */
int crossing_run(struct crossing *crossing, const char *const options[],
		 const char *log, struct fail *fail)
{
	const char *argv[ARGS_MAX] = { "migrate", crossing->guest,
				       crossing->to->address };
	size_t n = 3;
	pid_t pid;
	int ret;

	for (; *options && n < ARGS_MAX - 1; options++)
		argv[n++] = *options;
	say_command(argv);
	pid = pair_straddle_start(NULL, crossing->from, argv, log, fail);
	if (pid < 0)
		return pid;
	ret = follow(crossing, pid, log);
	if (show_interrupted())
		return -EINTR;
	if (ret == -ETIMEDOUT)
		return fail_set(fail, ret, "straddle migrate did not end");
	return ret;
}

/* ---- the history -------------------------------------------------------- */

/* The summary of the newest migration of the host, or NULL. */
static struct json_object *newest(struct json_object *history)
{
	struct json_object *list, *summary;

	if (!json_object_object_get_ex(history, "migrations", &list) ||
	    !json_object_array_length(list) ||
	    !json_object_object_get_ex(json_object_array_get_idx(list, 0),
				       "summary", &summary))
		return NULL;
	return summary;
}

/**
 * crossing_summary() - read what the last migration measured
 * @from: the host that it started at
 * @summary: receives it
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int crossing_summary(const struct host *from, struct progress *summary,
		     struct fail *fail)
{
	static const char *const argv[] = { "--json", "history", "1", NULL };
	static char text[TEXT_MAX];
	struct json_object *history, *found;
	int ret = pair_straddle(NULL, from, argv, text, sizeof(text));

	history = ret ? NULL : json_tokener_parse(text);
	found = history ? newest(history) : NULL;
	ret = found ? progress_from_json(found, summary, fail) :
		fail_set(fail, -EIO,
			 "straddle history has nothing of the migration (exit status %d)",
			 ret);
	json_object_put(history);
	return ret;
}
