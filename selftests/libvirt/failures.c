// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * failures.c - what becomes of a domain when something breaks on its way.
 *
 * It runs on one host, and goes on where it was: its guest finds its memory
 * and its disk as they were, and on the disk that leaves its trace nobody
 * else's. The other host has nothing of it.
 */
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "hold.h"
#include "journey.h"
#include "selftests/lib/inspect.h"
#include "selftests/lib/process.h"
#include "sys.h"
#include "uffd/sys.h"

#define VIRSH		"virsh -q -c qemu:///system "
#define WAIT_MS		30000

/* A guest of 160 MiB takes some seconds, and always dirties more. */
static const struct net_rate slow = {
	.rate = 100000000, .burst = 128 << 10, .latency_us = 50000,
};

/* A shell's command on a host, which is to end well unless it is said. */
__attribute__((format(printf, 2, 3)))
static int sh(struct virt_host *virt, const char *fmt, ...)
{
	const char *const argv[] = { "/bin/sh", "-c", NULL, NULL };
	const char *run[4] = { argv[0], argv[1] };
	struct fail fail = { 0 };
	char script[1024];
	va_list args;
	int ret;

	va_start(args, fmt);
	vsnprintf(script, sizeof(script), fmt, args);
	va_end(args);
	run[2] = script;
	ret = virt_host_run(virt, run, NULL, 0, &fail);
	if (ret)
		TH_LOG("%s", fail.text);
	return ret;
}

FIXTURE(failure) {
	struct journey journey;
	struct virt_host *source, *dest;
};

FIXTURE_VARIANT(failure) {
	const char *options;
	enum owner_state state;		/* of the source, to strike in */
	bool is_long;
};

FIXTURE_VARIANT_ADD(failure, in_a_round) {
	.options = "\"live\":true,\"postcopy\":true,\"persistent\":true",
	.state = STATE_PERFORMING,
};

FIXTURE_VARIANT_ADD(failure, after_the_stop) {
	.options = "\"live\":false,\"persistent\":true",
	.state = STATE_STOPPED, .is_long = true,
};

static void guest_up(struct journey *journey, const struct domain *domain)
{
	struct fail *fail = &journey->ground.fail;

	journey_prepare(journey, domain, "");
	ASSERT_EQ(0, domain_define(journey->here, &journey->domain, fail) ||
		     domain_start(journey->here, JOURNEY_GUEST, fail)) {
		TH_LOG("%s", fail->text);
	}
	journey_ready(journey);
	journey_ask(journey, "rate 2000", "rate=2000");
	ASSERT_EQ(0, two_hosts_limit(journey->ground.hosts, &slow, fail));
}

static void failure_up(FIXTURE_DATA(failure) *self, const struct domain *domain)
{
	const struct virt_options options = { .production = true };

	journey_up(&self->journey, &options);
	if (!self->journey.here)
		return;
	self->source = self->journey.here;
	self->dest = self->journey.there;
	guest_up(&self->journey, domain);
}

FIXTURE_SETUP(failure)
{
	static const struct domain domain;

	if (variant->is_long && !journey_is_long())
		SKIP(return, "part of the long matrix: TEST_LONG=1 runs it");
	failure_up(self, &domain);
}

FIXTURE_TEARDOWN(failure)
{
	move_end(&self->journey.move);
	journey_down(&self->journey);
}

static void begin(FIXTURE_DATA(failure) *self, const char *options,
		  enum owner_state state)
{
	struct move *move = &self->journey.move;

	ASSERT_EQ(0, move_start(move, self->source->host, JOURNEY_GUEST,
				self->dest->host->address, options));
	ASSERT_EQ(0, move_wait_state(move, state)) {
		TH_LOG("%s", move->error);
	}
	if (state <= STATE_STOPPED)
		ASSERT_EQ(0, move_wait_round(move, 1)) {
			TH_LOG("%s", move->error);
		}
}

