// SPDX-License-Identifier: LGPL-2.1-or-later
/* obstacles.c - a dry run says all that is in the way; versions are compared. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "journey.h"
#include "selftests/lib/traces.h"

#define EMULATOR	VIRT_PRIVATE "/qemu"	/* either host has its own */
#define ARGS_MAX	16

FIXTURE(obstacles) {
	struct journey journey;
	char text[4096];
};

/* Each host's program of that path is another version of QEMU. */
static void emulator_put(struct virt_host *virt, const char *program)
{
	const char *argv[] = { "/bin/sh", "-c", NULL, NULL };
	char script[512];
	struct fail fail = { 0 };

	snprintf(script, sizeof(script),
		 "printf '#!/bin/sh\\nexec %s \"$@\"\\n' >" EMULATOR
		 " && chmod 755 " EMULATOR, program);
	argv[2] = script;
	ASSERT_EQ(0, virt_host_run(virt, argv, NULL, 0, &fail)) {
		TH_LOG("%s", fail.text);
	}
}

FIXTURE_SETUP(obstacles)
{
	const struct virt_options options = { .qemu = VIRT_QEMU_10 };

	journey_up(&self->journey, &options);
	if (!self->journey.here)
		return;
	emulator_put(self->journey.here, VIRT_QEMU);
	emulator_put(self->journey.there, VIRT_QEMU_10);
}

FIXTURE_TEARDOWN(obstacles)
{
	journey_down(&self->journey);
}

/* The command as a user gives it; its exit status, what it says in @text. */
__attribute__((sentinel))
static int straddle(FIXTURE_DATA(obstacles) *self, ...)
{
	struct virt_host *here = self->journey.here;
	char agent[256];
	const char *argv[ARGS_MAX] = {
		"straddle", "--agent", agent, "migrate", JOURNEY_GUEST,
		self->journey.there->host->address,
	};
	struct fail ignored = { 0 };
	size_t n = 6;
	va_list args;

	snprintf(agent, sizeof(agent), "%s/straddled.sock", here->host->run_dir);
	va_start(args, self);
	do {
		argv[n] = va_arg(args, const char *);
	} while (argv[n] && ++n < ARGS_MAX - 1);
	va_end(args);
	return virt_host_run(here, argv, self->text, sizeof(self->text), &ignored);
}

static void expect_said(FIXTURE_DATA(obstacles) *self, const char *words)
{
	EXPECT_NE(NULL, strstr(self->text, words)) {
		TH_LOG("no '%s' in: %s", words, self->text);
	}
}

static void boot(FIXTURE_DATA(obstacles) *self, const struct domain *domain)
{
	journey_boot(&self->journey, domain, "straddle.rate=500");
}

TEST_F_TIMEOUT(obstacles, dry_run_says_all_of_both_hosts, JOURNEY_TIMEOUT_S)
{
	const struct domain domain = {
		.emulator = EMULATOR, .machine = "pc-i440fx-7.2",
		.disks = { { VIRT_PRIVATE "/own.raw", "raw", "virtio", "none",
			     false, false } },
	};
	char state[64] = "";

	boot(self, &domain);
	EXPECT_NE(0, straddle(self, "--live", "--postcopy", "--dry-run", NULL));
	expect_said(self, "could not be moved");
	expect_said(self, "its QEMU is 7.2");
	expect_said(self, "--allow-version-skew");
	expect_said(self, "disk vda");
	expect_said(self, "--copy-storage-all");
	EXPECT_EQ(0, domain_state(self->journey.here, JOURNEY_GUEST, state,
				  sizeof(state)));
	EXPECT_STREQ("running", state);
	EXPECT_EQ(0, host_processes(self->journey.there->host, "qemu-system-x86"));
	journey_proves_itself(&self->journey);
}

TEST_F_TIMEOUT(obstacles, dry_run_of_what_could_go_says_so, JOURNEY_TIMEOUT_S)
{
	const struct domain domain = { .emulator = VIRT_QEMU };

	boot(self, &domain);
	EXPECT_EQ(0, straddle(self, "--live", "--postcopy", "--dry-run", NULL)) {
		TH_LOG("%s", self->text);
	}
	expect_said(self, "nothing is in the way");
	journey_proves_itself(&self->journey);
}

TEST_F(obstacles, domain_that_is_none_is_said_to_be_none)
{
	EXPECT_NE(0, straddle(self, "--live", NULL));
	expect_said(self, "no guest " JOURNEY_GUEST " runs here");
}

/* The source's definition names a program of the dest's. */
TEST_F_TIMEOUT(obstacles, emulator_there_is_asked_as_nobody, JOURNEY_TIMEOUT_S)
{
	static const char script[] = "printf '#!/bin/sh\\n"
		"[ \"$1\" = --version ] && id -u >" VIRT_PRIVATE "/who\\n"
		"exec " VIRT_QEMU " \"$@\"\\n' >" EMULATOR
		"; : >" VIRT_PRIVATE "/who; chmod 666 " VIRT_PRIVATE "/who";
	static const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	const struct domain domain = { .emulator = EMULATOR };
	char who[16] = "";

	ASSERT_EQ(0, virt_host_run(self->journey.there, argv, NULL, 0, NULL));
	boot(self, &domain);
	EXPECT_EQ(0, straddle(self, "--live", "--postcopy", "--dry-run", NULL)) {
		TH_LOG("%s", self->text);
	}
	EXPECT_EQ(0, virt_host_read(self->journey.there, VIRT_PRIVATE "/who", who,
				    sizeof(who)));
	EXPECT_STREQ("65534\n", who);
}

/* Nor is it waited for, once it has said something. */
TEST_F_LONG(obstacles, emulator_that_does_not_end_is_ended, JOURNEY_TIMEOUT_S)
{
	static const char script[] = "printf '#!/bin/sh\\n"
		"echo QEMU emulator version 7.2.0\\n"
		"exec >/dev/null 2>&1\\nexec sleep 1234\\n' >" EMULATOR;
	static const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	const struct domain domain = { .emulator = EMULATOR };

	boot(self, &domain);
	ASSERT_EQ(0, virt_host_run(self->journey.there, argv, NULL, 0, NULL));
	EXPECT_NE(0, straddle(self, "--live", "--postcopy", "--dry-run", NULL));
	expect_said(self, "does not tell its version");
	EXPECT_EQ(0, host_processes(self->journey.there->host, "sleep"));
}

TEST_F_TIMEOUT(obstacles, other_version_is_refused_unless_it_is_allowed, JOURNEY_TIMEOUT_S)
{
	const struct domain domain = {
		.emulator = EMULATOR, .machine = "pc-i440fx-7.2",
	};

	boot(self, &domain);
	EXPECT_NE(0, straddle(self, "--live", "--postcopy", NULL));
	expect_said(self, "--allow-version-skew");
	expect_said(self, "the guest stays here");
	journey_move(&self->journey, "\"live\":true,\"postcopy\":true,"
		     "\"allow_version_skew\":true");
	journey_is_here(&self->journey, "running");
	journey_proves_itself(&self->journey);
}

TEST_JOBS(2)
TEST_HARNESS_MAIN
