/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * journal.c - what the journal promises: one decides, and it is on the disk.
 *
 * Central here: the compare-and-set. With "AND state IN (...)" taken out of
 * journal_move(), both sides of go_and_discard_have_one_winner() win.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "harness.h"
#include "protocol/journal.h"
#include "sys.h"

#define ID	"0123456789abcdef0123456789abcdef"

FIXTURE(book) {
	char dir[300];
	struct journal *journal;
	struct fail fail;
};

FIXTURE_SETUP(book)
{
	memset(self, 0, sizeof(*self));
	snprintf(self->dir, sizeof(self->dir), "%s/state", test_dir());
	ASSERT_EQ(0, journal_open(self->dir, &self->journal, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
}

FIXTURE_TEARDOWN(book)
{
	journal_close(self->journal);
}

static struct journal_row row_make(const char *id, enum side side)
{
	struct journal_row row = {
		.side = side,
		.state = side == SIDE_SOURCE ? STATE_BEGUN : STATE_PREPARED,
		.guest = "db1",
		.uuid = "c7a5fdbd-edaf-9455-926a-d65c16db1809",
		.peer = "10.0.0.2:49300",
		.epoch = 7,
		.guest_pid = 4711,
	};

	snprintf(row.id, sizeof(row.id), "%s", id);
	return row;
}

static void begin(struct journal *journal, const char *id, enum side side)
{
	struct journal_row row = row_make(id, side);
	struct fail fail = { .err = 0 };

	ASSERT_EQ(0, journal_begin(journal, &row, &fail)) {
		TH_LOG("%s", fail.text);
	}
}

static void move(struct journal *journal, const char *id, enum side side,
		 enum owner_state to)
{
	struct fail fail = { .err = 0 };

	ASSERT_EQ(0, journal_move(journal, id, side, to, NULL, &fail)) {
		TH_LOG("%s", fail.text);
	}
}

static enum owner_state state_of(struct journal *journal, const char *id,
				 enum side side)
{
	struct journal_row row = { .state = STATE_NONE };

	ASSERT_EQ(0, journal_get(journal, id, side, &row, NULL));
	journal_row_fini(&row);
	return row.state;
}

static void reopen(FIXTURE_DATA(book) *self)
{
	journal_close(self->journal);
	self->journal = NULL;
	ASSERT_EQ(0, journal_open(self->dir, &self->journal, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
}

TEST_F(book, what_is_written_is_read_also_later)
{
	struct journal_row row = row_make(ID, SIDE_SOURCE), got;
	int i;

	begin(self->journal, ID, SIDE_SOURCE);
	ASSERT_EQ(0, journal_note(self->journal, ID, SIDE_SOURCE, "it's full", "{\"a\":1}",
				  "{\"p\":2}", &self->fail));
	ASSERT_EQ(0, journal_note(self->journal, ID, SIDE_SOURCE, "later", NULL, NULL, NULL));
	ASSERT_EQ(0, journal_paused(self->journal, ID, SIDE_SOURCE, !row.paused, NULL));
	ASSERT_EQ(0, journal_peer(self->journal, ID, SIDE_SOURCE, "there:1", NULL));
	ASSERT_EQ(0, journal_peer(self->journal, ID, SIDE_SOURCE, "elsewhere:1", NULL));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, journal_get(self->journal, ID, SIDE_SOURCE, &got, &self->fail));
		EXPECT_STREQ(ID, got.id);
		EXPECT_EQ(SIDE_SOURCE, got.side);
		EXPECT_EQ(STATE_BEGUN, got.state);
		EXPECT_STREQ(row.guest, got.guest);
		EXPECT_STREQ(row.uuid, got.uuid);
		EXPECT_STREQ("elsewhere:1", got.peer);
		EXPECT_STREQ(row.peer, journal_row_host(&got));	/* where it went */
		EXPECT_EQ(7, got.epoch);
		EXPECT_EQ(4711, got.guest_pid);
		EXPECT_EQ(!row.paused, got.paused);
		EXPECT_NE(0, got.began_ns);
		EXPECT_EQ(0, got.ended_ns);
		EXPECT_STREQ("it's full", got.error);	/* the first one stays */
		EXPECT_STREQ("{\"a\":1}", got.summary);
		EXPECT_STREQ("{\"p\":2}", got.proof);
		journal_row_fini(&got);
		reopen(self);
	}
}

TEST_F(book, an_empty_journal_is_silence)
{
	struct journal_row row;

	EXPECT_EQ(-ENOENT, journal_get(self->journal, ID, SIDE_DEST, &row, &self->fail));
	EXPECT_EQ(-ENOENT, journal_move(self->journal, ID, SIDE_DEST, STATE_GO, NULL, NULL));
	EXPECT_EQ(-ENOENT, journal_note(self->journal, ID, SIDE_DEST, "x", NULL, NULL, NULL));
	EXPECT_EQ(-ENOENT, journal_acknowledge(self->journal, ID, SIDE_DEST, NULL));
	EXPECT_EQ(-ENOENT, journal_paused(self->journal, ID, SIDE_DEST, true, NULL));
	EXPECT_EQ(-ENOENT, journal_peer(self->journal, ID, SIDE_DEST, "x", NULL));
}

TEST_F(book, sides_of_one_migration_are_apart)
{
	begin(self->journal, ID, SIDE_SOURCE);
	begin(self->journal, ID, SIDE_DEST);
	move(self->journal, ID, SIDE_DEST, STATE_LOADED);
	EXPECT_EQ(STATE_BEGUN, state_of(self->journal, ID, SIDE_SOURCE));
	EXPECT_EQ(STATE_LOADED, state_of(self->journal, ID, SIDE_DEST));
	EXPECT_EQ(-EINVAL, journal_move(self->journal, ID, SIDE_DEST, STATE_ASKED, NULL, NULL));
}

TEST_F(book, a_migration_begins_once_and_at_the_start)
{
	struct journal_row row = row_make(ID, SIDE_DEST);

	begin(self->journal, ID, SIDE_DEST);
	EXPECT_EQ(-EEXIST, journal_begin(self->journal, &row, NULL));
	snprintf(row.id, sizeof(row.id), "another");
	row.state = STATE_GO;
	EXPECT_EQ(-EINVAL, journal_begin(self->journal, &row, NULL));
	row.state = STATE_BEGUN;
	EXPECT_EQ(-EINVAL, journal_begin(self->journal, &row, NULL));
}

/* A way to each state, from the table itself. */
static bool row_bring(struct journal *journal, const char *id,
		      const struct owner_rule *rule)
{
	size_t i;

	if (owner_may_move(STATE_NONE, rule->state)) {
		begin(journal, id, rule->side);
		return true;
	}
	for (i = 0; i < owner_table_count; i++)
		if (owner_may_move(owner_table[i].state, rule->state) &&
		    row_bring(journal, id, &owner_table[i])) {
			move(journal, id, rule->side, rule->state);
			return true;
		}
	return false;
}

/* The journal is stricter than the table nowhere, and laxer nowhere. */
TEST_F(book, every_step_is_as_the_table_says)
{
	size_t i, j;

	for (i = 0; i < owner_table_count; i++)
		for (j = 0; j < owner_table_count; j++) {
			const struct owner_rule *from = &owner_table[i], *to = &owner_table[j];
			enum owner_state now = STATE_NONE;
			bool legal = owner_may_move(from->state, to->state);
			char id[48];

			if (from->side != to->side)
				continue;
			snprintf(id, sizeof(id), "%zu-%zu", i, j);
			ASSERT_TRUE(row_bring(self->journal, id, from));
			EXPECT_EQ(legal ? 0 : -ESTALE, journal_move(self->journal, id, from->side,
								    to->state, &now, NULL)) {
				TH_LOG("%s -> %s", from->name, to->name);
			}
			EXPECT_EQ(legal ? to->state : from->state, now);
			EXPECT_EQ(now, state_of(self->journal, id, from->side));
		}
}

/* ---- who is first --------------------------------------------------------- */

struct racer {
	struct journal *journal;
	pthread_barrier_t *line;
	const char *id;
	enum owner_state to, now;
	int ret;
};

static void *race(void *arg)
{
	struct racer *racer = arg;

	pthread_barrier_wait(racer->line);
	racer->ret = journal_move(racer->journal, racer->id, SIDE_DEST, racer->to, &racer->now,
				  NULL);
	return NULL;
}

static void race_run(struct journal *go, struct journal *discard, const char *id)
{
	pthread_barrier_t line;
	struct racer racers[2] = {
		{ .journal = go, .line = &line, .id = id, .to = STATE_GO },
		{ .journal = discard, .line = &line, .id = id, .to = STATE_DISCARDED },
	};
	pthread_t threads[2];
	int i, winner;

	pthread_barrier_init(&line, NULL, 2);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, race, &racers[i]));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	pthread_barrier_destroy(&line);
	winner = racers[0].ret == 0 ? 0 : 1;
	EXPECT_EQ(0, racers[winner].ret);
	EXPECT_EQ(-ESTALE, racers[!winner].ret);
	EXPECT_EQ(racers[winner].to, racers[0].now);
	EXPECT_EQ(racers[winner].to, racers[1].now);
	EXPECT_EQ(racers[winner].to, state_of(go, id, SIDE_DEST));
}