static void expect_rows(FIXTURE_DATA(failure) *self, const char *source,
			const char *dest)
{
	const char *id = self->journey.move.id;
	char state[16];

	EXPECT_EQ(0, host_settle(self->source->host));
	EXPECT_EQ(0, host_settle(self->dest->host));
	row_state(self->source->host, id, SIDE_SOURCE, state, sizeof(state));
	EXPECT_STREQ(source, state);
	row_state(self->dest->host, id, SIDE_DEST, state, sizeof(state));
	EXPECT_STREQ(dest, state);
}

/* No domain, no definition, no process, no file. */
static void expect_nothing(struct virt_host *virt)
{
	char text[512] = "";

	EXPECT_EQ(0, journey_virsh(virt, text, sizeof(text), "list", "--all",
				   "--name", NULL));
	EXPECT_NULL(strstr(text, JOURNEY_GUEST));
	EXPECT_EQ(0, host_processes(virt->host, "qemu-system-x86"));
	EXPECT_EQ(0, host_files(virt->host, "incoming-"));
	EXPECT_EQ(0, host_files(virt->host, "pages-"));
	EXPECT_EQ(0, sh(virt, "! ls -A %s/definitions 2>/dev/null | grep .",
			virt->host->state_dir));
}

/* When its guest has ended, a disk's image is as it should be. */
static void expect_images(FIXTURE_DATA(failure) *self, struct virt_host *virt)
{
	EXPECT_EQ(0, sh(virt, VIRSH "destroy " JOURNEY_GUEST));
	EXPECT_EQ(0, sh(self->source, "qemu-img check -q " VIRT_SHARED "/work.qcow2"));
	EXPECT_EQ(0, sh(self->dest, "qemu-img check -q " VIRT_SHARED "/work.qcow2"));
}

/* It failed, was told why in @words, and the guest goes on here. */
static void goes_on(FIXTURE_DATA(failure) *self, const char *words)
{
	struct move *move = &self->journey.move;

	EXPECT_EQ(-ECANCELED, move_wait(move));
	EXPECT_NE(NULL, strstr(move->error, words)) {
		TH_LOG("%s", move->error);
		journey_explain(&self->journey);
	}
	expect_rows(self, "RESUMED", "DISCARDED");
	expect_nothing(self->dest);
	journey_is_here(&self->journey, "running");
	journey_proves_itself(&self->journey);
	expect_images(self, self->source);
}

static void arrives(FIXTURE_DATA(failure) *self)
{
	struct journey *journey = &self->journey;

	EXPECT_EQ(0, move_wait(&journey->move)) {
		TH_LOG("%s", journey->move.error);
		journey_explain(journey);
	}
	expect_rows(self, "TORN_DOWN", "DONE");
	journey->here = self->dest;
	journey->there = self->source;
	journey_arrived(journey, "running");
	journey_proves_itself(journey);
	expect_images(self, self->dest);
}

static void kill_and_wait(pid_t pid)
{
	int fd = pid > 0 ? sys_pidfd_open(pid) : -1;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(0, sys_wait_fd(fd, POLLIN, WAIT_MS));
	close(fd);
}

static void libvirtd_again(FIXTURE_DATA(failure) *self, struct virt_host *virt)
{
	ASSERT_EQ(0, virt_host_start_libvirtd(virt, &self->journey.ground.fail)) {
		TH_LOG("%s", self->journey.ground.fail.text);
	}
}

/* ---- up to GO ------------------------------------------------------------- */

TEST_F_TIMEOUT(failure, abort_lets_it_go_on, JOURNEY_TIMEOUT_S)
{
	begin(self, variant->options, variant->state);
	ASSERT_EQ(0, agent_ask(self->source->host, NULL, NULL,
			       "{\"do\":\"abort\",\"guest\":\"" JOURNEY_GUEST "\"}"));
	goes_on(self, "aborted by the user");
}

