/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* journal_read.c - rows of the journal, read. */
#include <string.h>

#include "cleanup.h"
#include "protocol/journal_sql.h"
#include "sys.h"

#define COLUMNS	"id, side, state, guest, uuid, peer, peer_digest, epoch, guest_pid, " \
		"began_ns, ended_ns, error, summary, proof, acknowledged, paused"

/**
 * journal_bind_text() - give a statement a text
 * @statement: which
 * @index: of its parameter
 * @text: copied; NULL: SQL's NULL
 */
void journal_bind_text(sqlite3_stmt *statement, int index, const char *text)
{
	/* An index or memory that fails shows as an error of the step. */
	(void)sqlite3_bind_text(statement, index, text, -1, SQLITE_TRANSIENT);
}

/**
 * journal_bind() - give a statement the row it is about, as ?1 and ?2
 * @statement: which
 * @id: of the migration
 * @side: this host's
 */
void journal_bind(sqlite3_stmt *statement, const char *id, enum side side)
{
	journal_bind_text(statement, 1, id);
	journal_bind_text(statement, 2, side_name(side));
}

/**
 * journal_no_row() - note that there is no such row
 * @id: of the migration
 * @side: this host's
 * @fail: says so
 *
 * Return: -ENOENT.
 */
int journal_no_row(const char *id, enum side side, struct fail *fail)
{
	return fail_set(fail, -ENOENT, "the journal has no migration %.32s with this host as %s",
			id, side_name(side));
}

static void text_take(sqlite3_stmt *statement, int column, char *text,
		      size_t size)
{
	const unsigned char *got = sqlite3_column_text(statement, column);

	snprintf(text, size, "%s", got ? (const char *)got : "");
}

static int text_dup(sqlite3_stmt *statement, int column, char **text)
{
	const unsigned char *got = sqlite3_column_text(statement, column);

	*text = got ? strdup((const char *)got) : NULL;
	return got && !*text ? -ENOMEM : 0;
}

static int row_take(sqlite3_stmt *statement, struct journal_row *row)
{
	char word[32];
	int ret;

	memset(row, 0, sizeof(*row));
	text_take(statement, 0, row->id, sizeof(row->id));
	text_take(statement, 1, word, sizeof(word));
	row->side = strcmp(word, side_name(SIDE_SOURCE)) ? SIDE_DEST : SIDE_SOURCE;
	text_take(statement, 2, word, sizeof(word));
	row->state = owner_state_named(word);
	text_take(statement, 3, row->guest, sizeof(row->guest));
	text_take(statement, 4, row->uuid, sizeof(row->uuid));
	text_take(statement, 5, row->peer, sizeof(row->peer));
	text_take(statement, 6, row->peer_digest, sizeof(row->peer_digest));
	row->epoch = (uint64_t)sqlite3_column_int64(statement, 7);
	row->guest_pid = sqlite3_column_int64(statement, 8);
	row->began_ns = (uint64_t)sqlite3_column_int64(statement, 9);
	row->ended_ns = (uint64_t)sqlite3_column_int64(statement, 10);
	text_take(statement, 11, row->error, sizeof(row->error));
	row->acknowledged = sqlite3_column_int(statement, 14);
	row->paused = sqlite3_column_int(statement, 15);
	ret = text_dup(statement, 12, &row->summary);
	if (!ret)
		ret = text_dup(statement, 13, &row->proof);
	if (ret)
		journal_row_fini(row);
	return ret;
}

/**
 * journal_row_fini() - free what a row holds
 * @row: of journal_get(), or zeroed
 */
void journal_row_fini(struct journal_row *row)
{
	free(row->summary);
	free(row->proof);
	row->summary = NULL;
	row->proof = NULL;
}

/**
 * journal_row_get() - one migration
 * @journal: which; locked by the caller
 * @id: of the migration
 * @side: this host's
 * @row: receives it; journal_row_fini() frees it; unchanged on error
 * @fail: says why not
 *
 * Return: 0, -ENOENT or -errno.
 */
int journal_row_get(struct journal *journal, const char *id, enum side side,
		    struct journal_row *row, struct fail *fail)
{
	static const char doing[] = "read a migration";
	sqlite3_stmt *statement;
	int code, ret = 0;

	statement = journal_prepare(journal, "SELECT " COLUMNS " FROM migration"
				    " WHERE id = ?1 AND side = ?2", doing, &ret, fail);
	if (!statement)
		return ret;
	journal_bind(statement, id, side);
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		ret = row_take(statement, row);
	else if (code == SQLITE_DONE)
		ret = journal_no_row(id, side, fail);
	else
		ret = journal_error(journal, code, doing, fail);
	sqlite3_finalize(statement);
	return ret;
}

