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
#include "protocol/inject.h"
#include "protocol/journal_sql.h"
#include "sys.h"

#define DAY_NS	UINT64_C(86400000000000)

/* CLOCK_REALTIME, for people and for what may be forgotten. */
static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/**
 * journal_days_ago() - the time of some days ago
 * @days: how many
 *
 * Return: ns of CLOCK_REALTIME, at least 0.
 */
int64_t journal_days_ago(unsigned int days)
{
	uint64_t age = days * DAY_NS, now = wall_ns();

	return now > age ? (int64_t)(now - age) : 0;
}

/* What a write is for. */
struct write {
	unsigned int number;		/* enum owner_state or inject_write */
	const char *id;			/* of the migration, or NULL */
	const char *doing;		/* in words */
};

/* As SQLite says it. */
static int injected_code(int error)
{
	switch (error) {
	case -ENOSPC:
		return SQLITE_FULL;
	case -EROFS:
		return SQLITE_READONLY;
	default:
		return SQLITE_IOERR;
	}
}

/* Run a statement that changes rows: how many, or -errno. */
static int statement_run(struct journal *journal, sqlite3_stmt *statement,
			 const struct write *write, struct fail *fail)
{
	struct inject_place place = {
		.kind = INJECT_JOURNAL, .number = write->number, .id = write->id,
	};
	struct inject_plan plan;
	int code, changed;

	inject_at(journal->inject, &place, &plan);
	inject_before(&plan, -1);
	code = plan.error ? injected_code(plan.error) : sqlite3_step(statement);
	changed = sqlite3_changes(journal->db);
	sqlite3_finalize(statement);
	if (code != SQLITE_DONE)
		return journal_error(journal, code, write->doing, fail);
	inject_after(&plan);
	return changed;
}

/**
 * journal_inject() - have faults strike what is written from now on
 * @journal: which
 * @inject: outlives it; NULL: none do
 */
void journal_inject(struct journal *journal, struct inject *inject)
{
	journal->inject = inject;
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
	struct write write = { row->state, row->id, doing };
	sqlite3_stmt *statement;
	int ret = 0;

	if (!rule || rule->side != row->side || !owner_may_move(STATE_NONE, row->state))
		return fail_set(fail, -EINVAL, "cannot %s: no migration begins as %s at the %s",
				doing, owner_state_name(row->state), side_name(row->side));
	pthread_mutex_lock(&journal->lock);
	statement = journal_prepare(journal, "INSERT INTO migration (id, side, state, guest, uuid,"
				    " peer, peer_digest, epoch, guest_pid, began_ns, error,"
				    " paused, process)"
				    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
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
		journal_bind_text(statement, 13, row->process);
		ret = statement_run(journal, statement, &write, fail);
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
	struct write write = { rule->state, id, doing };
	sqlite3_stmt *statement;
	int ret = 0;

	from_list(rule, from, sizeof(from));
	snprintf(doing, sizeof(doing), "record the state %s", rule->name);
	/* The dest has no say, or has had it, in how the source ends. */
	/* Nobody else writes epoch n + 2: GO's, which is n + 1, is older. */
	snprintf(sql, sizeof(sql), "UPDATE migration SET state = '%s', ended_ns = ?3,"
		 " epoch = epoch + %d, acknowledged = %d WHERE id = ?1 AND side = ?2 AND state IN (%s)",
		 rule->name, rule->state == STATE_TAKING_BACK ? 2 : 0,
		 rule->ended && rule->side == SIDE_SOURCE &&
		 !owner_is_heralded(rule->state), from);
	statement = journal_prepare(journal, sql, doing, &ret, fail);
	if (!statement)
		return ret;
	journal_bind(statement, id, side);
	/* 0 says that it is open, whatever the clock says. */
	(void)sqlite3_bind_int64(statement, 3, rule->ended ? (int64_t)(wall_ns() | 1) : 0);
	return statement_run(journal, statement, &write, fail);
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
	struct write write = { INJECT_NOTE, id, doing };
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
		ret = statement_run(journal, statement, &write, fail);
		if (!ret)
			ret = journal_no_row(id, side, fail);
	}
	pthread_mutex_unlock(&journal->lock);
	return ret < 0 ? ret : 0;
}

