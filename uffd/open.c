/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* open.c - userfaultfds of this process, and what this kernel can do. */
#include "uffd/uffd.h"
#include "uffd/sys.h"

const struct uffd_feature uffd_features[] = {
	{ UFFD_FEATURE_PAGEFAULT_FLAG_WP, "PAGEFAULT_FLAG_WP", "5.7",
	  "write protection of anonymous memory" },
	{ UFFD_FEATURE_EVENT_REMOVE, "EVENT_REMOVE", "4.11",
	  "memory that the guest gives back (balloon)" },
	{ UFFD_FEATURE_MISSING_HUGETLBFS, "MISSING_HUGETLBFS", "4.11",
	  "post-copy of huge pages" },
	{ UFFD_FEATURE_MISSING_SHMEM, "MISSING_SHMEM", "4.11",
	  "post-copy of shared memory" },
	{ UFFD_FEATURE_THREAD_ID, "THREAD_ID", "4.14",
	  "telling a vCPU's fault from the hypervisor's" },
	{ UFFD_FEATURE_MINOR_HUGETLBFS, "MINOR_HUGETLBFS", "5.13",
	  "post-copy of shared huge pages" },
	{ UFFD_FEATURE_MINOR_SHMEM, "MINOR_SHMEM", "5.14",
	  "post-copy of shared memory" },
	{ UFFD_FEATURE_EXACT_ADDRESS, "EXACT_ADDRESS", "5.18",
	  "addresses of faults within a huge page" },
	{ UFFD_FEATURE_WP_HUGETLBFS_SHMEM, "WP_HUGETLBFS_SHMEM", "5.19",
	  "pre-copy rounds of shared memory and huge pages" },
	{ UFFD_FEATURE_WP_UNPOPULATED, "WP_UNPOPULATED", "6.4",
	  "pre-copy rounds of memory never touched before" },
	{ UFFD_FEATURE_POISON, "POISON", "6.6",
	  "marking pages that are lost for good" },
	{ UFFD_FEATURE_WP_ASYNC, "WP_ASYNC", "6.7",
	  "pre-copy rounds without stopping the guest's writers" },
	{ UFFD_FEATURE_MOVE, "MOVE", "6.8",
	  "placing private pages without a copy" },
};

const size_t uffd_features_count =
	sizeof(uffd_features) / sizeof(uffd_features[0]);

/* The device makes descriptors for whoever may open it, capable or not. */
static int open_by_device(void)
{
	int device = sys_ret(open("/dev/userfaultfd", O_RDWR | O_CLOEXEC));
	int uffd;

	if (device < 0)
		return device;
	uffd = sys_ret(ioctl(device, USERFAULTFD_IOC_NEW,
			     O_CLOEXEC | O_NONBLOCK));
	close(device);
	return uffd;
}

/**
 * uffd_open() - make a userfaultfd over this process's memory
 *
 * The descriptor is a full one (faults in the kernel are told too, which KVM
 * and direct I/O need), O_NONBLOCK and O_CLOEXEC, not enabled yet.
 *
 * Return: the descriptor; -EPERM without CAP_SYS_PTRACE and without access
 * to /dev/userfaultfd; -ENOSYS: the kernel is built without userfaultfd.
 */
int uffd_open(void)
{
	int uffd = sys_userfaultfd(O_CLOEXEC | O_NONBLOCK);
	int by_device;

	if (uffd != -EPERM)
		return uffd;
	by_device = open_by_device();
	return by_device >= 0 ? by_device : uffd;
}

/**
 * uffd_enable() - say which features are wanted, once for each descriptor
 * @uffd: a descriptor that has not been enabled
 * @features: UFFD_FEATURE_*
 *
 * Return: 0; -EINVAL: a feature that this kernel lacks (see
 * uffd_feature_missing()), or the descriptor is enabled already.
 */
int uffd_enable(int uffd, uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };

	return sys_ioctl(uffd, UFFDIO_API, &api);
}

/**
 * uffd_supported() - ask the kernel which features it has
 * @features: receives UFFD_FEATURE_*
 *
 * It is asked once: who asks again may have given up the right to.
 *
 * Return: 0 or -errno as uffd_open().
 */
int uffd_supported(uint64_t *features)
{
	static uint64_t known;		/* atomic; 0: not asked yet */
	struct uffdio_api api = { .api = UFFD_API };
	int uffd, ret;

	*features = __atomic_load_n(&known, __ATOMIC_RELAXED);
	if (*features)
		return 0;
	uffd = uffd_open();
	if (uffd < 0)
		return uffd;
	ret = sys_ioctl(uffd, UFFDIO_API, &api);
	close(uffd);
	if (!ret)
		*features = api.features;
	__atomic_store_n(&known, *features, __ATOMIC_RELAXED);
	return ret;
}

/**
 * uffd_feature_missing() - name the first feature that this kernel lacks
 * @wanted: UFFD_FEATURE_*
 *
 * A kernel that gives us no userfaultfd at all has no feature.
 *
 * Return: the feature's row, NULL when all that is named there is here.
 */
const struct uffd_feature *uffd_feature_missing(uint64_t wanted)
{
	uint64_t have = 0;

	if (uffd_supported(&have))
		have = 0;
	for (size_t i = 0; i < uffd_features_count; i++)
		if (uffd_features[i].bit & wanted & ~have)
			return &uffd_features[i];
	return NULL;
}
