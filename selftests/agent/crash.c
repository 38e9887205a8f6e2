/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* crash.c - a worker that is killed while pages move costs one migration. */
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "agent_process.h"
#include "harness.h"
#include "lib/vmm.h"
#include "sys.h"
#include "tools/lib/jsonline.h"

FIXTURE(crash)
{
	struct agent_process source, dest;
	struct test_vmm vmm;
	char host[32];
};

FIXTURE_SETUP(crash)
{
	const char *more[] = {
		"--engine", "threads", "--memory", "16M", "--rate", "2000", NULL
	};
	struct test_vmm_options options = { .run_dir = self->source.run_dir, .more = more };

	agent_dirs(&self->source, "source");
	agent_dirs(&self->dest, "dest");
	ASSERT_EQ(0, agent_start(&self->source, NULL));
	ASSERT_EQ(0, agent_start(&self->dest, NULL));
	ASSERT_EQ(0, vmm_spawn(&self->vmm, "moving", &options)) {
		TH_LOG("%s", self->vmm.fail.text);
	}
	snprintf(self->host, sizeof(self->host), "127.0.0.1:%u", self->dest.port);
}

FIXTURE_TEARDOWN(crash)
{
	EXPECT_EQ(0, agent_stop(&self->source));
	EXPECT_EQ(0, agent_stop(&self->dest));
	vmm_kill(&self->vmm);
}

/* Slower than the guest writes: it lasts. Wait until pages move; the client. */
static int migrate_slowly(const struct agent_process *source, const char *host)
{
	struct json_object *object, *bytes;
	int fd = agent_connect_control(source);
	bool moves = false;
	char line[256];

	ASSERT_LE(0, fd);
	snprintf(line, sizeof(line), "{\"do\":\"migrate\",\"options\":{\"guest\":\"moving\","
		 "\"host\":\"%s\",\"live\":true,\"bandwidth\":524288}}", host);
	ASSERT_EQ(0, line_send(fd, line));
	while (!moves && (object = line_receive(fd))) {
		ASSERT_STRNE("result", json_text(object, "type")) {
			TH_LOG("%s", json_text(object, "error") ?: "");
		}
		moves = json_object_object_get_ex(object, "round_bytes", &bytes) &&
			json_object_get_int64(bytes) > 0;
		json_object_put(object);
	}
	ASSERT_TRUE(moves);
	return fd;
}

static void worker_kill(const struct agent_process *agent)
{
	struct json_object *answer = agent_answer(agent, "{\"do\":\"status\"}");
	struct json_object *list = NULL, *worker = NULL;

	ASSERT_TRUE(answer && json_object_object_get_ex(answer, "migrations", &list));
	ASSERT_EQ(1, json_object_array_length(list));
	ASSERT_TRUE(json_object_object_get_ex(json_object_array_get_idx(list, 0), "worker",
					      &worker));
	ASSERT_LT(1, json_object_get_int(worker));
	ASSERT_EQ(0, kill(json_object_get_int(worker), SIGKILL));
	json_object_put(answer);
}

static void failure_await(int fd)
{
	struct json_object *object, *ok = NULL;
	bool ended = false;

	while (!ended && (object = line_receive(fd))) {
		ended = !strcmp(json_text(object, "type") ?: "", "result");
		if (ended && json_object_object_get_ex(object, "ok", &ok))
			EXPECT_FALSE(json_object_get_boolean(ok));
		json_object_put(object);
	}
	EXPECT_TRUE(ended);
	close(fd);
}

static int straddle(const struct agent_process *agent, const char *const *arguments)
{
	char text[4096];
	int ret = agent_straddle(agent, arguments, text, sizeof(text));

	TH_LOG("%s", text);
	return ret;
}

/*
 * Fails when the agent does not take the dead worker's userfaultfd out of the
 * guest: the second migration cannot register its memory then (EBUSY).
 */
TEST_F_TIMEOUT(crash, next_migration_works_after_a_source_worker_died, 60)
{
	const char *migrate[] = { "migrate", "moving", self->host, "--live", NULL };
	int fd = migrate_slowly(&self->source, self->host);

	worker_kill(&self->source);
	failure_await(fd);
	/* The dest has noticed, too, before it is asked again. */
	EXPECT_TRUE(agent_says(&self->dest, "DISCARDED"));
	EXPECT_EQ(0, straddle(&self->source, migrate));
}

TEST_F_TIMEOUT(crash, next_migration_works_after_a_dest_worker_died, 60)
{
	const char *migrate[] = { "migrate", "moving", self->host, "--live", NULL };
	int fd = migrate_slowly(&self->source, self->host);

	worker_kill(&self->dest);
	failure_await(fd);
	EXPECT_TRUE(agent_says(&self->dest, "was left in state PREPARED: ended"));
	EXPECT_EQ(0, straddle(&self->source, migrate));
}

TEST_F_TIMEOUT(crash, next_migration_works_after_the_source_agent_died, 60)
{
	const char *migrate[] = { "migrate", "moving", self->host, "--live", NULL };
	int fd = migrate_slowly(&self->source, self->host);
	struct agent_process next;

	EXPECT_EQ(128 + SIGKILL, agent_kill(&self->source));
	close(fd);
	next = self->source;
	next.log[0] = '\0';
	ASSERT_EQ(0, agent_start(&next, NULL));
	self->source = next;
	EXPECT_TRUE(agent_says(&self->source, "ended the worker of an earlier agent"));
	EXPECT_TRUE(agent_says(&self->dest, "DISCARDED"));
	EXPECT_EQ(0, straddle(&self->source, migrate));
}

TEST_HARNESS_MAIN
