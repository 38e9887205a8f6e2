// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * fenced.c - somebody wants a domain that is held, or not owned yet.
 *
 * From before GO until all its pages are there a domain is paused, to libvirt,
 * on one host or on both. Whoever resumes, saves or ends one of them there
 * does not get a second copy, and takes nothing from the other.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "harness.h"
#include "hold.h"
#include "mishap.h"
#include "selftests/lib/traces.h"

/* ---- loaded at the dest, and waiting for GO ------------------------------- */

FIXTURE(loaded) {
	struct mishap base;
	int held;
};

FIXTURE_SETUP(loaded)
{
	struct mishap *base = &self->base;
	static const struct domain domain;

	mishap_up(base, &domain);
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
	mishap_down(&self->base);
}

/* It does not run: its first look at memory waits for GO. */
TEST_F_TIMEOUT(loaded, one_that_is_resumed_waits, JOURNEY_TIMEOUT_S)
{
	struct mishap *base = &self->base;
	char text[512] = "";

	EXPECT_EQ(0, mishap_sh(base->dest, VIRSH "resume " JOURNEY_GUEST));
	EXPECT_EQ(0, domain_state(base->dest, JOURNEY_GUEST, text, sizeof(text)));
	EXPECT_STREQ("running", text);
	EXPECT_EQ(0, domain_serial(base->dest, JOURNEY_GUEST, text, sizeof(text)));
	EXPECT_STREQ("", text);
	close(self->held);
	mishap_arrives(base);
}

/* An ordinary paused domain by then, with the locks of the disks. */
TEST_F_TIMEOUT(loaded, one_whose_worker_dies_goes_on_at_the_source, JOURNEY_TIMEOUT_S)
{
	struct mishap *base = &self->base;
	pid_t worker = host_worker(base->dest->host, "dest");

	ASSERT_LT(0, worker);
	ASSERT_EQ(0, kill(worker, SIGKILL));
	close(self->held);
	mishap_goes_on(base, "did not start on");
	EXPECT_EQ(0, host_processes(base->dest->host, "qemu-system-x86"));
}

/* Nothing is promised before it can be ended. */
TEST_F_LONG(loaded, one_whose_worker_and_libvirtd_die_goes_on_at_the_source,
	    JOURNEY_TIMEOUT_S)
{
	struct mishap *base = &self->base;
	pid_t worker = host_worker(base->dest->host, "dest");

	ASSERT_LT(0, worker);
	EXPECT_EQ(128 + SIGKILL, virt_host_stop_libvirtd(base->dest, SIGKILL));
	ASSERT_EQ(0, kill(worker, SIGKILL));
	close(self->held);
	EXPECT_EQ(0, host_settle(base->dest->host));
	mishap_libvirtd(base, base->dest);
	mishap_goes_on(base, "did not start on");
}

TEST_F_LONG(loaded, one_that_is_destroyed_goes_on_at_the_source, JOURNEY_TIMEOUT_S)
{
	EXPECT_EQ(0, mishap_sh(self->base.dest, VIRSH "destroy " JOURNEY_GUEST));
	close(self->held);
	mishap_goes_on(&self->base, "did not start on");
}

/* The source's libvirt still has it paused: its owner wants it back. */
TEST_F_LONG(loaded, source_that_is_resumed_waits, JOURNEY_TIMEOUT_S)
{
	struct mishap *base = &self->base;

	mishap_sh(base->source, "timeout 5 " VIRSH "resume " JOURNEY_GUEST);
	close(self->held);
	mishap_arrives(base);
}

/* Its memory is private: it must not end while pages of it are missing. */
TEST_F_LONG(loaded, source_that_is_saved_is_not, JOURNEY_TIMEOUT_S)
{
	struct mishap *base = &self->base;

	EXPECT_NE(0, mishap_sh(base->source, "timeout 20 " VIRSH "managedsave "
			       JOURNEY_GUEST));
	close(self->held);
	mishap_arrives(base);
}

