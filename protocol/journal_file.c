/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal_file.c - the journal's directory, file, schema and errors.
 *
 * WAL with synchronous=FULL: a commit has returned only when the disk has it.
 * No column holds a token or a key.
 */
#include <string.h>

#include "cleanup.h"
#include "protocol/journal_sql.h"
#include "sys.h"

#define SCHEMA_VERSION	3
#define BUSY_MS		5000
#define VALUE_MAX	(1 << 20)	/* bytes of a row: more than any of ours */

static const char schema[] =
	"CREATE TABLE migration ("
	" id TEXT NOT NULL,"
	" side TEXT NOT NULL CHECK (side IN ('source', 'dest')),"
	" state TEXT NOT NULL,"
	" guest TEXT NOT NULL,"
	" uuid TEXT NOT NULL,"
	" peer TEXT NOT NULL,"
	" peer_digest TEXT NOT NULL,"
	" epoch INTEGER NOT NULL,"
	" guest_pid INTEGER NOT NULL,"
	" paused INTEGER NOT NULL,"
	" began_ns INTEGER NOT NULL,"
	" ended_ns INTEGER NOT NULL DEFAULT 0,"
	" acknowledged INTEGER NOT NULL DEFAULT 0,"
	" error TEXT NOT NULL DEFAULT '',"
	" summary TEXT,"
	" proof TEXT,"
	" process TEXT NOT NULL DEFAULT '',"
	" went_to TEXT NOT NULL DEFAULT '',"
	" PRIMARY KEY (id, side)) STRICT;"
	"CREATE INDEX migration_began ON migration (began_ns);"
	"PRAGMA user_version = 3;";

/* What version 1 has not. */
static const char schema_2[] =
	"ALTER TABLE migration ADD COLUMN process TEXT NOT NULL DEFAULT '';"
	"PRAGMA user_version = 2;";

/* Nor version 2. */
static const char schema_3[] =
	"ALTER TABLE migration ADD COLUMN went_to TEXT NOT NULL DEFAULT '';"
	"PRAGMA user_version = 3;";

static int error_full(struct journal *journal, const char *doing,
		      struct fail *fail)
{
	return fail_set(fail, -ENOSPC, "cannot %s: no space left under %s; make room there, "
			"nothing was changed", doing, journal->path);
}

static int error_read_only(struct journal *journal, const char *doing,
			   struct fail *fail)
{
	return fail_set(fail, -EROFS, "cannot %s: %s is read-only; mount it writable or choose "
			"another --state-dir", doing, journal->path);
}

/* What the system said behind SQLite's "I/O error" or "cannot open". */
static int error_system(struct journal *journal, int code, const char *doing,
			struct fail *fail)
{
	int err = sqlite3_system_errno(journal->db);

	if (err == ENOSPC || err == EDQUOT)
		return error_full(journal, doing, fail);
	if (err == EROFS)
		return error_read_only(journal, doing, fail);
	return fail_set(fail, err ? -err : -EIO, "cannot %s: %s: %s%s%s; look at the disk and "
			"the kernel's log", doing, journal->path, sqlite3_errstr(code),
			err ? ": " : "", err ? strerror(err) : "");
}

/**
 * journal_damaged() - note that the file is not as we wrote it
 * @journal: whose
 * @doing: "record that ..."
 * @what: is wrong with it
 * @fail: says what, which file, and what to do
 *
 * Return: -EUCLEAN.
 */
int journal_damaged(struct journal *journal, const char *doing,
		    const char *what, struct fail *fail)
{
	return fail_set(fail, -EUCLEAN, "cannot %s: %s is damaged (%s); restore it, or "
			"move it away once no guest of this host is migrating",
			doing, journal->path, what);
}

/**
 * journal_error() - note an error of SQLite as one of ours
 * @journal: whose
 * @code: SQLite's (extended) code
 * @doing: "record that ..."
 * @fail: says what, which file, why, and what to do
 *
 * Return: -errno: -ENOSPC, -EROFS, -EBUSY, -EUCLEAN, -EIO, ...
 */
