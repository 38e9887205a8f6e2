// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * definitions.c - the live and the persistent definition go their own ways.
 *
 * What breaks it, tried once: finish_undo_dest() restores nothing, and the
 * definition of a guest that never ran there is left in the old one's place.
 */
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "crossing.h"
#include "harness.h"
#include "lib/process.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/textfile.h"
#include "uffd/sys.h"

#define RATE_STORED	3000
#define RATE_LIVE	5000
#define FILE_MAX	65536

FIXTURE(definitions) {
	struct pair *pair;
	struct host *source, *dest;
	struct fail fail;
	char path[256];		/* of "db" at the source */
	char name[64];		/* last read from a definition */
};

static void stored_path(const struct host *host, const char *name, char *path,
			size_t size)
{
	snprintf(path, size, "%s/definitions/%s.json", host->state_dir, name);
}

FIXTURE_SETUP(definitions)
{
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PLAIN, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
	stored_path(self->source, "db", self->path, sizeof(self->path));
	crossing_guest(self->pair, "db", (const char *const[]){
		"--rate", "3000", "--persistent", self->path, NULL });
	ASSERT_EQ(0, guest_set_rate(self->source, "db", RATE_LIVE, true, false,
				    &self->fail));
}

FIXTURE_TEARDOWN(definitions)
{
	pair_destroy(self->pair);
}

static uint64_t rate_of(const char *text)
{
	struct json_object *object = text ? json_tokener_parse(text) : NULL;
	struct json_object *rate = NULL;
	uint64_t value = 0;

	if (object && json_object_object_get_ex(object, "rate", &rate))
		value = json_object_get_uint64(rate);
	json_object_put(object);
	return value;
}

/* The rate in a stored definition; 0: there is none. */
static uint64_t rate_stored(const struct host *host, const char *name)
{
	char path[256], *text = NULL;
	uint64_t rate;

	stored_path(host, name, path, sizeof(path));
	if (textfile_read(path, FILE_MAX, &text, NULL))
		return 0;
	rate = rate_of(text);
	free(text);
	return rate;
}

/* The name in a stored definition, in @self; "": there is none. */
static const char *name_stored(FIXTURE_DATA(definitions) *self,
			       const struct host *host, const char *name)
{
	__cleanup_free char *text = NULL;
	struct json_object *object;
	char path[256];

	stored_path(host, name, path, sizeof(path));
	textfile_read(path, FILE_MAX, &text, NULL);
	object = text ? json_tokener_parse(text) : NULL;
	snprintf(self->name, sizeof(self->name), "%s",
		 object ? json_text(object, "name") : "");
	json_object_put(object);
	return self->name;
}

