/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* migrate.c - straddle migrate: start it, follow it, say how it ended. */
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "agent.h"
#include "line.h"
#include "members.h"
#include "migrate_options.h"
#include "plain.h"
#include "summary.h"
#include "sys.h"
#include "tools/lib/migration_json.h"

#define EXIT_INTERRUPTED	130

/* A migration that is followed. */
struct follow {
	const struct context *context;
	const struct migrate_options *options;
	struct agent_link link;
	struct line line;
	int signals;		/* signalfd */
	bool interrupted;	/* once: asked to abort */
	bool detached;		/* goes on without us */
	int status;		/* exit status, once @ended */
	bool ended;
};

/* Where the guest is now, by what the journal of the source says. */
static const char *state_words(const char *state)
{
	static const struct {
		const char *state;
		const char *words;
	} table[] = {
		{ "RESUMED", "the guest stays here" },
		{ "ASKED", "the guest is held here until the other host says whether it runs "
			   "there; see 'straddle status'" },
		{ "HELD", "the guest runs on the other host and still misses pages that are "
			  "here; see 'straddle status'" },
		{ "DELEGATED", "libvirt has not ended it: see 'virsh domjobinfo' and 'virsh "
			       "domstate --reason' on both hosts" },
		{ "MOVED", "libvirt moved the guest" },
		{ "CORRUPT", "what arrived is not what was sent: both copies are kept; see "
			     "'straddle status'" },
	};
	size_t i;

	for (i = 0; state && i < sizeof(table) / sizeof(table[0]); i++)
		if (!strcmp(table[i].state, state))
			return table[i].words;
	return state ? "see 'straddle status'" : "the guest was not touched";
}

/* 1: the agent lists the guest, 0: it does not, or -errno: it cannot be asked. */
static int guest_is_listed(const struct follow *follow)
{
	const char *wanted = follow->options->migration.guest, *name;
	struct json_object *answer, *guests;
	struct fail ignored = { 0 };
	int ret = agent_ask(follow->context, agent_request("list"), &answer, &ignored);
	size_t i;

	if (ret)
		return ret;
	guests = member(answer, "guests");
	for (i = 0; !ret && i < member_count(guests); i++) {
		name = json_text(json_object_array_get_idx(guests, i), "name");
		ret = name && !strcmp(name, wanted);
	}
	json_object_put(answer);
	return ret;
}

/* The journal tells who owns the guest, not whether its process still lives. */
static void whereabouts_print(const struct follow *follow, const char *state)
{
	bool here = !state || !strcmp(state, "RESUMED");
	/* No list has those that are named by a path. */
	bool ask = here && !strchr(follow->options->migration.guest, '/');
	int listed = ask ? guest_is_listed(follow) : 1;

	if (listed > 0) {
		fprintf(stderr, "straddle: %s\n", state_words(state));
	} else if (!listed && state) {
		fputs("straddle: no guest '", stderr);
		plain_put(stderr, follow->options->migration.guest);
		fputs("' runs here any more\n", stderr);
	}
}

static void result_failed(const struct follow *follow, struct json_object *result)
{
	const char *error = json_text(result, "error");

	fprintf(stderr, "straddle: guest '");
	plain_put(stderr, follow->options->migration.guest);
	fprintf(stderr, "' was not migrated: ");
	plain_put(stderr, error ? error : "no reason was given");
	fputc('\n', stderr);
	whereabouts_print(follow, json_text(result, "state"));
}

/* What is in the way, and nothing else. */
static void dry_run_print(const struct follow *follow, struct json_object *result)
{
	const struct migration_options *migration = &follow->options->migration;
	const char *error = json_text(result, "error");
	bool ok = member_bool(result, "ok");
	FILE *to = ok ? stdout : stderr;

	fputs(ok ? "guest '" : "straddle: guest '", to);
	plain_put(to, migration->guest);
	fputs(ok ? "' could be moved to " : "' could not be moved to ", to);
	plain_put(to, migration->host);
	fputs(": ", to);
	plain_put(to, ok ? "nothing is in the way" : error ? error : "no reason was given");
	fputc('\n', to);
}

static void result_print(const struct follow *follow, struct json_object *result,
			 const struct progress *summary)
{
	const struct migration_options *migration = &follow->options->migration;

	if (migration->dry_run) {
		dry_run_print(follow, result);
		return;
	}

	if (!member_bool(result, "ok")) {
		result_failed(follow, result);
		return;
	}
	fputs("guest '", stdout);
	plain_put(stdout, migration->guest);
	fputs("' runs on ", stdout);
	plain_put(stdout, migration->host);
	fputs(" now\n", stdout);
	if (summary)
		summary_print(summary);
}

static void take_result(struct follow *follow, struct json_object *result)
{
	struct json_object *told = member(result, "summary");
	struct progress summary;
	struct fail fail = { 0 };

	follow->ended = true;
	follow->status = member_bool(result, "ok") ? EXIT_SUCCESS : EXIT_FAILURE;
	line_end(&follow->line);
	if (follow->context->json) {
		json_print(result);
		return;
	}
	if (told && !progress_from_json(told, &summary, &fail))
		line_last(&follow->line, &summary);
	else
		told = NULL;
	result_print(follow, result, told ? &summary : NULL);
}

