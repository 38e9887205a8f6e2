/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp.c - fuzz what QEMU's monitor answers.
 *
 * An input is the answers, a line each; the first byte says whether QEMU's first
 * two lines are as they should be. The process that is looked into is this one.
 */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "sys.h"
#include "talker.h"
#include "tools/guests/qemu_blocks.h"
#include "tools/guests/qemu_stream.h"
#include "tools/guests/qmp_guest.h"

static char name[256];

static const char *const greeting[] = {
	"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7}}}}\n",
	"{\"return\": {}}\n",
	NULL
};

static void listen_once(void)
{
	if (*name)
		return;
	snprintf(name, sizeof(name), QMP_PREFIX "%s/qmp", fuzz_dir());
	talker_listen(name + strlen(QMP_PREFIX), greeting, true);
}

static void blocks_look(struct guest *guest)
{
	static struct qemu_blocks blocks;
	struct maps maps = { .count = 0 };
	struct fail fail = { .err = 0 };
	unsigned int i;
	int ret = qemu_blocks_read(&guest->qemu.monitor, &blocks, &fail);

	if (!ret)
		ret = qemu_blocks_ask(&guest->qemu.monitor, &blocks, &fail);
	FUZZ_CHECK(ret == fail.err);
	if (ret)
		return;
	qemu_blocks_search(&blocks, &maps);
	for (i = 0; i < blocks.count; i++) {
		FUZZ_CHECK(*blocks.table[i].name);
		FUZZ_CHECK(!i || blocks.table[i].serial >= blocks.table[i - 1].serial);
		/* What does not move page by page is read page by page. */
		FUZZ_CHECK(!(blocks.table[i].used % 4096));
		FUZZ_CHECK(blocks.table[i].used <= blocks.table[i].total);
	}
}

/* The line is kept, as it is while a guest is held: it is the same input. */
static void guest_look(struct guest *guest, bool describes)
{
	struct guest_description description = { .name = "" };
	struct fail fail[2] = { { .err = 0 } };
	int ret;

	guest->held = true;
	if (describes) {
		ret = qmp_driver.describe(guest, &description, &fail[0]);
		FUZZ_CHECK(ret == fail[0].err);
		guest_description_fini(&description);
	}
	blocks_look(guest);
	ret = qmp_driver.pause(guest, &fail[1]);
	FUZZ_CHECK(ret == fail[1].err || ret == 1);
}

/**
 * LLVMFuzzerTestOneInput() - have a QEMU described, and asked for its memory
 * @data: a byte: what is asked; the answers
 * @size: bytes of them
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	uint8_t how = fuzz_byte(&input);
	struct fail fail = { .err = 0 };
	struct guest *guest = NULL;
	int ret;

	listen_once();
	talker_begin(input);
	ret = qmp_driver.open(NULL, name, &guest, &fail);
	FUZZ_CHECK(ret == fail.err);
	if (!ret)
		guest_look(guest, how & 1);
	qmp_driver.close(guest);
	talker_end();
	return 0;
}

/* ---- what was found by reading ------------------------------------------- */

static const char *said;

static int say(struct qemu_monitor *monitor, const char *command, int fd,
	       char **reply, struct fail *fail)
{
	(void)monitor;
	(void)command;
	(void)fd;
	(void)fail;
	*reply = strdup(said);
	return 0;
}

TEST(memory_that_cannot_be_is_refused)
{
	static const char *const answers[] = {
		"{\"return\":null}", "{\"return\":[]}", "{\"return\":\"\"}",
		/* more in use than there is; no whole page */
		"{\"return\":\"pc.ram 4 KiB 0x0 0x200000 0x100000\"}",
		"{\"return\":\"pc.ram 4 KiB 0x0 0x1001 0x2000\"}",
	};
	static const struct qemu_monitor_ops ops = { .call = say };
	struct qemu_monitor monitor = { .ops = &ops, .guest = "db1" };
	static struct qemu_blocks blocks;
	size_t i;

	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		said = answers[i];
		EXPECT_EQ(-EPROTO, qemu_blocks_read(&monitor, &blocks, NULL)) {
			TH_LOG("%s", said);
		}
	}
	said = "{\"return\":\"pc.ram 4 KiB 0x0 0x1000 0x2000\"}";
	EXPECT_EQ(0, qemu_blocks_read(&monitor, &blocks, NULL));
	EXPECT_STREQ("pc.ram", blocks.table[0].name);
}

/* They would be read in full, whatever they are. */
TEST(blocks_larger_than_a_device_state_are_refused)
{
	static struct qemu_blocks blocks = { .count = 2 };
	struct qemu_stream stream = { .machine = "pc", .pid = getpid(),
				      .blocks = &blocks };
	struct qemu_ahead *ahead = NULL;
	int fd = -1;

	blocks.table[0].used = blocks.table[0].total = GUEST_STATE_MAX / 2;
	blocks.table[1].used = blocks.table[1].total = GUEST_STATE_MAX / 2 + 4096;
	EXPECT_EQ(-EFBIG, qemu_stream_ahead(&stream, &ahead, &fd, NULL));
	EXPECT_EQ(-EFBIG, qemu_stream_rest(&stream, &fd, NULL));
	EXPECT_NULL(ahead);
}

/* Otherwise a QEMU that has always more events is waited for for ever. */
TEST(past_its_time_limit_nothing_is_read)
{
	static const char events[] = "{\"event\":\"RESUME\"}\n{\"return\":{}}\n";
	struct qmp_line line;
	char *reply = NULL;
	int other;

	qmp_line_init(&line, "/nowhere");
	line.fd = fuzz_peer(SOCK_STREAM, events, strlen(events), &other);
	ASSERT_EQ(0, jsonline_init(&line.in, 4096));
	EXPECT_EQ(-ETIMEDOUT, qmp_line_call(&line, "{}", -1, 0, &reply, NULL));
	EXPECT_NULL(reply);
	close(other);
}

FUZZ_TARGET(qmp)

TEST_HARNESS_MAIN