/* Through one connection, and through two, as two processes would. */
TEST_F(book, go_and_discard_have_one_winner)
{
	unsigned long rounds = test_sample(200), i;
	struct journal *second = NULL;
	char id[33];

	ASSERT_EQ(0, journal_open(self->dir, &second, &self->fail));
	for (i = 0; i < rounds; i++) {
		snprintf(id, sizeof(id), "race-%lu", i);
		begin(self->journal, id, SIDE_DEST);
		move(self->journal, id, SIDE_DEST, STATE_LOADED);
		race_run(self->journal, i % 2 ? second : self->journal, id);
	}
	journal_close(second);
}

/* One process a side: only the file is common to them. */
static void race_child(const char *dir, enum owner_state to, int start, int done,
		       unsigned long rounds)
{
	struct journal *journal = NULL;
	char id[33], byte;
	unsigned long i;

	ASSERT_EQ(0, journal_open(dir, &journal, NULL));
	for (i = 0; i < rounds; i++) {
		snprintf(id, sizeof(id), "race-%lu", i);
		ASSERT_EQ(0, sys_read_all(start, &byte, 1));
		byte = (char)-journal_move(journal, id, SIDE_DEST, to, NULL, NULL);
		ASSERT_EQ(0, sys_write_all(done, &byte, 1));
	}
	journal_close(journal);
}