TEST_F_LONG(failure, libvirtd_that_dies_at_the_dest_lets_it_go_on, JOURNEY_TIMEOUT_S)
{
	begin(self, variant->options, variant->state);
	EXPECT_EQ(128 + SIGKILL, virt_host_stop_libvirtd(self->dest, SIGKILL));
	EXPECT_EQ(-ECANCELED, move_wait(&self->journey.move));
	libvirtd_again(self, self->dest);
	goes_on(self, "libvirt");
}

TEST_F_TIMEOUT(failure, qemu_that_dies_at_the_dest_lets_it_go_on, JOURNEY_TIMEOUT_S)
{
	begin(self, variant->options, variant->state);
	kill_and_wait(domain_qemu(self->dest, JOURNEY_GUEST));
	goes_on(self, "guest '" JOURNEY_GUEST "'");
}

TEST_F_LONG(failure, destroy_at_the_dest_lets_it_go_on, JOURNEY_TIMEOUT_S)
{
	begin(self, variant->options, variant->state);
	EXPECT_EQ(0, sh(self->dest, VIRSH "destroy " JOURNEY_GUEST));
	goes_on(self, "guest '" JOURNEY_GUEST "'");
}

TEST_F_TIMEOUT(failure, libvirtd_restarted_at_the_source_is_found_again, JOURNEY_TIMEOUT_S)
{
	begin(self, variant->options, variant->state);
	EXPECT_EQ(128 + SIGKILL, virt_host_stop_libvirtd(self->source, SIGKILL));
	libvirtd_again(self, self->source);
	arrives(self);
}

TEST_F_TIMEOUT(failure, destroy_at_the_source_ends_both, JOURNEY_TIMEOUT_S)
{
	begin(self, variant->options, variant->state);
	EXPECT_EQ(0, sh(self->source, VIRSH "destroy " JOURNEY_GUEST));
	EXPECT_EQ(-ECANCELED, move_wait(&self->journey.move));
	EXPECT_NE(NULL, strstr(self->journey.move.error, "guest '" JOURNEY_GUEST "'")) {
		TH_LOG("%s", self->journey.move.error);
	}
	expect_rows(self, "RESUMED", "DISCARDED");
	expect_nothing(self->dest);
	EXPECT_EQ(0, host_processes(self->source->host, "qemu-system-x86"));
	EXPECT_EQ(0, sh(self->source, VIRSH "start " JOURNEY_GUEST));
}

TEST_F_LONG(failure, device_that_was_plugged_in_between_is_told, JOURNEY_TIMEOUT_S)
{
	begin(self, variant->options, variant->state);
	EXPECT_EQ(0, sh(self->source, "truncate -s 1M " VIRT_SHARED "/new && "
			"chown libvirt-qemu " VIRT_SHARED "/new && " VIRSH
			"attach-disk " JOURNEY_GUEST " " VIRT_SHARED "/new vdx --live"));
	goes_on(self, "was changed while it was being migrated");
}

TEST_F_LONG(failure, resume_in_between_is_told, JOURNEY_TIMEOUT_S)
{
	begin(self, "\"live\":false,\"persistent\":true", STATE_STOPPED);
	EXPECT_EQ(0, sh(self->source, VIRSH "resume " JOURNEY_GUEST));
	goes_on(self, "was changed while it was being migrated");
}

/* It is saved and ended by its owner: it starts from there. */
TEST_F_LONG(failure, managedsave_at_the_source_is_kept, JOURNEY_TIMEOUT_S)
{
	begin(self, variant->options, variant->state);
	EXPECT_EQ(0, sh(self->source, VIRSH "managedsave " JOURNEY_GUEST));
	EXPECT_EQ(-ECANCELED, move_wait(&self->journey.move));
	expect_rows(self, "RESUMED", "DISCARDED");
	expect_nothing(self->dest);
	EXPECT_EQ(0, sh(self->source, VIRSH "start " JOURNEY_GUEST));
	EXPECT_EQ(0, sh(self->source, VIRSH "resume " JOURNEY_GUEST " || true"));
	journey_is_here(&self->journey, "running");
	journey_proves_itself(&self->journey);
	expect_images(self, self->source);
}

