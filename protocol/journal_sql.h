/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal_sql.h - the journal's file and its statements: what journal.c,
 * journal_read.c and journal_file.c share.
 */
#ifndef STRADDLE_JOURNAL_SQL_H
#define STRADDLE_JOURNAL_SQL_H

#include <pthread.h>
#include <sqlite3.h>

#include "protocol/journal.h"

#define JOURNAL_PATH_MAX	4096

struct journal {
	sqlite3 *db;
	pthread_mutex_t lock;		/* a statement and its outcome */
	char path[JOURNAL_PATH_MAX];
	struct inject *inject;		/* or NULL; set before it is used */
};

/* Note SQLite's error @code; returns the -errno that it is. */
int journal_error(struct journal *journal, int code, const char *doing,
		  struct fail *fail);
/* It is not as we wrote it; returns -EUCLEAN. */
int journal_damaged(struct journal *journal, const char *doing,
		    const char *what, struct fail *fail);
/* A statement of @sql; NULL: noted in @fail. */
sqlite3_stmt *journal_prepare(struct journal *journal, const char *sql,
			      const char *doing, int *ret, struct fail *fail);
void journal_bind_text(sqlite3_stmt *statement, int index, const char *text);
void journal_bind(sqlite3_stmt *statement, const char *id, enum side side);
int journal_row_get(struct journal *journal, const char *id, enum side side,
		    struct journal_row *row, struct fail *fail);
int journal_no_row(const char *id, enum side side, struct fail *fail);
int64_t journal_days_ago(unsigned int days);

#endif
