// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libvirt.c - a libvirt domain that never converges crosses to another host.
 *
 * Two libvirt hosts (namespaces), QEMU as the distribution ships it, confined
 * as libvirt does it, a link that is slower than the guest writes. As in
 * demo.c: pre-copy alone is given up, then the same domain crosses with
 * post-copy. What is proven afterwards is said by the guest, by QEMU, by
 * libvirt and by a TCP client, and not by Straddle.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "crossing.h"
#include "show.h"
#include "stage.h"
#include "sys.h"
#include "talk.h"

#define GIVE_UP_ROUND	3
#define MEMORY_MIB	512
#define WORKING_SET_MIB	320
#define LINK_MBIT	400
#define MORE_ANSWERS	20

static const struct stage_options options = {
	.virt = { .production = true },
	.link = {
		.rate = LINK_MBIT * 1000000ull,
		.burst = 256u << 10,
		.latency_us = 20000,
	},
	.memory_mib = MEMORY_MIB,
	.working_set_mib = WORKING_SET_MIB,
	.tls = true,
};

static struct demo {
	struct stage stage;
	struct talk talk;
	struct crossing crossing;
	struct beat before, after, again;	/* migration, and reset */
	uint64_t answers;		/* before the migration */
	uint64_t verified, bad;		/* pages */
	int64_t still_us;		/* from its stop to its resumption */
	int owners;
} demo;

static int prepare(struct fail *fail)
{
	int ret;

	say("Two libvirt hosts, a link of %d Mbit/s, mutual TLS, one domain on "
	    "unmodified QEMU\n", LINK_MBIT);
	ret = stage_up(&demo.stage, &options, fail);
	if (!ret)
		ret = stage_boot(&demo.stage, &options, fail);
	if (!ret)
		ret = talk_start(&demo.talk, demo.stage.virts->segment->client.netns,
				 STAGE_ADDRESS, fail);
	if (!ret)
		ret = talk_go_on(&demo.talk, MORE_ANSWERS, fail);
	if (!ret)
		say("  domain '" STAGE_GUEST "': %d MiB, writes at random in %d "
		    "MiB, as fast as it can;\n  a TCP client talks to it all the "
		    "time\n", MEMORY_MIB, WORKING_SET_MIB);
	return ret;
}

static void crossing_prepare(unsigned int give_up_round)
{
	demo.crossing = (struct crossing){
		.from = demo.stage.here->host,
		.to = demo.stage.there->host,
		.guest = STAGE_GUEST,
		.give_up_round = give_up_round,
	};
}

/* It runs on: two reports, and what it wrote between them. */
static int guest_runs_on(struct beat *beat, struct fail *fail)
{
	uint64_t writes;
	int ret = stage_beat(&demo.stage, 1, beat, fail);

	writes = beat->writes;
	if (!ret)
		ret = stage_beat(&demo.stage, beat->n + 2, beat, fail);
	if (!ret && beat->writes <= writes)
		ret = fail_set(fail, -EIO, "the guest writes nothing any more");
	return ret;
}

static int precopy_alone(struct fail *fail)
{
	static const char *const words[] = { "--live", "--verbose", NULL };
	const struct crossing *crossing = &demo.crossing;
	int ret;

	say("\n1. Pre-copy alone\n");
	crossing_prepare(GIVE_UP_ROUND);
	ret = crossing_run(&demo.crossing, words, "precopy.log", fail);
	if (ret < 0)
		return ret;
	if (!ret)
		return fail_set(fail, -EIO,
				"pre-copy alone got it across: the guest is not busy enough");
	if (!crossing->rounds)
		return fail_set(fail, -EIO, "pre-copy alone made no round");
	say("  each of %u rounds found at least %.0f MiB dirty again: pre-copy "
	    "alone never ends\n", crossing->rounds, crossing->redirtied);
	ret = guest_runs_on(&demo.before, fail);
	if (!ret)
		ret = stage_leaves(demo.stage.there, fail);
	if (!ret)
		say("  the domain runs on at the source, nothing of it is at the dest\n");
	return ret;
}

static int with_postcopy(struct fail *fail)
{
	static const char *const words[] = { "--live", "--postcopy", "--verbose",
					     NULL };
	struct stage *stage = &demo.stage;
	struct virt_host *from = stage->here;
	int ret;

	say("\n2. The same domain, with post-copy\n");
	crossing_prepare(0);
	demo.answers = demo.talk.answers;
	demo.talk.longest_ns = 0;
	ret = crossing_run(&demo.crossing, words, "postcopy.log", fail);
	if (ret)
		return ret < 0 ? ret : fail_set(fail, -EIO,
				"straddle migrate --live --postcopy failed");
	stage->here = stage->there;
	stage->there = from;
	return crossing_summary(from->host, &demo.crossing.summary, fail);
}

static int verify(struct fail *fail)
{
	char answer[256] = "";
	int ret = stage_ask(&demo.stage, "verify", "verified", answer,
			    sizeof(answer), fail);

	if (ret)
		return ret;
	if (sscanf(answer, "straddle-guest: verified pages=%" SCNu64 " bad=%" SCNu64,
		   &demo.verified, &demo.bad) != 2)
		return fail_set(fail, -EPROTO, "the guest answers \"%s\"", answer);
	return 0;
}