TEST_F(book, go_and_discard_of_two_processes_have_one_winner)
{
	static const enum owner_state to[2] = { STATE_GO, STATE_DISCARDED };
	unsigned long rounds = test_sample(200), i;
	int start[2][2], done[2][2], side, status;
	pid_t pids[2];
	char id[33];

	for (side = 0; side < 2; side++) {
		ASSERT_EQ(0, pipe2(start[side], O_CLOEXEC));
		ASSERT_EQ(0, pipe2(done[side], O_CLOEXEC));
		pids[side] = fork();
		ASSERT_GE(pids[side], 0);
		if (!pids[side]) {
			race_child(self->dir, to[side], start[side][0], done[side][1], rounds);
			_exit(0);
		}
	}
	for (i = 0; i < rounds; i++) {
		char ret[2];

		snprintf(id, sizeof(id), "race-%lu", i);
		begin(self->journal, id, SIDE_DEST);
		move(self->journal, id, SIDE_DEST, STATE_LOADED);
		for (side = 0; side < 2; side++)
			ASSERT_EQ(0, sys_write_all(start[side][1], "", 1));
		for (side = 0; side < 2; side++)
			ASSERT_EQ(0, sys_read_all(done[side][0], &ret[side], 1));
		EXPECT_EQ(ESTALE, ret[0] + ret[1]);
		EXPECT_EQ(to[ret[0] ? 1 : 0], state_of(self->journal, id, SIDE_DEST));
	}
	for (side = 0; side < 2; side++) {
		ASSERT_EQ(pids[side], waitpid(pids[side], &status, 0));
		EXPECT_EQ(0, status);
	}
}

/* ---- what kills and what fills -------------------------------------------- */

/* Write migrations down for ever, and say each that is down. */
static void writer_run(const char *dir, int out)
{
	struct journal *journal = NULL;
	uint32_t i;
	char id[33];

	ASSERT_EQ(0, journal_open(dir, &journal, NULL));
	for (i = 0;; i++) {
		snprintf(id, sizeof(id), "kill-%u", i);
		begin(journal, id, SIDE_DEST);
		move(journal, id, SIDE_DEST, STATE_LOADED);
		move(journal, id, SIDE_DEST, STATE_GO);
		ASSERT_EQ(0, sys_write_all(out, &i, sizeof(i)));
	}
}

TEST_F(book, what_was_answered_survives_kill_9)
{
	char dir[320], id[33];
	int round;

	for (round = 0; round < 10; round++) {
		__cleanup_fd int in = -1, out = -1;
		uint32_t last = 0, seen = 0;
		struct journal *journal = NULL;
		int fds[2], status;
		pid_t pid;

		snprintf(dir, sizeof(dir), "%s/kill-%d", test_dir(), round);
		ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
		in = fds[0];
		out = fds[1];
		pid = fork();
		ASSERT_GE(pid, 0);
		if (!pid)
			writer_run(dir, out);
		/* at another moment of its work each round */
		while (seen < 1 + (uint32_t)round * 3) {
			ASSERT_EQ(0, sys_read_all(in, &last, sizeof(last)));
			seen++;
		}
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		close(take_fd(&out));
		while (!sys_read_all(in, &last, sizeof(last)))
			seen++;
		ASSERT_EQ(0, journal_open(dir, &journal, &self->fail)) {
			TH_LOG("%s", self->fail.text);
		}
		EXPECT_EQ(seen, last + 1);
		for (seen = 0; seen <= last; seen++) {
			snprintf(id, sizeof(id), "kill-%u", seen);
			EXPECT_EQ(STATE_GO, state_of(journal, id, SIDE_DEST));
		}
		journal_close(journal);
	}
}

