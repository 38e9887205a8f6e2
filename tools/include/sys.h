/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys.h - system calls that answer 0, a count, a descriptor or -errno.
 *
 * errno is read here, in uffd/sys.h and nowhere else: wrap a call in
 * sys_ret(), or add a shim that has more to it (loops, partial transfers).
 */
#ifndef STRADDLE_SYS_H
#define STRADDLE_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* The value of a call that says -1 and errno, as 0, a count or -errno. */
#define sys_ret(call) ({					\
	__typeof__(call) ret_ = (call);				\
	ret_ == -1 ? (__typeof__(call))-errno : ret_;		\
})

/* As sys_ret(), but goes on after a signal. */
#define sys_retry(call) ({					\
	__typeof__(call) got_;					\
	do {							\
		got_ = (call);					\
	} while (got_ == -1 && errno == EINTR);			\
	got_ == -1 ? (__typeof__(call))-errno : got_;		\
})

/**
 * sys_mmap() - mmap() with an error that can be returned
 * @map: receives the address, unchanged on error
 *
 * Return: 0 or -errno.
 */
static inline int sys_mmap(void **map, size_t size, int prot, int flags,
			   int fd, uint64_t offset)
{
	void *got = mmap(NULL, size, prot, flags, fd, (off_t)offset);

	if (got == MAP_FAILED)
		return -errno;
	*map = got;
	return 0;
}

/* Read exactly @size bytes; -EPIPE at end of file. */
static inline int sys_read_all(int fd, void *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = sys_retry(read(fd, (char *)buf + done,
					     size - done));
		if (got <= 0)
			return got ? (int)got : -EPIPE;
		done += (size_t)got;
	}
	return 0;
}

/* Write exactly @size bytes. */
static inline int sys_write_all(int fd, const void *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t put = sys_retry(write(fd, (const char *)buf + done,
					      size - done));
		if (put < 0)
			return (int)put;
		done += (size_t)put;
	}
	return 0;
}

/* Write exactly @size bytes at @offset. */
static inline int sys_pwrite_all(int fd, const void *buf, size_t size,
				 uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t put = sys_retry(pwrite(fd, (const char *)buf + done,
					       size - done,
					       (off_t)(offset + done)));
		if (put < 0)
			return (int)put;
		done += (size_t)put;
	}
	return 0;
}

/* Nanoseconds of CLOCK_MONOTONIC: one clock for a host and its namespaces. */
static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Wait for one descriptor; 0 when ready, -ETIMEDOUT, or -errno. */
static inline int sys_wait_fd(int fd, short events, int timeout_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int ret = sys_retry(poll(&pfd, 1, timeout_ms));

	if (ret < 0)
		return ret;
	return ret ? 0 : -ETIMEDOUT;
}

#endif
