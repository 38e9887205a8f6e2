/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* define.c - the guest driver's store of persistent definitions. */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "harness.h"
#include "lib/program.h"
#include "protocol/guest.h"
#include "sys.h"
#include "tools/guests/vmm_client.h"
#include "tools/lib/textfile.h"

#define UUID_DB		"9b2ba1a3-56a2-4f2d-8a10-2f3c0ad6c1de"
#define UUID_OTHER	"00000000-56a2-4f2d-8a10-2f3c0ad6c1de"
#define OF(uuid, rest)	"{\"name\":\"db\",\"uuid\":\"" uuid "\"" rest "}"

FIXTURE(define) {
	struct guest_host host;
	char definitions[300];
	struct fail fail;
};

FIXTURE_SETUP(define)
{
	char path[512];

	build_path(path, sizeof(path), "straddle-vmm");
	setenv("STRADDLE_VMM", path, 1);
	snprintf(self->definitions, sizeof(self->definitions),
		 "%s/definitions", test_dir());
	self->host.run_dir = test_dir();
	self->host.definitions_dir = self->definitions;
}

FIXTURE_TEARDOWN(define)
{
	unsetenv("STRADDLE_VMM");
}

/* Stores it under a name; *previous and fail are the test's. */
static int define(FIXTURE_DATA(define) *self, const char *name,
		  const char *text, char **previous)
{
	self->fail = (struct fail){ 0 };
	return vmm_driver.define(&self->host, name, text, previous,
				 &self->fail);
}

/* The caller's to free; NULL: nothing is stored. */
static char *stored(FIXTURE_DATA(define) *self, const char *name)
{
	char path[400], *text = NULL;

	snprintf(path, sizeof(path), "%s/%s.json", self->definitions, name);
	EXPECT_EQ(0, textfile_read(path, 1000, &text, NULL));
	return text;
}

TEST_F(define, definition_is_replaced_and_removed_whole)
{
	__cleanup_free char *first = NULL, *second = NULL, *third = NULL;
	__cleanup_free char *now = NULL, *then = NULL;

	ASSERT_EQ(0, define(self, "db", OF(UUID_DB, ""), &first));
	EXPECT_NULL(first);
	ASSERT_EQ(0, define(self, "db", OF(UUID_DB, ",\"rate\":2"), &second));
	EXPECT_STREQ(OF(UUID_DB, ""), second);
	now = stored(self, "db");
	EXPECT_STREQ(OF(UUID_DB, ",\"rate\":2"), now);
	ASSERT_EQ(0, define(self, "db", NULL, &third));
	EXPECT_STREQ(now, third);
	then = stored(self, "db");
	EXPECT_NULL(then);
	EXPECT_EQ(-EINVAL, define(self, "../db", OF(UUID_DB, ""), NULL));
}

TEST_F(define, definition_is_stored_under_the_name_here)
{
	__cleanup_free char *now = NULL;
	struct json_object *root;

	ASSERT_EQ(0, define(self, "db-new", OF(UUID_DB, ",\"rate\":2"), NULL));
	now = stored(self, "db-new");
	root = json_tokener_parse(now);
	ASSERT_NE(NULL, root);
	EXPECT_STREQ("db-new", vmm_text(root, "name"));
	EXPECT_STREQ(UUID_DB, vmm_text(root, "uuid"));
	EXPECT_EQ(2, vmm_number(root, "rate"));
	json_object_put(root);
}

#define OLD	OF(UUID_DB, ",\"rate\":1")
#define NEW	OF(UUID_DB, ",\"rate\":2")

/* Is it all there is? NULL: nothing is. */
static void expect_stored(FIXTURE_DATA(define) *self, const char *wanted)
{
	__cleanup_free char *now = stored(self, "db");
	char path[400];

	if (wanted)
		EXPECT_STREQ(wanted, now);
	else
		EXPECT_NULL(now);
	snprintf(path, sizeof(path), "%s/.db.json.old", self->definitions);
	EXPECT_EQ(-ENOENT, sys_ret(access(path, F_OK)));
}

static int define_end(FIXTURE_DATA(define) *self, bool keep)
{
	return vmm_driver.define_end(&self->host, "db", keep, &self->fail);
}

TEST_F(define, definition_that_was_replaced_is_put_back_until_its_end)
{
	ASSERT_EQ(0, define_end(self, false));
	ASSERT_EQ(0, define(self, "db", OLD, NULL));
	ASSERT_EQ(0, define_end(self, true));
	expect_stored(self, OLD);
	ASSERT_EQ(0, define(self, "db", NEW, NULL));
	ASSERT_EQ(0, define_end(self, false));
	expect_stored(self, OLD);
	ASSERT_EQ(0, define(self, "db", NEW, NULL));
	ASSERT_EQ(0, define_end(self, true));
	ASSERT_EQ(0, define_end(self, false));
	expect_stored(self, NEW);
}

TEST_F(define, definition_that_replaced_none_is_removed_again)
{
	ASSERT_EQ(0, define(self, "db", NEW, NULL));
	ASSERT_EQ(0, define_end(self, false));
	expect_stored(self, NULL);
}

/* The caller may have undone it itself, and died before it said so. */
TEST_F(define, definition_that_was_put_back_is_put_back_again)
{
	ASSERT_EQ(0, define(self, "db", OLD, NULL));
	ASSERT_EQ(0, define_end(self, true));
	ASSERT_EQ(0, define(self, "db", NEW, NULL));
	ASSERT_EQ(0, define(self, "db", OLD, NULL));
	ASSERT_EQ(0, define_end(self, false));
	expect_stored(self, OLD);
}

TEST_F(define, what_is_no_definition_is_not_stored)
{
	static const char *const table[] = {
		"", "[]", "null", "{}", "{\"name\":\"db\"}",
		"{\"uuid\":\"" UUID_DB "\"}", OF("1", ""),
		OF("9b2ba1a3-56a2-4f2d-8a10-2f3c0ad6c1dg", ""),
		"{\"name\":\"db\",\"uuid\":1}",
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		__cleanup_free char *now = NULL;

		EXPECT_EQ(-EINVAL, define(self, "db", table[i], NULL)) {
			TH_LOG("%s", table[i]);
		}
		now = stored(self, "db");
		EXPECT_NULL(now);
	}
}

TEST_F(define, definition_of_another_guest_is_in_the_way)
{
	static const char *const others[] = {
		OF(UUID_OTHER, ""), "{\"name\":\"db\"}", "not JSON",
	};
	struct guest_incoming incoming = {
		.live = OF(UUID_DB, ""), .name = "db",
	};
	char path[400];
	size_t i;

	ASSERT_EQ(0, sys_ret(mkdir(self->definitions, 0700)));
	snprintf(path, sizeof(path), "%s/db.json", self->definitions);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		__cleanup_free char *now = NULL;

		ASSERT_EQ(0, textfile_write(path, others[i], &self->fail));
		EXPECT_EQ(-EEXIST, define(self, "db", OF(UUID_DB, ""), NULL));
		now = stored(self, "db");
		EXPECT_STREQ(others[i], now);
		self->fail = (struct fail){ 0 };
		EXPECT_EQ(-EEXIST, vmm_driver.check(&self->host, &incoming,
						    &self->fail));
		EXPECT_TRUE(strstr(self->fail.text, "migrate with --dname"));
	}
	self->fail = (struct fail){ 0 };
	ASSERT_EQ(0, textfile_write(path, OF(UUID_DB, "") "\n", &self->fail));
	EXPECT_EQ(0, vmm_driver.check(&self->host, &incoming, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
}

TEST_HARNESS_MAIN
