// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * bench_libvirt.c - straddle migrate and virsh migrate, of the same domain.
 *
 * Two libvirt hosts, QEMU 10 (7.2 loses pages of such guests when it migrates
 * them by itself), no TLS for either, a shaped link, one domain that goes
 * there and back, by each way in turn. Nothing of what is compared is said by
 * one of the two: the wall time is the command's, stopped and resumed is
 * QEMU's word, and the gap is a client's, who pings from a third namespace.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "crossing.h"
#include "ping.h"
#include "runs.h"
#include "selftests/lib/move.h"
#include "selftests/lib/pair.h"
#include "show.h"
#include "stage.h"
#include "sys.h"

#define QUIET_BEATS	4		/* two seconds */
#define TEXT_MAX	4096
#define XML_MAX		32768

static struct bench {
	struct stage_options options;
	unsigned long pairs;
	const char *json, *rst;
	struct stage stage;
	struct ping ping;
	struct runs runs;
	struct beat beat;
} bench = {
	.options = {
		.virt = { .qemu = VIRT_QEMU_10 },
		.link = { .rate = 800000000, .burst = 256u << 10, .latency_us = 20000 },
		.memory_mib = 512,
		.working_set_mib = 320,
	},
	.pairs = 5,
};

static int64_t real_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000ll + now.tv_nsec / 1000;
}

/* ---- the ways ----------------------------------------------------------- */

static int straddle(const struct host *from, const struct host *to,
		    const char *option, const char *value, char *text)
{
	const char *const argv[] = {
		"migrate", STAGE_GUEST, to->address, "--live", "--postcopy",
		option, value, NULL
	};

	return pair_straddle(NULL, from, argv, text, TEXT_MAX);
}

/* --unsafe: libvirt cannot know that the disks' folder is the same one. */
static int virsh(struct virt_host *from, struct virt_host *to, char *text)
{
	char peer[256], link[64];
	const char *const argv[] = {
		"/usr/bin/virsh", "-q", "-c", "qemu:///system", "migrate", "--live",
		"--postcopy", "--postcopy-after-precopy", "--unsafe", STAGE_GUEST, peer,
		link, NULL
	};

	snprintf(peer, sizeof(peer), "qemu+unix:///system?socket=%s/run/libvirt-sock",
		 to->dir);
	snprintf(link, sizeof(link), "tcp://%s", to->host->address);
	return virt_host_run(from, argv, text, TEXT_MAX, NULL);
}

static int way_go(enum way way, struct virt_host *from, struct virt_host *to,
		  struct fail *fail)
{
	char text[TEXT_MAX] = "";
	int ret;

	switch (way) {
	case WAY_AFTER_PRECOPY:
		ret = straddle(from->host, to->host, "--postcopy-after-precopy", NULL, text);
		break;
	case WAY_POSTCOPY:
		ret = straddle(from->host, to->host, "--precopy-rounds", "0", text);
		break;
	default:
		ret = virsh(from, to, text);
		break;
	}
	return ret ? fail_set(fail, -EIO, "%s: the migration failed: %s", way_name(way),
			      text) : 0;
}

/*
 * Persistent on both hosts: the source's libvirt forgets what a job of another
 * domain counted.
 */
static int define_everywhere(struct fail *fail)
{
	struct virt_host *const both[] = { bench.stage.here, bench.stage.there };
	static char xml[XML_MAX];
	int i, ret = domain_dumpxml(bench.stage.here, STAGE_GUEST, xml, sizeof(xml), fail);

	for (i = 0; i < 2 && !ret; i++) {
		ret = virt_host_write(both[i], VIRT_PRIVATE "/bench.xml", xml);
		if (!ret)
			ret = domain_virsh(both[i], "define", VIRT_PRIVATE "/bench.xml",
					   NULL, 0, fail);
	}
	return ret > 0 ? -EIO : ret;
}

