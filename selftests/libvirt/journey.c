/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* journey.c - boot a domain, migrate it, prove that nothing came to harm. */
#include "journey.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "harness.h"
#include "selftests/lib/process.h"
#include "selftests/lib/traces.h"
#include "sys.h"

#define AGENT_LOG	"straddled.log"
#define AGENT_TRIES	600
#define TRY_MS		50
#define BEAT_MS		60000
#define ANSWER_MS	120000
#define ARGS_MAX	24
#define QEMU_COMM	"qemu-system-x86"	/* as much as comm has */

static const char *const psk_line =
	"straddle:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

/* ---- agents ------------------------------------------------------------- */

static void psk_write(const struct host *host, char *path, size_t size)
{
	__cleanup_fd int fd = -1;

	snprintf(path, size, "%s/psk", host->dir);
	fd = sys_ret(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			  0600));
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, sys_write_all(fd, psk_line, strlen(psk_line)));
}

static bool agent_answers(const struct host *host)
{
	struct fail fail = { 0 };

	return !agent_ask(host, NULL, &fail, "{\"do\":\"status\"}");
}

/**
 * journey_agent() - start the agent of a host, wait until it answers
 * @virt: the host; it has none
 * @inject: a fault (straddled --inject), or NULL
 *
 * Return: its pid.
 */
pid_t journey_agent(struct virt_host *virt, const char *inject)
{
	const struct host *host = virt->host;
	char psk[192], log[2048] = "";
	const char *const argv[] = {
		"straddled", "--listen", host->address, "--psk-file", psk,
		"--state-dir", host->state_dir, "--run-dir", host->run_dir,
		"--verbose", inject ? "--inject" : NULL, inject, NULL
	};
	struct fail fail = { 0 };
	pid_t pid;
	int i;

	psk_write(host, psk, sizeof(psk));
	pid = virt_host_spawn(virt, argv, AGENT_LOG, &fail);
	ASSERT_LT(0, pid) {
		TH_LOG("%s", fail.text);
	}
	for (i = 0; i < AGENT_TRIES && !agent_answers(host); i++)
		ASSERT_EQ(-ETIMEDOUT, process_wait(pid, TRY_MS)) {
			host_log(host, AGENT_LOG, log, sizeof(log));
			TH_LOG("%s", log);
		}
	return pid;
}

/**
 * journey_is_long() - is there time for all of a matrix?
 *
 * Return: true where TEST_LONG=1 says so.
 */
bool journey_is_long(void)
{
	return test_is_long();
}

/**
 * journey_up() - two libvirt hosts with an agent each; in a fixture's setup
 * @journey: receives them; journey_down() takes them down
 * @options: of both hosts
 *
 * Skips as ground_up() does.
 */
void journey_up(struct journey *journey, const struct virt_options *options)
{
	memset(journey, 0, sizeof(*journey));
	journey->move.fd = -1;
	ground_up(&journey->ground, options);
	if (!journey->ground.virts)
		return;
	journey->here = &journey->ground.virts->source;
	journey->there = &journey->ground.virts->dest;
	if (domain_guest(journey->here, &journey->domain)) {
		ASSERT_FALSE(virt_is_required());
		SKIP(return, "the guest of selftests/libvirt/guest is not built");
	}
	journey->agents[0] = journey_agent(journey->here, NULL);
	journey->agents[1] = journey_agent(journey->there, NULL);
}

/**
 * journey_down() - end all on both hosts, remove them
 * @journey: what journey_up() made
 */
void journey_down(struct journey *journey)
{
	ground_down(&journey->ground);
}

/* ---- virsh -------------------------------------------------------------- */

/**
 * journey_virsh() - run virsh on a host
 * @virt: the host
 * @text: receives its output, errors too; may be NULL
 * @size: of @text
 *
 * Return: 0 or an error as of virt_host_run().
 */
