/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* command.c - the straddle command says what is wrong, and how to do it right. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "agent_process.h"
#include "harness.h"
#include "lib/program.h"
#include "tools/lib/jsonline.h"

#define ARGUMENTS_MAX	10

static char text[16384];

static int straddle(const char *const *arguments)
{
	const char *argv[ARGUMENTS_MAX + 4] = { "straddle", "--agent", "/nonexistent/socket" };
	int i;

	for (i = 0; i < ARGUMENTS_MAX && arguments[i]; i++)
		argv[3 + i] = arguments[i];
	return program_output(argv, text, sizeof(text));
}

FIXTURE(usage) { int unused; };

FIXTURE_VARIANT(usage)
{
	const char *arguments[ARGUMENTS_MAX];
	const char *said;
};

FIXTURE_SETUP(usage)
{
	(void)self;
}

FIXTURE_TEARDOWN(usage)
{
	(void)self;
}

#define WRONG(name, said, ...) \
	FIXTURE_VARIANT_ADD(usage, name) { { __VA_ARGS__ }, said }

WRONG(nothing, "no command");
WRONG(command, "unknown command 'dance'", "dance");
WRONG(option, "unknown option '--dance'", "--dance");
WRONG(agent_value, "--agent: give the path", "list", "--agent");
WRONG(list_argument, "'x' is too much", "list", "x");
WRONG(list_option, "unknown option '--all'", "list", "--all");
WRONG(status_arguments, "'h' is too much", "status", "g", "h");
WRONG(abort_guest, "abort: the guest is missing", "abort");
WRONG(postcopy_guest, "postcopy: the guest is missing", "postcopy");
WRONG(bandwidth_number, "bandwidth: the number of MiB is missing", "bandwidth", "g");
WRONG(bandwidth_words, "'fast' is no whole number", "bandwidth", "g", "fast");
WRONG(history_zero, "from 1 to 1000", "history", "0");
WRONG(history_negative, "from 1 to 1000", "history", "-1");
WRONG(history_words, "from 1 to 1000", "history", "all");
WRONG(migrate_guest, "the guest is missing", "migrate");
WRONG(migrate_host, "the host is missing", "migrate", "g");
WRONG(migrate_argument, "'x' is too much", "migrate", "g", "h", "x");
WRONG(migrate_option, "'--teleport'", "migrate", "g", "h", "--teleport");
WRONG(migrate_ambiguous, "'--post'", "migrate", "g", "h", "--post");
WRONG(migrate_value, "--bandwidth needs a value", "migrate", "g", "h", "--bandwidth");
WRONG(migrate_name, "no name of a guest", "migrate", "../g", "h");
WRONG(migrate_port, "no address", "migrate", "g", "h:port");
WRONG(migrate_port_0, "nobody listens on port 0", "migrate", "g", "h:0");
WRONG(migrate_dname, "has no '/'", "migrate", "g", "h", "--dname", "a/b");
WRONG(migrate_bandwidth, "--bandwidth '-3'", "migrate", "g", "h", "--bandwidth", "-3");
WRONG(migrate_unit, "--bandwidth '10M'", "migrate", "g", "h", "--bandwidth", "10M");
WRONG(migrate_overflow, "--bandwidth '99999999999999999999'", "migrate", "g", "h",
      "--bandwidth", "99999999999999999999");
WRONG(migrate_timeout, "--timeout '0'", "migrate", "g", "h", "--timeout", "0");
WRONG(migrate_recover_zero, "--recover-timeout '0': give a whole number of seconds", "migrate",
      "g", "h", "--recover-timeout", "0");
WRONG(migrate_recover_words, "--recover-timeout 'soon'", "migrate", "g", "h",
      "--recover-timeout", "soon");
WRONG(migrate_recover_native, "--recover-timeout is not for --engine native", "migrate", "g",
      "h", "--engine", "native", "--recover-timeout", "9");
WRONG(recover_guest, "recover: the guest is missing", "recover", "--to", "h");
WRONG(recover_argument, "'h' is too much", "recover", "g", "h");
WRONG(recover_option, "recover: unknown option '--at'", "recover", "g", "--at", "h");
WRONG(recover_value, "recover: --to needs a value", "recover", "g", "--to");
WRONG(recover_address, "no address", "recover", "g", "--to", "h:port");
WRONG(recover_port_0, "nobody listens on port 0", "recover", "g", "--to", "h:0");
WRONG(migrate_downtime, "--downtime '0'", "migrate", "g", "h", "--downtime", "0");
WRONG(migrate_lanes, "--fault-lanes '33'", "migrate", "g", "h", "--fault-lanes", "33");
WRONG(migrate_push_lanes, "--push-lanes '0'", "migrate", "g", "h", "--push-lanes", "0");
WRONG(after_precopy, "--postcopy-after-precopy needs --postcopy", "migrate", "g", "h",
      "--postcopy-after-precopy");
WRONG(timeout_postcopy, "--timeout-postcopy needs --postcopy", "migrate", "g", "h",
      "--timeout", "3", "--timeout-postcopy");
WRONG(timeout_postcopy_alone, "--timeout-postcopy needs --timeout", "migrate", "g", "h",
      "--postcopy", "--timeout-postcopy");
WRONG(timeout_suspend_alone, "--timeout-suspend needs --timeout", "migrate", "g", "h",
      "--timeout-suspend");
WRONG(timeout_both, "exclude each other", "migrate", "g", "h", "--postcopy", "--timeout", "3",
      "--timeout-postcopy", "--timeout-suspend");
WRONG(postcopy_bandwidth, "--postcopy-bandwidth needs --postcopy", "migrate", "g", "h",
      "--postcopy-bandwidth", "3");