/* "Postcopy requests: 123", of libvirt's job that ended. */
static int virsh_requests(struct virt_host *virt, double *requests)
{
	static const char *const argv[] = {
		"/usr/bin/virsh", "-q", "-c", "qemu:///system", "domjobinfo",
		STAGE_GUEST, "--completed", NULL
	};
	char text[TEXT_MAX] = "";
	const char *found;
	int ret = virt_host_run(virt, argv, text, sizeof(text), NULL);

	found = strstr(text, "Postcopy requests:");
	*requests = found ? strtod(found + strlen("Postcopy requests:"), NULL) : -1;
	return ret;
}

/* ---- one run ------------------------------------------------------------ */

static int quiet(struct run *run, struct fail *fail)
{
	struct stage *stage = &bench.stage;
	int ret = host_settle(stage->here->host);
	double loads[1] = { 0 };

	if (!ret)
		ret = host_settle(stage->there->host);
	if (!ret)
		ret = stage_leaves(stage->there, fail);
	if (!ret)
		ret = stage_beat(stage, 1, &bench.beat, fail);
	ping_mark(&bench.ping);
	if (!ret)
		ret = stage_beat(stage, bench.beat.n + QUIET_BEATS, &bench.beat, fail);
	run->numbers[NUMBER_QUIET_MS] = (double)ping_longest_ns(&bench.ping) / 1e6;
	getloadavg(loads, 1);
	run->numbers[NUMBER_LOAD] = loads[0];
	return ret;
}

static int faults_read(enum way way, const struct virt_host *from, struct run *run,
		       struct fail *fail)
{
	int ret;

	if (way == WAY_VIRSH)
		return virsh_requests(bench.stage.there, &run->numbers[NUMBER_FAULTS]);
	ret = crossing_summary(from->host, &run->summary, fail);
	run->numbers[NUMBER_FAULTS] = (double)run->summary.network_faults;
	return ret;
}

/* After it arrived: heard of again, and nothing came to harm. */
static int aftermath(enum way way, int64_t began_us, struct run *run, struct fail *fail)
{
	struct stage *stage = &bench.stage;
	int ret = stage_beat(stage, bench.beat.n + QUIET_BEATS, &bench.beat, fail);
	int64_t still_us = stage_stood_still_us(stage, began_us);

	if (ret)
		return ret;
	if (bench.beat.bad || bench.beat.disk_bad || bench.beat.twins)
		return fail_set(fail, -EIO, "%s: the guest found %" PRIu64 " bad pages, %"
				PRIu64 " bad blocks, %" PRIu64 " twins", way_name(way),
				bench.beat.bad, bench.beat.disk_bad, bench.beat.twins);
	if (still_us < 0)
		return fail_set(fail, -ENODATA, "%s: QEMU's events do not say when the "
				"domain stopped and resumed", way_name(way));
	run->numbers[NUMBER_STILL_MS] = (double)still_us / 1e3;
	run->numbers[NUMBER_GAP_MS] = (double)ping_longest_ns(&bench.ping) / 1e6;
	return 0;
}

static int run_one(enum way way, struct run *run, struct fail *fail)
{
	struct stage *stage = &bench.stage;
	struct virt_host *from = stage->here, *to = stage->there;
	int ret = quiet(run, fail);
	int64_t began_us = real_us();
	uint64_t began_ns = now_ns();

	if (ret)
		return ret;
	ping_mark(&bench.ping);
	ret = way_go(way, from, to, fail);
	run->numbers[NUMBER_WALL_MS] = (double)(now_ns() - began_ns) / 1e6;
	if (ret)
		return ret;
	stage->here = to;
	stage->there = from;
	ret = aftermath(way, began_us, run, fail);
	if (!ret)
		ret = faults_read(way, from, run, fail);
	if (!ret)
		say("%-25s wall %6.0f ms, stopped %5.0f ms, gap %5.0f ms (before %3.0f ms), "
		    "%5.0f faults, load %.1f\n", way_name(way),
		    run->numbers[NUMBER_WALL_MS], run->numbers[NUMBER_STILL_MS],
		    run->numbers[NUMBER_GAP_MS], run->numbers[NUMBER_QUIET_MS],
		    run->numbers[NUMBER_FAULTS], run->numbers[NUMBER_LOAD]);
	return ret;
}

