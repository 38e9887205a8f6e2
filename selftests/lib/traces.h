/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* traces.h - what a migration has left: processes, descriptors, files. */
#ifndef STRADDLE_TEST_TRACES_H
#define STRADDLE_TEST_TRACES_H

#include "selftests/lib/topology.h"

/* Does nothing of a userfaultfd stick to it? -errno: cannot be seen. */
int process_is_ordinary(pid_t pid);
/* Processes on a host, by what they call themselves; NULL: any. */
int host_processes(const struct host *host, const char *name);
/* Entries of its run_dir that begin so. */
int host_files(const struct host *host, const char *prefix);
/* Descriptors in its processes whose link has @what in it. */
int host_descriptors(const struct host *host, const char *what);
pid_t host_worker(const struct host *host, const char *name);

#endif
