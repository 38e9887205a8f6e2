/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal.c - fuzz the journal's file: damaged, or written by somebody else.
 *
 * An input is how it is made and that: the file itself; or SQL that is run on a
 * journal which holds a migration, by someone who does not care what is legal.
 * What is loaded of it is legal, or there is an error in words.
 */
#include <errno.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "protocol/journal.h"
#include "sys.h"

#define ID		"0123456789abcdef0123456789abcdef"
#define IS_SQL		1
#define SQL_OPS		200000	/* of SQLite's machine, at most */
#define SQL_TEXT_MAX	(4 << 20)	/* bytes of a value that it makes */

static char dir[256], path[280];

static void side_files_remove(void)
{
	char name[300];

	snprintf(name, sizeof(name), "%s-wal", path);
	unlink(name);
	snprintf(name, sizeof(name), "%s-shm", path);
	unlink(name);
	unlink(path);
}

/* A journal with one migration that is open. */
static void journal_make(void)
{
	struct journal_row row = {
		.id = ID, .side = SIDE_DEST, .state = STATE_PREPARED,
		.guest = "db1", .uuid = "c7a5fdbd-edaf-9455-926a-d65c16db1809",
		.peer = "10.0.0.2:49300", .epoch = 7, .guest_pid = 4711,
	};
	struct journal *journal;

	FUZZ_CHECK(!journal_open(dir, &journal, NULL));
	FUZZ_CHECK(!journal_begin(journal, &row, NULL));
	FUZZ_CHECK(!journal_note(journal, ID, SIDE_DEST, "none", "{\"a\":1}", "0 1 2 3\n",
				 NULL));
	journal_close(journal);
}

static int too_much(void *arg)
{
	(void)arg;
	return 1;
}

static void sql_run(struct fuzz_input input)
{
	char *text = strndup((const char *)input.at, input.left);
	sqlite3 *db;

	FUZZ_CHECK(!sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL));
	/* No other file, neither by VACUUM INTO. */
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, SQL_TEXT_MAX);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
	sqlite3_progress_handler(db, SQL_OPS, too_much, NULL);
	(void)sqlite3_exec(db, text, NULL, NULL, NULL);
	sqlite3_close(db);
	free(text);
}

static void file_write(struct fuzz_input input)
{
	int fd = sys_ret(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));

	FUZZ_CHECK(fd >= 0 && !sys_write_all(fd, input.at, input.left));
	close(fd);
}

static int row_look(const struct journal_row *row, void *arg)
{
	unsigned int *count = arg;

	++*count;
	FUZZ_CHECK(owner_rule(row->state) && owner_rule(row->state)->side == row->side);
	FUZZ_CHECK(*row->id);
	FUZZ_CHECK(!row->summary || strlen(row->summary) < 1 << 20);
	return 0;
}

/* A row that is no row of ours is an error of the whole list. */
static void rows_look(struct journal *journal)
{
	struct fail fail[3] = { { .err = 0 } };
	struct journal_row row;
	unsigned int count = 0;
	int ret = journal_each_open(journal, row_look, &count, &fail[0]);

	FUZZ_CHECK(ret == fail[0].err);
	ret = journal_history(journal, 100, row_look, &count, &fail[1]);
	FUZZ_CHECK(ret == fail[1].err);
	ret = journal_get(journal, ID, SIDE_DEST, &row, &fail[2]);
	FUZZ_CHECK(ret == fail[2].err);
	if (ret)
		return;
	row_look(&row, &count);
	journal_row_fini(&row);
}

static void journal_use(struct journal *journal)
{
	struct fail fail[4] = { { .err = 0 } };
	enum owner_state now;
	uint64_t epoch;
	int ret;

	rows_look(journal);
	ret = journal_epoch(journal, "c7a5fdbd-edaf-9455-926a-d65c16db1809", &epoch, &fail[0]);
	FUZZ_CHECK(ret == fail[0].err);
	ret = journal_move(journal, ID, SIDE_DEST, STATE_DISCARDED, &now, &fail[1]);
	FUZZ_CHECK(ret == fail[1].err);
	ret = journal_note(journal, ID, SIDE_DEST, "late", "{}", NULL, &fail[2]);
	FUZZ_CHECK(ret == fail[2].err);
	ret = journal_acknowledge(journal, ID, SIDE_DEST, &fail[3]);
	FUZZ_CHECK(ret == fail[3].err);
	(void)journal_expire(journal, 0, NULL);
}

/**
 * LLVMFuzzerTestOneInput() - open a journal, read it, write to it
 * @data: a byte: how it is made; that
 * @size: bytes of it
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	uint8_t how = fuzz_byte(&input);
	struct fail fail = { .err = 0 };
	struct journal *journal = NULL;
	int ret;

	snprintf(dir, sizeof(dir), "%s/state", fuzz_dir());
	snprintf(path, sizeof(path), "%s/journal.db", dir);
	mkdir(dir, 0700);
	side_files_remove();
	if (how & IS_SQL) {
		journal_make();
		sql_run(input);
	} else {
		file_write(input);
	}
	ret = journal_open(dir, &journal, &fail);
	FUZZ_CHECK(ret == fail.err && !ret == !!journal);
	if (!ret)
		journal_use(journal);
	journal_close(journal);
	return 0;
}

FUZZ_TARGET(journal)

TEST_HARNESS_MAIN