TEST_F_LONG(loaded, abort_is_decided_by_the_dest, JOURNEY_TIMEOUT_S)
{
	struct mishap *base = &self->base;

	ASSERT_EQ(0, agent_ask(base->source->host, NULL, NULL,
			       "{\"do\":\"abort\",\"guest\":\"" JOURNEY_GUEST "\"}"));
	close(self->held);
	mishap_arrives(base);
}

/* ---- past GO -------------------------------------------------------------- */

FIXTURE(past_go) {
	struct mishap base;
};

FIXTURE_SETUP(past_go)
{
	struct mishap *base = &self->base;
	const struct domain domain = { .memory = DOMAIN_MEMFD_SHARED };

	mishap_up(base, &domain);
	if (base->source)
		mishap_begin(base, "\"live\":true,\"postcopy\":true,\"rounds_max\":0,"
		      "\"persistent\":true", STATE_HELD);
}

FIXTURE_TEARDOWN(past_go)
{
	mishap_down(&self->base);
}

TEST_F_LONG(past_go, abort_comes_too_late, JOURNEY_TIMEOUT_S)
{
	struct fail fail = { 0 };

	EXPECT_EQ(-EALREADY, agent_ask(self->base.source->host, NULL, &fail,
			"{\"do\":\"abort\",\"guest\":\"" JOURNEY_GUEST "\"}"));
	EXPECT_NE(NULL, strstr(fail.text, "cannot be aborted any more"));
	mishap_arrives(&self->base);
}

TEST_F_LONG(past_go, source_that_is_destroyed_is_served_on, JOURNEY_TIMEOUT_S)
{
	EXPECT_EQ(0, mishap_sh(self->base.source, VIRSH "destroy " JOURNEY_GUEST));
	mishap_arrives(&self->base);
}

TEST_F_TIMEOUT(past_go, source_that_is_resumed_changes_nothing, JOURNEY_TIMEOUT_S)
{
	mishap_sh(self->base.source, "timeout 5 " VIRSH "resume " JOURNEY_GUEST);
	mishap_arrives(&self->base);
}

TEST_F_LONG(past_go, source_that_is_saved_changes_nothing, JOURNEY_TIMEOUT_S)
{
	mishap_sh(self->base.source, "timeout 20 " VIRSH "managedsave " JOURNEY_GUEST);
	mishap_arrives(&self->base);
	EXPECT_EQ(0, mishap_sh(self->base.source, "! " VIRSH "managedsave-dumpxml " JOURNEY_GUEST));
}

TEST_F_TIMEOUT(past_go, libvirtd_that_dies_at_either_is_not_missed, JOURNEY_TIMEOUT_S)
{
	struct mishap *base = &self->base;

	EXPECT_EQ(128 + SIGKILL, virt_host_stop_libvirtd(base->source, SIGKILL));
	EXPECT_EQ(128 + SIGKILL, virt_host_stop_libvirtd(base->dest, SIGKILL));
	mishap_libvirtd(base, base->source);
	mishap_libvirtd(base, base->dest);
	mishap_arrives(base);
}

TEST_F_LONG(past_go, qemu_that_dies_at_the_dest_is_never_resumed_here, JOURNEY_TIMEOUT_S)
{
	struct mishap *base = &self->base;
	char state[64] = "";

	mishap_kill(domain_qemu(base->dest, JOURNEY_GUEST));
	EXPECT_EQ(-ECANCELED, move_wait(&base->journey.move));
	EXPECT_STREQ("DIED_THERE", base->journey.move.state);
	EXPECT_NE(NULL, strstr(base->journey.move.error, "operator"));
	mishap_rows(base, "DIED_THERE", "DIED");
	EXPECT_EQ(0, domain_state(base->source, JOURNEY_GUEST, state, sizeof(state)));
	EXPECT_STREQ("paused", state);
	EXPECT_EQ(0, host_processes(base->dest->host, "qemu-system-x86"));
}

TEST_JOBS(3)
TEST_HARNESS_MAIN
