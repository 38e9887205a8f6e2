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
#include <stdio.h>
#include <string.h>

#include "crossing.h"
#include "selftests/lib/pair.h"
#include "show.h"
#include "sys.h"

#define GUEST		"busy"
#define GIVE_UP_ROUND	4		/* of pre-copy alone */
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
	struct crossing crossing;
	int owners;
};

static struct demo shown;

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

static void crossing_prepare(struct demo *demo, unsigned int give_up_round)
{
	demo->crossing = (struct crossing){
		.from = &demo->pair->hosts->source,
		.to = &demo->pair->hosts->dest,
		.guest = GUEST,
		.give_up_round = give_up_round,
	};
}

static int precopy_alone(struct demo *demo, struct fail *fail)
{
	static const char *const options[] = { "--live", "--verbose", NULL };
	const struct crossing *crossing = &demo->crossing;
	int ret;

	say("\n1. Pre-copy alone\n");
	crossing_prepare(demo, GIVE_UP_ROUND);
	ret = crossing_run(&demo->crossing, options, "precopy.log", fail);
	if (ret < 0)
		return ret;
	if (!ret)
		return fail_set(fail, -EIO,
				"pre-copy alone got it across: the guest is not busy enough");
	if (!crossing->rounds)
		return fail_set(fail, -EIO, "pre-copy alone made no round");
	say("  each of %u rounds found at least %.0f of the working set's %d MiB "
	    "dirty again:\n  pre-copy alone never ends; the guest runs on at the "
	    "source\n", crossing->rounds, crossing->redirtied, WORKING_SET_MIB);
	return guest_run_on(crossing->from, GUEST, 40000, fail);
}

static int with_postcopy(struct demo *demo, struct fail *fail)
{
	static const char *const options[] = { "--live", "--verbose", "--postcopy",
					       NULL };
	int ret = guest_stats_get(&demo->pair->hosts->source, GUEST,
				  &demo->before, fail);

	if (ret < 0)
		return ret;
	say("\n2. The same guest, with post-copy\n");
	crossing_prepare(demo, 0);
	ret = crossing_run(&demo->crossing, options, "postcopy.log", fail);
	if (ret < 0)
		return ret;
	if (ret)
		return fail_set(fail, -EIO, "straddle migrate --postcopy failed");
	return crossing_summary(demo->crossing.from, &demo->crossing.summary, fail);
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

	if (!demo->crossing.summary.postcopy)
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
	    "\n", bad, demo->owners, (double)demo->crossing.summary.downtime_ns / 1e6,
	    (double)demo->crossing.summary.total_ns / 1e6, demo->crossing.summary.network_faults);
	return 0;
}

static int demo_run(struct fail *fail)
{
	static int (*const acts[])(struct demo *, struct fail *) = {
		prepare, precopy_alone, with_postcopy, run_on,
	};
	size_t i;

	for (i = 0; i < sizeof(acts) / sizeof(*acts); i++) {
		int ret = acts[i](&shown, fail);

		if (ret || show_interrupted())
			return ret ?: -EINTR;
	}
	table(&shown);
	return verdict(&shown, fail);
}

static void demo_clean(void)
{
	pair_destroy(shown.pair);
}

int main(void)
{
	static const struct show show = { "demo", demo_run, demo_clean };

	return show_main(&show);
}
