/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmm.c - the guest driver of straddle-vmm. */
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "protocol/guest.h"
#include "sys.h"
#include "tools/guests/vmm_check.h"
#include "tools/guests/vmm_client.h"
#include "tools/guests/vmm_define.h"
#include "tools/guests/vmm_process.h"
#include "uffd/sys.h"

#define CALL_MS		10000	/* what is answered at once */
#define PAUSE_MS	30000	/* vCPUs may wait for memory */
#define START_MS	30000
#define QUIT_MS		2000
#define KILL_MS		30000

struct guest {
	struct vmm_client *client;
	int pidfd;
	char name[GUEST_NAME_MAX];
};

static bool is_socket_name(const char *file, char *name, size_t size)
{
	size_t length = strlen(file);

	if (length <= 5 || length - 5 >= size ||
	    strcmp(file + length - 5, ".sock"))
		return false;
	memcpy(name, file, length - 5);
	name[length - 5] = '\0';
	return true;
}

static int list_dir(DIR *dir, const struct guest_host *host,
		    guest_each_fn *each, void *arg)
{
	char name[GUEST_NAME_MAX];
	struct dirent *entry;
	int ret = 0;

	while (!ret && (entry = readdir(dir))) {
		struct vmm_client *client;

		if (!is_socket_name(entry->d_name, name, sizeof(name)) ||
		    vmm_connect(host->run_dir, name, &client, NULL))
			continue;	/* stale, or of something else */
		vmm_disconnect(client);
		ret = each(name, arg);
	}
	return ret;
}

static int vmm_list(const struct guest_host *host, guest_each_fn *each,
		    void *arg, struct fail *fail)
{
	char path[PATH_MAX];
	DIR *dir;
	int fd, ret;

	snprintf(path, sizeof(path), "%s/guests", host->run_dir);
	fd = sys_ret(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fail_set(fail, fd, "cannot list guests in %s: %s",
				path, strerror(-fd));
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return fail_set(fail, -ENOMEM, "no memory");
	}
	ret = list_dir(dir, host, each, arg);
	closedir(dir);
	return ret;
}

static void vmm_close(struct guest *guest)
{
	if (!guest)
		return;
	vmm_disconnect(guest->client);
	if (guest->pidfd >= 0)
		close(guest->pidfd);
	free(guest);
}

static int vmm_open(const struct guest_host *host, const char *name,
		    struct guest **guest, struct fail *fail)
{
	struct guest *got = calloc(1, sizeof(*got));
	int ret;

	if (!got)
		return fail_set(fail, -ENOMEM, "no memory");
	got->pidfd = -1;
	ret = vmm_connect(host->run_dir, name, &got->client, fail);
	if (!ret) {
		snprintf(got->name, sizeof(got->name), "%s", name);
		got->pidfd = sys_pidfd_open(vmm_client_pid(got->client));
		if (got->pidfd < 0)
			ret = fail_set(fail, got->pidfd,
				       "cannot watch the process of guest %s: %s",
				       name, strerror(-got->pidfd));
	}
	if (ret) {
		vmm_close(got);
		return ret;
	}
	*guest = got;
	return 0;
}

static bool vmm_alive(struct guest *guest)
{
	return sys_wait_fd(guest->pidfd, POLLIN, 0) == -ETIMEDOUT;
}

static int vmm_pidfd(struct guest *guest)
{
	return guest->pidfd;
}

/* A call with an answer and perhaps a descriptor; the rest is default. */
static int ask(struct guest *guest, const char *verb,
	       struct json_object **answer, int *fd, struct fail *fail)
{
	struct vmm_call call = {
		.request = vmm_request(verb),
		.send_fd = -1,
		.timeout_ms = CALL_MS,
	};
	int ret = vmm_call(guest->client, &call, fail);

	if (ret)
		return ret;
	if (fd && call.fd < 0)
		ret = fail_set(fail, -EPROTO,
			       "guest %s: %s brought no descriptor",
			       guest->name, verb);
	if (fd && !ret)
		*fd = call.fd;
	else if (call.fd >= 0)
		close(call.fd);
	if (answer && !ret)
		*answer = call.answer;
	else
		json_object_put(call.answer);
	return ret;
}

static int describe_region(struct guest *guest, struct json_object *from,
			   struct guest_region *region, struct fail *fail)
{
	struct json_object *shared = NULL;
	const char *name = vmm_text(from, "name");