static uint64_t rate_live(FIXTURE_DATA(definitions) *self,
			  const struct host *host, const char *name)
{
	struct guest_view view;
	uint64_t rate;

	ASSERT_EQ(0, guest_view_get(host, name, &view, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	rate = rate_of(view.live);
	guest_view_fini(&view);
	return rate;
}

static void migrate(FIXTURE_DATA(definitions) *self, const char *options)
{
	struct move move;

	ASSERT_EQ(0, move_run(&move, self->source, "db", self->dest->address,
			      options)) {
		TH_LOG("%s", move.error);
	}
	crossing_rows(self->pair, move.id, "TORN_DOWN", "DONE");
}

TEST_F(definitions, persistent_brings_both_apart)
{
	migrate(self, "\"live\":true,\"persistent\":true");
	crossing_arrived(self->pair, self->dest, "db");
	EXPECT_EQ(RATE_LIVE, rate_live(self, self->dest, "db"));
	EXPECT_EQ(RATE_STORED, rate_stored(self->dest, "db"));
	EXPECT_EQ(RATE_STORED, rate_stored(self->source, "db"));
}

TEST_F(definitions, without_persistent_it_is_transient_there)
{
	migrate(self, "\"live\":true");
	EXPECT_EQ(RATE_LIVE, rate_live(self, self->dest, "db"));
	EXPECT_EQ(0, rate_stored(self->dest, "db"));
	EXPECT_EQ(RATE_STORED, rate_stored(self->source, "db"));
}

TEST_F(definitions, undefinesource_removes_it_at_the_source)
{
	migrate(self, "\"live\":true,\"persistent\":true,"
		"\"undefine_source\":true");
	EXPECT_EQ(RATE_STORED, rate_stored(self->dest, "db"));
	EXPECT_EQ(0, rate_stored(self->source, "db"));
}

/* As virsh has it: what is transient here is stored there as it runs. */
TEST_F(definitions, persistent_stores_what_runs_of_a_transient_guest)
{
	char path[256];

	stored_path(self->source, "db", path, sizeof(path));
	ASSERT_EQ(0, sys_ret(unlink(path)));
	migrate(self, "\"live\":true,\"persistent\":true,"
		"\"undefine_source\":true");
	crossing_arrived(self->pair, self->dest, "db");
	EXPECT_EQ(RATE_LIVE, rate_stored(self->dest, "db"));
	EXPECT_EQ(0, rate_stored(self->source, "db"));
}

TEST_F(definitions, dname_renames_the_guest_and_what_is_stored)
{
	migrate(self, "\"live\":true,\"persistent\":true,"
		"\"dest_name\":\"db-new\"");
	crossing_arrived(self->pair, self->dest, "db-new");
	EXPECT_FALSE(guest_exists(self->dest, "db"));
	EXPECT_EQ(RATE_STORED, rate_stored(self->dest, "db-new"));
	EXPECT_EQ(0, rate_stored(self->dest, "db"));
	EXPECT_STREQ("db-new", name_stored(self, self->dest, "db-new"));
}

/* What lies at the dest before: the guest's own, or as @uuid says. */
static void store_old(FIXTURE_DATA(definitions) *self, const char *uuid,
		      char *path, size_t size)
{
	struct guest_view view;
	struct json_object *old;

	ASSERT_EQ(0, guest_view_get(self->source, "db", &view, &self->fail));
	old = json_tokener_parse(view.live);
	json_object_object_add(old, "rate", json_object_new_int(77));
	if (uuid)
		json_object_object_add(old, "uuid",
				       json_object_new_string(uuid));
	stored_path(self->dest, "db", path, size);
	ASSERT_EQ(0, textfile_write(path, json_object_to_json_string(old),
				    &self->fail));
	json_object_put(old);
	guest_view_fini(&view);
}

TEST_F(definitions, one_of_that_name_there_is_replaced)
{
	char path[256];

	store_old(self, NULL, path, sizeof(path));
	EXPECT_EQ(77, rate_stored(self->dest, "db"));
	migrate(self, "\"live\":true,\"persistent\":true");
	EXPECT_EQ(RATE_STORED, rate_stored(self->dest, "db"));
}

TEST_F(definitions, one_of_another_guest_there_stays)
{
	struct move move;
	char path[256];

	store_old(self, "9b2ba1a3-56a2-4f2d-8a10-2f3c0ad6c1de", path,
		  sizeof(path));
	EXPECT_EQ(-ECANCELED, move_run(&move, self->source, "db",
				       self->dest->address, "\"live\":true"));
	EXPECT_NE(NULL, strstr(move.error, "migrate with --dname")) {
		TH_LOG("%s", move.error);
	}
	crossing_undone(self->pair, "db");
	EXPECT_EQ(77, rate_stored(self->dest, "db"));
}

/* ... nor one that appears after it was looked for. */
TEST_F_TIMEOUT(definitions, one_of_another_guest_stays_at_finish, 60)
{
	struct move move;
	char path[256];

	ASSERT_EQ(0, two_hosts_limit(self->pair->hosts, &crossing_slow, NULL));
	ASSERT_EQ(0, move_start(&move, self->source, "db", self->dest->address,
				"\"live\":true,\"persistent\":true,"
				"\"postcopy\":true,\"rounds_max\":1"));
	ASSERT_EQ(0, move_wait_round(&move, 1));
	store_old(self, "9b2ba1a3-56a2-4f2d-8a10-2f3c0ad6c1de", path,
		  sizeof(path));
	EXPECT_EQ(-ECANCELED, move_wait(&move));
	move_end(&move);
	crossing_rows(self->pair, move.id, "RESUMED", "DISCARDED");
	crossing_undone(self->pair, "db");
	EXPECT_EQ(77, rate_stored(self->dest, "db"));
}

/*
 * The dest is held up just before it stores the definition, by a lease on the
 * old one; then its agent dies, so that GO cannot be journalled.
 */
TEST_F_TIMEOUT(definitions, one_that_was_replaced_is_restored_before_go, 60)
{
	struct move move;
	char path[256];
	int fd, worker;

	signal(SIGIO, SIG_IGN);
	ASSERT_EQ(0, two_hosts_limit(self->pair->hosts, &crossing_slow, NULL));
	ASSERT_EQ(0, move_start(&move, self->source, "db", self->dest->address,
				"\"live\":true,\"persistent\":true,"
				"\"postcopy\":true,\"rounds_max\":1"));
	ASSERT_EQ(0, move_wait_round(&move, 1));
	store_old(self, NULL, path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, sys_ret(fcntl(fd, F_SETLEASE, F_WRLCK)));
	ASSERT_TRUE(crossing_row_reaches(self->dest, move.id, SIDE_DEST,
					 "LOADED"));
	worker = sys_pidfd_open(host_worker(self->dest, "dest"));
	ASSERT_LE(0, worker);
	kill(self->pair->dest_agent, SIGKILL);
	ASSERT_EQ(128 + SIGKILL, process_wait(self->pair->dest_agent, -1));
	ASSERT_EQ(0, sys_ret(fcntl(fd, F_SETLEASE, F_UNLCK)));
	close(fd);
	ASSERT_EQ(0, sys_wait_fd(worker, POLLIN, 20000));
	close(worker);
	/* The worker cannot know whether GO was written: the next agent does. */
	self->pair->dest_agent = pair_start_agent(self->pair, self->dest,
						  &self->fail);
	ASSERT_LT(0, self->pair->dest_agent) {
		TH_LOG("%s", self->fail.text);
	}
	EXPECT_EQ(-ECANCELED, move_wait(&move));
	move_end(&move);
	crossing_rows(self->pair, move.id, "RESUMED", "DISCARDED");
	crossing_undone(self->pair, "db");
	EXPECT_EQ(77, rate_stored(self->dest, "db"));
}

TEST_F(definitions, one_that_cannot_be_stored_ends_it_before_go)
{
	struct move move;
	char path[256];

	stored_path(self->dest, "db", path, sizeof(path));
	ASSERT_EQ(0, sys_ret(mkdir(path, 0700)));
	EXPECT_EQ(-ECANCELED, move_run(&move, self->source, "db",
				       self->dest->address,
				       "\"live\":true,\"persistent\":true"));
	EXPECT_NE(NULL, strstr(move.error, "db.json"));
	crossing_undone(self->pair, "db");
	EXPECT_EQ(RATE_STORED, rate_stored(self->source, "db"));
}

TEST_HARNESS_MAIN
