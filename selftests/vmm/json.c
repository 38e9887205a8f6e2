/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json.c - text from elsewhere: what is an object, and what it may cost. */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "cleanup.h"
#include "fail.h"
#include "harness.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/packet.h"
#include "sys.h"

#define TEXT_SIZE	(1u << 20)

static int parse(const char *text)
{
	struct json_object *object = NULL;
	int ret = json_parse(text, strlen(text), &object);

	EXPECT_EQ(!ret, !!object);
	json_object_put(object);
	return ret;
}

TEST(object_may_have_space_around_it)
{
	EXPECT_EQ(0, parse(" {}"));
	EXPECT_EQ(0, parse("{}\r\n\t "));
	EXPECT_EQ(-EPROTO, parse("{} {}"));
	EXPECT_EQ(-EPROTO, parse("  "));
	EXPECT_EQ(-EPROTO, parse(""));
}

/* "{"x":[" and then as many of @unit as there is room for. */
static int parse_many(const char *unit, const char *end)
{
	__cleanup_free char *text = malloc(TEXT_SIZE);
	size_t used, length = strlen(unit);

	ASSERT_TRUE(text);
	strcpy(text, "{\"x\":[");
	for (used = strlen(text); used + length + 8 < TEXT_SIZE; used += length)
		memcpy(text + used, unit, length);
	strcpy(text + used, end);
	return parse(text);
}

/* A quarter of a gigabyte of memory, were it parsed. */
TEST(memory_for_an_object_is_bounded)
{
	EXPECT_EQ(-EPROTO, parse_many("{},", "0]}"));
	EXPECT_EQ(-EPROTO, parse_many("[[]],", "0]}"));
	EXPECT_EQ(0, parse_many("123456,", "0]}"));
}

TEST(brackets_in_a_string_cost_nothing)
{
	EXPECT_EQ(0, parse_many("\"{[,:{[\\\"{[{[{[\\\\\",", "0]}"));
}

/* Cut to fit in the middle of a character, it would be no JSON for the agent. */
TEST(reason_that_was_cut_goes_in_a_packet)
{
	struct json_object *object = json_object_new_object(), *heard = NULL;
	struct fail fail = { .err = 0 };
	char text[2 * FAIL_TEXT_MAX] = "";
	size_t i;
	int fds[2];

	for (i = 0; i + 3 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xb6", 3);
	fail_set(&fail, -EPROTO, "%s\n\x1b[2J", text);
	EXPECT_EQ(FAIL_TEXT_MAX - 1, strlen(fail.text));
	json_object_object_add(object, "error", json_object_new_string(fail.text));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
	ASSERT_EQ(0, packet_send(fds[0], object, -1));
	EXPECT_EQ(0, packet_receive(fds[1], &heard, NULL));
	json_object_put(object);
	json_object_put(heard);
	close(fds[0]);
	close(fds[1]);
}

TEST(text_that_is_no_utf8_costs_no_packet)
{
	struct json_object *object = json_object_new_object(), *heard = NULL;
	int fds[2];

	json_object_object_add(object, "note", json_object_new_string("a\xc3\"\n\xff"));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
	ASSERT_EQ(0, packet_send(fds[0], object, -1));
	ASSERT_EQ(0, packet_receive(fds[1], &heard, NULL));
	EXPECT_STREQ("a?\"\n?", json_text(heard, "note"));
	json_object_put(object);
	json_object_put(heard);
	close(fds[0]);
	close(fds[1]);
}

TEST(reason_is_one_line_that_a_terminal_shows)
{
	struct fail fail = { .err = 0 };

	fail_set(&fail, -EIO, "QEMU says: a\nb\x1b[2J \xff \xe2\x80\xae \xc3\xb6");
	EXPECT_STREQ("QEMU says: a b?[2J ? ??? \xc3\xb6", fail.text);
}

TEST_HARNESS_MAIN
