/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host_memory.h - how much memory this host has for a guest. */
#ifndef STRADDLE_GUESTS_HOST_MEMORY_H
#define STRADDLE_GUESTS_HOST_MEMORY_H

#include <stdint.h>

uint64_t memory_available(void);

#endif
