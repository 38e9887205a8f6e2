/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* orphan.h - a process that is nobody's child, and outlives its starter. */
#ifndef STRADDLE_GUESTS_ORPHAN_H
#define STRADDLE_GUESTS_ORPHAN_H

int orphan_fork(void (*become)(const void *what), const void *what);

#endif /* STRADDLE_GUESTS_ORPHAN_H */