static int proof(struct fail *fail)
{
	int ret = guest_runs_on(&demo.after, fail);

	say("\n3. At the dest: the guest runs on, then checks all of its memory\n");
	if (!ret)
		ret = verify(fail);
	if (!ret)
		ret = guest_runs_on(&demo.after, fail);
	if (!ret)
		ret = talk_go_on(&demo.talk, MORE_ANSWERS, fail);
	if (!ret)
		ret = stage_leaves(demo.stage.there, fail);
	demo.owners = stage_owners(&demo.stage);
	demo.still_us = stage_stood_still_us(&demo.stage, 0);
	return ret;
}

static void row(const char *what, uint64_t before, uint64_t after)
{
	say("  %-46s %14" PRIu64 " %14" PRIu64 "\n", what, before, after);
}

static int table(struct fail *fail)
{
	const struct beat *before = &demo.before, *after = &demo.after;

	(void)fail;
	say("\n  %-46s %14s %14s\n", "", "before, source", "after, dest");
	row("pages written, in all", before->writes, after->writes);
	row("found wrong while running", before->bad, after->bad);
	row("disk blocks read back, right", before->disk_ok, after->disk_ok);
	row("wrong, or failed", before->disk_bad + before->disk_err,
	    after->disk_bad + after->disk_err);
	row("another copy seen through the shared disk", before->twins, after->twins);
	row("answers over the one TCP connection", demo.answers, demo.talk.answers);
	say("  %-46s %14s %14" PRIu64 "\n", "pages that 'verify' read", "-",
	    demo.verified);
	say("  %-46s %14s %14" PRIu64 "\n", "of these wrong", "-", demo.bad);
	say("  %-46s %14s %14d\n", "owners at the worst moment, by QEMU's events", "-",
	    demo.owners);
	say("  %-46s %14s %14s\n", "still at the source", "yes",
	    stage_is_on(demo.stage.there) ? "yes" : "no");
	say("  %-46s %14s %11.0f ms\n", "stopped to resumed, by QEMU's events", "-",
	    (double)demo.still_us / 1e3);
	say("  %-46s %14s %11.0f ms\n", "the TCP client's longest wait", "-",
	    (double)demo.talk.longest_ns / 1e6);
	return 0;
}

static int verdict(struct fail *fail)
{
	const struct beat *after = &demo.after;

	if (!demo.crossing.summary.postcopy)
		return fail_set(fail, -EIO, "it did not switch to post-copy");
	if (demo.bad || after->bad || !demo.verified)
		return fail_set(fail, -EIO, "%" PRIu64 " pages are wrong",
				demo.bad + after->bad);
	if (after->disk_bad || after->disk_err || !after->disk_ok)
		return fail_set(fail, -EIO, "%" PRIu64 " disk blocks are wrong, %" PRIu64
				" failed", after->disk_bad, after->disk_err);
	if (strcmp(demo.before.boot, after->boot) ||
	    after->writes <= demo.before.writes)
		return fail_set(fail, -EIO, "the guest did not go on, it began anew");
	if (demo.owners < 0 || demo.still_us < 0)
		return fail_set(fail, -ENODATA, "QEMU's events do not say where the "
				"domain ran: is there a libvirtd older than 8.2?");
	if (after->twins || demo.owners != 1)
		return fail_set(fail, -EIO, "%d copies ran at once (the guest saw %"
				PRIu64 ")", demo.owners, after->twins);
	return 0;
}

static int reset(struct fail *fail)
{
	int ret;

	say("\n4. The domain is an ordinary one: virsh reset " STAGE_GUEST "\n");
	talk_end(&demo.talk);
	ret = domain_virsh(demo.stage.here, "reset", STAGE_GUEST, NULL, 0, fail);
	if (ret)
		return ret < 0 ? ret : -EIO;
	ret = stage_reboots(&demo.stage, &demo.after, &demo.again, fail);
	if (!ret && demo.again.bad)
		ret = fail_set(fail, -EIO, "%" PRIu64 " pages are wrong after the reset",
			       demo.again.bad);
	if (!ret)
		say("  boot %s began, before it was %s\n\n", demo.again.boot,
		    demo.after.boot);
	return ret;
}

static int last_line(struct fail *fail)
{
	const struct progress *summary = &demo.crossing.summary;

	(void)fail;
	say("demo-libvirt: ok mode=post-copy bad=%" PRIu64 " owners=%d downtime_ms=%.1f "
	    "total_ms=%.0f network_faults=%" PRIu64 "\n", demo.bad + demo.after.bad,
	    demo.owners, (double)summary->downtime_ns / 1e6,
	    (double)summary->total_ns / 1e6, summary->network_faults);
	return 0;
}

static int demo_run(struct fail *fail)
{
	static int (*const acts[])(struct fail *) = {
		prepare, precopy_alone, with_postcopy, proof, table, verdict,
		reset, last_line,
	};
	size_t i;

	for (i = 0; i < sizeof(acts) / sizeof(*acts); i++) {
		int ret = acts[i](fail);

		if (ret || show_interrupted())
			return ret ?: -EINTR;
	}
	return 0;
}

static void demo_clean(void)
{
	talk_end(&demo.talk);
	stage_down(&demo.stage);
}

int main(void)
{
	static const struct show show = { "demo-libvirt", demo_run, demo_clean };

	return show_main(&show);
}
