/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* definition.h - what a worker that was killed began to replace. */
#ifndef STRADDLE_DEFINITION_H
#define STRADDLE_DEFINITION_H

#include "protocol/guest.h"

void definition_settle(const struct guest_host *host, const char *guest, bool keep);

#endif
