// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * direct_io.c - reads that bypass page tables are in flight in every round.
 *
 * The kernel throttles the disk beneath the image, for QEMU: each O_DIRECT read
 * lasts, its pages pinned before a look at what was written, and filled after
 * it by nobody but the disk. (QEMU's own throttle holds reads back before it
 * pins.) No later look would see these pages, as selftests/uffd/track.c shows;
 * but the guest stands still, its reads done, at each look. The proof that
 * both hosts make over every page is the comparison.
 */
#include <string.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "harness.h"
#include "journey.h"
#include "sys.h"

#define ROUNDS	5
/* As many rounds as allowed, and then all the rest by copy: none by faults. */
#define OPTIONS	"\"live\":true,\"rounds_max\":5,\"downtime_ns\":1000"

#define CGROUP	"/sys/fs/cgroup/blkio/straddle-test-%d"
#define ROOT	"/sys/fs/cgroup/blkio/blkio.throttle.read_iops_device"
#define READS	40	/* a second */

FIXTURE(direct_io) {
	struct journey journey;
	char cgroup[96];
};

static int cgroup_write(const char *cgroup, const char *file, const char *text)
{
	__cleanup_fd int fd = -1;
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", cgroup, file);
	fd = sys_ret(open(path, O_WRONLY | O_CLOEXEC));
	return fd < 0 ? fd : sys_write_all(fd, text, strlen(text));
}

/* All threads of QEMU, and the disk that the shared directory is on. */
static int reads_throttle(FIXTURE_DATA(direct_io) *self, pid_t qemu)
{
	const struct virt_host *here = self->journey.here;
	struct stat status;
	char text[64];
	int ret = sys_ret(stat(here->shared, &status));

	if (!ret)
		ret = sys_ret(mkdir(self->cgroup, 0700));
	snprintf(text, sizeof(text), "%u:%u %d", major(status.st_dev),
		 minor(status.st_dev), READS);
	if (!ret)
		ret = cgroup_write(self->cgroup,
				   "blkio.throttle.read_iops_device", text);
	snprintf(text, sizeof(text), "%d", (int)qemu);
	return ret ? ret : cgroup_write(self->cgroup, "cgroup.procs", text);
}

FIXTURE_SETUP(direct_io)
{
	const struct virt_options options = { .production = false };
	const struct domain domain = { .memory = DOMAIN_ANONYMOUS };

	snprintf(self->cgroup, sizeof(self->cgroup), CGROUP, (int)getpid());
	if (sys_ret(access(ROOT, F_OK)))
		SKIP(return, "no blkio cgroup (version 1): mount -t cgroup -o blkio");
	journey_up(&self->journey, &options);
	journey_boot(&self->journey, &domain,
		     "straddle.rate=20000 straddle.disk_rate=1 straddle.disk_mib=4 straddle.reader=800");
}

FIXTURE_TEARDOWN(direct_io)
{
	journey_down(&self->journey);
	(void)sys_ret(rmdir(self->cgroup));
}

TEST_F_TIMEOUT(direct_io, reads_in_flight_over_five_rounds_arrive, JOURNEY_TIMEOUT_S)
{
	struct journey *journey = &self->journey;
	pid_t qemu = domain_qemu(journey->here, JOURNEY_GUEST);

	ASSERT_LT(0, qemu);
	ASSERT_EQ(0, reads_throttle(self, qemu));
	journey_move(journey, OPTIONS);
	EXPECT_EQ(ROUNDS + 1, journey->move.progress.round);
	EXPECT_LE(ROUNDS - 1, journey->move.progress.pauses);
	EXPECT_FALSE(journey->move.progress.postcopy);
	journey_arrived(journey, "running");
	journey_proves_itself(journey);
}

TEST_HARNESS_MAIN