/* A file system of one's own; it goes away with the test's process. */
static bool tmpfs_mount(const char *dir, const char *options)
{
	int ret = sys_ret(unshare(CLONE_NEWNS));

	if (ret == -EPERM) {
		test_skip("a mount namespace of its own needs root");
		return false;
	}
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, sys_ret(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)));
	ASSERT_EQ(0, sys_ret(mkdir(dir, 0700)));
	ASSERT_EQ(0, sys_ret(mount("straddle-test", dir, "tmpfs", 0, options)));
	return true;
}

static void disk_fill(const char *dir)
{
	static char block[4096];
	char path[340];
	ssize_t ret;
	int fd;

	snprintf(path, sizeof(path), "%s/filler", dir);
	fd = sys_ret(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	ASSERT_GE(fd, 0);
	do {
		ret = sys_ret(write(fd, block, sizeof(block)));
	} while (ret > 0);
	ASSERT_EQ(-ENOSPC, ret);
	close(fd);
}

TEST(a_full_disk_changes_nothing_and_is_said)
{
	struct journal *journal = NULL;
	struct fail fail = { .err = 0 };
	char dir[320], path[340], id[33];
	int ret = 0, i;

	snprintf(dir, sizeof(dir), "%s/disk", test_dir());
	if (!tmpfs_mount(dir, "size=1m,mode=0700"))
		return;
	ASSERT_EQ(0, journal_open(dir, &journal, &fail));
	begin(journal, ID, SIDE_DEST);
	move(journal, ID, SIDE_DEST, STATE_LOADED);
	disk_fill(dir);
	/* what room the journal's own file still has is used up first */
	for (i = 0; i < 1000 && !ret; i++) {
		struct journal_row row;

		snprintf(id, sizeof(id), "fill-%d", i);
		row = row_make(id, SIDE_DEST);
		ret = journal_begin(journal, &row, &fail);
	}
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_TRUE(strstr(fail.text, "no space left under") && strstr(fail.text, dir));
	fail.err = 0;
	EXPECT_EQ(-ENOSPC, journal_move(journal, ID, SIDE_DEST, STATE_GO, NULL, &fail));
	EXPECT_TRUE(strstr(fail.text, "record the state GO"));
	EXPECT_EQ(STATE_LOADED, state_of(journal, ID, SIDE_DEST));

	/* room again: the same connection goes on */
	snprintf(path, sizeof(path), "%s/filler", dir);
	ASSERT_EQ(0, sys_ret(unlink(path)));
	move(journal, ID, SIDE_DEST, STATE_GO);
	journal_close(journal);
	ASSERT_EQ(0, journal_open(dir, &journal, NULL));
	EXPECT_EQ(STATE_GO, state_of(journal, ID, SIDE_DEST));
	journal_close(journal);
}

TEST(no_room_for_a_journal_is_said)
{
	struct journal *journal = NULL;
	struct fail fail = { .err = 0 };
	char dir[320];

	snprintf(dir, sizeof(dir), "%s/disk", test_dir());
	if (!tmpfs_mount(dir, "size=64k,mode=0700"))
		return;
	disk_fill(dir);
	EXPECT_EQ(-ENOSPC, journal_open(dir, &journal, &fail)) {
		TH_LOG("%s", fail.text);
	}
	EXPECT_TRUE(strstr(fail.text, dir));
	EXPECT_NULL(journal);
}

TEST(a_read_only_disk_is_said)
{
	struct journal *journal = NULL;
	struct fail fail = { .err = 0 };
	char dir[320], sub[340];

	snprintf(dir, sizeof(dir), "%s/disk", test_dir());
	if (!tmpfs_mount(dir, "mode=0700"))
		return;
	ASSERT_EQ(0, journal_open(dir, &journal, &fail));
	begin(journal, ID, SIDE_DEST);
	journal_close(journal);
	journal = NULL;
	ASSERT_EQ(0, sys_ret(mount(NULL, dir, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL)));
	EXPECT_EQ(-EROFS, journal_open(dir, &journal, &fail)) {
		TH_LOG("%s", fail.text);
	}
	EXPECT_TRUE(strstr(fail.text, dir));
	snprintf(sub, sizeof(sub), "%s/new", dir);
	fail.err = 0;
	EXPECT_EQ(-EROFS, journal_open(sub, &journal, &fail));
	EXPECT_TRUE(strstr(fail.text, sub));
	EXPECT_NULL(journal);
}

/* ---- the files ------------------------------------------------------------- */

TEST_F(book, files_are_closed_to_others)
{
	static const char *const names[] = { "journal.db", "journal.db-wal", "journal.db-shm" };
	char path[340];
	struct stat st;
	size_t i;

	begin(self->journal, ID, SIDE_DEST);
	ASSERT_EQ(0, stat(self->dir, &st));
	EXPECT_EQ(0700, st.st_mode & 07777);
	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", self->dir, names[i]);
		ASSERT_EQ(0, stat(path, &st));
		EXPECT_EQ(0600, st.st_mode & 07777);
	}
}