WRONG(copy_both, "exclude each other", "migrate", "g", "h", "--copy-storage-all",
      "--copy-storage-inc");
WRONG(copy_native, "is not for --engine native", "migrate", "g", "h", "--copy-storage-all",
      "--engine", "native");
WRONG(copy_synchronous, "needs --copy-storage-all", "migrate", "g", "h",
      "--copy-storage-synchronous-writes");
WRONG(no_rounds, "--precopy-rounds 0", "migrate", "g", "h", "--precopy-rounds", "0");

WRONG(engine_name, "--engine 'qemu': give straddle, native or auto", "migrate", "g", "h",
      "--engine", "qemu");
WRONG(engine_value, "--engine needs a value", "migrate", "g", "h", "--engine");
WRONG(engine_desturi, "--desturi is libvirt's", "migrate", "g", "h", "--desturi",
      "qemu+tls://h/system");
WRONG(engine_migrateuri, "--migrateuri is libvirt's", "migrate", "g", "h", "--migrateuri",
      "tcp:h");
WRONG(engine_tls, "--tls is libvirt's", "migrate", "g", "h", "--tls");
WRONG(engine_compressed, "--compressed is not for --engine native", "migrate", "g", "h",
      "--engine", "native", "--compressed");
WRONG(engine_compress_in_short, "--compressed is not for --engine native", "migrate", "g", "h",
      "--engine", "native", "--compress");
WRONG(engine_handover, "--handover is not for --engine native", "migrate", "g", "h",
      "--engine", "native", "--handover");
WRONG(engine_lanes, "--push-lanes is not for --engine native", "migrate", "g", "h",
      "--engine", "native", "--push-lanes", "2");
WRONG(engine_live, "needs --live", "migrate", "g", "h", "--engine", "native", "--postcopy");

TEST_F(usage, wrong_command_line_is_explained)
{
	EXPECT_EQ(2, straddle(variant->arguments));
	EXPECT_TRUE(strstr(text, variant->said)) {
		TH_LOG("it said: %s", text);
	}
}

TEST(agent_that_does_not_run_is_explained)
{
	static const char *const list[] = { "list", NULL };

	EXPECT_EQ(1, straddle(list));
	EXPECT_TRUE(strstr(text, "/nonexistent/socket"));
	EXPECT_TRUE(strstr(text, "systemctl start straddled"));
	EXPECT_TRUE(strstr(text, "--agent"));
}

TEST(error_is_json_where_json_is_asked_for)
{
	static const char *const list[] = { "list", "--json", NULL };
	struct json_object *object = NULL;

	EXPECT_EQ(1, straddle(list));
	ASSERT_EQ(0, json_parse(text, strcspn(text, "\n"), &object));
	EXPECT_STREQ("error", json_text(object, "type"));
	EXPECT_TRUE(strstr(json_text(object, "error"), "/nonexistent/socket"));
	json_object_put(object);
}

TEST(help_names_every_command_and_option)
{
	static const char *const help[] = { "--help", NULL };
	static const char *const migrate[] = { "migrate", "--help", NULL };

	EXPECT_EQ(0, straddle(help));
	EXPECT_TRUE(strstr(text, "postcopy GUEST"));
	EXPECT_EQ(0, straddle(migrate));
	EXPECT_TRUE(strstr(text, "--postcopy-after-precopy"));
}

FIXTURE(agent)
{
	struct agent_process agent;
};

FIXTURE_SETUP(agent)
{
	agent_dirs(&self->agent, "a");
	ASSERT_EQ(0, agent_start(&self->agent, NULL));
}

FIXTURE_TEARDOWN(agent)
{
	EXPECT_EQ(0, agent_stop(&self->agent));
}

#define RUN(...) agent_straddle(&self->agent, (const char *const[]){ __VA_ARGS__, NULL }, \
				text, sizeof(text))

TEST_F(agent, empty_host_is_said_in_words)
{
	EXPECT_EQ(0, RUN("list"));
	EXPECT_STREQ("no guest runs on this host\n", text);
	EXPECT_EQ(0, RUN("status"));
	EXPECT_STREQ("no migration is under way on this host\n", text);
	EXPECT_EQ(0, RUN("history"));
	EXPECT_STREQ("no migration is in the journal of this host\n", text);
}

TEST_F(agent, json_is_one_object_a_line)
{
	static const char *const commands[] = { "list", "status", "history" };
	struct json_object *object;
	size_t i;

	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, RUN("--json", commands[i]));
		ASSERT_EQ(0, json_parse(text, strcspn(text, "\n"), &object));
		EXPECT_STREQ(commands[i], json_text(object, "type"));
		EXPECT_STREQ("\n", strchr(text, '\n'));
		json_object_put(object);
	}
}

TEST_F(agent, unknown_guest_is_named)
{
	EXPECT_EQ(1, RUN("migrate", "nobody", "127.0.0.1:1"));
	EXPECT_TRUE(strstr(text, "guest 'nobody' was not migrated"));
	EXPECT_TRUE(strstr(text, "straddle list"));
	EXPECT_EQ(1, RUN("abort", "nobody"));
	EXPECT_TRUE(strstr(text, "guest 'nobody' has no migration under way"));
	EXPECT_EQ(1, RUN("status", "nobody"));
	EXPECT_TRUE(strstr(text, "straddle history"));
	/* Nothing of it is left. */
	EXPECT_EQ(0, RUN("history"));
	EXPECT_STREQ("no migration is in the journal of this host\n", text);
}

TEST_F(agent, control_characters_do_not_reach_the_terminal)
{
	EXPECT_EQ(1, RUN("status", "\033[2Jx"));
	EXPECT_NULL(strchr(text, '\033'));
	EXPECT_TRUE(strstr(text, "'?[2Jx'"));
}

TEST_HARNESS_MAIN