int journey_virsh(struct virt_host *virt, char *text, size_t size, ...)
{
	const char *argv[ARGS_MAX] = {
		"/usr/bin/virsh", "-q", "-c", "qemu:///system"
	};
	struct fail fail = { 0 };
	size_t n = 4;
	va_list args;
	int ret;

	va_start(args, size);
	do {
		argv[n] = va_arg(args, const char *);
	} while (argv[n] && ++n < ARGS_MAX - 1);
	va_end(args);
	ret = virt_host_run(virt, argv, text, size, &fail);
	if (ret)
		TH_LOG("%s", fail.text);
	return ret;
}

/* ---- the guest ---------------------------------------------------------- */

/**
 * journey_prepare() - make a domain's disks, name it and what it boots
 * @journey: on its ground
 * @domain: what is particular about it
 * @words: for its kernel's command line
 *
 * Where it has no disk, it gets two: /dev/vda to work on, /dev/vdb for its
 * trace.
 */
void journey_prepare(struct journey *journey, const struct domain *domain,
		     const char *words)
{
	static char cmdline[400];
	struct domain *made = &journey->domain;

	*made = *domain;
	ASSERT_EQ(0, domain_guest(journey->here, made));
	made->name = JOURNEY_GUEST;
	made->serial = DOMAIN_SERIAL_UNIX;
	if (!made->memory_mib)
		made->memory_mib = made->ovmf ? 256 : 160;
	if (!made->disks[0].path) {
		made->disks[0] = (struct domain_disk){
			VIRT_SHARED "/work.qcow2", "qcow2", "virtio", "none",
			false, false };
		made->disks[1] = (struct domain_disk){
			VIRT_SHARED "/trace.raw", "raw", "virtio", "none",
			true, false };
	}
	snprintf(cmdline, sizeof(cmdline),
		 "console=ttyS0 panic=-1 quiet straddle.mem=64 straddle.ws=48 %s",
		 words);
	made->cmdline = cmdline;
	ground_disks(journey->here, made);
}

/* Wait for one with a number from @n on. */
static void beat_wait(struct journey *journey, uint64_t n, struct beat *beat)
{
	int left_ms;

	beat->n = 0;
	for (left_ms = BEAT_MS; left_ms > 0; left_ms -= TRY_MS) {
		if (beat_read(journey->here, JOURNEY_GUEST, beat) && beat->n >= n)
			return;
		poll(NULL, 0, TRY_MS);
	}
	EXPECT_LE(n, beat->n) {
		TH_LOG("the guest does not get on");
		journey_explain(journey);
	}
}

/**
 * journey_ready() - wait until the guest has booted and works
 * @journey: its domain runs
 */
void journey_ready(struct journey *journey)
{
	ASSERT_EQ(0, domain_says(journey->here, JOURNEY_GUEST,
				 "straddle-guest: ready", JOURNEY_BOOT_MS)) {
		journey_explain(journey);
	}
	beat_wait(journey, 3, &journey->beat);
	ASSERT_LE(3, journey->beat.n);
	ASSERT_LT(0, journey->beat.writes) {
		TH_LOG("the guest has no memory to work on");
		journey_explain(journey);
	}
}

/**
 * journey_boot() - start a domain that is transient, wait until it works
 * @journey: on its ground
 * @domain: as for journey_prepare()
 * @words: likewise
 */
void journey_boot(struct journey *journey, const struct domain *domain,
		  const char *words)
{
	struct fail *fail = &journey->ground.fail;

	journey_prepare(journey, domain, words);
	ASSERT_EQ(0, domain_create(journey->here, &journey->domain, fail)) {
		TH_LOG("%s", fail->text);
	}
	journey_ready(journey);
}

/**
 * journey_ask() - ask the guest where it is now; its answer is expected
 * @journey: of the guest
 * @line: what to ask
 * @words: what the answer is to hold
 *
 * Return: 0 or -errno.
 */
int journey_ask(struct journey *journey, const char *line, const char *words)
{
	char answer[256] = "";
	int ret = domain_ask(journey->here, JOURNEY_GUEST, line, words, answer,
			     sizeof(answer), ANSWER_MS);

	EXPECT_EQ(0, ret) {
		TH_LOG("asked: %s, answered: %s", line, answer);
		journey_explain(journey);
	}
	return ret;
}

