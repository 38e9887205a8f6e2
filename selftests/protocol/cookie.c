// SPDX-License-Identifier: LGPL-2.1-or-later
/* cookie.c - what phases tell each other survives the way, and no more does. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "protocol/cookie.h"

TEST(cookie_arrives_as_it_was_baked)
{
	struct cookie baked = {
		.host = "left", .release = "6.18", .version = 7,
		.stopped_ns = 1, .started_ns = 2, .downtime_ns = 3,
		.total_ns = UINT64_MAX,
	};
	struct cookie eaten = { .version = 0 };
	struct fail fail = { 0 };
	ProtobufCBinaryData bytes;

	ASSERT_EQ(0, cookie_bake(&baked, &bytes));
	ASSERT_EQ(0, cookie_eat(&eaten, &bytes, &fail)) {
		TH_LOG("%s", fail.text);
	}
	EXPECT_STREQ(baked.host, eaten.host);
	EXPECT_STREQ(baked.release, eaten.release);
	EXPECT_EQ(baked.version, eaten.version);
	EXPECT_EQ(baked.stopped_ns, eaten.stopped_ns);
	EXPECT_EQ(baked.started_ns, eaten.started_ns);
	EXPECT_EQ(baked.downtime_ns, eaten.downtime_ns);
	EXPECT_EQ(baked.total_ns, eaten.total_ns);
	free(bytes.data);
}

TEST(what_a_later_cookie_leaves_out_stays)
{
	struct cookie first = { .host = "left", .stopped_ns = 5 };
	struct cookie second = { .started_ns = 6 };
	struct cookie eaten = { .version = 0 };
	struct fail fail = { 0 };
	ProtobufCBinaryData bytes;

	ASSERT_EQ(0, cookie_bake(&first, &bytes));
	ASSERT_EQ(0, cookie_eat(&eaten, &bytes, &fail));
	free(bytes.data);
	ASSERT_EQ(0, cookie_bake(&second, &bytes));
	ASSERT_EQ(0, cookie_eat(&eaten, &bytes, &fail));
	free(bytes.data);
	EXPECT_STREQ("left", eaten.host);
	EXPECT_EQ(5, eaten.stopped_ns);
	EXPECT_EQ(6, eaten.started_ns);
}

TEST(fields_of_a_newer_version_are_skipped)
{
	/* Field 100 (varint) = 5, then field 3 (version) = 9. */
	uint8_t newer[] = { 0xa0, 0x06, 0x05, 0x18, 0x09 };
	ProtobufCBinaryData bytes = { sizeof(newer), newer };
	struct cookie eaten = { .version = 0 };
	struct fail fail = { 0 };

	ASSERT_EQ(0, cookie_eat(&eaten, &bytes, &fail)) {
		TH_LOG("%s", fail.text);
	}
	EXPECT_EQ(9, eaten.version);
}

TEST(no_cookie_is_no_news)
{
	ProtobufCBinaryData bytes = { 0, NULL };
	struct cookie eaten = { .version = 3 };
	struct fail fail = { 0 };

	EXPECT_EQ(0, cookie_eat(&eaten, &bytes, &fail));
	EXPECT_EQ(3, eaten.version);
}

FIXTURE(bad) {
	uint8_t bytes[8192];
};

FIXTURE_VARIANT(bad) {
	const char *start;
	size_t size;
};

FIXTURE_SETUP(bad)
{
	memset(self->bytes, 'x', sizeof(self->bytes));
	memcpy(self->bytes, variant->start, strlen(variant->start));
}

FIXTURE_TEARDOWN(bad)
{
	(void)self;
}

FIXTURE_VARIANT_ADD(bad, cut_short) { "\x0a\x10host", 6 };
FIXTURE_VARIANT_ADD(bad, garbage) { "\xff\xff\xff\xff", 4 };
FIXTURE_VARIANT_ADD(bad, too_long) { "\x0a\x04", 8192 };
FIXTURE_VARIANT_ADD(bad, host_too_long) { "\x0a\x50", 82 };
FIXTURE_VARIANT_ADD(bad, control_character) { "\x0a\x04" "a\x1b[m", 6 };

TEST_F(bad, cookie_is_refused_and_changes_nothing)
{
	ProtobufCBinaryData bytes = { variant->size, self->bytes };
	struct cookie eaten = { .host = "was", .version = 3 };
	struct fail fail = { 0 };

	EXPECT_EQ(-EPROTO, cookie_eat(&eaten, &bytes, &fail));
	EXPECT_NE('\0', fail.text[0]);
	EXPECT_STREQ("was", eaten.host);
	EXPECT_EQ(3, eaten.version);
}

TEST_HARNESS_MAIN
