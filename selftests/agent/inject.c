/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inject.c - the agent's --inject: what it takes, refuses, and remembers. */
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_process.h"
#include "harness.h"
#include "lib/program.h"
#include "protocol/inject.h"
#include "sys.h"

#define EXIT_USAGE	2
#define TEXT_MAX	32768
/* Each start writes that, so each start comes to it. */
#define DEATH		"journal.expire:kill-after"

static int run(const char *option, const char *value, char *text)
{
	const char *argv[] = { "straddled", option, value, NULL };

	return program_output(argv, text, TEXT_MAX);
}

#if !STRADDLE_INJECT
TEST(release_refuses_every_fault_in_words)
{
	char text[TEXT_MAX];

	EXPECT_EQ(EXIT_USAGE, run("--inject", "run:flip", text));
	EXPECT_NE(NULL, strstr(text, "built without fault injection"));
	EXPECT_NE(NULL, strstr(text, "make INJECT=1"));
	EXPECT_EQ(EXIT_USAGE, run("--inject", "help", text));
	EXPECT_NE(NULL, strstr(text, "built without fault injection"));
}
#else

/* "finish.answer" is listed as "answer", with its phases; states as they are. */
TEST(help_lists_every_point_and_action)
{
	struct inject_point point;
	char text[TEXT_MAX];
	const char *action;
	unsigned int kinds;
	size_t i;

	ASSERT_EQ(0, run("--inject", "help", text));
	for (i = 0; inject_point_get(i, &point); i++) {
		const char *name = point.kind == INJECT_JOURNAL ? point.name :
				   strchr(point.name, '.') + 1;

		EXPECT_NE(NULL, strstr(text, name)) {
			TH_LOG("%s is not listed", point.name);
		}
	}
	for (i = 0; (action = inject_action_get(i, &kinds)); i++)
		EXPECT_NE(NULL, strstr(text, action)) {
			TH_LOG("%s is not listed", action);
		}
}

TEST(fault_that_cannot_be_is_refused_at_the_start)
{
	char text[TEXT_MAX];

	EXPECT_EQ(EXIT_USAGE, run("--inject", "finish.anser:drop", text));
	EXPECT_STREQ("straddled: --inject 'finish.anser:drop': there is no point 'finish.anser'; "
		     "'straddled --inject help' lists them, messages and frames in lower case, "
		     "states in upper case\n", text);
	EXPECT_EQ(EXIT_USAGE, run("--inject", "run:flip,run:drop/2", text));
	EXPECT_NE(NULL, strstr(text, "--inject 'run:drop/2': '/2' does not say when"));
	EXPECT_EQ(EXIT_USAGE, run("--inject-seed", "five", text));
	EXPECT_NE(NULL, strstr(text, "--inject-seed: give a number, not 'five'"));
}

FIXTURE(agent)
{
	struct agent_process agent;
};

FIXTURE_SETUP(agent)
{
	agent_dirs(&self->agent, "a");
}

FIXTURE_TEARDOWN(agent)
{
	if (self->agent.pid > 0)
		EXPECT_EQ(0, agent_stop(&self->agent));
}

static int start(FIXTURE_DATA(agent) *self, const char *faults, const char *seed)
{
	const char *more[] = { "--listen", "127.0.0.1:0", "--inject", faults,
			       seed ? "--inject-seed" : NULL, seed, NULL };

	self->agent.log[0] = '\0';
	return agent_start(&self->agent, more);
}

/* Without the file each restart by a service manager would die as the first. */
TEST_F(agent, killed_once_lives_when_it_is_started_again)
{
	ASSERT_EQ(128 + SIGKILL, start(self, DEATH, NULL));
	EXPECT_NE(NULL, strstr(self->agent.log, "injected fault " DEATH));
	ASSERT_EQ(0, start(self, DEATH, NULL));
	EXPECT_NE(NULL, strstr(self->agent.log, "faults are injected here: " DEATH));
	EXPECT_EQ(NULL, strstr(self->agent.log, "injected fault"));
}

TEST_F(agent, ended_by_itself_begins_anew)
{
	char path[400];

	ASSERT_EQ(128 + SIGKILL, start(self, DEATH, NULL));
	ASSERT_EQ(0, start(self, DEATH, NULL));
	snprintf(path, sizeof(path), "%s/inject", self->agent.run_dir);
	EXPECT_EQ(0, access(path, F_OK));
	EXPECT_EQ(0, agent_stop(&self->agent));
	EXPECT_NE(0, access(path, F_OK));
	EXPECT_EQ(128 + SIGKILL, start(self, DEATH, NULL));
}

TEST_F(agent, other_faults_or_another_seed_begin_anew)
{
	ASSERT_EQ(128 + SIGKILL, start(self, DEATH, "1"));
	EXPECT_EQ(128 + SIGKILL, start(self, DEATH, "2"));
	EXPECT_EQ(128 + SIGKILL, start(self, DEATH ",ping:drop", "2"));
	EXPECT_EQ(0, start(self, DEATH ",ping:drop", "2"));
}

static uint64_t seed_now(FIXTURE_DATA(agent) *self)
{
	struct json_object *answer = agent_answer(&self->agent, "{\"do\":\"status\"}");
	struct json_object *inject = NULL, *seed = NULL;
	uint64_t value;

	ASSERT_TRUE(json_object_object_get_ex(answer, "inject", &inject));
	ASSERT_TRUE(json_object_object_get_ex(inject, "seed", &seed));
	value = json_object_get_uint64(seed);
	json_object_put(answer);
	return value;
}

TEST_F(agent, seed_is_kept_after_a_crash)
{
	uint64_t seed;
	char text[80];

	ASSERT_EQ(0, start(self, "ping:drop/5%", NULL));
	seed = seed_now(self);
	snprintf(text, sizeof(text), "--inject-seed %ju", (uintmax_t)seed);
	EXPECT_NE(NULL, strstr(self->agent.log, text));
	EXPECT_EQ(128 + SIGKILL, agent_kill(&self->agent));
	ASSERT_EQ(0, start(self, "ping:drop/5%", NULL));
	EXPECT_EQ(seed, seed_now(self));
}

TEST_F(agent, without_faults_has_none)
{
	struct json_object *answer, *inject;

	ASSERT_EQ(0, agent_start(&self->agent, NULL));
	answer = agent_answer(&self->agent, "{\"do\":\"status\"}");
	EXPECT_FALSE(json_object_object_get_ex(answer, "inject", &inject));
	json_object_put(answer);
	EXPECT_EQ(NULL, strstr(self->agent.log, "inject"));
}
#endif

TEST_HARNESS_MAIN
