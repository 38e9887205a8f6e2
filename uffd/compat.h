/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * compat.h - kernel names newer than the headers we may be built with.
 *
 * Values are the kernel's ABI (include/uapi/linux/{userfaultfd,fs,mman}.h of
 * 6.18); each is defined only where the installed headers lack it. A name
 * says nothing about the running kernel: uffd_supported() does.
 */
#ifndef STRADDLE_UFFD_COMPAT_H
#define STRADDLE_UFFD_COMPAT_H

#include <linux/fs.h>
#include <linux/types.h>
#include <linux/userfaultfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef UFFD_FEATURE_WP_UNPOPULATED		/* 6.4 */
#define UFFD_FEATURE_WP_UNPOPULATED	(1 << 13)
#endif
#ifndef UFFD_FEATURE_POISON			/* 6.6 */
#define UFFD_FEATURE_POISON		(1 << 14)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC			/* 6.7 */
#define UFFD_FEATURE_WP_ASYNC		(1 << 15)
#endif
#ifndef UFFD_FEATURE_MOVE			/* 6.8 */
#define UFFD_FEATURE_MOVE		(1 << 16)
#endif

#ifndef UFFDIO_CONTINUE_MODE_WP			/* 6.4 */
#define UFFDIO_CONTINUE_MODE_WP		((__u64)1 << 1)
#endif

#ifndef UFFDIO_POISON				/* 6.6 */
#define _UFFDIO_POISON			(0x08)
struct uffdio_poison {
	struct uffdio_range range;
#define UFFDIO_POISON_MODE_DONTWAKE	((__u64)1 << 0)
	__u64 mode;
	__s64 updated;
};
#define UFFDIO_POISON	_IOWR(UFFDIO, _UFFDIO_POISON, struct uffdio_poison)
#endif

#ifndef UFFDIO_MOVE				/* 6.8 */
#define _UFFDIO_MOVE			(0x05)
struct uffdio_move {
	__u64 dst;
	__u64 src;
	__u64 len;
#define UFFDIO_MOVE_MODE_DONTWAKE	((__u64)1 << 0)
#define UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES ((__u64)1 << 1)
	__u64 mode;
	__s64 move;
};
#define UFFDIO_MOVE	_IOWR(UFFDIO, _UFFDIO_MOVE, struct uffdio_move)
#endif

#ifndef USERFAULTFD_IOC_NEW			/* 6.1 */
#define USERFAULTFD_IOC			0xAA
#define USERFAULTFD_IOC_NEW		_IO(USERFAULTFD_IOC, 0x00)
#endif

#ifndef UFFDIO_POISON				/* 6.6 */
#define UFFD_FEATURE_POISON		(1 << 14)
#define UFFDIO_POISON	_IOWR(UFFDIO, 0x08, struct uffdio_poison)

struct uffdio_poison {
	struct uffdio_range range;
	__u64 mode;
	__s64 updated;
};
#endif

#ifndef PAGEMAP_SCAN				/* 6.7 */
#define PAGEMAP_SCAN	_IOWR('f', 16, struct pm_scan_arg)

#define PAGE_IS_WPALLOWED		(1 << 0)
#define PAGE_IS_WRITTEN			(1 << 1)
#define PAGE_IS_FILE			(1 << 2)
#define PAGE_IS_PRESENT			(1 << 3)
#define PAGE_IS_SWAPPED			(1 << 4)
#define PAGE_IS_PFNZERO			(1 << 5)
#define PAGE_IS_HUGE			(1 << 6)
#define PAGE_IS_SOFT_DIRTY		(1 << 7)

#define PM_SCAN_WP_MATCHING		(1 << 0)
#define PM_SCAN_CHECK_WPASYNC		(1 << 1)

struct page_region {
	__u64 start;
	__u64 end;
	__u64 categories;
};

struct pm_scan_arg {
	__u64 size;
	__u64 flags;
	__u64 start;
	__u64 end;
	__u64 walk_end;
	__u64 vec;
	__u64 vec_len;
	__u64 max_pages;
	__u64 category_inverted;
	__u64 category_mask;
	__u64 category_anyof_mask;
	__u64 return_mask;
};
#endif

#ifndef MADV_DONTNEED_LOCKED			/* 5.18 */
#define MADV_DONTNEED_LOCKED		24
#endif

#ifndef __NR_pidfd_open				/* 5.3 */
#define __NR_pidfd_open			434
#endif
#ifndef __NR_pidfd_getfd			/* 5.6 */
#define __NR_pidfd_getfd		438
#endif
#ifndef __NR_process_madvise			/* 5.10 */
#define __NR_process_madvise		440
#endif

#endif
