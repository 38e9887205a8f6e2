// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * failures.c - what becomes of a domain when something breaks on its way.
 *
 * It runs on one host, and goes on where it was: its guest finds its memory
 * and its disk as they were, and on the disk that leaves its trace nobody
 * else's. The other host has nothing of it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "harness.h"
#include "mishap.h"
#include "selftests/lib/traces.h"

#define TRIES		200
#define TRY_MS		100

FIXTURE(failure) {
	struct mishap m;
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

FIXTURE_SETUP(failure)
{
	static const struct domain domain;

	if (variant->is_long && !journey_is_long())
		SKIP(return, "part of the long matrix: TEST_LONG=1 runs it");
	mishap_up(&self->m, &domain);
}

FIXTURE_TEARDOWN(failure)
{
	mishap_down(&self->m);
}

/* ---- up to GO ------------------------------------------------------------- */

TEST_F_TIMEOUT(failure, abort_lets_it_go_on, JOURNEY_TIMEOUT_S)
{
	mishap_begin(&self->m, variant->options, variant->state);
	ASSERT_EQ(0, agent_ask(self->m.source->host, NULL, NULL,
			       "{\"do\":\"abort\",\"guest\":\"" JOURNEY_GUEST "\"}"));
	mishap_goes_on(&self->m, "aborted by the user");
}

TEST_F_LONG(failure, libvirtd_that_dies_at_the_dest_lets_it_go_on, JOURNEY_TIMEOUT_S)
{
	mishap_begin(&self->m, variant->options, variant->state);
	EXPECT_EQ(128 + SIGKILL, virt_host_stop_libvirtd(self->m.dest, SIGKILL));
	EXPECT_EQ(-ECANCELED, move_wait(&self->m.journey.move));
	mishap_libvirtd(&self->m, self->m.dest);
	mishap_goes_on(&self->m, "libvirt");
}

TEST_F_TIMEOUT(failure, qemu_that_dies_at_the_dest_lets_it_go_on, JOURNEY_TIMEOUT_S)
{
	mishap_begin(&self->m, variant->options, variant->state);
	mishap_kill(domain_qemu(self->m.dest, JOURNEY_GUEST));
	mishap_goes_on(&self->m, "guest '" JOURNEY_GUEST "'");
}

TEST_F_LONG(failure, destroy_at_the_dest_lets_it_go_on, JOURNEY_TIMEOUT_S)
{
	mishap_begin(&self->m, variant->options, variant->state);
	EXPECT_EQ(0, mishap_sh(self->m.dest, VIRSH "destroy " JOURNEY_GUEST));
	mishap_goes_on(&self->m, "guest '" JOURNEY_GUEST "'");
}

TEST_F_TIMEOUT(failure, libvirtd_restarted_at_the_source_is_found_again, JOURNEY_TIMEOUT_S)
{
	mishap_begin(&self->m, variant->options, variant->state);
	EXPECT_EQ(128 + SIGKILL, virt_host_stop_libvirtd(self->m.source, SIGKILL));
	mishap_libvirtd(&self->m, self->m.source);
	mishap_arrives(&self->m);
}

/* Nobody can resume it now: the agent does when libvirtd is back. */
TEST_F_TIMEOUT(failure, libvirtd_that_is_away_at_the_end_is_waited_for, JOURNEY_TIMEOUT_S)
{
	char state[16] = "";
	int i;

	mishap_begin(&self->m, "\"live\":false,\"persistent\":true", STATE_STOPPED);
	EXPECT_EQ(128 + SIGKILL, virt_host_stop_libvirtd(self->m.source, SIGKILL));
	ASSERT_EQ(0, agent_ask(self->m.source->host, NULL, NULL,
			       "{\"do\":\"abort\",\"guest\":\"" JOURNEY_GUEST "\"}"));
	EXPECT_EQ(-ECANCELED, move_wait(&self->m.journey.move));
	EXPECT_EQ(0, host_settle(self->m.source->host));
	row_state(self->m.source->host, self->m.journey.move.id, SIDE_SOURCE, state,
		  sizeof(state));
	EXPECT_STREQ("RESUMING", state);
	mishap_libvirtd(&self->m, self->m.source);
	for (i = 0; i < TRIES && strcmp(state, "RESUMED"); i++) {
		poll(NULL, 0, TRY_MS);
		row_state(self->m.source->host, self->m.journey.move.id, SIDE_SOURCE,
			  state, sizeof(state));
	}
	mishap_goes_on(&self->m, "aborted by the user");
}

TEST_F_TIMEOUT(failure, destroy_at_the_source_ends_both, JOURNEY_TIMEOUT_S)
{
	mishap_begin(&self->m, variant->options, variant->state);
	EXPECT_EQ(0, mishap_sh(self->m.source, VIRSH "destroy " JOURNEY_GUEST));
	EXPECT_EQ(-ECANCELED, move_wait(&self->m.journey.move));
	EXPECT_NE(NULL, strstr(self->m.journey.move.error, "guest '" JOURNEY_GUEST "'")) {
		TH_LOG("%s", self->m.journey.move.error);
	}
	mishap_rows(&self->m, "RESUMED", "DISCARDED");
	mishap_nothing(self->m.dest);
	EXPECT_EQ(0, host_processes(self->m.source->host, "qemu-system-x86"));
	EXPECT_EQ(0, mishap_sh(self->m.source, VIRSH "start " JOURNEY_GUEST));
}

TEST_F_LONG(failure, device_that_was_plugged_in_between_is_told, JOURNEY_TIMEOUT_S)
{
	mishap_begin(&self->m, variant->options, variant->state);
	EXPECT_EQ(0, mishap_sh(self->m.source, "truncate -s 1M " VIRT_SHARED "/new && "
			"chown libvirt-qemu " VIRT_SHARED "/new && " VIRSH
			"attach-disk " JOURNEY_GUEST " " VIRT_SHARED "/new vdx --live"));
	mishap_goes_on(&self->m, "was changed while it was being migrated");
}

TEST_F_LONG(failure, resume_in_between_is_told, JOURNEY_TIMEOUT_S)
{
	mishap_begin(&self->m, "\"live\":false,\"persistent\":true", STATE_STOPPED);
	EXPECT_EQ(0, mishap_sh(self->m.source, VIRSH "resume " JOURNEY_GUEST));
	mishap_goes_on(&self->m, "was changed while it was being migrated");
}

/* It is saved and ended by its owner: it starts from there. */
TEST_F_LONG(failure, managedsave_at_the_source_is_kept, JOURNEY_TIMEOUT_S)
{
	mishap_begin(&self->m, variant->options, variant->state);
	EXPECT_EQ(0, mishap_sh(self->m.source, VIRSH "managedsave " JOURNEY_GUEST));
	EXPECT_EQ(-ECANCELED, move_wait(&self->m.journey.move));
	mishap_rows(&self->m, "RESUMED", "DISCARDED");
	mishap_nothing(self->m.dest);
	EXPECT_EQ(0, mishap_sh(self->m.source, VIRSH "start " JOURNEY_GUEST));
	EXPECT_EQ(0, mishap_sh(self->m.source, VIRSH "resume " JOURNEY_GUEST " || true"));
	journey_is_here(&self->m.journey, "running");
	journey_proves_itself(&self->m.journey);
	mishap_images(&self->m, self->m.source);
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
	ASSERT_EQ(0, mishap_sh(journey->here, "XML=$(" VIRSH "dumpxml guest); %s",
			       variant->source));
	ASSERT_EQ(0, domain_start(journey->here, JOURNEY_GUEST, &journey->ground.fail)) {
		TH_LOG("%s", journey->ground.fail.text);
	}
	ASSERT_EQ(0, mishap_sh(journey->here, VIRSH
			       "dumpxml --inactive guest > " VIRT_SHARED "/xml"));
	ASSERT_EQ(0, mishap_sh(journey->there, "XML=$(cat " VIRT_SHARED "/xml); %s",
			       variant->dest));
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

TEST_JOBS(3)
TEST_HARNESS_MAIN
