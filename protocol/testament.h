/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testament.h - what a worker writes down for whoever has to go on.
 *
 * From the question (source) and from GO (dest) on, a worker that dies has to
 * be replaced, and its guest may not be able to answer: it is stopped, or
 * waits for a page. So all that a successor needs is in a file on tmpfs, which
 * goes with the host, as the guest does.
 */
#ifndef STRADDLE_TESTAMENT_H
#define STRADDLE_TESTAMENT_H

#include "protocol/protocol.h"

int testament_write(struct migration *m);
int testament_read(struct migration *m);

#endif
