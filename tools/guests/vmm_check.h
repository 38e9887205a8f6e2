/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmm_check.h - could this host run that guest? */
#ifndef STRADDLE_GUESTS_VMM_CHECK_H
#define STRADDLE_GUESTS_VMM_CHECK_H

#include "fail.h"
#include "protocol/guest.h"

int vmm_check(const struct guest_host *host,
	      const struct guest_incoming *incoming, struct fail *fail);

#endif