TEST_F(book, an_open_directory_is_refused)
{
	struct journal *second = NULL;

	ASSERT_EQ(0, sys_ret(chmod(self->dir, 0755)));
	EXPECT_EQ(-EPERM, journal_open(self->dir, &second, &self->fail));
	EXPECT_TRUE(strstr(self->fail.text, "chmod 0700"));
	EXPECT_NULL(second);
}

TEST_F(book, a_damaged_file_is_said)
{
	struct journal *second = NULL;
	char path[340];
	int fd;

	journal_close(self->journal);
	self->journal = NULL;
	snprintf(path, sizeof(path), "%s/journal.db", self->dir);
	fd = sys_ret(open(path, O_WRONLY | O_TRUNC | O_CLOEXEC));
	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, sys_write_all(fd, "this is no database, but long enough to be one......"
				   "...................................................", 100));
	close(fd);
	EXPECT_EQ(-EUCLEAN, journal_open(self->dir, &second, &self->fail));
	EXPECT_TRUE(strstr(self->fail.text, "damaged") && strstr(self->fail.text, path));
}

/* As releases wrote it that knew less. */
TEST_F(book, older_formats_are_taken_up)
{
	static const char *const formats[] = {
		"ALTER TABLE migration DROP COLUMN went_to; PRAGMA user_version = 2",
		"ALTER TABLE migration DROP COLUMN went_to; "
		"ALTER TABLE migration DROP COLUMN process; PRAGMA user_version = 1",
	};
	struct journal_row row;
	char path[340];
	sqlite3 *db;
	size_t i;

	begin(self->journal, ID, SIDE_SOURCE);
	snprintf(path, sizeof(path), "%s/journal.db", self->dir);
	for (i = 0; i < 2; i++) {
		journal_close(self->journal);
		self->journal = NULL;
		ASSERT_EQ(SQLITE_OK, sqlite3_open(path, &db));
		ASSERT_EQ(SQLITE_OK, sqlite3_exec(db, formats[i], NULL, NULL, NULL)) {
			TH_LOG("%s", sqlite3_errmsg(db));
		}
		sqlite3_close(db);
		ASSERT_EQ(0, journal_open(self->dir, &self->journal, &self->fail)) {
			TH_LOG("%s", self->fail.text);
		}
		ASSERT_EQ(0, journal_get(self->journal, ID, SIDE_SOURCE, &row, &self->fail));
		EXPECT_STREQ(row.peer, journal_row_host(&row));
		journal_row_fini(&row);
	}
}

/* ---- what somebody else wrote ---------------------------------------------- */

FIXTURE(foreign) {
	char dir[300];
};

/* SQL that is run on a journal with one open migration. */
FIXTURE_VARIANT(foreign) {
	const char *sql;
	bool opens;		/* it is found out when rows are read */
};

