/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * furnish.h - memory of a straddle-vmm as that of ordinary guests is.
 *
 * Its workload writes three words of a page. The others, of the upper half of
 * its memory, are filled here: of four pages one stays as it is, one is random,
 * two are text. What they are follows from the page's number.
 */
#ifndef STRADDLE_TEST_FURNISH_H
#define STRADDLE_TEST_FURNISH_H

#include <stdint.h>

#include "fail.h"
#include "selftests/lib/topology.h"

/* Of a guest that stands still. Return: 0 or -errno. */
int furnish(const struct host *host, const char *name, struct fail *fail);
/* Pages that are not as they were filled; the guest may run. Or -errno. */
int64_t furnish_wrong(const struct host *host, const char *name, struct fail *fail);

#endif