/* ---- a migration -------------------------------------------------------- */

static void log_tail(struct virt_host *virt, const char *what,
		     const char *text)
{
	const char *line = text;

	while (*line) {
		size_t length = strcspn(line, "\n");

		TH_LOG("%s %s: %.*s", virt->host->name, what, (int)length, line);
		line += length + (line[length] == '\n');
	}
}

static void host_explain(struct virt_host *virt)
{
	char text[2500] = "";

	if (!host_log(virt->host, AGENT_LOG, text, sizeof(text)))
		log_tail(virt, AGENT_LOG, text);
	*text = '\0';
	if (!host_log(virt->host, "libvirtd.log", text, 900))
		log_tail(virt, "libvirtd.log", text);
	*text = '\0';
	if (!virt_host_read(virt, "/var/log/libvirt/qemu/" JOURNEY_GUEST ".log",
			    text, 1200))
		log_tail(virt, "QEMU", text);
	*text = '\0';
	if (!domain_serial(virt, JOURNEY_GUEST, text, 900))
		log_tail(virt, "serial line", text);
}

/**
 * journey_explain() - say all that the logs of both hosts say last
 * @journey: something in it went wrong
 */
void journey_explain(struct journey *journey)
{
	host_explain(&journey->ground.virts->source);
	host_explain(&journey->ground.virts->dest);
}

/**
 * journey_move() - migrate the guest to where it is not
 * @journey: of the guest; here and there change places
 * @options: of the migration, as JSON
 */
void journey_move(struct journey *journey, const char *options)
{
	struct virt_host *from = journey->here, *to = journey->there;
	struct move *move = &journey->move;

	beat_read(from, JOURNEY_GUEST, &journey->beat);
	ASSERT_EQ(0, move_run(move, from->host, JOURNEY_GUEST,
			      to->host->address, options)) {
		TH_LOG("%s (%s)", move->error, move->state);
		journey_explain(journey);
	}
	EXPECT_STREQ("TORN_DOWN", move->state);
	EXPECT_EQ(0, host_settle(from->host));
	EXPECT_EQ(0, host_settle(to->host));
	journey->here = to;
	journey->there = from;
}

/* Whatever is on a host but in no list of its libvirt, too. */
static void expect_gone(struct virt_host *virt)
{
	char text[2048] = "";

	EXPECT_EQ(0, journey_virsh(virt, text, sizeof(text), "list", "--name",
				   NULL));
	EXPECT_NULL(strstr(text, JOURNEY_GUEST));
	EXPECT_EQ(0, host_processes(virt->host, QEMU_COMM));
	EXPECT_EQ(0, host_files(virt->host, "incoming-"));
	EXPECT_EQ(0, host_files(virt->host, "pages-"));
}

/* What libvirt says of a domain that it would not answer for. */
static void expect_untainted(struct virt_host *virt)
{
	char text[2048] = "", *line, *rest;

	EXPECT_EQ(0, journey_virsh(virt, text, sizeof(text), "dominfo",
				   JOURNEY_GUEST, NULL));
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		if (strstr(line, "tainted") &&
		    !strstr(line, "running with undesirable elevated privileges"))
			EXPECT_STREQ("untainted", line);
}

/**
 * journey_is_here() - prove that the domain is here, and nothing of it there
 * @journey: of the guest
 * @state: that libvirt says it is in
 */
void journey_is_here(struct journey *journey, const char *state)
{
	struct virt_host *here = journey->here;
	char is[128] = "";

	expect_gone(journey->there);
	EXPECT_EQ(0, domain_state(here, JOURNEY_GUEST, is, sizeof(is)));
	EXPECT_STREQ(state, is);
	EXPECT_EQ(1, host_processes(here->host, QEMU_COMM));
	EXPECT_EQ(0, host_files(here->host, "incoming-"));
	EXPECT_EQ(0, host_files(here->host, "pages-"));
}

