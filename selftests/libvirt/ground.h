/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ground.h - two libvirt hosts for a test, or the reason why not. */
#ifndef STRADDLE_TEST_GROUND_H
#define STRADDLE_TEST_GROUND_H

#include "fail.h"
#include "selftests/lib/domain.h"
#include "selftests/lib/virt_host.h"

struct ground {
	struct two_hosts *hosts;
	struct virt_hosts *virts;
	struct fail fail;
};

void ground_up(struct ground *ground, const struct virt_options *options);
void ground_down(struct ground *ground);

void ground_disks(struct virt_host *virt, const struct domain *domain);

#endif
