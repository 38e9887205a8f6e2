/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hugepages.h - 2 MiB pages for a test, given back afterwards. */
#ifndef STRADDLE_TEST_HUGEPAGES_H
#define STRADDLE_TEST_HUGEPAGES_H

#define HUGEPAGE_SIZE	(2u << 20)

int hugepages_add(long pages);
long hugepages_free(void);

#endif
