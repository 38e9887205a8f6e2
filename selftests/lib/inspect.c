// SPDX-License-Identifier: LGPL-2.1-or-later
/* inspect.c - look at guests from outside, as nobody asks them. */
#include "selftests/lib/inspect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/guests/vmm_client.h"

#define CALL_MS		30000
#define CHUNK		(1u << 20)
#define PAGE		4096u
#define DAMAGED		16

static int guest_call(const struct host *host, const char *name,
		      struct json_object *request, struct vmm_call *call,
		      struct fail *fail)
{
	struct vmm_client *client;
	int ret = vmm_connect(host->run_dir, name, &client, fail);

	*call = (struct vmm_call){ .request = request, .send_fd = -1,
				   .fd = -1, .timeout_ms = CALL_MS };
	if (ret < 0) {
		json_object_put(request);
		return ret;
	}
	ret = vmm_call(client, call, fail);
	vmm_disconnect(client);
	return ret;
}

static char *text_copy(struct json_object *answer, const char *key)
{
	const char *text = vmm_text(answer, key);

	return text ? strdup(text) : NULL;
}

/**
 * guest_view_get() - where a guest's memory is, and its definitions
 * @host: where it is
 * @name: of the guest
 * @view: receives it; guest_view_fini() frees what it holds
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int guest_view_get(const struct host *host, const char *name,
		   struct guest_view *view, struct fail *fail)
{
	struct json_object *list = NULL, *ram, *shared = NULL;
	struct vmm_call call;
	int ret = guest_call(host, name, vmm_request("describe"), &call, fail);

	if (ret < 0)
		return ret;
	json_object_object_get_ex(call.answer, "regions", &list);
	ram = json_object_array_get_idx(list, 0);
	json_object_object_get_ex(ram, "shared", &shared);
	*view = (struct guest_view){
		.pid = (pid_t)vmm_number(call.answer, "pid"),
		.address = vmm_number(ram, "address"),
		.size = vmm_number(ram, "size"),
		.page_size = (uint32_t)vmm_number(ram, "page_size"),
		.shared = json_object_get_boolean(shared),
		.live = text_copy(call.answer, "live"),
		.persistent = text_copy(call.answer, "persistent"),
	};
	json_object_put(call.answer);
	return 0;
}

/**
 * guest_view_fini() - free what guest_view_get() gave
 * @view: all zero is fine
 */
void guest_view_fini(struct guest_view *view)
{
	free(view->live);
	free(view->persistent);
	memset(view, 0, sizeof(*view));
}

/**
 * guest_verb() - a request without arguments
 * @host: where the guest is
 * @name: of the guest
 * @verb: pause, resume, quit, ...
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int guest_verb(const struct host *host, const char *name, const char *verb,
	       struct fail *fail)
{
	struct vmm_call call;
	int ret = guest_call(host, name, vmm_request(verb), &call, fail);

	if (!ret)
		json_object_put(call.answer);
	return ret;
}

/**
 * guest_set_rate() - change the rate of one or both definitions
 * @host: where the guest is
 * @name: of the guest
 * @rate: pages a second
 * @live: of the guest as it runs
 * @persistent: of the one that is stored
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int guest_set_rate(const struct host *host, const char *name, uint64_t rate,
		   bool live, bool persistent, struct fail *fail)
{
	struct json_object *request = vmm_request("set");
	struct vmm_call call;
	int ret;

	json_object_object_add(request, "rate", json_object_new_uint64(rate));
	json_object_object_add(request, "live", json_object_new_boolean(live));
	json_object_object_add(request, "persistent",
			       json_object_new_boolean(persistent));
	ret = guest_call(host, name, request, &call, fail);
	if (!ret)
		json_object_put(call.answer);
	return ret;
}

static int memory_open(const struct guest_view *view, struct fail *fail)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)view->pid);
	fd = sys_ret(open(path, O_RDONLY | O_CLOEXEC));
	if (fd < 0)
		fail_set(fail, fd, "cannot open %s", path);
	return fd;
}

static int memory_read(int fd, char *to, uint64_t size, uint64_t offset)
{
	uint64_t done = 0;

	while (done < size) {
		ssize_t got = sys_retry(pread(fd, to + done, size - done,
					      (off_t)(offset + done)));
		if (got <= 0)
			return got ? (int)got : -EPIPE;
		done += (uint64_t)got;
	}
	return 0;
}

/* The file of shared memory: reading it fills no hole. */
static int memory_file(const struct host *host, const char *name,
		       const struct guest_view *view, struct fail *fail)
{
	struct vmm_call call;
	int ret;

	if (!view->shared)
		return memory_open(view, fail);
	ret = guest_call(host, name, vmm_request("memory"), &call, fail);
	if (ret < 0)
		return ret;
	json_object_put(call.answer);
	return call.fd;
}

