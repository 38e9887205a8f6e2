/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* steward_port.c - what a migration asks for besides its guest. */
#include <errno.h>
#include <string.h>

#include "copy/states.h"
#include "steward.h"
#include "steward_wire.h"
#include "sys.h"

/**
 * steward_claim() - dest: say which guest is to come, before it is made
 * @guest: its name
 * @fail: says why not
 *
 * Return: 0; -EEXIST: somebody has that name here; or -errno.
 */
int steward_claim(const char *guest, struct fail *fail)
{
	char name[GUEST_NAME_MAX] = "";
	struct wire request;

	snprintf(name, sizeof(name), "%s", guest);
	wire_init(&request);
	wire_chars(&request, name, sizeof(name));
	return steward_ask(STEWARD_CLAIM, 0, &request, NULL, fail);
}

/* Its only answer is a descriptor. */
static int ask_fd(enum steward_verb verb, struct wire *request, int *fd, struct fail *fail)
{
	struct wire reply;
	int ret = steward_ask(verb, STEWARD_ITS, request, &reply, fail);

	if (!ret) {
		wire_fd(&reply, fd);
		ret = *fd < 0 ? -EPROTO : 0;
	}
	wire_fini(&reply);
	return ret;
}

/**
 * steward_process_open() - a file in /proc of the guest's process
 * @port: of the worker
 * @file: which one
 * @fd: receives it
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int steward_process_open(void *port, enum process_file file, int *fd,
			 struct fail *fail)
{
	struct wire request;

	(void)port;
	wire_init(&request);
	wire_value(&request, &file);
	return ask_fd(STEWARD_PROCESS_OPEN, &request, fd, fail);
}

/**
 * steward_process_signal() - stop the guest's process, have it go on, end it
 * @port: of the worker
 * @signal: SIGSTOP, SIGCONT or SIGKILL
 *
 * Return: 0 or -errno.
 */
int steward_process_signal(void *port, int signal)
{
	struct wire request;

	(void)port;
	wire_init(&request);
	wire_value(&request, &signal);
	return steward_ask(STEWARD_PROCESS_SIGNAL, STEWARD_ITS, &request, NULL, NULL);
}

/**
 * steward_process_started() - when a process started
 * @port: of the worker
 * @pid: its number
 * @started: receives ticks since boot; 0: there is none
 *
 * Return: 0, or -errno: it cannot be found out.
 */
int steward_process_started(void *port, pid_t pid, uint64_t *started)
{
	struct wire request, reply;
	int ret;

	(void)port;
	wire_init(&request);
	wire_value(&request, &pid);
	ret = steward_ask(STEWARD_PROCESS_STARTED, STEWARD_ITS, &request, &reply, NULL);
	if (!ret)
		wire_value(&reply, started);
	wire_fini(&reply);
	return ret;
}

/**
 * steward_process_of() - the number of the open guest's process
 * @port: of the worker
 *
 * Return: it, or -errno.
 */
pid_t steward_process_of(void *port)
{
	(void)port;
	return steward_ask(STEWARD_PROCESS_OF, STEWARD_ITS, NULL, NULL, NULL);
}

/**
 * steward_files() - open the files of a guest's regions
 * @port: of the worker
 * @description: of the open guest; its regions receive what files they have
 * @fail: says which cannot be opened
 *
 * Return: 0 or -errno.
 */
int steward_files(void *port, struct guest_description *description,
		  struct fail *fail)
{
	struct guest_description plain = *description, got;
	struct wire request, reply;
	int ret;

	(void)port;
	plain.live = plain.persistent = NULL;
	plain.disks = NULL;
	plain.disk_count = 0;
	wire_init(&request);
	wire_description(&request, &plain);
	ret = steward_ask(STEWARD_FILES, STEWARD_ITS, &request, &reply, fail);
	if (!ret) {
		wire_description(&reply, &got);
		ret = reply.err;
		if (!ret) {
			memcpy(description->regions, got.regions, sizeof(got.regions));
			got.region_count = 0;
		}
		guest_description_fini(&got);
	}
	wire_fini(&reply);
	return ret;
}

/* ---- disks -------------------------------------------------------------- */

static int disk_listen(void *port, unsigned int number, char *path, size_t size,
		       int *listener)
{
	struct wire request, reply;
	char made[64];
	int ret;

	(void)port;
	wire_init(&request);
	wire_value(&request, &number);
	ret = steward_ask(STEWARD_DISK_LISTEN, STEWARD_ITS, &request, &reply, NULL);
	if (!ret) {
		wire_chars(&reply, made, sizeof(made));
		wire_fd(&reply, listener);
		snprintf(path, size, "%s", made);
		ret = reply.err;
	}
	wire_fini(&reply);
	return ret;
}