	*region = (struct guest_region){
		.address = vmm_number(from, "address"),
		.size = vmm_number(from, "size"),
		.page_size = (uint32_t)vmm_number(from, "page_size"),
		.offset = vmm_number(from, "offset"),
		.physical = GUEST_NOWHERE,
		.fd = -1,
	};
	json_object_object_get_ex(from, "shared", &shared);
	region->shared = json_object_get_boolean(shared);
	if (!name || !region->page_size || !region->size ||
	    region->size % region->page_size)
		return fail_set(fail, -EPROTO,
				"guest %s describes a region that cannot be",
				guest->name);
	snprintf(region->name, sizeof(region->name), "%s", name);
	return region->shared ? ask(guest, "memory", NULL, &region->fd, fail) :
				0;
}

static int describe_regions(struct guest *guest, struct json_object *answer,
			    struct guest_description *description,
			    struct fail *fail)
{
	struct json_object *list = NULL;
	size_t count;
	int ret = 0;

	json_object_object_get_ex(answer, "regions", &list);
	count = json_object_is_type(list, json_type_array) ?
		json_object_array_length(list) : 0;
	/* The protocol hands over one memory descriptor: one region. */
	if (count != 1)
		return fail_set(fail, -EPROTO,
				"guest %s describes %zu regions, not one",
				guest->name, count);
	ret = describe_region(guest, json_object_array_get_idx(list, 0),
			      &description->regions[0], fail);
	if (!ret)
		description->region_count = 1;
	return ret;
}

/* What it is made of is described later; how much it is says each region. */
static uint64_t regions_size(struct json_object *answer)
{
	struct json_object *list = NULL;
	uint64_t bytes = 0;
	size_t i, count;

	json_object_object_get_ex(answer, "regions", &list);
	count = json_object_is_type(list, json_type_array) ?
		json_object_array_length(list) : 0;
	for (i = 0; i < count; i++)
		bytes += vmm_number(json_object_array_get_idx(list, i), "size");
	return bytes;
}

static int copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int fill_description(struct guest *guest, struct json_object *answer,
			    struct guest_description *to, struct fail *fail)
{
	const char *uuid = vmm_text(answer, "uuid");
	const char *state = vmm_text(answer, "state");
	const char *live = vmm_text(answer, "live");
	const char *persistent = vmm_text(answer, "persistent");

	if (!uuid || strlen(uuid) >= sizeof(to->uuid) || !state || !live ||
	    strlen(live) > GUEST_DEFINITION_MAX ||
	    (persistent && strlen(persistent) > GUEST_DEFINITION_MAX))
		return fail_set(fail, -EPROTO,
				"guest %s describes itself in another way than this version knows",
				guest->name);
	strcpy(to->name, guest->name);
	strcpy(to->uuid, uuid);
	to->pid = vmm_client_pid(guest->client);
	to->vcpus = (unsigned int)vmm_number(answer, "vcpus");
	to->running = !strcmp(state, "running");
	to->incoming = !strcmp(state, "incoming");
	if (copy_text(&to->live, live) ||
	    copy_text(&to->persistent, persistent))
		return fail_set(fail, -ENOMEM, "no memory");
	to->memory_bytes = regions_size(answer);
	return 0;
}

static int vmm_describe(struct guest *guest,
			struct guest_description *description,
			struct fail *fail)
{
	struct guest_description got = { 0 };
	struct json_object *answer;
	int ret = ask(guest, "describe", &answer, NULL, fail);

	if (ret)
		return ret;
	ret = fill_description(guest, answer, &got, fail);
	json_object_put(answer);
	if (ret) {
		guest_description_fini(&got);
		return ret;
	}
	*description = got;
	return 0;
}

static int vmm_map(struct guest *guest, struct guest_description *description,
		   struct fail *fail)
{
	struct json_object *answer;
	int ret = ask(guest, "describe", &answer, NULL, fail);

	if (ret)
		return ret;
	ret = describe_regions(guest, answer, description, fail);
	json_object_put(answer);
	return ret;
}

static int vmm_pause(struct guest *guest, struct fail *fail)
{
	return vmm_verb(guest->client, "pause", PAUSE_MS, fail);
}

