/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmm_client.c - fuzz what a VMM answers the guest driver.
 *
 * An input is the answers, a line each.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "protocol/guest.h"
#include "sys.h"
#include "talker.h"

static char run_dir[256];

static void listen_once(void)
{
	static const char *const nothing[] = { NULL };
	char path[300];

	if (*run_dir)
		return;
	snprintf(run_dir, sizeof(run_dir), "%s", fuzz_dir());
	snprintf(path, sizeof(path), "%s/guests", run_dir);
	FUZZ_CHECK(!mkdir(path, 0700));
	snprintf(path, sizeof(path), "%s/guests/db1.sock", run_dir);
	talker_listen(path, nothing, false);
}

static void description_look(struct guest *guest, struct fail *fail)
{
	struct guest_description description = { .name = "" };
	unsigned int i;
	int ret = vmm_driver.describe(guest, &description, fail);

	if (!ret)
		ret = vmm_driver.map(guest, &description, fail);
	for (i = 0; !ret && i < description.region_count; i++) {
		const struct guest_region *region = &description.regions[i];

		FUZZ_CHECK(region->page_size && region->size);
		FUZZ_CHECK(!(region->size % region->page_size));
		FUZZ_CHECK(!region->shared || region->fd >= 0);
	}
	FUZZ_CHECK(ret == fail->err);
	guest_description_fini(&description);
}

/* What brings a descriptor: save() and userfaultfd(). */
static void fd_look(struct guest *guest,
		    int (*ask)(struct guest *guest, int *fd, struct fail *fail))
{
	struct fail fail = { .err = 0 };
	int fd = -1, ret = ask(guest, &fd, &fail);

	FUZZ_CHECK(ret == fail.err && !ret == (fd >= 0));
	if (fd >= 0)
		close(fd);
}

/**
 * LLVMFuzzerTestOneInput() - have a guest described, paused, saved and loaded
 * @data: the answers
 * @size: bytes of them
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest_host host = { .run_dir = run_dir };
	struct fail fail[3] = { { .err = 0 } };
	struct guest *guest;
	int ret;

	listen_once();
	talker_begin((struct fuzz_input){ data, size });
	FUZZ_CHECK(!vmm_driver.open(&host, "db1", &guest, NULL));
	description_look(guest, &fail[0]);
	ret = vmm_driver.pause(guest, &fail[1]);
	FUZZ_CHECK(ret == fail[1].err);
	fd_look(guest, vmm_driver.save);
	ret = vmm_driver.load(guest, 0, &fail[2]);
	FUZZ_CHECK(ret == fail[2].err);
	fd_look(guest, vmm_driver.userfaultfd);
	vmm_driver.close(guest);
	talker_end();
	return 0;
}

FUZZ_TARGET(vmm_client)

TEST_HARNESS_MAIN
