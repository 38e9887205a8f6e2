/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* summary.h - what a migration came to. */
#ifndef STRADDLE_SUMMARY_H
#define STRADDLE_SUMMARY_H

#include "protocol/protocol.h"

void summary_print(const struct progress *summary);

#endif