/**
 * guest_memory_copy() - all memory of a guest that stands still
 * @host: where it is
 * @name: of the guest
 * @copy: receives it, to be freed
 * @size: receives how many bytes
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int guest_memory_copy(const struct host *host, const char *name, char **copy,
		      uint64_t *size, struct fail *fail)
{
	__cleanup_free char *made = NULL;
	struct guest_view view;
	int fd, ret = guest_view_get(host, name, &view, fail);

	if (ret < 0)
		return ret;
	fd = memory_file(host, name, &view, fail);
	made = malloc(view.size);
	if (fd < 0 || !made)
		ret = fd < 0 ? fd : -ENOMEM;
	else
		ret = memory_read(fd, made, view.size,
				  view.shared ? 0 : view.address);
	if (fd >= 0)
		close(fd);
	*size = view.size;
	guest_view_fini(&view);
	if (!ret)
		*copy = take_ptr(made);
	return ret;
}

static int page_damage(int fd, off_t at)
{
	uint8_t byte;

	if (lseek(fd, at, SEEK_DATA) != at)
		return 0;	/* a hole: it is to come yet */
	if (sys_retry(pread(fd, &byte, 1, at)) != 1)
		return -EIO;
	byte ^= 1;
	return sys_retry(pwrite(fd, &byte, 1, at)) == 1 ? 1 : -EIO;
}

/**
 * guest_damage() - change memory behind everybody's back
 * @host: where the guest is
 * @name: of the guest, in shared memory
 * @fail: says why not
 *
 * One bit in each of a few pages that are there, spread over the upper half:
 * the guest's tables lie below.
 *
 * Return: how many pages, or -errno.
 */
int guest_damage(const struct host *host, const char *name, struct fail *fail)
{
	struct guest_view view;
	int fd, damaged = 0, i, ret = guest_view_get(host, name, &view, fail);

	if (ret < 0)
		return ret;
	fd = memory_file(host, name, &view, fail);
	ret = fd < 0 ? fd : 0;
	for (i = 0; i < DAMAGED && ret >= 0; i++) {
		uint64_t at = view.size / 2 + view.size / 2 / DAMAGED * (uint64_t)i;

		ret = page_damage(fd, (off_t)(at & ~(uint64_t)(PAGE - 1)));
		damaged += ret > 0;
	}
	if (fd >= 0)
		close(fd);
	guest_view_fini(&view);
	return ret < 0 ? ret : damaged;
}

/**
 * guest_memory_differs() - compare a guest, page by page, with a copy
 * @host: where it is, paused
 * @name: of the guest
 * @copy: of guest_memory_copy()
 * @size: of @copy
 * @fail: says why it cannot be
 *
 * Read through the mapping that the guest itself uses.
 *
 * Return: how many pages of 4 KiB differ, or -errno.
 */
int64_t guest_memory_differs(const struct host *host, const char *name,
			     const char *copy, uint64_t size,
			     struct fail *fail)
{
	__cleanup_free char *chunk = malloc(CHUNK);
	struct guest_view view;
	int64_t differ = 0;
	uint64_t at, page;
	int fd, ret = guest_view_get(host, name, &view, fail);

	if (ret < 0 || !chunk)
		return ret < 0 ? ret : -ENOMEM;
	fd = memory_open(&view, fail);
	ret = fd < 0 ? fd : view.size == size ? 0 : -EINVAL;
	for (at = 0; at < size && !ret; at += CHUNK) {
		uint64_t part = size - at < CHUNK ? size - at : CHUNK;

		ret = memory_read(fd, chunk, part, view.address + at);
		for (page = 0; page < part && !ret; page += PAGE)
			differ += !!memcmp(chunk + page, copy + at + page,
					   PAGE);
	}
	if (fd >= 0)
		close(fd);
	guest_view_fini(&view);
	return ret < 0 ? ret : differ;
}
