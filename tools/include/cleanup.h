/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cleanup.h - scope-bound clean-up, for functions without error labels. */
#ifndef STRADDLE_CLEANUP_H
#define STRADDLE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define __cleanup_fd	__attribute__((cleanup(cleanup_close)))
#define __cleanup_free	__attribute__((cleanup(cleanup_free)))
#define __cleanup_file	__attribute__((cleanup(cleanup_fclose)))

/* Hand a descriptor out of a scope that would have closed it. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Hand a pointer out of a scope that would have freed it. */
#define take_ptr(p) ({ __typeof__(p) taken_ = (p); (p) = NULL; taken_; })

#endif