FIXTURE_VARIANT_ADD(foreign, unknown_state) {
	.sql = "UPDATE migration SET state = 'SOLD'", .opens = true,
};
FIXTURE_VARIANT_ADD(foreign, state_of_the_other_side) {
	.sql = "UPDATE migration SET state = 'PREPARED'", .opens = true,
};
FIXTURE_VARIANT_ADD(foreign, name_too_long) {
	.sql = "UPDATE migration SET guest = printf('%.100c', 'x')", .opens = true,
};
FIXTURE_VARIANT_ADD(foreign, id_that_is_none) {
	.sql = "UPDATE migration SET id = id || 'f'", .opens = true,
};
FIXTURE_VARIANT_ADD(foreign, value_too_large) {
	.sql = "UPDATE migration SET summary = printf('%.3000000c', 'x')", .opens = true,
};
FIXTURE_VARIANT_ADD(foreign, too_many_rows) {
	.sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
	       "INSERT INTO migration SELECT printf('%032d', i), side, state, guest, uuid, peer, "
	       "peer_digest, epoch, guest_pid, paused, began_ns, ended_ns, acknowledged, error, "
	       "summary, proof, process, went_to FROM migration, n", .opens = true,
};
/* It has no end: whoever reads its rows never comes back. */
FIXTURE_VARIANT_ADD(foreign, view_instead_of_the_table) {
	.sql = "DROP TABLE migration; CREATE VIEW migration AS WITH RECURSIVE n(i) AS "
	       "(SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT printf('%032d', i) id, "
	       "'dest' side, 'PREPARED' state, 'a' guest, 'b' uuid, 'c' peer, '' peer_digest, "
	       "1 epoch, 1 guest_pid, 0 paused, 0 began_ns, 0 ended_ns, 0 acknowledged, "
	       "'' error, NULL summary, NULL proof, '' process, '' went_to FROM n", .opens = true,
};
FIXTURE_VARIANT_ADD(foreign, table_of_another_form) {
	.sql = "DROP TABLE migration; CREATE TABLE migration (id, side)", .opens = true,
};
FIXTURE_VARIANT_ADD(foreign, format_before_the_first) {
	.sql = "PRAGMA user_version = -1",
};

FIXTURE_SETUP(foreign)
{
	struct journal *journal;
	char path[340];
	sqlite3 *db;

	snprintf(self->dir, sizeof(self->dir), "%s/state", test_dir());
	ASSERT_EQ(0, journal_open(self->dir, &journal, NULL));
	begin(journal, ID, SIDE_SOURCE);
	journal_close(journal);
	snprintf(path, sizeof(path), "%s/journal.db", self->dir);
	ASSERT_EQ(SQLITE_OK, sqlite3_open(path, &db));
	ASSERT_EQ(SQLITE_OK, sqlite3_exec(db, variant->sql, NULL, NULL, NULL)) {
		TH_LOG("%s", sqlite3_errmsg(db));
	}
	sqlite3_close(db);
}

FIXTURE_TEARDOWN(foreign) {}

static int each_count(const struct journal_row *row, void *arg)
{
	(void)row;
	++*(unsigned int *)arg;
	return 0;
}

TEST_F(foreign, nothing_of_it_is_believed)
{
	struct journal *journal = NULL;
	struct fail fail = { .err = 0 };
	unsigned int count = 0;
	int ret = journal_open(self->dir, &journal, &fail);

	ASSERT_EQ(variant->opens ? 0 : -EUCLEAN, ret) {
		TH_LOG("%s", fail.text);
	}
	if (!ret)
		EXPECT_EQ(-EUCLEAN, journal_each_open(journal, each_count, &count, &fail));
	EXPECT_EQ(0, count);
	EXPECT_TRUE(strstr(fail.text, "damaged")) {
		TH_LOG("%s", fail.text);
	}
	journal_close(journal);
}

TEST_F(book, a_trigger_of_others_does_not_run)
{
	static const char trigger[] = "CREATE TRIGGER t AFTER UPDATE ON migration BEGIN "
				      "UPDATE migration SET state = 'HELD'; END";
	char path[340];
	sqlite3 *db;

	begin(self->journal, ID, SIDE_SOURCE);
	snprintf(path, sizeof(path), "%s/journal.db", self->dir);
	ASSERT_EQ(SQLITE_OK, sqlite3_open(path, &db));
	ASSERT_EQ(SQLITE_OK, sqlite3_exec(db, trigger, NULL, NULL, NULL));
	sqlite3_close(db);
	reopen(self);
	move(self->journal, ID, SIDE_SOURCE, STATE_PERFORMING);
	EXPECT_EQ(STATE_PERFORMING, state_of(self->journal, ID, SIDE_SOURCE));
}

/* ---- lists ----------------------------------------------------------------- */

struct seen {
	char ids[256];
	int stop;
};

static int each_note(const struct journal_row *row, void *arg)
{
	struct seen *seen = arg;
	size_t used = strlen(seen->ids);

	snprintf(seen->ids + used, sizeof(seen->ids) - used, "%s ", row->id);
	return seen->stop;
}

static void begin_at(struct journal *journal, const char *id, uint64_t when)
{
	struct journal_row row = row_make(id, SIDE_DEST);

	row.began_ns = when;
	ASSERT_EQ(0, journal_begin(journal, &row, NULL));
}

