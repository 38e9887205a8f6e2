/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* table.h - a table for people: columns as wide as they have to be. */
#ifndef STRADDLE_TABLE_H
#define STRADDLE_TABLE_H

#include <stddef.h>

#define TABLE_COLUMNS_MAX	12

struct table {
	const char *const *heads;	/* NULL-terminated */
	size_t columns;
	char **cells;			/* row after row */
	size_t count;
};

void table_init(struct table *table, const char *const *heads);
void table_add(struct table *table, const char *cell);
void table_print(const struct table *table);
void table_fini(struct table *table);

#endif
