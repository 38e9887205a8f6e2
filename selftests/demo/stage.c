// SPDX-License-Identifier: LGPL-2.1-or-later
/* stage.c - libvirt hosts, agents and a domain, without a test around them. */
#include "stage.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "selftests/lib/pair.h"
#include "selftests/lib/process.h"
#include "selftests/lib/traces.h"
#include "show.h"
#include "sys.h"

#define AGENT_LOG	"straddled.log"
#define EVENTS_LOG	"events.log"
#define EVENTS_MAX	(1u << 16)
#define DISK_MIB	16
#define TRY_MS		50
#define AGENT_MS	30000
#define BOOT_MS		120000
#define BEAT_MS		60000
#define ANSWER_MS	120000
#define LEAVE_MS	20000
#define MAC		"52:54:00:99:00:10"

static bool goes_on(int *left_ms)
{
	if (show_interrupted() || *left_ms <= 0)
		return false;
	poll(NULL, 0, TRY_MS);
	*left_ms -= TRY_MS;
	return true;
}

/* ---- agents ------------------------------------------------------------- */

static int agent_wait(const struct host *host, pid_t pid, struct fail *fail)
{
	static const char *const argv[] = { "status", NULL };
	char log[1024] = "";
	int left_ms = AGENT_MS;

	do {
		if (!pair_straddle(NULL, host, argv, NULL, 0))
			return 0;
	} while (process_wait(pid, 0) == -ETIMEDOUT && goes_on(&left_ms));
	host_log(host, AGENT_LOG, log, sizeof(log));
	return fail_set(fail, -ENOTCONN, "the agent of host %s did not start: %s",
			host->name, log);
}

static int agent_start(struct virt_host *virt, bool tls, struct fail *fail)
{
	const struct host *host = virt->host;
	const char *const argv[] = {
		"straddled", "--listen", host->address, "--state-dir",
		host->state_dir, "--run-dir", host->run_dir, "--verbose",
		tls ? "--pki" : "--tls", tls ? host->pki_dir : "off", NULL
	};
	pid_t pid = virt_host_spawn(virt, argv, AGENT_LOG, fail);

	return pid < 0 ? pid : agent_wait(host, pid, fail);
}

/* ---- who ran when ------------------------------------------------------- */

/*
 * libvirt hands on what QEMU says, with QEMU's time. stdbuf: a line is there
 * when it is written.
 */
static int events_start(struct virt_host *virt, struct fail *fail)
{
	static const char *const argv[] = {
		"/usr/bin/stdbuf", "-oL", "/usr/bin/virsh", "-q", "-c",
		"qemu:///system", "qemu-monitor-event", "--loop", "--regex", "--event",
		"^(STOP|RESUME)$", NULL
	};
	pid_t pid = virt_host_spawn(virt, argv, EVENTS_LOG, fail);

	return pid < 0 ? pid : 0;
}

/* "event STOP at 1764171234.123456 for domain 'busy': <null>" */
static bool event_parse(const char *line, struct stage_event *event)
{
	long long seconds;
	unsigned int us;
	char what[16];

	if (sscanf(line, "event %15s at %lld.%u for", what, &seconds, &us) != 3)
		return false;
	event->at_us = seconds * 1000000 + us;
	event->runs = !strcmp(what, "RESUME");
	return true;
}

static size_t events_of(const struct host *host, bool there,
			struct stage_event *events, size_t max)
{
	__cleanup_free char *text = malloc(EVENTS_MAX);
	char *line, *rest;
	size_t n = 0;

	if (!text || host_log(host, EVENTS_LOG, text, EVENTS_MAX) < 0)
		return 0;
	for (line = strtok_r(text, "\n", &rest); line && n < max;
	     line = strtok_r(NULL, "\n", &rest))
		if (event_parse(line, &events[n]))
			events[n++].there = there;
	return n;
}

static int event_order(const void *a, const void *b)
{
	const struct stage_event *one = a, *other = b;

	return (one->at_us > other->at_us) - (one->at_us < other->at_us);
}

/**
 * stage_events() - each time that the domain began to run, or stopped
 * @stage: of the domain
 * @events: receives them in the order of their time
 * @max: how many fit
 *
 * Return: how many there are; those that did not fit are missing.
 */
int stage_events(const struct stage *stage, struct stage_event *events,
		 size_t max)
{
	size_t n = events_of(&stage->hosts->source, false, events, max);

	n += events_of(&stage->hosts->dest, true, events + n, max - n);
	qsort(events, n, sizeof(*events), event_order);
	return (int)n;
}

