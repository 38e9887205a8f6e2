// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * unit.c - the systemd unit: well-formed, and enough rights to migrate.
 *
 * There is no service manager here: its capabilities are taken away by hand.
 */
#include <cap-ng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

#include "cleanup.h"
#include "crossing.h"
#include "harness.h"
#include "lib/program.h"
#include "sys.h"
#include "tools/lib/textfile.h"

static const char *const unit_paths[] = {	/* from the top, and as runner.sh runs it */
	"tools/straddled/straddled.service", "../tools/straddled/straddled.service",
};

#define EXPOSURE	"81"	/* 8.1, as Documentation/security.rst says */

static const char *unit_path(void)
{
	return unit_paths[!!access(unit_paths[0], R_OK)];
}

static char *unit_read(void)
{
	struct fail fail = { .err = 0 };
	char *text = NULL;

	ASSERT_EQ(0, textfile_read(unit_path(), 65536, &text, &fail));
	ASSERT_NE(NULL, text) {
		TH_LOG("there is no %s: run it from the project's folder", unit_path());
	}
	return text;
}

static bool analyze_is_there(void)
{
	return !access("/usr/bin/systemd-analyze", X_OK);
}

/* Its program is not installed here: the one that was built stands in. */
static void unit_write(const char *unit, char *path, size_t size)
{
	static const char installed[] = "/usr/local/sbin/straddled";
	const char *at = strstr(unit, installed);
	__cleanup_file FILE *file = NULL;
	char built[512];

	ASSERT_NE(NULL, at);
	build_path(built, sizeof(built), "straddled");
	snprintf(path, size, "%s/straddled.service", test_dir());
	file = fopen(path, "we");
	ASSERT_NE(NULL, file);
	fprintf(file, "%.*s%s%s", (int)(at - unit), unit, built, at + strlen(installed));
}

TEST(unit_is_well_formed)
{
	const char *argv[] = { "/usr/bin/systemd-analyze", "verify", "--man=no", NULL, NULL };
	__cleanup_free char *unit = NULL;
	char path[400], text[4096];

	if (!analyze_is_there())
		SKIP(return, "there is no systemd-analyze: install systemd");
	unit = unit_read();
	unit_write(unit, path, sizeof(path));
	argv[3] = path;
	EXPECT_EQ(0, program_output(argv, text, sizeof(text)));
	/* It may complain of other units of this host; and unknown keys are no error. */
	EXPECT_NULL(strstr(text, "straddled.service")) {
		TH_LOG("%s", text);
	}
}

TEST(exposure_is_what_the_documents_say)
{
	const char *argv[] = { "/usr/bin/systemd-analyze", "security", "--offline=true",
			       "--threshold=" EXPOSURE, unit_path(), NULL };
	char text[32768];

	if (!analyze_is_there())
		SKIP(return, "there is no systemd-analyze: install systemd");
	EXPECT_EQ(0, program_output(argv, text, sizeof(text))) {
		TH_LOG("%s", text);
	}
}

/* A tracer with a filter of its own may not suspend that of a QEMU. */
TEST(unit_installs_no_seccomp_filter)
{
	static const char *const keys[] = {
		"SystemCall", "Restrict", "LockPersonality", "ProtectKernel", "ProtectClock",
		"ProtectHostname", "PrivateDevices", "MemoryDenyWriteExecute", "DynamicUser",
	};
	__cleanup_free char *unit = unit_read();
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char line[64];

		snprintf(line, sizeof(line), "\n%s", keys[i]);
		EXPECT_NULL(strstr(unit, line)) {
			TH_LOG("it has a line %s...", keys[i]);
		}
	}
}

/* All guests share its control group. */
TEST(unit_ends_nobody_but_the_agent)
{
	__cleanup_free char *unit = unit_read();

	EXPECT_NE(NULL, strstr(unit, "\nKillMode=process\n"));
	EXPECT_NE(NULL, strstr(unit, "\nOOMPolicy=continue\n"));
	EXPECT_NE(NULL, strstr(unit, "\nRuntimeDirectoryPreserve=yes\n"));
}

static bool unit_grants(const char *unit, const char *name)
{
	const char *at = unit;
	size_t length = strlen(name);

	while ((at = strstr(at, "CAP_"))) {
		at += strlen("CAP_");
		if (!strncasecmp(at, name, length) && strspn(at + length, " \n"))
			return true;
	}
	return false;
}

/* Programs that are started from now on get no others. */
static void bounds_set(const char *unit)
{
	unsigned int granted = 0;
	int cap;

	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		const char *name = capng_capability_to_name((unsigned int)cap);

		ASSERT_NE(NULL, name);
		if (unit_grants(unit, name))
			granted++;
		else
			ASSERT_EQ(0, prctl(PR_CAPBSET_DROP, cap, 0, 0, 0));
	}
	ASSERT_LT(10, granted);
	ASSERT_GT(20, granted);
}

FIXTURE(bounded) {
	struct pair *pair;
	struct fail fail;
};

FIXTURE_VARIANT(bounded) {
	const char *options[4];
};

FIXTURE_VARIANT_ADD(bounded, memfd) { { "--memory", "16M" } };
FIXTURE_VARIANT_ADD(bounded, private) { { "--memory", "16M", "--private" } };

FIXTURE_SETUP(bounded)
{
	__cleanup_free char *unit = unit_read();

	if (geteuid())
		SKIP(return, "no right to make network namespaces: run as root");
	bounds_set(unit);
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_X509, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
}

FIXTURE_TEARDOWN(bounded)
{
	pair_destroy(self->pair);
}

TEST_F(bounded, rights_are_enough_to_migrate)
{
	struct host *source = &self->pair->hosts->source, *dest = &self->pair->hosts->dest;
	struct move move;

	crossing_guest(self->pair, "db", variant->options);
	EXPECT_EQ(0, move_run(&move, source, "db", dest->address,
			      "\"live\":true,\"postcopy\":true,\"rounds_max\":1")) {
		TH_LOG("%s", move.error);
	}
	crossing_rows(self->pair, move.id, "TORN_DOWN", "DONE");
	crossing_arrived(self->pair, dest, "db");
}

TEST_HARNESS_MAIN
