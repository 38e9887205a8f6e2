// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * demo.c - a guest that never converges crosses to another host.
 *
 * Two hosts (network namespaces) and a link of 1 Gbit/s between them, two
 * agents with certificates of their own, one guest that dirties memory faster
 * than the link carries it. Pre-copy alone is tried first and given up; then
 * the same guest crosses with post-copy, runs on, and checks its memory.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include "selftests/lib/descendants.h"
#include "selftests/lib/pair.h"
#include "selftests/lib/process.h"
#include "sys.h"

#define GUEST		"busy"
#define FOLLOW_MS	100
#define MIGRATE_TRIES	600		/* FOLLOW_MS apart */
#define GIVE_UP_ROUND	4		/* of pre-copy alone */
#define TEXT_MAX	16384
#define WORKING_SET_MIB	384
#define STRING_OF(macro) #macro
#define STRING(macro)	STRING_OF(macro)

static const struct net_rate gigabit = {
	.rate = 1000000000,
	.burst = 256u << 10,
	.latency_us = 20000,
};

/* 384 MiB written at random, up to 1.5 GiB/s of pages; the link has 119 MiB/s. */
static const char *const guest_options[] = {
	"--vcpus", "2", "--memory", "512M", "--workload", "hot",
	"--working-set", STRING(WORKING_SET_MIB) "M", "--rate", "400000", "--engine", NULL, NULL,
};

struct demo {
	struct pair *pair;
	struct guest_stats before, after;
	uint64_t downtime_ns, total_ns, network_faults, faults;
	double redirtied;		/* MiB, the least of any round */
	unsigned int rounds;
	bool postcopy;
	int owners;
};

static volatile sig_atomic_t interrupted;

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	fflush(stdout);
}

/* "... round 2: 384 MiB sent in 3.4 s, 383 MiB dirtied meanwhile: ..." */
static void round_note(struct demo *demo, const char *line)
{
	const char *round = strstr(line, "round ");
	double dirty;

	if (!round || sscanf(round, "round %*u: %*f MiB sent in %*f s, %lf MiB dirtied",
			     &dirty) != 1)
		return;
	if (!demo->rounds++ || dirty < demo->redirtied)
		demo->redirtied = dirty;
}

/* What was added to a log since @shown, indented. */
static void show_more(struct demo *demo, const struct host *host,
		      const char *log, size_t *shown)
{
	static char text[TEXT_MAX];
	char *line, *end;

	if (host_log(host, log, text, sizeof(text)) < 0)
		return;
	for (line = text + *shown; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		say("    %s\n", line);
		round_note(demo, line);
	}
	*shown = (size_t)(line - text);
}

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

static uint64_t number(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value)
		? json_object_get_uint64(value) : 0;
}

static int history_read(struct demo *demo, struct fail *fail)
{
	static const char *const argv[] = { "--json", "history", "1", NULL };
	static char text[TEXT_MAX];
	struct json_object *history, *summary;
	int ret = pair_straddle(demo->pair, &demo->pair->hosts->source, argv,
				text, sizeof(text));

	history = ret ? NULL : json_tokener_parse(text);
	summary = history ? newest(history) : NULL;
	if (!summary) {
		json_object_put(history);
		return fail_set(fail, -EIO,
				"straddle history has nothing of the migration (exit status %d)",
				ret);
	}
	demo->downtime_ns = number(summary, "downtime_ns");
	demo->total_ns = number(summary, "total_ns");
	demo->faults = number(summary, "faults");
	demo->network_faults = number(summary, "network_faults");
	demo->postcopy = number(summary, "postcopy");
	json_object_put(history);
	return 0;
}

static uint64_t round_now(struct demo *demo)
{
	const char *const argv[] = { "--json", "status", GUEST, NULL };
	static char text[TEXT_MAX];
	const char *found;

	if (pair_straddle(demo->pair, &demo->pair->hosts->source, argv, text,
			  sizeof(text)))
		return 0;
	found = strstr(text, "\"round\":");
	return found ? strtoull(found + strlen("\"round\":"), NULL, 10) : 0;
}