TEST_F(book, lists_are_newest_first)
{
	struct seen seen = { .ids = "" };

	begin_at(self->journal, "a", 100);
	begin_at(self->journal, "c", 300);
	begin_at(self->journal, "b", 200);
	move(self->journal, "c", SIDE_DEST, STATE_DISCARDED);
	EXPECT_EQ(0, journal_each_open(self->journal, each_note, &seen, &self->fail));
	EXPECT_STREQ("b a ", seen.ids);
	seen.ids[0] = 0;
	EXPECT_EQ(0, journal_history(self->journal, 2, each_note, &seen, &self->fail));
	EXPECT_STREQ("c b ", seen.ids);
	seen = (struct seen){ .stop = -ECANCELED };
	EXPECT_EQ(-ECANCELED, journal_history(self->journal, 9, each_note, &seen, &self->fail));
	EXPECT_STREQ("c ", seen.ids);
}

/* A tombstone whose death the source has not heard of is kept. */
TEST_F(book, only_acknowledged_ends_expire)
{
	struct seen seen = { .ids = "" };

	begin_at(self->journal, "open", 1);
	begin_at(self->journal, "unheard", 2);
	begin_at(self->journal, "heard", 3);
	move(self->journal, "unheard", SIDE_DEST, STATE_DISCARDED);
	move(self->journal, "heard", SIDE_DEST, STATE_DISCARDED);
	ASSERT_EQ(0, journal_acknowledge(self->journal, "heard", SIDE_DEST, &self->fail));
	ASSERT_EQ(0, journal_expire(self->journal, 30, &self->fail));
	EXPECT_EQ(STATE_DISCARDED, state_of(self->journal, "heard", SIDE_DEST));
	ASSERT_EQ(0, journal_expire(self->journal, 0, &self->fail));
	EXPECT_EQ(0, journal_history(self->journal, 9, each_note, &seen, &self->fail));
	EXPECT_STREQ("unheard open ", seen.ids);
}

/* Written behind the journal's back: it would take long, each synced. */
static void rows_add(FIXTURE_DATA(book) *self, enum owner_state state, unsigned int count)
{
	const struct owner_rule *rule = owner_rule(state);
	char path[340], sql[512];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/journal.db", self->dir);
	ASSERT_EQ(SQLITE_OK, sqlite3_open(path, &db));
	snprintf(sql, sizeof(sql), "INSERT INTO migration (id, side, state, guest, uuid, peer,"
		 " peer_digest, epoch, guest_pid, paused, began_ns, ended_ns) WITH RECURSIVE"
		 " n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %u) SELECT"
		 " printf('%%032d', i), '%s', '%s', 'g', 'u', 'p', '', 1, 1, 0, i,"
		 " 1000000000 * (i + strftime('%%s', 'now')) FROM n", count,
		 side_name(rule->side), rule->name);
	EXPECT_EQ(SQLITE_OK, sqlite3_exec(db, sql, NULL, NULL, NULL)) {
		TH_LOG("%s", sqlite3_errmsg(db));
	}
	sqlite3_close(db);
}

/* Nobody acknowledges a promise that nobody asked for: the oldest of a peer go. */
TEST_F(book, unheard_ends_are_kept_up_to_a_number)
{
	struct journal_row other = row_make("other", SIDE_DEST);

	strcpy(other.peer_digest, "another peer");
	ASSERT_EQ(0, journal_begin(self->journal, &other, &self->fail));
	move(self->journal, "other", SIDE_DEST, STATE_DISCARDED);
	begin_at(self->journal, "open", 1);
	begin_at(self->journal, "first", 2);
	move(self->journal, "first", SIDE_DEST, STATE_DISCARDED);
	rows_add(self, STATE_DISCARDED, JOURNAL_UNHEARD_MAX - 1);
	ASSERT_EQ(0, journal_expire(self->journal, 30, &self->fail));
	EXPECT_EQ(STATE_DISCARDED, state_of(self->journal, "first", SIDE_DEST));
	begin_at(self->journal, "last", 3);
	move(self->journal, "last", SIDE_DEST, STATE_DISCARDED);
	ASSERT_EQ(0, journal_expire(self->journal, 30, &self->fail));
	EXPECT_EQ(-ENOENT, journal_acknowledge(self->journal, "first", SIDE_DEST, NULL));
	EXPECT_EQ(STATE_DISCARDED, state_of(self->journal, "other", SIDE_DEST));
	EXPECT_EQ(STATE_DISCARDED, state_of(self->journal, "last", SIDE_DEST));
	EXPECT_EQ(STATE_PREPARED, state_of(self->journal, "open", SIDE_DEST));
}

static int row_count(const struct journal_row *row, void *arg)
{
	unsigned int *count = arg;

	(void)row;
	(*count)++;
	return 0;
}