/* ---- loaded at the dest, and waiting for GO ------------------------------- */

FIXTURE(loaded) {
	FIXTURE_DATA(failure) base;
	int held;
};

FIXTURE_SETUP(loaded)
{
	FIXTURE_DATA(failure) *base = &self->base;
	static const struct domain domain;

	failure_up(base, &domain);
	if (!base->source)
		return;
	self->held = hold_loaded(base->dest, JOURNEY_GUEST, "");
	ASSERT_EQ(0, move_start(&base->journey.move, base->source->host,
				JOURNEY_GUEST, base->dest->host->address,
				"\"live\":true,\"postcopy\":true,"
				"\"rounds_max\":0,\"persistent\":true"));
	hold_reached(base->dest, base->journey.move.id, "LOADED");
}

FIXTURE_TEARDOWN(loaded)
{
	fixture_teardown_failure_body(&self->base, NULL);
}

/* It does not run: its first look at memory waits for GO. */
TEST_F_TIMEOUT(loaded, one_that_is_resumed_waits, JOURNEY_TIMEOUT_S)
{
	FIXTURE_DATA(failure) *base = &self->base;
	char text[512] = "";

	EXPECT_EQ(0, sh(base->dest, VIRSH "resume " JOURNEY_GUEST));
	EXPECT_EQ(0, domain_state(base->dest, JOURNEY_GUEST, text, sizeof(text)));
	EXPECT_STREQ("running", text);
	EXPECT_EQ(0, domain_serial(base->dest, JOURNEY_GUEST, text, sizeof(text)));
	EXPECT_STREQ("", text);
	close(self->held);
	arrives(base);
}

/* An ordinary paused domain by then, with the locks of the disks. */
TEST_F_TIMEOUT(loaded, one_whose_worker_dies_goes_on_at_the_source, JOURNEY_TIMEOUT_S)
{
	FIXTURE_DATA(failure) *base = &self->base;
	pid_t worker = host_worker(base->dest->host, "dest");

	ASSERT_LT(0, worker);
	ASSERT_EQ(0, kill(worker, SIGKILL));
	close(self->held);
	goes_on(base, "did not start on");
	EXPECT_EQ(0, host_processes(base->dest->host, "qemu-system-x86"));
}

TEST_F_LONG(loaded, one_that_is_destroyed_goes_on_at_the_source, JOURNEY_TIMEOUT_S)
{
	EXPECT_EQ(0, sh(self->base.dest, VIRSH "destroy " JOURNEY_GUEST));
	close(self->held);
	goes_on(&self->base, "did not start on");
}

/* The source's libvirt still has it paused: its owner wants it back. */
TEST_F_LONG(loaded, source_that_is_resumed_waits, JOURNEY_TIMEOUT_S)
{
	FIXTURE_DATA(failure) *base = &self->base;

	sh(base->source, "timeout 5 " VIRSH "resume " JOURNEY_GUEST);
	close(self->held);
	arrives(base);
}

TEST_F_LONG(loaded, abort_is_decided_by_the_dest, JOURNEY_TIMEOUT_S)
{
	FIXTURE_DATA(failure) *base = &self->base;

	ASSERT_EQ(0, agent_ask(base->source->host, NULL, NULL,
			       "{\"do\":\"abort\",\"guest\":\"" JOURNEY_GUEST "\"}"));
	close(self->held);
	arrives(base);
}

/* ---- past GO -------------------------------------------------------------- */

FIXTURE(past_go) {
	FIXTURE_DATA(failure) base;
};

FIXTURE_SETUP(past_go)
{
	FIXTURE_DATA(failure) *base = &self->base;
	const struct domain domain = { .memory = DOMAIN_MEMFD_SHARED };

	failure_up(base, &domain);
	if (base->source)
		begin(base, "\"live\":true,\"postcopy\":true,\"rounds_max\":0,"
		      "\"persistent\":true", STATE_HELD);
}

