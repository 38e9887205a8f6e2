/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hugepool.h - the host's pool of 2 MiB pages. */
#ifndef STRADDLE_LIB_HUGEPOOL_H
#define STRADDLE_LIB_HUGEPOOL_H

long hugepool_free(void);
int hugepool_add(long pages);

#endif
