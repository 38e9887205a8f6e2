/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmm_control.c - fuzz what clients ask of a VMM, over its socket.
 *
 * An input is whether the guest is coming in and whether a device state comes
 * along, that state, then requests, a line each. Each answered line is one
 * object that says "ok" or not.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/un.h>

#include "cleanup.h"
#include "fuzz.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/vmm/control.h"
#include "tools/vmm/machine.h"
#include "tools/vmm/vmm.h"

#include <json-c/json.h>

#define ANSWER_MAX	(4u << 20)	/* bytes, as the driver has it */
#define IS_INCOMING	1
#define HAS_STATE	2

static struct machine *machine_make(bool incoming)
{
	struct definition definition;
	struct machine *machine;

	definition_init(&definition);
	strcpy(definition.name, "db1");
	strcpy(definition.uuid, "c7a5fdbd-edaf-9455-926a-d65c16db1809");
	definition.engine = ENGINE_THREADS;
	definition.memory = 4 << 20;
	definition.private_memory = true;
	FUZZ_CHECK(!definition_complete(&definition, NULL));
	FUZZ_CHECK(!machine_create(&definition, incoming, &machine, NULL));
	return machine;
}

static int client_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = sys_ret(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/guests/db1.sock",
		 fuzz_dir());
	FUZZ_CHECK(!connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

static void requests_send(int fd, struct fuzz_input said, int passed)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control = { .room = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)said.at, said.left };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (passed >= 0) {
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.header), &passed, sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	if (said.left)
		(void)sys_retry(sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT));
	shutdown(fd, SHUT_WR);
}

/* What came up to the end; an answer may be cut there, where nobody read it. */
static void answers_look(int fd)
{
	struct json_object *answer, *ok;
	struct jsonline line;

	FUZZ_CHECK(!jsonline_init(&line, ANSWER_MAX));
	do {
		int ret;

		while ((ret = jsonline_next(&line, &answer)) > 0) {
			FUZZ_CHECK(json_object_object_get_ex(answer, "ok", &ok));
			FUZZ_CHECK(json_object_is_type(ok, json_type_boolean));
			json_object_put(answer);
		}
		FUZZ_CHECK(!ret);
	} while (jsonline_read(&line, fd) > 0);
	jsonline_fini(&line);
}

static void vcpus_wait(struct machine *machine)
{
	machine_stop(machine);
	while (!machine_stopped(machine)) {
		uint64_t count;

		FUZZ_CHECK(!sys_wait_fd(machine->changed, POLLIN, 20000));
		(void)sys_retry(read(machine->changed, &count, sizeof(count)));
	}
}

/* One client says it all, another one ends it. */
static void vmm_run(struct vmm *vmm, struct fuzz_input said, int passed)
{
	static const char quit[] = "{\"verb\":\"quit\"}\n";
	struct control *control;
	int client, other;

	FUZZ_CHECK(!control_open(fuzz_dir(), "db1", &control, NULL));
	client = client_connect();
	requests_send(client, said, passed);
	other = client_connect();
	FUZZ_CHECK(!sys_write_all(other, quit, strlen(quit)));
	FUZZ_CHECK(!control_serve(control, vmm, NULL));
	control_close(control);
	answers_look(client);
	answers_look(other);
	close(client);
	close(other);
}

/**
 * LLVMFuzzerTestOneInput() - a VMM, from its start to its end
 * @data: a byte: what guest; two bytes: how long its state is; that; requests
 * @size: bytes of it
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	uint8_t how = fuzz_byte(&input);
	size_t length = fuzz_byte(&input) | (size_t)fuzz_byte(&input) << 8;
	struct vmm vmm = { .machine = machine_make(how & IS_INCOMING), .uffd = -1,
			   .started_ns = now_ns() };
	char persistent[300];
	__cleanup_fd int passed = -1;
	sigset_t before;

	snprintf(persistent, sizeof(persistent), "%s/db1.json", fuzz_dir());
	vmm.persistent = persistent;
	length = length < input.left ? length : input.left;
	if (how & HAS_STATE)
		passed = fuzz_file(input.at, length);
	input.at += length;
	input.left -= length;
	pthread_sigmask(SIG_BLOCK, NULL, &before);
	vmm_run(&vmm, input, passed);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	vcpus_wait(vmm.machine);
	machine_destroy(vmm.machine);
	if (vmm.uffd >= 0)
		close(vmm.uffd);
	unlink(persistent);
	return 0;
}

FUZZ_TARGET(vmm_control)

TEST_HARNESS_MAIN
