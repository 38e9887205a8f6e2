/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* descendants.h - end what a test left running. */
#ifndef STRADDLE_TEST_DESCENDANTS_H
#define STRADDLE_TEST_DESCENDANTS_H

void descendants_kill(void);

#endif
