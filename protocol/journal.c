/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal.c - write the journal: who owns which guest.
 *
 * Every call is one statement, and every statement is one transaction: it is
 * on the disk when the call returns 0, and not at all when it returns an
 * error. journal_move() is the only way to change a state.
 */
#include <string.h>

#include "cleanup.h"
#include "protocol/journal_sql.h"
#include "sys.h"

static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Run a statement that changes rows: how many, or -errno. */
static int statement_run(struct journal *journal, sqlite3_stmt *statement,
			 const char *doing, struct fail *fail)
{
	int code = sqlite3_step(statement), changed = sqlite3_changes(journal->db);

	sqlite3_finalize(statement);
	if (code != SQLITE_DONE)
		return journal_error(journal, code, doing, fail);
	return changed;
}

/**
 * journal_begin() - write down a new migration
 * @journal: which
 * @row: with its first state, STATE_BEGUN or STATE_PREPARED; began_ns 0: now
 * @fail: says why not
 *
 * Return: 0, -EEXIST (there is such a row), -EINVAL (no first state) or
 * -errno.
 */
int journal_begin(struct journal *journal, const struct journal_row *row,
		  struct fail *fail)
{
	static const char doing[] = "record a new migration";
	const struct owner_rule *rule = owner_rule(row->state);
	sqlite3_stmt *statement;
	int ret = 0;

	if (!rule || rule->side != row->side || !owner_may_move(STATE_NONE, row->state))
		return fail_set(fail, -EINVAL, "cannot %s: no migration begins as %s at the %s",
				doing, owner_state_name(row->state), side_name(row->side));
	pthread_mutex_lock(&journal->lock);
	statement = journal_prepare(journal, "INSERT INTO migration (id, side, state, guest, uuid,"
				    " peer, peer_digest, epoch, guest_pid, began_ns, error,"
				    " paused)"
				    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
				    doing, &ret, fail);
	if (statement) {
		journal_bind(statement, row->id, row->side);
		journal_bind_text(statement, 3, rule->name);
		journal_bind_text(statement, 4, row->guest);
		journal_bind_text(statement, 5, row->uuid);
		journal_bind_text(statement, 6, row->peer);
		journal_bind_text(statement, 7, row->peer_digest);
		(void)sqlite3_bind_int64(statement, 8, (int64_t)row->epoch);
		(void)sqlite3_bind_int64(statement, 9, row->guest_pid);
		(void)sqlite3_bind_int64(statement, 10,
					 (int64_t)(row->began_ns ? row->began_ns : wall_ns()));
		journal_bind_text(statement, 11, row->error);
		(void)sqlite3_bind_int(statement, 12, row->paused);
		ret = statement_run(journal, statement, doing, fail);
	}
	pthread_mutex_unlock(&journal->lock);
	return ret < 0 ? ret : 0;
}

/* "'LOADED', 'PREPARED'": the states that may precede one. */
static void from_list(const struct owner_rule *rule, char *text, size_t size)
{
	size_t i, used = 0;

	text[0] = 0;
	for (i = 0; i < owner_table_count; i++)
		if (owner_may_move(owner_table[i].state, rule->state))
			used += (size_t)snprintf(text + used, size - used, "%s'%s'",
						 used ? ", " : "", owner_table[i].name);
}

static int row_move(struct journal *journal, const char *id, enum side side,
		    const struct owner_rule *rule, struct fail *fail)
{
	char sql[512], from[256], doing[64];
	sqlite3_stmt *statement;
	int ret = 0;

	from_list(rule, from, sizeof(from));
	snprintf(doing, sizeof(doing), "record the state %s", rule->name);
	/* The peer has no say, or has had it, in RESUMED, TORN_DOWN and DONE. */
	snprintf(sql, sizeof(sql), "UPDATE migration SET state = '%s', ended_ns = ?3,"
		 " acknowledged = %d WHERE id = ?1 AND side = ?2 AND state IN (%s)",
		 rule->name, rule->ended && rule->state != STATE_DISCARDED &&
		 rule->state != STATE_DIED, from);
	statement = journal_prepare(journal, sql, doing, &ret, fail);
	if (!statement)
		return ret;
	journal_bind(statement, id, side);
	(void)sqlite3_bind_int64(statement, 3, rule->ended ? (int64_t)wall_ns() : 0);
	return statement_run(journal, statement, doing, fail);
}

static int move_refused(struct journal *journal, const char *id, enum side side,
			const struct owner_rule *rule, enum owner_state *now,
			struct fail *fail)
{
	struct journal_row row;
	int ret = journal_row_get(journal, id, side, &row, fail);

	if (ret)
		return ret;
	if (now)
		*now = row.state;
	fail_set(fail, -ESTALE, "migration %.32s cannot become %s at the %s: it is %s already",
		 id, rule->name, side_name(side), owner_state_name(row.state));
	journal_row_fini(&row);
	return -ESTALE;
}

/**
 * journal_move() - compare-and-set of a migration's state, synced
 * @journal: which
 * @id: of the migration
 * @side: this host's
 * @to: the new state
 * @now: receives where it stands: @to, or on -ESTALE the state in the way;
 *	may be NULL
 * @fail: says why not
 *
 * Return: 0; -ESTALE: @to may not follow its state; -ENOENT; -EINVAL: @to is
 * the other side's; -ENOSPC, -EROFS or another -errno: nothing has changed.
 */
