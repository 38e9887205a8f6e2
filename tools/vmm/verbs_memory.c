// SPDX-License-Identifier: LGPL-2.1-or-later
/* verbs_memory.c - requests about the memory of the guest. */
#include "tools/vmm/verbs.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/vmm/engine.h"
#include "uffd/uffd.h"

#define RANGES_MAX	65536	/* of one discard */

static int verb_memory(struct vmm *vmm, struct request *request,
		       struct answer *answer)
{
	int fd;

	(void)request;
	if (vmm->machine->memory.fd < 0)
		return fail_set(&answer->fail, -EOPNOTSUPP,
				"private memory has no file to hand over");
	fd = sys_ret(fcntl(vmm->machine->memory.fd, F_DUPFD_CLOEXEC, 0));
	if (fd < 0)
		return fail_set(&answer->fail, fd, "cannot duplicate: %s",
				strerror(-fd));
	answer->fd = fd;
	return 0;
}

static int verb_userfaultfd(struct vmm *vmm, struct request *request,
			    struct answer *answer)
{
	bool created = vmm->uffd < 0;
	int fd;

	(void)request;
	if (created)
		vmm->uffd = uffd_open();
	if (vmm->uffd < 0) {
		int err = vmm->uffd;

		vmm->uffd = -1;
		return fail_set(&answer->fail, err,
				"cannot create a userfaultfd: %s; run as root",
				strerror(-err));
	}
	fd = sys_ret(fcntl(vmm->uffd, F_DUPFD_CLOEXEC, 0));
	if (fd < 0)
		return fail_set(&answer->fail, fd, "cannot duplicate: %s",
				strerror(-fd));
	answer->fd = fd;
	put_bool(answer->root, "created", created);
	return 0;
}

static int verb_userfaultfd_close(struct vmm *vmm, struct request *request,
				  struct answer *answer)
{
	(void)request;
	if (vmm->uffd < 0)
		return fail_set(&answer->fail, -ENOENT,
				"there is no userfaultfd to close");
	close(vmm->uffd);
	vmm->uffd = -1;
	return 0;
}

static int discard_one(struct vmm *vmm, struct json_object *range,
		       struct fail *fail)
{
	uint64_t address, length;

	if (!json_object_is_type(range, json_type_array) ||
	    json_object_array_length(range) != 2 ||
	    verb_number(json_object_array_get_idx(range, 0), &address) ||
	    verb_number(json_object_array_get_idx(range, 1), &length))
		return fail_set(fail, -EINVAL,
				"a range is [address, length]");
	return memory_discard(&vmm->machine->memory, address, length, fail);
}

static int verb_discard(struct vmm *vmm, struct request *request,
			struct answer *answer)
{
	struct json_object *list = NULL;
	int ret = verb_need_stopped(vmm, answer);

	if (ret)
		return ret;
	json_object_object_get_ex(request->root, "ranges", &list);
	if (!json_object_is_type(list, json_type_array) ||
	    json_object_array_length(list) > RANGES_MAX)
		return fail_set(&answer->fail, -EINVAL,
				"discard needs \"ranges\": up to %d of [address, length]",
				RANGES_MAX);
	for (size_t i = 0; !ret && i < json_object_array_length(list); i++)
		ret = discard_one(vmm, json_object_array_get_idx(list, i),
				  &answer->fail);
	return ret;
}

static bool free_done(struct vmm *vmm, struct answer *answer)
{
	struct balloon *balloon = &vmm->machine->balloon;

	if (!balloon_done(vmm->machine))
		return false;
	put_number(answer->root, "pages", balloon->pages);
	if (balloon->error)
		fail_set(&answer->fail, balloon->error,
			 "guest %s cannot give memory back: %s",
			 vmm->machine->definition.name,
			 strerror(-balloon->error));
	return true;
}

static int verb_free(struct vmm *vmm, struct request *request,
		     struct answer *answer)
{
	int ret = verb_need_stopped(vmm, answer);

	(void)request;
	if (!ret)
		ret = balloon_start(vmm->machine, &answer->fail);
	return ret ? ret : VERB_WAITS;
}

const struct verb verbs_memory[] = {
	{ "memory", verb_memory, NULL, false },
	{ "userfaultfd", verb_userfaultfd, NULL, false },
	{ "userfaultfd-close", verb_userfaultfd_close, NULL, false },
	{ "discard", verb_discard, NULL, false },
	{ "free", verb_free, free_done, false },
	{ NULL, NULL, NULL, false },
};
