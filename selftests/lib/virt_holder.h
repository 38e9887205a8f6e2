/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virt_holder.h - the first process of a libvirt host, and its namespaces. */
#ifndef STRADDLE_TEST_VIRT_HOLDER_H
#define STRADDLE_TEST_VIRT_HOLDER_H

#include "fail.h"
#include "selftests/lib/virt_host.h"

int virt_holder_start(struct virt_host *virt, struct fail *fail);
int virt_holder_stop(struct virt_host *virt);
pid_t virt_holder_exec(const struct virt_host *virt, const char *path,
		       const char *const argv[], int output);

#endif