static int vmm_resume(struct guest *guest, struct fail *fail)
{
	return vmm_verb(guest->client, "resume", CALL_MS, fail);
}

static int vmm_save(struct guest *guest, int *state_fd, struct fail *fail)
{
	return ask(guest, "save", NULL, state_fd, fail);
}

static int vmm_load(struct guest *guest, int state_fd, struct fail *fail)
{
	struct vmm_call call = {
		.request = vmm_request("load"),
		.send_fd = state_fd,
		.timeout_ms = CALL_MS,
	};
	int ret = vmm_call(guest->client, &call, fail);

	if (!ret)
		json_object_put(call.answer);
	return ret;
}

/* The definition as an unnamed file, which straddle-vmm reads as /dev/fd/4. */
static int definition_file(const char *text, int *fd)
{
	int got = sys_ret(memfd_create("straddle-definition", MFD_CLOEXEC));
	int ret;

	if (got < 0)
		return got;
	ret = sys_pwrite_all(got, text, strlen(text), 0);
	if (ret) {
		close(got);
		return ret;
	}
	*fd = got;
	return 0;
}

static int vmm_create_incoming(const struct guest_host *host,
			       const struct guest_incoming *incoming,
			       struct guest **guest, struct fail *fail)
{
	/* Files of this host: no definition that comes in names one. */
	const char *witness = getenv("STRADDLE_WITNESS");
	const char *dir = getenv("STRADDLE_MEMORY_DIR");
	__cleanup_fd int fd = -1;
	char persistent[PATH_MAX];
	const char *argv[17] = {
		"straddle-vmm", "--incoming", "--definition", "/dev/fd/4",
		"--name", incoming->name, "--run-dir", host->run_dir,
		"--persistent", persistent, "--ready-fd", "3",
	};
	size_t n = 12;
	int ret = vmm_definition_path(host, incoming->name, persistent,
				      sizeof(persistent), fail);

	/* Of an earlier one, which was not undone. */
	if (!ret)
		ret = vmm_define_end(host, incoming->name, true, fail);
	if (ret)
		return ret;
	if (witness) {
		argv[n++] = "--witness";
		argv[n++] = witness;
	}
	if (dir) {
		argv[n++] = "--memory-dir";
		argv[n++] = dir;
	}
	ret = definition_file(incoming->live, &fd);
	if (ret)
		return fail_set(fail, ret, "cannot hand over a definition: %s",
				strerror(-ret));
	ret = vmm_start(argv, fd, START_MS, fail);
	return ret ? ret : vmm_open(host, incoming->name, guest, fail);
}

static int vmm_destroy(struct guest *guest, struct fail *fail)
{
	struct fail ignored = { 0 };
	int ret;

	if (vmm_alive(guest) &&
	    !vmm_verb(guest->client, "quit", QUIT_MS, &ignored) &&
	    !sys_wait_fd(guest->pidfd, POLLIN, QUIT_MS))
		return 0;
	sys_ret(syscall(SYS_pidfd_send_signal, guest->pidfd, SIGKILL, NULL,
			0));
	ret = sys_wait_fd(guest->pidfd, POLLIN, KILL_MS);
	return ret ? fail_set(fail, ret,
			      "guest %s does not end, although killed: %s",
			      guest->name, strerror(-ret)) : 0;
}

static int vmm_userfaultfd(struct guest *guest, int *uffd, struct fail *fail)
{
	return ask(guest, "userfaultfd", NULL, uffd, fail);
}

static int vmm_userfaultfd_close(struct guest *guest, struct fail *fail)
{
	return vmm_verb(guest->client, "userfaultfd-close", CALL_MS, fail);
}

const struct guest_driver vmm_driver = {
	.name = "vmm",
	.list = vmm_list,
	.open = vmm_open,
	.close = vmm_close,
	.alive = vmm_alive,
	.pidfd = vmm_pidfd,
	.describe = vmm_describe,
	.map = vmm_map,
	.pause = vmm_pause,
	.resume = vmm_resume,
	.save = vmm_save,
	.load = vmm_load,
	.check = vmm_check,
	.create_incoming = vmm_create_incoming,
	.destroy = vmm_destroy,
	.define = vmm_define,
	.define_end = vmm_define_end,
	.userfaultfd = vmm_userfaultfd,
	.userfaultfd_close = vmm_userfaultfd_close,
};