/* @sql: sets one column to ?3, @text or, if that is NULL, @value. */
static int row_set(struct journal *journal, const struct write *write,
		   enum side side, const char *sql, const char *text, int value,
		   struct fail *fail)
{
	sqlite3_stmt *statement;
	int ret = 0;

	pthread_mutex_lock(&journal->lock);
	statement = journal_prepare(journal, sql, write->doing, &ret, fail);
	if (statement) {
		journal_bind(statement, write->id, side);
		if (text)
			journal_bind_text(statement, 3, text);
		else
			(void)sqlite3_bind_int(statement, 3, value);
		ret = statement_run(journal, statement, write, fail);
		if (!ret)
			ret = journal_no_row(write->id, side, fail);
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
	struct write write = { INJECT_ACKNOWLEDGE, id, "record an acknowledgement" };

	return row_set(journal, &write, side, "UPDATE migration SET acknowledged = ?3"
		       " WHERE id = ?1 AND side = ?2", NULL, 1, fail);
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
	struct write write = { INJECT_PAUSED, id, "record that a guest was paused" };

	return row_set(journal, &write, side, "UPDATE migration SET paused = ?3"
		       " WHERE id = ?1 AND side = ?2", NULL, paused, fail);
}

/**
 * journal_process() - which process is the guest's
 * @journal: which
 * @id: of the migration
 * @side: this host's
 * @process: as proc_identity() says
 * @fail: says why not
 *
 * Return: 0, -ENOENT or -errno.
 */
int journal_process(struct journal *journal, const char *id, enum side side,
		    const char *process, struct fail *fail)
{
	struct write write = { INJECT_PROCESS, id, "record the process of a guest" };

	return row_set(journal, &write, side, "UPDATE migration SET process = ?3"
		       " WHERE id = ?1 AND side = ?2", process, 0, fail);
}

/**
 * journal_peer() - where the source finds its dest from now on
 * @journal: which
 * @id: of the migration
 * @side: this host's
 * @peer: HOST[:PORT]
 * @fail: says why not
 *
 * Who says so may be wrong: which host the guest left for stays known.
 *
 * Return: 0, -ENOENT or -errno.
 */
int journal_peer(struct journal *journal, const char *id, enum side side,
		 const char *peer, struct fail *fail)
{
	struct write write = { INJECT_PEER, id, "record another address of the dest" };

	return row_set(journal, &write, side, "UPDATE migration SET peer = ?3,"
		       " went_to = iif(went_to = '', peer, went_to)"
		       " WHERE id = ?1 AND side = ?2", peer, 0, fail);
}

/**
 * journal_expire() - drop old tombstones
 * @journal: which
 * @days: how old at least
 * @fail: says why not
 *
 * What is open stays; so does what ended without the peer's knowing, where it may
 * yet matter. Of the others (a promise, say, that nobody asked for) there may be
 * many, and they go by number, as clocks jump; by that of each peer, so that none
 * has another's forgotten. A source that asks for one of them after that is answered
 * UNKNOWN, and holds.
 *
 * Return: 0 or -errno.
 */
int journal_expire(struct journal *journal, unsigned int days,
		   struct fail *fail)
{
	static const char doing[] = "drop old migrations";
	struct write write = { INJECT_EXPIRE, NULL, doing };
	sqlite3_stmt *statement;
	int ret = 0;

	pthread_mutex_lock(&journal->lock);
	statement = journal_prepare(journal, "DELETE FROM migration WHERE ended_ns != 0"
				    " AND (ended_ns <= ?1 AND acknowledged = 1"
				    " OR rowid IN (SELECT rowid FROM (SELECT rowid,"
				    " row_number() OVER (PARTITION BY state, peer_digest"
				    " ORDER BY rowid DESC) AS nth FROM migration"
				    " WHERE acknowledged = 0 AND state IN"
				    " ('DISCARDED', 'DIED', 'TORN_DOWN')) WHERE nth > ?2))",
				    doing, &ret, fail);
	if (statement) {
		(void)sqlite3_bind_int64(statement, 1, journal_days_ago(days));
		(void)sqlite3_bind_int(statement, 2, JOURNAL_UNHEARD_MAX);
		ret = statement_run(journal, statement, &write, fail);
	}
	pthread_mutex_unlock(&journal->lock);
	return ret < 0 ? ret : 0;
}
