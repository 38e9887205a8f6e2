/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uffd.h - the kernel's side of a missing or dirty page.
 *
 * A userfaultfd acts on the memory of the process that created it, whoever
 * calls the ioctl; addresses here are therefore addresses in the guest's
 * process. Everything returns 0 (or a count, or a descriptor) or -errno.
 * Nothing here knows what a network is.
 */
#ifndef STRADDLE_UFFD_H
#define STRADDLE_UFFD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "uffd/compat.h"

struct range {
	uint64_t start;		/* bytes, address in the guest's process */
	uint64_t len;		/* bytes */
};

/* ---- open.c: descriptors and what the kernel can do ------------------- */

/* One kernel feature the engine may ask for, for messages that name it. */
struct uffd_feature {
	uint64_t bit;		/* UFFD_FEATURE_* */
	const char *name;	/* "MINOR_SHMEM" */
	const char *since;	/* kernel version that brought it, "5.14" */
	const char *needed_for;	/* "post-copy of shared memory" */
};

extern const struct uffd_feature uffd_features[];
extern const size_t uffd_features_count;

int uffd_open(void);				/* of this process, full */
int uffd_enable(int uffd, uint64_t features);	/* UFFDIO_API, once */
int uffd_supported(uint64_t *features);		/* what this kernel has */
const struct uffd_feature *uffd_feature_missing(uint64_t wanted);

/* ---- attach.c: a descriptor of somebody else's process ---------------- */

/* A userfaultfd that was made inside another process. */
struct uffd_attachment {
	pid_t pid;
	int pidfd;		/* ours; -1 when not attached */
	int uffd;		/* our duplicate; -1 when not attached */
	int remote_fd;		/* its number in the guest's process */
};

int uffd_attach(pid_t pid, struct uffd_attachment *attachment);
int uffd_adopt(pid_t pid, int remote_fd, struct uffd_attachment *attachment);
int uffd_detach(struct uffd_attachment *attachment);
void uffd_attachment_close(struct uffd_attachment *attachment);
int uffd_zap(pid_t pid, int pidfd, const struct range *ranges, size_t count);

/* ---- range.c: registration, in chunks that do not hold mmap_lock long - */

int uffd_register(int uffd, struct range range, uint64_t modes);
int uffd_unregister(int uffd, struct range range);
int uffd_protect(int uffd, struct range range);		/* write-protect */
int uffd_unprotect(int uffd, struct range range);	/* and wake */
int uffd_wake(int uffd, struct range range);

/* ---- place.c: make pages visible to the guest ------------------------- */

/*
 * Each goes on over what is there already (EEXIST: skipped, and woken unless
 * UFFD_PLACE_DONTWAKE), over partial progress and over EAGAIN of a layout in
 * motion (bounded). uffd_continue() stops at a hole in the file: -ENOENT.
 */
enum {
	UFFD_PLACE_DONTWAKE = 1,	/* nobody waits: skip the wake */
	UFFD_PLACE_PROTECTED = 2,	/* map write-protected (copy only) */
};

int uffd_copy(int uffd, uint64_t dst, const void *src, size_t len,
	      size_t page_size, unsigned int flags);
int uffd_insert(int uffd, uint64_t dst, const void *src, size_t len, size_t page_size,
		size_t *done);
int uffd_continue(int uffd, struct range range, size_t page_size,
		  unsigned int flags);
int uffd_zeropage(int uffd, struct range range, size_t page_size,
		  unsigned int flags);
int uffd_poison(int uffd, struct range range, size_t page_size);

/* ---- fault.c: what the kernel tells ----------------------------------- */

enum uffd_event_kind {
	UFFD_FAULT_MISSING,	/* nothing there (shared: not in the file) */
	UFFD_FAULT_MINOR,	/* in the file, not mapped for the guest */
	UFFD_FAULT_WP,		/* write to a write-protected page */
	UFFD_REMOVED,		/* range was discarded: start, len */
	UFFD_OTHER,		/* fork, remap, unmap */
};

struct uffd_event {
	enum uffd_event_kind kind;
	uint64_t start;		/* faulting address, or start of the range */
	uint64_t len;		/* UFFD_REMOVED: bytes */
	uint32_t thread;	/* faulting thread, where the kernel says */
	bool write;
};

#define UFFD_INBOX	16	/* events read at once */

/*
 * Where events are read to. In memory that outlives its reader nothing that
 * was told is lost: whoever discards memory goes on when its event is read.
 */
struct uffd_inbox {
	struct uffd_msg messages[UFFD_INBOX];
};

/* Up to UFFD_INBOX events that wait; 0 = none now (O_NONBLOCK). */
int uffd_inbox_read(int uffd, struct uffd_inbox *inbox,
		    struct uffd_event *events);
int uffd_inbox_removed(const struct uffd_inbox *inbox, struct range *ranges);
void uffd_inbox_clear(struct uffd_inbox *inbox);

/* The same without one: up to @max. */
int uffd_events(int uffd, struct uffd_event *events, size_t max);
int uffd_events_end(int uffd);

/* ---- track.c: which pages were written, without a handler ------------- */

/* Dirty tracking of one process by WP_ASYNC and PAGEMAP_SCAN. */
struct uffd_tracker {
	int uffd;		/* borrowed: made by uffd_attach() */
	int pagemap;		/* /proc/PID/pagemap, ours */
};

typedef int uffd_run_fn(struct range run, void *arg);	/* non-zero stops */

int uffd_tracker_open(struct uffd_tracker *tracker, pid_t pid, int uffd);
void uffd_tracker_close(struct uffd_tracker *tracker);
int uffd_track(struct uffd_tracker *tracker, struct range range);
int uffd_untrack(struct uffd_tracker *tracker, struct range range);

/* Runs written since the last call, protected again in the same step. */
int uffd_written(struct uffd_tracker *tracker, struct range range,
		 uffd_run_fn *run, void *arg);

/* The same runs, left unprotected: whoever asks next finds them, too. */
int uffd_rewritten(int pagemap, struct range range, uffd_run_fn *run,
		   void *arg);

/* Runs of a tracked range that are not mapped: never touched, or gone since. */
int uffd_unmapped(struct uffd_tracker *tracker, struct range range,
		  uffd_run_fn *run, void *arg);

/* Runs of pages that are there (mapped or swapped), in a process. */
int uffd_populated(int pagemap, struct range range, uffd_run_fn *run,
		   void *arg);

/* ---- pagemap.c: the same by reading, page by page --------------------- */

/* Of a process that is tracked: without the markers that tracking leaves. */
int uffd_content(int pagemap, struct range range, uffd_run_fn *run, void *arg);
/* Learns what that needs of the kernel, for who gives up rights before. */
void uffd_content_prepare(void);
/* What uffd_populated() does on kernels before 6.7. */
int pagemap_read(int pagemap, struct range range, uffd_run_fn *run,
		 void *arg);

#endif