static void take_progress(struct follow *follow, struct json_object *object)
{
	struct progress progress;
	struct fail fail = { 0 };

	if (follow->context->json) {
		if (follow->options->verbose)
			json_print(object);
	} else if (!progress_from_json(object, &progress, &fail)) {
		line_show(&follow->line, &progress);
	}
}

static void take_started(struct follow *follow, struct json_object *object)
{
	if (follow->context->json)
		json_print(object);
	else if (follow->options->verbose || follow->options->detach)
		printf("migration %s has started\n", json_text(object, "id"));
	fflush(stdout);
	follow->ended = follow->options->detach;
}

static void take_error(struct follow *follow, struct json_object *object)
{
	struct fail fail = { 0 };

	agent_error(object, &fail);
	line_end(&follow->line);
	follow->status = failure(follow->context, &fail);
	/* An abort that came too late is told, and the migration goes on. */
	follow->ended = !follow->interrupted;
}

static const struct {
	const char *type;
	void (*take)(struct follow *follow, struct json_object *object);
} answers[] = {
	{ "started", take_started },
	{ "progress", take_progress },
	{ "result", take_result },
	{ "error", take_error },
};

static void take_answer(struct follow *follow, struct json_object *object)
{
	const char *type = json_text(object, "type");
	size_t i;

	for (i = 0; type && i < sizeof(answers) / sizeof(answers[0]); i++)
		if (!strcmp(answers[i].type, type))
			answers[i].take(follow, object);
}

static void say(const struct follow *follow, const char *text)
{
	/* Where JSON goes, nothing else goes. */
	fprintf(follow->context->json ? stderr : stdout, "%s\n", text);
	fflush(stdout);
}

/* The first interrupt aborts, the second leaves it alone. */
static int take_interrupt(struct follow *follow)
{
	struct signalfd_siginfo info;
	struct json_object *request;
	int ret = sys_read_all(follow->signals, &info, sizeof(info));

	if (ret)
		return ret;
	line_end(&follow->line);
	if (follow->interrupted) {
		say(follow, "interrupted again: the migration goes on without this command; "
		    "'straddle status' shows it");
		follow->detached = true;
		return 0;
	}
	follow->interrupted = true;
	say(follow, "interrupted: asking to abort; interrupt again to leave it alone");
	request = agent_request("abort");
	json_object_object_add(request, "guest",
			       json_object_new_string(follow->options->migration.guest));
	ret = jsonline_write(follow->link.fd, request);
	json_object_put(request);
	return ret;
}

/* What has come is dealt with before there is another wait. */
static int follow_once(struct follow *follow, struct fail *fail)
{
	struct pollfd ready[2] = {
		{ .fd = follow->link.fd, .events = POLLIN },
		{ .fd = follow->signals, .events = POLLIN },
	};
	struct json_object *answer;
	int ret;

	ret = sys_retry(poll(ready, 2, -1));
	if (ret < 0)
		return fail_set(fail, ret, "cannot wait for the agent: %s", strerror(-ret));
	if (ready[1].revents && take_interrupt(follow))
		return fail_set(fail, -EPIPE, "the agent has ended; the migration goes on");
	if (!ready[0].revents || follow->detached)
		return 0;
	do {
		ret = agent_receive(&follow->link, &answer, fail);
		if (ret)
			return ret;
		take_answer(follow, answer);
		json_object_put(answer);
	} while (!follow->ended && jsonline_ready(&follow->link.in));
	return 0;
}

static int follow_start(struct follow *follow, struct fail *fail)
{
	struct json_object *request = agent_request("migrate");
	int ret = agent_connect(&follow->link, follow->context->agent, fail);

	json_object_object_add(request, "options",
			       migration_options_to_json(&follow->options->migration));
	if (!ret) {
		ret = jsonline_write(follow->link.fd, request);
		if (ret) {
			fail_set(fail, ret, "cannot ask the agent: %s", strerror(-ret));
			agent_close(&follow->link);
		}
	}
	json_object_put(request);
	return ret;
}

static int signals_open(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	return sys_ret(signalfd(-1, &mask, SFD_CLOEXEC));
}

/**
 * command_migrate() - straddle migrate GUEST HOST[:PORT] [OPTION]...
 * @context: which agent, and how to print
 * @argc: of the command
 * @argv: of the command
 *
 * Return: the exit status.
 */
int command_migrate(const struct context *context, int argc, char **argv)
{
	struct migrate_options options;
	struct follow follow = { .context = context, .options = &options };
	struct fail fail = { 0 };
	int ret = migrate_options_parse(&options, argc, argv);

	if (ret)
		return ret;
	if (options.help) {
		migrate_help();
		return EXIT_SUCCESS;
	}
	line_init(&follow.line, options.verbose);
	follow.signals = signals_open();
	if (follow_start(&follow, &fail))
		return failure(context, &fail);
	while (!ret && !follow.ended && !follow.detached)
		ret = follow_once(&follow, &fail);
	agent_close(&follow.link);
	close(follow.signals);
	line_end(&follow.line);
	if (ret)
		return failure(context, &fail);
	return follow.detached ? EXIT_INTERRUPTED : follow.status;
}
