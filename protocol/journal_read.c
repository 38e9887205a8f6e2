/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* journal_read.c - rows of the journal, read. */
#include <string.h>

#include "cleanup.h"
#include "protocol/journal_sql.h"
#include "sys.h"

#define ROWS_MAX	4096	/* that are read at once */
#define COLUMNS	"id, side, state, guest, uuid, peer, peer_digest, epoch, guest_pid, " \
		"began_ns, ended_ns, error, summary, proof, acknowledged, paused, process, " \
		"went_to"

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

/* Return: 0, or -EUCLEAN: no text of ours is so long, or ends so early. */
static int text_take(sqlite3_stmt *statement, int column, char *text,
		     size_t size)
{
	const char *got = (const char *)sqlite3_column_text(statement, column);
	size_t bytes = (size_t)sqlite3_column_bytes(statement, column);

	if (!got || bytes >= size || strlen(got) != bytes)
		return -EUCLEAN;
	memcpy(text, got, bytes + 1);
	return 0;
}

static int text_dup(sqlite3_stmt *statement, int column, char **text)
{
	const unsigned char *got = sqlite3_column_text(statement, column);

	*text = got ? strdup((const char *)got) : NULL;
	return got && !*text ? -ENOMEM : 0;
}

/* What it is called, and where it stands: a state of the side that it has. */
static int identity_take(sqlite3_stmt *statement, struct journal_row *row)
{
	char side[16], state[32];
	const struct owner_rule *rule;

	if (text_take(statement, 0, row->id, sizeof(row->id)) ||
	    text_take(statement, 1, side, sizeof(side)) ||
	    text_take(statement, 2, state, sizeof(state)) || !*row->id)
		return -EUCLEAN;
	row->state = owner_state_named(state);
	rule = owner_rule(row->state);
	if (!rule || strcmp(side, side_name(rule->side)))
		return -EUCLEAN;
	row->side = rule->side;
	return 0;
}

static int row_fill(sqlite3_stmt *statement, struct journal_row *row)
{
	const unsigned char *error = sqlite3_column_text(statement, 11);
	int ret;

	if (identity_take(statement, row) ||
	    text_take(statement, 3, row->guest, sizeof(row->guest)) ||
	    text_take(statement, 4, row->uuid, sizeof(row->uuid)) ||
	    text_take(statement, 5, row->peer, sizeof(row->peer)) ||
	    text_take(statement, 6, row->peer_digest, sizeof(row->peer_digest)) ||
	    text_take(statement, 16, row->process, sizeof(row->process)) ||
	    text_take(statement, 17, row->went_to, sizeof(row->went_to)))
		return -EUCLEAN;
	snprintf(row->error, sizeof(row->error), "%s",
		 error ? (const char *)error : "");
	row->epoch = (uint64_t)sqlite3_column_int64(statement, 7);
	row->guest_pid = sqlite3_column_int64(statement, 8);
	row->began_ns = (uint64_t)sqlite3_column_int64(statement, 9);
	row->ended_ns = (uint64_t)sqlite3_column_int64(statement, 10);
	row->acknowledged = sqlite3_column_int(statement, 14);
	row->paused = sqlite3_column_int(statement, 15);
	ret = text_dup(statement, 12, &row->summary);
	return ret ? ret : text_dup(statement, 13, &row->proof);
}

static int row_take(struct journal *journal, sqlite3_stmt *statement,
		    const char *doing, struct journal_row *row,
		    struct fail *fail)
{
	char what[80];
	int ret;