/* However many dests are away: what is told of is no damage of the journal. */
TEST_F(book, unheard_ends_of_many_are_told_of_as_many_as_are_read)
{
	unsigned int count = 0;

	rows_add(self, STATE_TORN_DOWN, 5000);
	EXPECT_EQ(0, journal_each_unheard(self->journal, row_count, &count, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	EXPECT_EQ(4096, count);
}

/* Times of a clock that was wrong, or is now: set behind the journal's back. */
static void set_times(FIXTURE_DATA(book) *self, const char *id, int64_t ns)
{
	char path[340], sql[256];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/journal.db", self->dir);
	ASSERT_EQ(SQLITE_OK, sqlite3_open(path, &db));
	snprintf(sql, sizeof(sql), "UPDATE migration SET began_ns = %lld,"
		 " ended_ns = CASE ended_ns WHEN 0 THEN 0 ELSE %lld END WHERE id = '%s'",
		 (long long)ns, (long long)ns, id);
	EXPECT_EQ(SQLITE_OK, sqlite3_exec(db, sql, NULL, NULL, NULL)) {
		TH_LOG("%s", sqlite3_errmsg(db));
	}
	sqlite3_close(db);
}

static void held(struct journal *journal, const char *id)
{
	static const enum owner_state way[] = {
		STATE_PERFORMING, STATE_STOPPING, STATE_STOPPED, STATE_ASKED, STATE_HELD,
	};
	size_t i;

	begin(journal, id, SIDE_SOURCE);
	for (i = 0; i < sizeof(way) / sizeof(way[0]); i++)
		move(journal, id, SIDE_SOURCE, way[i]);
}

/* A dest that was away for so long is its operator's to tell; a copy is always told. */
TEST_F(book, torn_down_is_told_for_some_days)
{
	struct seen seen = { .ids = "" };

	held(self->journal, "torn");
	held(self->journal, "taken");
	move(self->journal, "torn", SIDE_SOURCE, STATE_TEARING_DOWN);
	move(self->journal, "torn", SIDE_SOURCE, STATE_TORN_DOWN);
	move(self->journal, "taken", SIDE_SOURCE, STATE_TAKING_BACK);
	move(self->journal, "taken", SIDE_SOURCE, STATE_TAKEN_BACK);
	set_times(self, "taken", 1);
	EXPECT_EQ(0, journal_each_unheard(self->journal, each_note, &seen, &self->fail));
	EXPECT_STREQ("torn taken ", seen.ids);
	set_times(self, "torn", 2);
	seen = (struct seen){ .ids = "" };
	EXPECT_EQ(0, journal_each_unheard(self->journal, each_note, &seen, &self->fail));
	EXPECT_STREQ("taken ", seen.ids);
}

/*
 * The clock decides when an end that the peer knows of is forgotten, and nothing
 * else: a row from the future stays, one from long ago may go, and neither opens.
 */
TEST_F(book, clock_that_jumped_decides_nothing)
{
	static const int64_t times[] = { 1, INT64_MAX };
	struct seen seen;
	size_t i;

	for (i = 0; i < 2; i++) {
		bool future = times[i] == INT64_MAX;
		char open[16], unheard[16], heard[16];

		snprintf(open, sizeof(open), "open-%zu", i);
		snprintf(unheard, sizeof(unheard), "unheard-%zu", i);
		snprintf(heard, sizeof(heard), "known-%zu", i);
		begin_at(self->journal, open, 1);
		begin_at(self->journal, unheard, 2);
		begin_at(self->journal, heard, 3);
		move(self->journal, unheard, SIDE_DEST, STATE_DISCARDED);
		move(self->journal, heard, SIDE_DEST, STATE_DISCARDED);
		ASSERT_EQ(0, journal_acknowledge(self->journal, heard, SIDE_DEST,
						 &self->fail));
		set_times(self, open, times[i]);
		set_times(self, unheard, times[i]);
		set_times(self, heard, times[i]);
		ASSERT_EQ(0, journal_expire(self->journal, 30, &self->fail));
		EXPECT_EQ(STATE_DISCARDED, state_of(self->journal, unheard, SIDE_DEST));
		EXPECT_EQ(-ESTALE, journal_move(self->journal, unheard, SIDE_DEST,
						STATE_GO, NULL, &self->fail));
		seen = (struct seen){ .ids = "" };
		ASSERT_EQ(0, journal_history(self->journal, 99, each_note, &seen,
					     &self->fail));
		EXPECT_EQ(future, strstr(seen.ids, heard) != NULL);
	}
	seen = (struct seen){ .ids = "" };
	ASSERT_EQ(0, journal_each_open(self->journal, each_note, &seen, &self->fail));
	EXPECT_STREQ("open-1 open-0 ", seen.ids);
}

TEST_HARNESS_MAIN
