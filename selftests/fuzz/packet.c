/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * packet.c - fuzz what agent and worker tell each other, and the options and
 * progress in it.
 *
 * An input is how many descriptors come along, then a packet. None of them may
 * be left open.
 */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "cleanup.h"
#include "fuzz.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/migration_json.h"
#include "tools/lib/packet.h"

#define FDS_MAX		4

static void packet_put(int fd, struct fuzz_input text, unsigned int fds)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { (void *)text.at, text.left };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int passed[FDS_MAX] = { 0 };

	if (fds) {
		memset(&control, 0, sizeof(control));
		control.header.cmsg_len = CMSG_LEN(fds * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.header), passed, fds * sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(fds * sizeof(int));
	}
	(void)sys_retry(sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT));
}

/* The next descriptor has the lowest free number: it tells of a leak. */
static int fd_next(void)
{
	int fd = sys_ret(dup(0));

	FUZZ_CHECK(fd >= 0);
	close(fd);
	return fd;
}

static void options_look(struct json_object *object)
{
	struct migration_options options, again;
	struct fail fail = { .err = 0 };
	struct json_object *said;
	int ret = migration_options_from_json(object, &options, &fail);

	FUZZ_CHECK(ret == fail.err);
	if (ret || migration_options_check(&options, &fail))
		return;
	said = migration_options_to_json(&options);
	FUZZ_CHECK(!migration_options_from_json(said, &again, NULL));
	FUZZ_CHECK(!strcmp(options.guest, again.guest) &&
		   options.bandwidth == again.bandwidth);
	json_object_put(said);
}

static void object_look(struct json_object *object)
{
	uint8_t id[MIGRATION_ID_SIZE];
	struct fail fail = { .err = 0 };
	struct progress progress;
	const char *text = json_text(object, "id");

	options_look(object);
	if (!progress_from_json(object, &progress, &fail))
		json_object_put(progress_to_json(&progress));
	if (text)
		(void)migration_id_from_text(text, id);
}

/**
 * LLVMFuzzerTestOneInput() - receive a packet
 * @data: a byte: descriptors that come along; the packet
 * @size: bytes of it
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	uint8_t how = fuzz_byte(&input);
	struct json_object *object = NULL;
	int fds[2], passed = -1, before, ret;

	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
	before = fd_next();
	packet_put(fds[1], input, how % (FDS_MAX + 1));
	shutdown(fds[1], SHUT_WR);
	ret = packet_receive(fds[0], &object, how & 0x80 ? &passed : NULL);
	FUZZ_CHECK(ret == 0 || ret == -EPIPE || ret == -EPROTO);
	FUZZ_CHECK(!ret == !!object && (!ret || passed < 0));
	if (!ret)
		object_look(object);
	if (passed >= 0)
		close(passed);
	FUZZ_CHECK(fd_next() == before);
	json_object_put(object);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

FUZZ_TARGET(packet)

TEST_HARNESS_MAIN
