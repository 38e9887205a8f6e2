/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* huge.h - guest memory of 2 MiB pages. */
#ifndef STRADDLE_BENCH_HUGE_H
#define STRADDLE_BENCH_HUGE_H

#include "tools/bench/bench.h"

#define HUGE_PAGE	(2u << 20)

unsigned int huge_faults(const struct site *site);

#endif