/* ---- all of it ---------------------------------------------------------- */

static int verify(struct fail *fail)
{
	char answer[256] = "";
	int ret = stage_ask(&bench.stage, "verify", "verified", answer, sizeof(answer),
			    fail);

	if (!ret && !strstr(answer, " bad=0"))
		ret = fail_set(fail, -EIO, "pages are wrong: %s", answer);
	return ret;
}

static int write_to(const char *path, void (*write)(FILE *file, const struct runs *runs),
		    struct fail *fail)
{
	FILE *file = path ? fopen(path, "we") : NULL;

	if (!path)
		return 0;
	if (!file)
		return fail_set(fail, -EIO, "cannot write %s", path);
	write(file, &bench.runs);
	return fclose(file) ? fail_set(fail, -EIO, "cannot write %s", path) : 0;
}

static int pairs_run(struct fail *fail)
{
	struct runs *runs = &bench.runs;
	int way, ret = 0;

	while (!ret && runs->pairs < bench.pairs && !show_interrupted()) {
		for (way = 0; way < WAY_COUNT && !ret && !show_interrupted(); way++)
			ret = run_one(way, &runs->run[runs->pairs][way], fail);
		runs->pairs++;
	}
	return show_interrupted() ? -EINTR : ret;
}

static int bench_run(struct fail *fail)
{
	struct bench *b = &bench;
	int ret = stage_up(&b->stage, &b->options, fail);

	b->runs.memory_mib = b->options.memory_mib;
	b->runs.working_set_mib = b->options.working_set_mib;
	b->runs.link_mbit = (unsigned int)(b->options.link.rate / 1000000);
	b->runs.qemu = b->options.virt.qemu;
	if (!ret)
		ret = stage_boot(&b->stage, &b->options, fail);
	if (!ret)
		ret = define_everywhere(fail);
	if (!ret)
		ret = ping_start(&b->ping, b->stage.virts->segment->client.netns,
				 STAGE_ADDRESS, fail);
	if (!ret)
		ret = pairs_run(fail);
	if (!ret)
		ret = verify(fail);
	if (ret)
		return ret;
	say("\n");
	runs_rst(stdout, &b->runs);
	ret = write_to(b->json, runs_json, fail);
	return ret ? ret : write_to(b->rst, runs_rst, fail);
}

static void bench_clean(void)
{
	ping_end(&bench.ping);
	stage_down(&bench.stage);
}

static int options_parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "pairs", required_argument, NULL, 'p' },
		{ "rate", required_argument, NULL, 'r' },
		{ "json", required_argument, NULL, 'j' },
		{ "rst", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (option == 'p')
			bench.pairs = strtoul(optarg, NULL, 10);
		else if (option == 'r')
			bench.options.rate = (unsigned int)strtoul(optarg, NULL, 10);
		else if (option == 'j')
			bench.json = optarg;
		else if (option == 't')
			bench.rst = optarg;
		else
			return -EINVAL;
	}
	return optind < argc || !bench.pairs || bench.pairs > RUNS_PAIRS_MAX ? -EINVAL : 0;
}

int main(int argc, char **argv)
{
	static const struct show show = { "bench-libvirt", bench_run, bench_clean };

	if (options_parse(argc, argv)) {
		fprintf(stderr, "usage: bench_libvirt [--pairs N (1 to %d)] [--rate PAGES a "
			"second] [--json FILE] [--rst FILE]\n", RUNS_PAIRS_MAX);
		return 2;
	}
	return show_main(&show);
}