/**
 * stage_owners() - on how many hosts did the domain run at once?
 * @stage: of the domain, which ran at "source" first
 *
 * Return: how many at the worst moment, 1 is right; -ENODATA: nothing says
 * that it ever ran at "dest"; -EOVERFLOW: too many events to say.
 */
int stage_owners(const struct stage *stage)
{
	static struct stage_event events[STAGE_EVENTS_MAX];
	int n = stage_events(stage, events, STAGE_EVENTS_MAX);
	bool runs[2] = { true, false }, was_there = false;
	int i, worst = 1;

	if (n == STAGE_EVENTS_MAX)
		return -EOVERFLOW;
	for (i = 0; i < n; i++) {
		runs[events[i].there] = events[i].runs;
		was_there |= runs[1];
		if (runs[0] + runs[1] > worst)
			worst = runs[0] + runs[1];
	}
	return was_there ? worst : -ENODATA;
}

/**
 * stage_stood_still_us() - how long the domain stood still when it crossed
 * @stage: of the domain
 * @since_us: CLOCK_REALTIME, before it began to
 *
 * From the last STOP on one host to the RESUME on the other, as QEMU says.
 *
 * Return: microseconds, or -ENODATA: it did not cross since then.
 */
int64_t stage_stood_still_us(const struct stage *stage, int64_t since_us)
{
	static struct stage_event events[STAGE_EVENTS_MAX];
	const struct stage_event *stopped = NULL;
	int i, n = stage_events(stage, events, STAGE_EVENTS_MAX);

	for (i = 0; i < n; i++) {
		if (events[i].at_us < since_us)
			continue;
		if (!events[i].runs)
			stopped = &events[i];
		else if (stopped && stopped->there != events[i].there)
			return events[i].at_us - stopped->at_us;
	}
	return -ENODATA;
}

/* ---- hosts -------------------------------------------------------------- */

static int host_up(struct virt_host *virt, bool tls, struct fail *fail)
{
	int ret = agent_start(virt, tls, fail);

	return ret ? ret : events_start(virt, fail);
}

static int qemu_check(const struct virt_options *options, struct fail *fail)
{
	if (!options->qemu || !access(options->qemu, X_OK))
		return 0;
	return fail_set(fail, -ENOPKG,
			"there is no %s: run selftests/libvirt/fetch-qemu.sh",
			options->qemu);
}

/**
 * stage_up() - two libvirt hosts with an agent each, and a link
 * @stage: receives them; stage_down() in any case
 * @options: of all
 * @fail: says why not, and what to do
 *
 * Return: 0 or -errno.
 */
int stage_up(struct stage *stage, const struct stage_options *options,
	     struct fail *fail)
{
	int ret = virt_missing(fail);

	memset(stage, 0, sizeof(*stage));
	if (!ret)
		ret = qemu_check(&options->virt, fail);
	if (!ret)
		ret = two_hosts_create(&stage->hosts, &options->link, fail);
	if (!ret && options->tls)
		ret = two_hosts_issue(stage->hosts, fail);
	if (!ret)
		ret = virt_hosts_create(&stage->virts, stage->hosts,
					&options->virt, fail);
	if (ret)
		return ret;
	stage->here = &stage->virts->source;
	stage->there = &stage->virts->dest;
	ret = host_up(stage->here, options->tls, fail);
	return ret ? ret : host_up(stage->there, options->tls, fail);
}

/**
 * stage_down() - end all of it, remove it
 * @stage: what stage_up() made, all or part of it
 */
void stage_down(struct stage *stage)
{
	virt_hosts_destroy(stage->virts);
	two_hosts_destroy(stage->hosts);
}

/* ---- the domain --------------------------------------------------------- */

static int domain_make(struct stage *stage, const struct stage_options *options,
		       struct domain *domain, struct fail *fail)
{
	int i, ret;

