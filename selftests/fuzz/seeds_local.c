/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seeds_local.c - what processes of one host tell each other. */
#include <json-c/json.h>
#include <string.h>

#include "cleanup.h"
#include "seeds.h"
#include "sys.h"
#include "tools/guests/qmp_command.h"
#include "tools/lib/migration_json.h"
#include "tools/lib/packet.h"

static struct seed seed;

/* ---- agent and worker ---------------------------------------------------- */

static void packet_seed(const char *name, unsigned int how, struct json_object *object)
{
	int fds[2];

	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
	FUZZ_CHECK(!packet_send(fds[0], object, -1));
	seed_start(&seed);
	seed_add_byte(&seed, how);
	seed_take(&seed, fds[1]);
	seed_write("packet", name, seed.bytes, seed.size);
	json_object_put(object);
	close(fds[0]);
	close(fds[1]);
}

/**
 * seeds_packet() - options and progress of a migration
 */
void seeds_packet(void)
{
	struct migration_options options;
	struct progress progress = { .phase = PHASE_FINISH, .state = STATE_HELD,
				     .note = "the link is slow", .peer_host = "dest" };

	migration_options_init(&options);
	strcpy(options.guest, "db1");
	strcpy(options.host, "dest.example:49300");
	options.postcopy = options.live = true;
	packet_seed("options", 0x85, migration_options_to_json(&options));
	packet_seed("options-fd", 0x81, migration_options_to_json(&options));
	packet_seed("options-unexpected-fd", 1, migration_options_to_json(&options));
	packet_seed("progress", 0, progress_to_json(&progress));
	packet_seed("progress-fds", 3, progress_to_json(&progress));
}

/* ---- what a process has mapped ------------------------------------------- */

/**
 * seeds_maps() - of this process
 */
void seeds_maps(void)
{
	FILE *file = fopen("/proc/self/maps", "re");

	FUZZ_CHECK(file);
	seed_start(&seed);
	seed.size = fread(seed.bytes, 1, 4096, file);
	fclose(file);
	seed_write("maps", "self", seed.bytes, seed.size);
}

/* ---- how a QEMU was started ---------------------------------------------- */

/**
 * seeds_definition() - of a QEMU and of a straddle-vmm
 *
 * The first is how this process was started, with the arguments of a QEMU.
 */
void seeds_definition(void)
{
	static const char *const argv[] = {
		"qemu-system-x86_64", "-name", "db1", "-m", "64M", "-qmp",
		"unix:mon.sock,server=on,wait=off", "-device", "virtio-net-pci,mac=52:54:00:fd:fd:01",
		"-netdev", "user,id=n", "-chardev", "socket,id=c,path=/run/c.sock,server=on",
		"-incoming", "defer", "-S",
	};
	__cleanup_free char *text = NULL;
	struct json_object *root, *list = json_object_new_array();
	const char *made;
	size_t i;

	FUZZ_CHECK(!qmp_definition_make(getpid(), "/run/none", &text, NULL));
	root = json_tokener_parse(text);
	for (i = 0; i < sizeof(argv) / sizeof(argv[0]); i++)
		json_object_array_add(list, json_object_new_string(argv[i]));
	json_object_object_add(root, "argv", list);
	json_object_object_add(root, "socket", json_object_new_string("mon.sock"));
	made = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN);
	seed_write("definition", "qmp", made, strlen(made));
	json_object_put(root);
}
