/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* table.c - collect cells, then print them in columns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain.h"
#include "table.h"

/**
 * table_init() - a table without rows
 * @table: what to set up
 * @heads: of the columns, NULL-terminated, at most TABLE_COLUMNS_MAX
 */
void table_init(struct table *table, const char *const *heads)
{
	*table = (struct table){ .heads = heads };
	while (heads[table->columns])
		table->columns++;
}

/**
 * table_add() - add the next cell, from left to right, row after row
 * @table: where to
 * @cell: its text, copied; NULL or "": nothing to say
 */
void table_add(struct table *table, const char *cell)
{
	char **cells = realloc(table->cells, (table->count + 1) * sizeof(*cells));

	if (!cells)
		abort();
	table->cells = cells;
	cells[table->count] = strdup(cell && *cell ? cell : "-");
	if (!cells[table->count])
		abort();
	table->count++;
}

static void cell_print(const char *text, size_t width)
{
	size_t used = strlen(text);

	plain_put(stdout, text);
	while (width && used++ < width + 2)
		putchar(' ');
}

/**
 * table_print() - print a table to stdout, its heads first
 * @table: whole rows
 */
void table_print(const struct table *table)
{
	size_t widths[TABLE_COLUMNS_MAX], i;

	for (i = 0; i < table->columns; i++)
		widths[i] = strlen(table->heads[i]);
	for (i = 0; i < table->count; i++)
		if (strlen(table->cells[i]) > widths[i % table->columns])
			widths[i % table->columns] = strlen(table->cells[i]);
	widths[table->columns - 1] = 0;
	for (i = 0; i < table->columns; i++)
		cell_print(table->heads[i], widths[i]);
	for (i = 0; i < table->count; i++) {
		if (i % table->columns == 0)
			putchar('\n');
		cell_print(table->cells[i], widths[i % table->columns]);
	}
	putchar('\n');
}

/**
 * table_fini() - free the cells
 * @table: may be reused after table_init()
 */
void table_fini(struct table *table)
{
	size_t i;

	for (i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
}