static int image_make(void *port, const struct guest_incoming *incoming,
		      unsigned int disk, struct guest_image *image,
		      struct fail *fail)
{
	struct guest_incoming copy = *incoming;
	struct incoming_parts none;
	struct wire request, reply;
	int ret;

	(void)port;
	wire_init(&request);
	wire_incoming(&request, &copy, &none);
	wire_value(&request, &disk);
	ret = steward_ask(STEWARD_IMAGE_MAKE, STEWARD_ITS, &request, &reply,
			  fail);
	if (!ret) {
		wire_image(&reply, image);
		ret = reply.err;
	}
	wire_fini(&reply);
	return ret;
}

static int image_serve(void *port, unsigned int number, int *flusher, int *client,
		       struct fail *fail)
{
	struct wire request, reply;
	int ret;

	(void)port;
	wire_init(&request);
	wire_value(&request, &number);
	ret = steward_ask(STEWARD_IMAGE_SERVE, STEWARD_ITS, &request, &reply,
			  fail);
	if (!ret) {
		wire_fd(&reply, flusher);
		wire_fd(&reply, client);
		ret = reply.err;
	}
	wire_fini(&reply);
	return ret;
}

static int image_end(void *port, unsigned int number, int signal)
{
	struct wire request;

	(void)port;
	wire_init(&request);
	wire_value(&request, &number);
	wire_value(&request, &signal);
	return steward_ask(STEWARD_IMAGE_END, STEWARD_ITS, &request, NULL, NULL);
}

static void disks_over(void *port, bool keep)
{
	uint8_t kept = keep;
	struct wire request;

	(void)port;
	wire_init(&request);
	wire_value(&request, &kept);
	(void)steward_ask(STEWARD_DISKS_OVER, STEWARD_ITS, &request, NULL, NULL);
}

const struct storage_port steward_storage = {
	.listen = disk_listen,
	.make = image_make,
	.serve = image_serve,
	.end = image_end,
	.over = disks_over,
};

/* ---- the other host, and one file ---------------------------------------- */

/**
 * steward_dial() - connect to the other host: a channel_dial_fn
 * @host: "HOST[:PORT]"
 * @congestion: as address_connect() takes it
 * @timeout_ms: likewise
 * @fail: says why not
 *
 * Return: a socket or -errno.
 */
int steward_dial(const char *host, const char *congestion, int timeout_ms,
		 struct fail *fail)
{
	char peer[256] = "", name[16] = "";
	struct wire request;
	int fd = -1, ret;

	snprintf(peer, sizeof(peer), "%s", host);
	snprintf(name, sizeof(name), "%s", congestion ? congestion : "");
	wire_init(&request);
	wire_chars(&request, peer, sizeof(peer));
	wire_chars(&request, name, sizeof(name));
	wire_value(&request, &timeout_ms);
	ret = ask_fd(STEWARD_DIAL, &request, &fd, fail);
	return ret ? ret : fd;
}

static void path_out(struct wire *request, const char *path)
{
	char full[512] = "";

	snprintf(full, sizeof(full), "%s", path);
	wire_init(request);
	wire_chars(request, full, sizeof(full));
}

static int file_open_there(const char *path, int flags)
{
	struct wire request;
	int fd = -1, ret;

	path_out(&request, path);
	wire_value(&request, &flags);
	ret = ask_fd(STEWARD_FILE_OPEN, &request, &fd, NULL);
	return ret ? ret : fd;
}

static int file_rename_there(const char *from, const char *to)
{
	char full[512] = "";
	struct wire request;

	path_out(&request, from);
	snprintf(full, sizeof(full), "%s", to);
	wire_chars(&request, full, sizeof(full));
	return steward_ask(STEWARD_FILE_RENAME, STEWARD_ITS, &request, NULL, NULL);
}

static void file_remove_there(const char *path)
{
	struct wire request;

	path_out(&request, path);
	(void)steward_ask(STEWARD_FILE_REMOVE, STEWARD_ITS, &request, NULL, NULL);
}

/**
 * steward_states() - have the steward open the files of this migration
 */
void steward_states(void)
{
	static const struct states_files files = {
		file_open_there, file_rename_there, file_remove_there,
	};

	states_files_by(&files);
}
