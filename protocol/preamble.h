/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* preamble.h - the connecting and the answering half, for channel.c. */
#ifndef STRADDLE_PREAMBLE_H
#define STRADDLE_PREAMBLE_H

#include "protocol/channel.h"

int preamble_send(int fd, const struct preamble *preamble);
int preamble_answer(int fd, enum preamble_verdict verdict,
		    enum security security);
int preamble_answered(int fd, const char *name, enum security security,
		      uint64_t deadline, struct fail *fail);

#endif