FIXTURE_TEARDOWN(past_go)
{
	fixture_teardown_failure_body(&self->base, NULL);
}

TEST_F_LONG(past_go, abort_comes_too_late, JOURNEY_TIMEOUT_S)
{
	struct fail fail = { 0 };

	EXPECT_EQ(-EALREADY, agent_ask(self->base.source->host, NULL, &fail,
			"{\"do\":\"abort\",\"guest\":\"" JOURNEY_GUEST "\"}"));
	EXPECT_NE(NULL, strstr(fail.text, "cannot be aborted any more"));
	arrives(&self->base);
}

TEST_F_LONG(past_go, source_that_is_destroyed_is_served_on, JOURNEY_TIMEOUT_S)
{
	EXPECT_EQ(0, sh(self->base.source, VIRSH "destroy " JOURNEY_GUEST));
	arrives(&self->base);
}

TEST_F_TIMEOUT(past_go, source_that_is_resumed_changes_nothing, JOURNEY_TIMEOUT_S)
{
	sh(self->base.source, "timeout 5 " VIRSH "resume " JOURNEY_GUEST);
	arrives(&self->base);
}

TEST_F_LONG(past_go, source_that_is_saved_changes_nothing, JOURNEY_TIMEOUT_S)
{
	sh(self->base.source, "timeout 20 " VIRSH "managedsave " JOURNEY_GUEST);
	arrives(&self->base);
	EXPECT_EQ(0, sh(self->base.source, "! " VIRSH "managedsave-dumpxml " JOURNEY_GUEST));
}