static int abort_it(struct demo *demo)
{
	static const char *const argv[] = { "abort", GUEST, NULL };

	say("  giving up: straddle abort " GUEST "\n");
	return pair_straddle(demo->pair, &demo->pair->hosts->source, argv,
			     NULL, 0);
}

/* Run straddle migrate and show what it says. Return: its exit status. */
static int migrate(struct demo *demo, const char *log, bool postcopy,
		   struct fail *fail)
{
	const struct host *source = &demo->pair->hosts->source;
	const char *argv[] = { "migrate", GUEST,
		demo->pair->hosts->dest.address, "--live", "--verbose",
		postcopy ? "--postcopy" : NULL, NULL };
	size_t shown = 0;
	bool aborted = false;
	int i, ret = -ETIMEDOUT;
	pid_t pid;

	say("\n  straddle migrate " GUEST " %s --live --verbose%s\n",
	    argv[2], postcopy ? " --postcopy" : "");
	pid = pair_straddle_start(demo->pair, source, argv, log, fail);
	if (pid < 0)
		return pid;
	for (i = 0; i < MIGRATE_TRIES && ret == -ETIMEDOUT && !interrupted; i++) {
		ret = process_wait(pid, FOLLOW_MS);
		show_more(demo, source, log, &shown);
		if (!postcopy && !aborted &&
		    round_now(demo) >= GIVE_UP_ROUND) {
			abort_it(demo);
			aborted = true;
		}
	}
	if (ret == -ETIMEDOUT)
		return fail_set(fail, ret, "straddle migrate did not end");
	return ret;
}

/*
 * A /dev/kvm without hardware behind it takes so long for each first write to
 * a page after a scan that its guest may fall behind the link.
 */
static const char *engine_choose(void)
{
	static char text[1 << 20];
	FILE *file = fopen("/proc/cpuinfo", "re");
	size_t got = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	if (file)
		fclose(file);
	text[got] = '\0';
	if (access("/dev/kvm", R_OK | W_OK))
		return "threads";
	return strstr(text, " vmx") || strstr(text, " svm") ? "kvm" : "threads";
}

static int guest_start(struct demo *demo, struct fail *fail)
{
	const char *options[sizeof(guest_options) / sizeof(*guest_options)];
	const char *engine = engine_choose();
	int ret;

	memcpy(options, guest_options, sizeof(options));
	options[sizeof(options) / sizeof(*options) - 2] = engine;
	ret = pair_start_guest(demo->pair, GUEST, options, fail);
	if (ret < 0)
		return ret;
	say("  guest '" GUEST "': 512 MiB, 2 vCPUs (engine %s), writes up to "
	    "400000 pages a second at random in %d MiB\n", engine,
	    WORKING_SET_MIB);
	/* Long enough that every page of the working set was written. */
	return guest_run_on(&demo->pair->hosts->source, GUEST, 800000, fail);
}

static int prepare(struct demo *demo, struct fail *fail)
{
	int ret;

	say("Two hosts, a link of 1 Gbit/s, mutual TLS, one guest\n");
	ret = pair_create(&demo->pair, PAIR_X509, &gigabit, fail);
	return ret < 0 ? ret : guest_start(demo, fail);
}

static int precopy_alone(struct demo *demo, struct fail *fail)
{
	int ret;

	say("\n1. Pre-copy alone\n");
	ret = migrate(demo, "precopy.log", false, fail);
	if (ret < 0)
		return ret;
	if (!ret)
		return fail_set(fail, -EIO,
				"pre-copy alone got it across: the guest is not busy enough");
	if (interrupted)
		return -EINTR;
	if (!demo->rounds)
		return fail_set(fail, -EIO, "pre-copy alone made no round");
	say("  each of %u rounds found at least %.0f of the working set's %d MiB "
	    "dirty again:\n  pre-copy alone never ends; the guest runs on at the "
	    "source\n", demo->rounds, demo->redirtied, WORKING_SET_MIB);
	return guest_run_on(&demo->pair->hosts->source, GUEST, 40000, fail);
}

