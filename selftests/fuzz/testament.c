/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testament.c - fuzz what a worker leaves to its successor.
 *
 * Regions that are taken over are made of whole pages, as those that a guest
 * driver describes.
 */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "proc.h"
#include "protocol/testament.h"
#include "sys.h"

static void file_write(const uint8_t *data, size_t size)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/testament.%032d.dest", fuzz_dir(), 0);
	fd = sys_ret(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	FUZZ_CHECK(fd >= 0 && !sys_write_all(fd, data, size));
	close(fd);
}

static int process_started(void *port, pid_t pid, uint64_t *started)
{
	(void)port;
	*started = proc_started(pid);
	return 0;
}

static const struct port_ops port_ops = { .process_started = process_started };

/**
 * LLVMFuzzerTestOneInput() - read a testament
 * @data: the file
 * @size: bytes of it
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct guest_driver *const drivers[] = {
		&vmm_driver, &qmp_driver, NULL
	};
	static struct migration m;
	unsigned int i;
	int ret;

	memset(&m, 0, sizeof(m));
	m.side = SIDE_DEST;
	m.run_dir = fuzz_dir();
	m.drivers = drivers;
	m.port_ops = &port_ops;
	file_write(data, size);
	ret = testament_read(&m);
	FUZZ_CHECK(ret == m.fail.err);
	FUZZ_CHECK(ret || (m.description.region_count && m.driver));
	for (i = 0; !ret && i < m.description.region_count; i++) {
		const struct guest_region *region = &m.description.regions[i];

		FUZZ_CHECK(region->page_size &&
			   !(region->page_size & (region->page_size - 1)) &&
			   !(region->size % region->page_size));
	}
	return 0;
}

FUZZ_TARGET(testament)

TEST_HARNESS_MAIN