int journal_error(struct journal *journal, int code, const char *doing,
		  struct fail *fail)
{
	switch (code & 0xff) {
	case SQLITE_FULL:
		return error_full(journal, doing, fail);
	case SQLITE_READONLY:
		return error_read_only(journal, doing, fail);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return fail_set(fail, -EBUSY, "cannot %s: another process has held %s for %d s; "
				"is a second agent running on the same --state-dir?",
				doing, journal->path, BUSY_MS / 1000);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_TOOBIG:	/* a value beyond VALUE_MAX */
	case SQLITE_ERROR:	/* a table or column is missing */
		return journal_damaged(journal, doing, sqlite3_errmsg(journal->db), fail);
	case SQLITE_NOMEM:
		return fail_set(fail, -ENOMEM, "cannot %s: no memory", doing);
	case SQLITE_CONSTRAINT:
		return fail_set(fail, -EEXIST, "cannot %s: %s has such a row already",
				doing, journal->path);
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return fail_set(fail, -EACCES, "cannot %s: no right to use %s; run the agent as "
				"its owner", doing, journal->path);
	default:
		return error_system(journal, code, doing, fail);
	}
}

/**
 * journal_prepare() - a statement
 * @journal: whose, locked
 * @sql: its text
 * @doing: for messages
 * @ret: receives -errno where there is none
 * @fail: says why not
 *
 * Return: the statement, for sqlite3_finalize(), or NULL.
 */
sqlite3_stmt *journal_prepare(struct journal *journal, const char *sql,
			      const char *doing, int *ret, struct fail *fail)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(journal->db, sql, -1, &statement, NULL);

	if (code == SQLITE_OK)
		return statement;
	*ret = journal_error(journal, code, doing, fail);
	return NULL;
}

static int dir_make(const char *dir, struct fail *fail)
{
	struct stat st;
	int ret = sys_ret(mkdir(dir, 0700));

	if (ret && ret != -EEXIST)
		return fail_set(fail, ret, "cannot create the state directory %s: %s", dir,
				strerror(-ret));
	ret = sys_ret(stat(dir, &st));
	if (ret)
		return fail_set(fail, ret, "cannot look at the state directory %s: %s", dir,
				strerror(-ret));
	if (!S_ISDIR(st.st_mode))
		return fail_set(fail, -ENOTDIR, "the state directory %s is no directory", dir);
	if (st.st_mode & 0077 || st.st_uid != geteuid())
		return fail_set(fail, -EPERM, "the state directory %s is open to others (mode "
				"%04o, owner %u): 'chmod 0700 %s', or choose another --state-dir",
				dir, st.st_mode & 07777, st.st_uid, dir);
	return 0;
}

/* SQLite gives its side files the mode of this one. */
static int file_make(const char *path, struct fail *fail)
{
	__cleanup_fd int fd = sys_ret(open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
					    0600));
	int ret;

	if (fd < 0)
		return fail_set(fail, fd, "cannot create the journal %s: %s; %s", path,
				strerror(-fd), fd == -EROFS ? "mount it writable or choose another "
				"--state-dir" : "make room or choose another --state-dir");
	ret = sys_ret(fchmod(fd, 0600));
	if (ret)
		return fail_set(fail, ret, "cannot close the journal %s to others: %s", path,
				strerror(-ret));
	return 0;
}

static int statements_run(struct journal *journal, const char *sql,
			  struct fail *fail)
{
	int code = sqlite3_exec(journal->db, sql, NULL, NULL, NULL);

	if (code == SQLITE_OK)
		return 0;
	return journal_error(journal, sqlite3_extended_errcode(journal->db),
			     "open the journal", fail);
}

static int schema_version(struct journal *journal, int *version,
			  struct fail *fail)
{
	sqlite3_stmt *statement;
	int code, ret = 0;

	statement = journal_prepare(journal, "PRAGMA user_version", "open the journal", &ret,
				    fail);
	if (!statement)
		return ret;
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*version = sqlite3_column_int(statement, 0);
	else
		ret = journal_error(journal, code, "open the journal", fail);
	sqlite3_finalize(statement);
	return ret;
}