	*domain = (struct domain){
		.name = STAGE_GUEST,
		.memory_mib = options->memory_mib,
		.mac = MAC,
		.serial = DOMAIN_SERIAL_UNIX,
		.cmdline = stage->cmdline,
		.disks = {
			{ VIRT_SHARED "/work.qcow2", "qcow2", "virtio", "none",
			  false, false },
			{ VIRT_SHARED "/trace.raw", "raw", "virtio", "none",
			  true, false },
		},
	};
	snprintf(stage->cmdline, sizeof(stage->cmdline),
		 "console=ttyS0 panic=-1 quiet straddle.mem=%u straddle.rate=%u "
		 "straddle.ip=" STAGE_ADDRESS "/24", options->working_set_mib,
		 options->rate);
	if (domain_guest(stage->here, domain))
		return fail_set(fail, -ENOENT, "the guest was not built: make libvirt-parts");
	for (i = 0; i < DOMAIN_DISKS_MAX && domain->disks[i].path; i++) {
		ret = domain_disk_create(stage->here, &domain->disks[i], DISK_MIB,
					 fail);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * stage_boot() - start the domain, wait until its guest works
 * @stage: that is up
 * @options: as for stage_up()
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int stage_boot(struct stage *stage, const struct stage_options *options,
	       struct fail *fail)
{
	struct domain domain;
	struct beat beat = { .n = 0 };
	int ret = domain_make(stage, options, &domain, fail);

	if (!ret)
		ret = domain_create(stage->here, &domain, fail);
	if (ret)
		return ret < 0 ? ret : -EIO;
	return stage_reboots(stage, &beat, &beat, fail);
}

/**
 * stage_beat() - wait until the guest has said something new of itself
 * @stage: of the guest
 * @n: the number of the report, at least
 * @beat: receives it
 * @fail: says why not
 *
 * Return: 0, -ETIMEDOUT, or -EINTR.
 */
int stage_beat(const struct stage *stage, uint64_t n, struct beat *beat,
	       struct fail *fail)
{
	int left_ms = BEAT_MS;

	do {
		if (beat_read(stage->here, STAGE_GUEST, beat) && beat->n >= n)
			return 0;
	} while (goes_on(&left_ms));
	return fail_set(fail, show_interrupted() ? -EINTR : -ETIMEDOUT,
			"guest '%s' on %s does not get on", STAGE_GUEST,
			stage->here->host->name);
}

/**
 * stage_reboots() - wait until the guest has booted and works
 * @stage: of the guest
 * @before: a report of an earlier boot; its name is "" when there was none
 * @beat: receives the first report of this one
 * @fail: says why not
 *
 * Return: 0, -ETIMEDOUT, or -EINTR.
 */
int stage_reboots(const struct stage *stage, const struct beat *before,
		  struct beat *beat, struct fail *fail)
{
	char boot[sizeof(before->boot)], said[400] = "";
	int left_ms = BOOT_MS;

	memcpy(boot, before->boot, sizeof(boot));
	do {
		if (beat_read(stage->here, STAGE_GUEST, beat) && beat->writes &&
		    strcmp(boot, beat->boot))
			return 0;
	} while (goes_on(&left_ms));
	domain_serial(stage->here, STAGE_GUEST, said, sizeof(said));
	return fail_set(fail, show_interrupted() ? -EINTR : -ETIMEDOUT,
			"guest '%s' does not boot on %s: %s", STAGE_GUEST,
			stage->here->host->name, said);
}

/**
 * stage_ask() - have the guest do something, wait until it is done
 * @stage: of the guest
 * @line: as of selftests/libvirt/guest/command.c
 * @words: that its answer has
 * @answer: receives it
 * @size: of @answer
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int stage_ask(const struct stage *stage, const char *line, const char *words,
	      char *answer, size_t size, struct fail *fail)
{
	int ret = domain_ask(stage->here, STAGE_GUEST, line, words, answer, size,
			     ANSWER_MS);

	return ret ? fail_set(fail, ret, "guest '%s' does not answer to \"%s\": %s",
			      STAGE_GUEST, line, strerror(-ret)) : 0;
}

/**
 * stage_is_on() - is there anything of the domain on a host?
 * @virt: the host
 *
 * Return: true when libvirt has it in any state but off, or a QEMU runs without
 * libvirt's knowing.
 */
bool stage_is_on(struct virt_host *virt)
{
	char text[256];

	return (!domain_state(virt, STAGE_GUEST, text, sizeof(text)) &&
		strcmp(text, "shut off")) ||
	       host_processes(virt->host, "qemu-system-x86");
}

/**
 * stage_leaves() - wait until nothing of the domain is on a host
 * @virt: the host, which may be at it still
 * @fail: says that something is
 *
 * Return: 0, -ETIMEDOUT, or -EINTR.
 */
int stage_leaves(struct virt_host *virt, struct fail *fail)
{
	int left_ms = LEAVE_MS;

	do {
		if (!stage_is_on(virt))
			return 0;
	} while (goes_on(&left_ms));
	return fail_set(fail, show_interrupted() ? -EINTR : -ETIMEDOUT,
			"something of the domain stayed on host %s",
			virt->host->name);
}