	memset(row, 0, sizeof(*row));
	ret = row_fill(statement, row);
	if (!ret)
		return 0;
	snprintf(what, sizeof(what), "the row of migration '%s' makes no sense", row->id);
	journal_row_fini(row);
	if (ret == -EUCLEAN)
		return journal_damaged(journal, doing, what, fail);
	return fail_set(fail, ret, "cannot %s: %s", doing, strerror(-ret));
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
 * journal_row_host() - which host is the peer, wherever it is called now
 * @row: of the journal
 *
 * Return: what it was called when the guest left for it.
 */
const char *journal_row_host(const struct journal_row *row)
{
	return *row->went_to ? row->went_to : row->peer;
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
		ret = row_take(journal, statement, doing, row, fail);
	else if (code == SQLITE_DONE)
		ret = journal_no_row(id, side, fail);
	else
		ret = journal_error(journal, code, doing, fail);
	sqlite3_finalize(statement);
	return ret;
}

/**
 * journal_unconfirmed() - did a guest come here, and its source not hear so?
 * @journal: which
 * @uuid: of the guest
 * @row: receives the newest such migration; journal_row_fini() frees it
 * @fail: says why not
 *
 * Its source may still take it back.
 *
 * Return: 0, -ENOENT (none) or -errno.
 */
int journal_unconfirmed(struct journal *journal, const char *uuid,
			struct journal_row *row, struct fail *fail)
{
	static const char doing[] = "look whether a guest's source has heard";
	sqlite3_stmt *statement;
	int code, ret = 0;

	pthread_mutex_lock(&journal->lock);
	statement = journal_prepare(journal, "SELECT " COLUMNS " FROM migration"
				    " WHERE uuid = ?1 AND acknowledged = 0"
				    " AND state IN ('COMPLETE', 'DONE', 'POISONED')"
				    " ORDER BY began_ns DESC LIMIT 1", doing, &ret, fail);
	if (statement) {
		journal_bind_text(statement, 1, uuid);
		code = sqlite3_step(statement);
		if (code == SQLITE_ROW)
			ret = row_take(journal, statement, doing, row, fail);
		else
			ret = code == SQLITE_DONE ? -ENOENT
						  : journal_error(journal, code, doing, fail);
		sqlite3_finalize(statement);
	}
	pthread_mutex_unlock(&journal->lock);
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

static int row_list_add(struct row_list *list, struct journal *journal,
			sqlite3_stmt *statement, const char *doing,
			struct fail *fail)
{
	struct journal_row *grown = list->rows;
	int ret;

	if (!(list->count & (list->count - 1)))	/* 0 and powers of two: full */
		grown = realloc(list->rows, (list->count ? 2 * list->count : 1) * sizeof(*grown));
	if (!grown)
		return fail_set(fail, -ENOMEM, "cannot %s: no memory", doing);
	list->rows = grown;
	ret = row_take(journal, statement, doing, &list->rows[list->count], fail);
	if (!ret)
		list->count++;
	return ret;
}

/* Rows first, calls later: @each may use the journal itself. */
static int rows_each(struct journal *journal, const char *sql, int64_t limit,
		     int64_t since_ns, journal_each_fn *each, void *arg,
		     struct fail *fail)
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
		(void)sqlite3_bind_int64(statement, 2, since_ns);
		while (!ret && (code = sqlite3_step(statement)) == SQLITE_ROW)
			ret = row_list_add(&list, journal, statement, doing, fail);
		if (!ret && code != SQLITE_DONE)
			ret = journal_error(journal, code, doing, fail);
		if (!ret && list.count > ROWS_MAX)
			ret = journal_damaged(journal, doing, "no host has so many migrations",
					      fail);
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
			 " ORDER BY began_ns DESC LIMIT ?1", ROWS_MAX + 1, 0, each, arg, fail);
}

/**
 * journal_each_unheard() - every end at the source that its dest does not know of
 * @journal: which
 * @each: called once a row; non-zero ends the walk
 * @arg: for @each
 * @fail: says why not
 *
 * Return: 0, what @each returned, or -errno.
 */
int journal_each_unheard(struct journal *journal, journal_each_fn *each,
			 void *arg, struct fail *fail)
{
	return rows_each(journal, "SELECT " COLUMNS " FROM migration"
			 " WHERE acknowledged = 0 AND (state = 'TAKEN_BACK'"
			 " OR state = 'TORN_DOWN' AND ended_ns > ?2)"
			 " ORDER BY began_ns DESC LIMIT ?1", ROWS_MAX,
			 journal_days_ago(JOURNAL_DAYS), each, arg, fail);
}

/**
 * journal_history() - the last migrations, open or ended, newest first
 * @journal: which
 * @limit: how many at most; never more than ROWS_MAX
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
			 " ORDER BY began_ns DESC LIMIT ?1",
			 limit < ROWS_MAX ? limit : ROWS_MAX, 0, each, arg, fail);
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