TEST_F_TIMEOUT(past_go, libvirtd_that_dies_at_either_is_not_missed, JOURNEY_TIMEOUT_S)
{
	FIXTURE_DATA(failure) *base = &self->base;

	EXPECT_EQ(128 + SIGKILL, virt_host_stop_libvirtd(base->source, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, virt_host_stop_libvirtd(base->dest, SIGKILL));
	libvirtd_again(base, base->source);
	libvirtd_again(base, base->dest);
	arrives(base);
}

TEST_F_LONG(past_go, qemu_that_dies_at_the_dest_is_never_resumed_here, JOURNEY_TIMEOUT_S)
{
	FIXTURE_DATA(failure) *base = &self->base;
	char state[64] = "";

	kill_and_wait(domain_qemu(base->dest, JOURNEY_GUEST));
	EXPECT_EQ(-ECANCELED, move_wait(&base->journey.move));
	EXPECT_STREQ("HELD", base->journey.move.state);
	EXPECT_NE(NULL, strstr(base->journey.move.error, "operator"));
	expect_rows(base, "HELD", "DIED");
	EXPECT_EQ(0, domain_state(base->source, JOURNEY_GUEST, state, sizeof(state)));
	EXPECT_STREQ("paused", state);
	EXPECT_EQ(0, host_processes(base->dest->host, "qemu-system-x86"));
}

/* ---- what the dest lacks -------------------------------------------------- */

FIXTURE(lacking) {
	struct journey journey;
};

FIXTURE_VARIANT(lacking) {
	const char *source;	/* before it starts */
	const char *dest;
	const char *words;
};

#define LACKING(name, ...) FIXTURE_VARIANT_ADD(lacking, name) { __VA_ARGS__ }
#define DEFINE_SED(script)						\
	"echo \"$XML\" | sed '" script "' > /tmp/x.$$ && "		\
	VIRSH "define /tmp/x.$$; rm /tmp/x.$$"

LACKING(name, "true", DEFINE_SED("s:<uuid>4:<uuid>5:"), "another domain has the name guest");
LACKING(uuid, "true", DEFINE_SED("s:<name>guest:<name>other:"), "its UUID is that of domain other");
LACKING(network, "echo '<network><name>lan</name><forward mode=\"bridge\"/>"
	"<bridge name=\"" SEGMENT_BRIDGE "\"/></network>' "
	"> /tmp/n.$$; " VIRSH "net-create /tmp/n.$$; rm /tmp/n.$$; " VIRSH
	"attach-interface guest network lan --config", "true",
	"network lan is not active here");
LACKING(pool, VIRSH "pool-create-as disks dir --target " VIRT_SHARED " && " VIRSH
	"vol-create-as disks v.raw 1M && chown libvirt-qemu " VIRT_SHARED "/v.raw && "
	"echo '<disk type=\"volume\"><source pool=\"disks\" volume=\"v.raw\"/>"
	"<target dev=\"vda\" bus=\"virtio\"/></disk>' > /tmp/d.$$; " VIRSH
	"attach-device guest /tmp/d.$$ --config; rm /tmp/d.$$", "true",
	"storage pool disks is not active here");
LACKING(emulator, "printf '#!/bin/sh\\nexec " VIRT_QEMU " \"$@\"\\n' > " VIRT_PRIVATE
	"/qemu && chmod 755 " VIRT_PRIVATE "/qemu && "
	DEFINE_SED("s:<emulator>.*</:<emulator>" VIRT_PRIVATE "/qemu</:"), "true",
	VIRT_PRIVATE "/qemu");
LACKING(disk, "truncate -s 1M " VIRT_PRIVATE "/own && chown libvirt-qemu " VIRT_PRIVATE
	"/own && " VIRSH "attach-disk guest " VIRT_PRIVATE "/own vda --config", "true",
	VIRT_PRIVATE "/own");

FIXTURE_SETUP(lacking)
{
	const struct virt_options options = { .production = true };

	journey_up(&self->journey, &options);
}

FIXTURE_TEARDOWN(lacking)
{
	journey_down(&self->journey);
}

TEST_F_TIMEOUT(lacking, it_is_told_and_the_guest_not_touched, JOURNEY_TIMEOUT_S)
{
	const struct domain domain = {
		.name = JOURNEY_GUEST, .memory_mib = 64,
		.uuid = "4b3c1c0a-6a55-4a3e-8a44-0d9a3b1f6c01",
	};
	struct journey *journey = &self->journey;
	struct move *move = &journey->move;
	char before[1024] = "", after[1024] = "", state[64] = "";

	ASSERT_EQ(0, domain_define(journey->here, &domain, &journey->ground.fail));
	ASSERT_EQ(0, sh(journey->here, "XML=$(" VIRSH "dumpxml guest); %s", variant->source));
	ASSERT_EQ(0, domain_start(journey->here, JOURNEY_GUEST, &journey->ground.fail)) {
		TH_LOG("%s", journey->ground.fail.text);
	}
	ASSERT_EQ(0, sh(journey->here, VIRSH "dumpxml --inactive guest > " VIRT_SHARED "/xml"));
	ASSERT_EQ(0, sh(journey->there, "XML=$(cat " VIRT_SHARED "/xml); %s", variant->dest));
	journey_virsh(journey->there, before, sizeof(before), "list", "--all", "--uuid", NULL);
	EXPECT_EQ(-ECANCELED, move_run(move, journey->here->host, JOURNEY_GUEST,
				       journey->there->host->address, "\"live\":true"));
	EXPECT_NE(NULL, strstr(move->error, variant->words)) {
		TH_LOG("%s", move->error);
	}
	EXPECT_STREQ("RESUMED", move->state);
	EXPECT_EQ(0, host_settle(journey->there->host));
	journey_virsh(journey->there, after, sizeof(after), "list", "--all", "--uuid", NULL);
	EXPECT_STREQ(before, after);
	EXPECT_EQ(0, host_processes(journey->there->host, "qemu-system-x86"));
	EXPECT_EQ(0, host_files(journey->there->host, "incoming-"));
	EXPECT_EQ(0, domain_state(journey->here, JOURNEY_GUEST, state, sizeof(state)));
	EXPECT_STREQ("running", state);
}

TEST_HARNESS_MAIN