/* Two agents that start at once: one makes the schema, the other finds it. */
static int schema_make(struct journal *journal, struct fail *fail)
{
	int version = 0, ret;

	ret = statements_run(journal, "BEGIN IMMEDIATE", fail);
	if (ret)
		return ret;
	ret = schema_version(journal, &version, fail);
	if (!ret && !version)
		ret = statements_run(journal, schema, fail);
	if (!ret && version == 1)
		ret = statements_run(journal, schema_2, fail);
	if (!ret && (version == 1 || version == 2))
		ret = statements_run(journal, schema_3, fail);
	if (!ret && version < 0)
		ret = journal_damaged(journal, "open the journal", "it has no format", fail);
	if (!ret && version > SCHEMA_VERSION)
		ret = fail_set(fail, -EPROTONOSUPPORT, "the journal %s was written by a newer "
			       "release (format %d, this one knows %d): install that release",
			       journal->path, version, SCHEMA_VERSION);
	if (!ret)
		ret = statements_run(journal, "COMMIT", fail);
	if (ret)
		(void)sqlite3_exec(journal->db, "ROLLBACK", NULL, NULL, NULL);
	return ret;
}

/* Whoever made the file: it runs nothing, and no value of it is large. */
static void limits_set(sqlite3 *db)
{
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
}

/* Damage is found when the agent starts, and not when a guest is to start. */
static int integrity_check(struct journal *journal, struct fail *fail)
{
	static const char doing[] = "open the journal";
	sqlite3_stmt *statement;
	const char *said;
	int code, ret = 0;

	statement = journal_prepare(journal, "PRAGMA integrity_check(1)", doing, &ret, fail);
	if (!statement)
		return ret;
	code = sqlite3_step(statement);
	said = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
	if (code != SQLITE_ROW)
		ret = journal_error(journal, code, doing, fail);
	else if (!said || strcmp(said, "ok"))
		ret = journal_damaged(journal, doing, said ? said : "no memory to check it",
				      fail);
	sqlite3_finalize(statement);
	return ret;
}

static int database_open(struct journal *journal, struct fail *fail)
{
	int code, ret;

	code = sqlite3_open_v2(journal->path, &journal->db,
			       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code != SQLITE_OK)
		return journal_error(journal, code, "open the journal", fail);
	limits_set(journal->db);
	sqlite3_extended_result_codes(journal->db, 1);
	sqlite3_busy_timeout(journal->db, BUSY_MS);
	ret = statements_run(journal, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
			     "PRAGMA secure_delete = ON; PRAGMA cell_size_check = ON;", fail);
	if (!ret)
		ret = schema_make(journal, fail);
	return ret ? ret : integrity_check(journal, fail);
}

/**
 * journal_open() - open a host's journal
 * @dir: its directory; created with mode 0700 where it is missing
 * @journal: receives the journal; any thread may use it
 * @fail: says why not, which file, and what to do
 *
 * Return: 0 or -errno.
 */
int journal_open(const char *dir, struct journal **journal, struct fail *fail)
{
	struct journal *new;
	int ret, length;

	ret = dir_make(dir, fail);
	if (ret)
		return ret;
	new = calloc(1, sizeof(*new));
	if (!new)
		return fail_set(fail, -ENOMEM, "no memory for the journal");
	pthread_mutex_init(&new->lock, NULL);
	length = snprintf(new->path, sizeof(new->path), "%s/journal.db", dir);
	if (length >= (int)sizeof(new->path))
		ret = fail_set(fail, -ENAMETOOLONG, "the name of the state directory is too long");
	if (!ret)
		ret = file_make(new->path, fail);
	if (!ret)
		ret = database_open(new, fail);
	if (ret) {
		journal_close(new);
		return ret;
	}
	*journal = new;
	return 0;
}

/**
 * journal_close() - close a journal
 * @journal: used by no thread any more; NULL is fine
 */
void journal_close(struct journal *journal)
{
	if (!journal)
		return;
	sqlite3_close(journal->db);
	pthread_mutex_destroy(&journal->lock);
	free(journal);
}