/**
 * journey_arrived() - prove that the domain is here, only here, and ordinary
 * @journey: of the guest
 * @state: that libvirt says it is in
 *
 * Where it came from it was asked through libvirt's monitor pass-through, of
 * which libvirt keeps a taint.
 */
void journey_arrived(struct journey *journey, const char *state)
{
	pid_t qemu = domain_qemu(journey->here, JOURNEY_GUEST);

	journey_is_here(journey, state);
	expect_untainted(journey->here);
	ASSERT_LT(0, qemu);
	EXPECT_EQ(1, process_is_ordinary(qemu));
}

static void expect_no_harm(const struct beat *beat)
{
	EXPECT_EQ(0, beat->bad);
	EXPECT_EQ(0, beat->disk_bad);
	EXPECT_EQ(0, beat->disk_err);
	EXPECT_EQ(0, beat->clock_back);
	EXPECT_EQ(0, beat->twins);
}

/**
 * journey_proves_itself() - have the guest check itself, and see it go on
 * @journey: of the guest, which runs
 */
void journey_proves_itself(struct journey *journey)
{
	struct beat before = journey->beat, now, later;
	char answer[256] = "";

	beat_wait(journey, before.n + 1, &now);
	EXPECT_EQ(0, domain_ask(journey->here, JOURNEY_GUEST, "verify",
				"verified", answer, sizeof(answer), ANSWER_MS)) {
		journey_explain(journey);
	}
	EXPECT_NE(NULL, strstr(answer, " bad=0")) {
		TH_LOG("%s", answer);
		journey_explain(journey);
	}
	/* It reports while it verifies, too, and writes nothing then. */
	beat_wait(journey, now.n, &now);
	beat_wait(journey, now.n + 2, &later);
	EXPECT_STREQ(before.boot, later.boot);
	EXPECT_LT(before.n, now.n);
	EXPECT_LT(now.writes, later.writes);
	EXPECT_LT(now.disk_ok, later.disk_ok);
	EXPECT_LE(before.writes, now.writes);
	expect_no_harm(&later);
	journey->beat = later;
}

static const struct {
	const char *rate, *options;
	bool late;	/* pages come after the guest runs there */
	uint32_t rounds;
} ways[] = {
	[JOURNEY_POSTCOPY] = {
		"2000", "\"live\":true,\"postcopy\":true,\"rounds_max\":0",
		true, 0,
	},
	[JOURNEY_ROUNDS] = {
		"2000", "\"live\":true,\"postcopy\":true,\"rounds_max\":2,"
		"\"downtime_ns\":1000", true, 1,
	},
	[JOURNEY_PRECOPY] = {
		"20", "\"live\":true,\"downtime_ns\":30000000000", false, 1,
	},
};

/**
 * journey_there() - one whole migration of a guest that works; all is checked
 * @journey: of the guest; afterwards it is where it was not
 * @how: the pages are to go
 */
void journey_there(struct journey *journey, enum journey_how how)
{
	char line[32], answer[32];
	const struct progress *progress = &journey->move.progress;

	snprintf(line, sizeof(line), "rate %s", ways[how].rate);
	snprintf(answer, sizeof(answer), "rate=%s", ways[how].rate);
	journey_ask(journey, line, answer);
	journey_move(journey, ways[how].options);
	EXPECT_EQ(ways[how].late,
		  progress->push_bytes + progress->fault_bytes > 0);
	EXPECT_LE(ways[how].rounds, progress->round);
	TH_LOG("to %s: total %" PRIu64 " ms, downtime %" PRIu64 " ms (save %"
	       PRIu64 ", load %" PRIu64 "), %" PRIu64 " faults, %u rounds",
	       journey->here->host->name, progress->total_ns / 1000000,
	       progress->downtime_ns / 1000000,
	       progress->downtime_save_ns / 1000000,
	       progress->downtime_load_ns / 1000000,
	       progress->network_faults, progress->round);
	journey_arrived(journey, "running");
	journey_proves_itself(journey);
}
