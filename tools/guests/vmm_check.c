/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmm_check.c - every obstacle at once, each with what to do about it. */
#include "tools/guests/vmm_check.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "obstacles.h"
#include "sys.h"
#include "tools/guests/host_memory.h"
#include "tools/guests/vmm_client.h"
#include "tools/guests/vmm_define.h"
#include "tools/guests/vmm_process.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/parse.h"

#define HUGE_POOL	"/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define HUGE_PAGE	(2ull << 20)
#define MEMORY_SPARE	(32ull << 20)	/* for the VMM and ourselves */

static uint64_t number_in(const char *path)
{
	__cleanup_file FILE *file = fopen(path, "re");
	unsigned long long number = 0;

	if (file && fscanf(file, "%llu", &number) != 1)
		number = 0;
	return number;
}

/* As the VMM reads it: a number, or a text with a unit. */
static int memory_wanted(struct json_object *live, uint64_t *size)
{
	struct json_object *member;
	const char *text;

	*size = 0;
	if (!json_object_object_get_ex(live, "memory", &member))
		return 0;
	text = json_object_get_string(member);
	return text ? parse_size(text, size) : -EINVAL;
}

static void check_memory(struct json_object *live, struct obstacles *all)
{
	uint64_t size, free_pages, available;
	int ret = memory_wanted(live, &size);

	if (ret) {
		obstacle(all, ret, "its memory is no size such as 64M or 2G");
		return;
	}
	if (vmm_text(live, "hugepages")) {
		free_pages = number_in(HUGE_POOL "free_hugepages") -
			     number_in(HUGE_POOL "resv_hugepages");
		if (free_pages < size / HUGE_PAGE)
			obstacle(all, -ENOMEM,
				 "it needs %llu huge pages of 2 MiB and %llu are free: raise "
				 "/proc/sys/vm/nr_hugepages",
				 (unsigned long long)(size / HUGE_PAGE),
				 (unsigned long long)free_pages);
		return;
	}
	available = memory_available();
	if (available < MEMORY_SPARE || available - MEMORY_SPARE < size)
		obstacle(all, -ENOMEM,
			 "it needs %llu MiB of memory and %llu MiB are available: free some or "
			 "choose another host",
			 (unsigned long long)(size >> 20),
			 (unsigned long long)(available >> 20));
}

static void check_name(const struct guest_host *host, const char *name,
		       struct obstacles *all)
{
	struct vmm_client *client;
	struct fail fail = { 0 };
	int ret = vmm_connect(host->run_dir, name, &client, &fail);

	if (!ret) {
		vmm_disconnect(client);
		obstacle(all, -EEXIST,
			 "a guest %s runs here already: end it, or migrate with --dname",
			 name);
	} else if (ret != -ENOENT) {
		obstacle(all, ret, "%s", fail.text);
	}
}

static void check_definition(const struct guest_host *host,
			     const struct guest_incoming *incoming,
			     struct json_object *live, struct obstacles *all)
{
	struct fail fail = { 0 };
	int ret = vmm_definition_free(host, incoming->name,
				      vmm_text(live, "uuid"), &fail);

	if (ret)
		obstacle(all, ret, "%s", fail.text);
}

static void check_program(struct json_object *live, struct obstacles *all)
{
	const char *engine = vmm_text(live, "engine");
	char path[PATH_MAX] = "straddle-vmm";
	int ret = vmm_program(path, sizeof(path));

	if (ret)
		obstacle(all, ret, "%s cannot be started (%s): install it",
			 path, strerror(-ret));
	if (!engine || strcmp(engine, "kvm"))
		return;
	ret = sys_ret(access("/dev/kvm", R_OK | W_OK));
	if (ret)
		obstacle(all, ret,
			 "it needs /dev/kvm, which does not open here (%s): load the kvm module",
			 strerror(-ret));
}

/**
 * vmm_check() - could @incoming be made here?
 * @host: where
 * @incoming: what
 * @fail: names all that is in the way
 *
 * Return: 0, or the -errno of the first obstacle.
 */
int vmm_check(const struct guest_host *host,
	      const struct guest_incoming *incoming, struct fail *fail)
{
	struct obstacles all = { 0 };
	struct json_object *live = NULL;

	if (json_parse(incoming->live, strlen(incoming->live), &live)) {
		obstacle(&all, -EINVAL, "its live definition is not JSON");
	} else {
		check_name(host, incoming->name, &all);
		check_definition(host, incoming, live, &all);
		check_memory(live, &all);
		check_program(live, &all);
	}
	json_object_put(live);
	if (!all.err)
		return 0;
	return fail_set(fail, all.err, "guest %.63s cannot run here: %s",
			incoming->name, all.text);
}