int journal_move(struct journal *journal, const char *id, enum side side,
		 enum owner_state to, enum owner_state *now,
		 struct fail *fail)
{
	const struct owner_rule *rule = owner_rule(to);
	int ret;

	if (!rule || rule->side != side)
		return fail_set(fail, -EINVAL, "%s is no state of the %s",
				owner_state_name(to), side_name(side));
	pthread_mutex_lock(&journal->lock);
	ret = row_move(journal, id, side, rule, fail);
	if (!ret)
		ret = move_refused(journal, id, side, rule, now, fail);
	pthread_mutex_unlock(&journal->lock);
	if (ret < 0)
		return ret;
	if (now)
		*now = to;
	return 0;
}

/**
 * journal_note() - write down facts beside the state
 * @journal: which
 * @id: of the migration
 * @side: this host's
 * @error: first reason of failure (an earlier one stays), or NULL
 * @summary: JSON, or NULL: as it is
 * @proof: JSON, or NULL: as it is
 * @fail: says why not
 *
 * Return: 0, -ENOENT or -errno.
 */
int journal_note(struct journal *journal, const char *id, enum side side,
		 const char *error, const char *summary, const char *proof,
		 struct fail *fail)
{
	static const char doing[] = "record the facts of a migration";
	sqlite3_stmt *statement;
	int ret = 0;

	pthread_mutex_lock(&journal->lock);
	statement = journal_prepare(journal, "UPDATE migration SET"
				    " error = iif(error = '', coalesce(?3, ''), error),"
				    " summary = coalesce(?4, summary),"
				    " proof = coalesce(?5, proof)"
				    " WHERE id = ?1 AND side = ?2", doing, &ret, fail);
	if (statement) {
		journal_bind(statement, id, side);
		journal_bind_text(statement, 3, error);
		journal_bind_text(statement, 4, summary);
		journal_bind_text(statement, 5, proof);
		ret = statement_run(journal, statement, doing, fail);
		if (!ret)
			ret = journal_no_row(id, side, fail);
	}
	pthread_mutex_unlock(&journal->lock);
	return ret < 0 ? ret : 0;
}

/* @sql: sets one column to ?3. */
static int row_set(struct journal *journal, const char *id, enum side side,
		   const char *sql, int value, const char *doing,
		   struct fail *fail)
{
	sqlite3_stmt *statement;
	int ret = 0;

	pthread_mutex_lock(&journal->lock);
	statement = journal_prepare(journal, sql, doing, &ret, fail);
	if (statement) {
		journal_bind(statement, id, side);
		(void)sqlite3_bind_int(statement, 3, value);
		ret = statement_run(journal, statement, doing, fail);
		if (!ret)
			ret = journal_no_row(id, side, fail);
	}
	pthread_mutex_unlock(&journal->lock);
	return ret < 0 ? ret : 0;
}

/**
 * journal_acknowledge() - the peer has heard how a migration ended
 * @journal: which
 * @id: of the migration
 * @side: this host's
 * @fail: says why not
 *
 * Return: 0, -ENOENT or -errno.
 */
int journal_acknowledge(struct journal *journal, const char *id,
			enum side side, struct fail *fail)
{
	return row_set(journal, id, side, "UPDATE migration SET acknowledged = ?3"
		       " WHERE id = ?1 AND side = ?2", 1, "record an acknowledgement",
		       fail);
}

/**
 * journal_paused() - its owner paused the guest, or resumed it
 * @journal: which
 * @id: of the migration
 * @side: this host's
 * @paused: what it is if the migration ends here
 * @fail: says why not
 *
 * Return: 0, -ENOENT or -errno.
 */
int journal_paused(struct journal *journal, const char *id, enum side side,
		   bool paused, struct fail *fail)
{
	return row_set(journal, id, side, "UPDATE migration SET paused = ?3"
		       " WHERE id = ?1 AND side = ?2", paused,
		       "record that a guest was paused", fail);
}

/**
 * journal_expire() - drop old tombstones
 * @journal: which
 * @days: how old at least
 * @fail: says why not
 *
 * What is open, or ended without the peer's knowing, stays.
 *
 * Return: 0 or -errno.
 */
int journal_expire(struct journal *journal, unsigned int days,
		   struct fail *fail)
{
	static const char doing[] = "drop old migrations";
	uint64_t age = (uint64_t)days * 86400u * 1000000000u, now = wall_ns();
	sqlite3_stmt *statement;
	int ret = 0;

	pthread_mutex_lock(&journal->lock);
	statement = journal_prepare(journal, "DELETE FROM migration WHERE ended_ns != 0"
				    " AND ended_ns <= ?1 AND acknowledged = 1",
				    doing, &ret, fail);
	if (statement) {
		(void)sqlite3_bind_int64(statement, 1, (int64_t)(now > age ? now - age : 0));
		ret = statement_run(journal, statement, doing, fail);
	}
	pthread_mutex_unlock(&journal->lock);
	return ret < 0 ? ret : 0;
}