static int with_postcopy(struct demo *demo, struct fail *fail)
{
	int ret = guest_stats_get(&demo->pair->hosts->source, GUEST,
				  &demo->before, fail);

	if (ret < 0)
		return ret;
	say("\n2. The same guest, with post-copy\n");
	ret = migrate(demo, "postcopy.log", true, fail);
	if (ret < 0)
		return ret;
	if (ret)
		return fail_set(fail, -EIO, "straddle migrate --postcopy failed");
	return history_read(demo, fail);
}

static int run_on(struct demo *demo, struct fail *fail)
{
	const struct host *dest = &demo->pair->hosts->dest;
	int ret;

	say("\n3. At the dest: the guest runs on, then checks all of its memory\n");
	ret = guest_run_on(dest, GUEST, 240000, fail);
	if (!ret)
		ret = guest_walk(dest, GUEST, &demo->after, fail);
	demo->owners = witness_owners(demo->pair);
	return ret;
}

static void table(const struct demo *demo)
{
	say("\n  %-42s %16s %16s\n", "", "before (source)", "after (dest)");
	say("  %-42s %16" PRIu64 " %16" PRIu64 "\n", "pages written, in all",
	    demo->before.ticks, demo->after.ticks);
	say("  %-42s %16" PRIu64 " %16" PRIu64 "\n", "found wrong while running",
	    demo->before.bad, demo->after.bad);
	say("  %-42s %16s %16" PRIu64 "\n", "pages walked (all but the guest's tables)", "-",
	    demo->after.walked);
	say("  %-42s %16s %16" PRIu64 "\n", "of these wrong", "-",
	    demo->after.walk_bad);
	say("  %-42s %16s %16d\n", "owners at the worst moment", "-",
	    demo->owners);
	say("  %-42s %16s %16s\n\n", "still at the source", "yes",
	    guest_exists(&demo->pair->hosts->source, GUEST) ? "yes" : "no");
}

static int verdict(const struct demo *demo, struct fail *fail)
{
	uint64_t bad = demo->after.bad + demo->after.walk_bad;

	if (!demo->postcopy)
		return fail_set(fail, -EIO, "it did not switch to post-copy");
	if (bad || !demo->after.walked)
		return fail_set(fail, -EIO, "%" PRIu64 " pages are wrong", bad);
	if (demo->owners != 1)
		return fail_set(fail, -EIO, "%d copies ran at once",
				demo->owners);
	if (guest_exists(&demo->pair->hosts->source, GUEST))
		return fail_set(fail, -EIO, "the source was not torn down");
	say("demo: ok mode=post-copy bad=%" PRIu64
	    " owners=%d downtime_ms=%.1f total_ms=%.0f network_faults=%" PRIu64
	    "\n", bad, demo->owners, (double)demo->downtime_ns / 1e6,
	    (double)demo->total_ns / 1e6, demo->network_faults);
	return 0;
}

static int demo_run(struct demo *demo, struct fail *fail)
{
	static int (*const acts[])(struct demo *, struct fail *) = {
		prepare, precopy_alone, with_postcopy, run_on,
	};
	size_t i;

	for (i = 0; i < sizeof(acts) / sizeof(*acts); i++) {
		int ret = acts[i](demo, fail);

		if (ret || interrupted)
			return ret ?: -EINTR;
	}
	table(demo);
	return verdict(demo, fail);
}

static void interrupt(int sig)
{
	(void)sig;
	interrupted = true;
}

int main(void)
{
	struct sigaction action = { .sa_handler = interrupt };
	struct demo demo = { .pair = NULL };
	struct fail fail = { 0 };
	int ret;

	/* What we started dies of an interrupt; the clean-up comes all the same. */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	ret = demo_run(&demo, &fail);
	pair_destroy(demo.pair);
	descendants_kill();
	if (ret < 0)
		printf("demo: FAILED %s\n", interrupted ? "interrupted" :
		       fail.text[0] ? fail.text : strerror(-ret));
	return ret < 0;
}