/**
 * journal_get() - one migration
 * @journal: which
 * @id: of the migration
 * @side: this host's
 * @row: receives it; journal_row_fini() frees it; unchanged on error
 * @fail: says why not
 *
 * Return: 0, -ENOENT (silence, and not an answer) or -errno.
 */
int journal_get(struct journal *journal, const char *id, enum side side,
		struct journal_row *row, struct fail *fail)
{
	struct journal_row got;
	int ret;

	pthread_mutex_lock(&journal->lock);
	ret = journal_row_get(journal, id, side, &got, fail);
	pthread_mutex_unlock(&journal->lock);
	if (!ret)
		*row = got;
	return ret;
}

struct row_list {
	struct journal_row *rows;	/* owned */
	size_t count;
};

static void row_list_fini(struct row_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		journal_row_fini(&list->rows[i]);
	free(list->rows);
}

static int row_list_add(struct row_list *list, sqlite3_stmt *statement)
{
	struct journal_row *grown = list->rows;
	int ret;

	if (!(list->count & (list->count - 1)))	/* 0 and powers of two: full */
		grown = realloc(list->rows, (list->count ? 2 * list->count : 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->rows = grown;
	ret = row_take(statement, &list->rows[list->count]);
	if (!ret)
		list->count++;
	return ret;
}

/* Rows first, calls later: @each may use the journal itself. */
static int rows_each(struct journal *journal, const char *sql, int64_t limit,
		     journal_each_fn *each, void *arg, struct fail *fail)
{
	static const char doing[] = "list migrations";
	struct row_list list = { .rows = NULL };
	sqlite3_stmt *statement;
	int code = SQLITE_DONE, ret = 0;
	size_t i;

	pthread_mutex_lock(&journal->lock);
	statement = journal_prepare(journal, sql, doing, &ret, fail);
	if (statement) {
		(void)sqlite3_bind_int64(statement, 1, limit);
		while (!ret && (code = sqlite3_step(statement)) == SQLITE_ROW)
			ret = row_list_add(&list, statement);
		if (!ret && code != SQLITE_DONE)
			ret = journal_error(journal, code, doing, fail);
		sqlite3_finalize(statement);
	}
	pthread_mutex_unlock(&journal->lock);
	for (i = 0; i < list.count && !ret; i++)
		ret = each(&list.rows[i], arg);
	row_list_fini(&list);
	return ret;
}

/**
 * journal_each_open() - every migration that has not ended, newest first
 * @journal: which
 * @each: called once a row; non-zero ends the walk
 * @arg: for @each
 * @fail: says why not
 *
 * Return: 0, what @each returned, or -errno.
 */
int journal_each_open(struct journal *journal, journal_each_fn *each,
		      void *arg, struct fail *fail)
{
	return rows_each(journal, "SELECT " COLUMNS " FROM migration WHERE ended_ns = 0"
			 " ORDER BY began_ns DESC LIMIT ?1", -1, each, arg, fail);
}

/**
 * journal_history() - the last migrations, open or ended, newest first
 * @journal: which
 * @limit: how many at most
 * @each: called once a row; non-zero ends the walk
 * @arg: for @each
 * @fail: says why not
 *
 * Return: 0, what @each returned, or -errno.
 */
int journal_history(struct journal *journal, unsigned int limit,
		    journal_each_fn *each, void *arg, struct fail *fail)
{
	return rows_each(journal, "SELECT " COLUMNS " FROM migration"
			 " ORDER BY began_ns DESC LIMIT ?1", limit, each, arg, fail);
}

/**
 * journal_epoch() - the newest epoch that this host knows of a guest
 * @journal: which
 * @uuid: of the guest
 * @epoch: receives it; 0: no migration of it was ever recorded here
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int journal_epoch(struct journal *journal, const char *uuid, uint64_t *epoch,
		  struct fail *fail)
{
	static const char doing[] = "read an epoch";
	sqlite3_stmt *statement;
	int code, ret = 0;

	pthread_mutex_lock(&journal->lock);
	statement = journal_prepare(journal, "SELECT coalesce(max(epoch), 0) FROM migration"
				    " WHERE uuid = ?1 AND state != 'DISCARDED'", doing, &ret,
				    fail);
	if (statement) {
		sqlite3_bind_text(statement, 1, uuid, -1, SQLITE_STATIC);
		code = sqlite3_step(statement);
		if (code == SQLITE_ROW)
			*epoch = (uint64_t)sqlite3_column_int64(statement, 0);
		else
			ret = journal_error(journal, code, doing, fail);
		sqlite3_finalize(statement);
	}
	pthread_mutex_unlock(&journal->lock);
	return ret;
}
