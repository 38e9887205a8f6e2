/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seeds_file.c - journals, and definitions of libvirt's. */
#include <errno.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "copy/states.h"
#include "proc.h"
#include "protocol/journal.h"
#include "protocol/testament.h"
#include "seeds.h"
#include "selftests/lib/domain.h"
#include "sys.h"

static struct seed seed;

/* ---- journals ------------------------------------------------------------ */

static void row_begin(struct journal *journal, const char *id, enum side side)
{
	struct journal_row row = {
		.side = side,
		.state = side == SIDE_SOURCE ? STATE_BEGUN : STATE_PREPARED,
		.guest = "db1", .uuid = "c7a5fdbd-edaf-9455-926a-d65c16db1809",
		.peer = "10.0.0.2:49300", .epoch = 7, .guest_pid = 4711,
	};

	snprintf(row.id, sizeof(row.id), "%s", id);
	FUZZ_CHECK(!journal_begin(journal, &row, NULL));
	FUZZ_CHECK(!journal_note(journal, id, side, "none", "{}", "0 1 2 3\n", NULL));
}

/* Small pages, and no side files: an input is one file. */
static void file_shrink(const char *path)
{
	sqlite3 *db;

	FUZZ_CHECK(!sqlite3_open(path, &db));
	FUZZ_CHECK(!sqlite3_exec(db, "PRAGMA journal_mode = DELETE; PRAGMA page_size = 512;"
				 "VACUUM;", NULL, NULL, NULL));
	sqlite3_close(db);
}

static void file_seed(const char *dir, bool rows)
{
	char path[300];
	struct journal *journal;
	FILE *file;

	FUZZ_CHECK(!journal_open(dir, &journal, NULL));
	if (rows) {
		row_begin(journal, "0123456789abcdef0123456789abcdef", SIDE_DEST);
		row_begin(journal, "00000000000000000000000000000001", SIDE_SOURCE);
	}
	journal_close(journal);
	snprintf(path, sizeof(path), "%s/journal.db", dir);
	file_shrink(path);
	file = fopen(path, "re");
	FUZZ_CHECK(file);
	seed_start(&seed);
	seed_add_byte(&seed, 0);
	seed.size += fread(seed.bytes + 1, 1, 32768, file);
	fclose(file);
	unlink(path);
	seed_write("journal", rows ? "file" : "file-empty", seed.bytes, seed.size);
}

static void sql_seed(const char *name, const char *text)
{
	seed_start(&seed);
	seed_add_byte(&seed, 1);
	seed_add(&seed, text, strlen(text));
	seed_write("journal", name, seed.bytes, seed.size);
}

/**
 * seeds_journal() - of an agent, and what somebody may have made of one
 */
void seeds_journal(void)
{
	char dir[] = "/tmp/seeds.XXXXXX";

	FUZZ_CHECK(mkdtemp(dir));
	file_seed(dir, true);
	file_seed(dir, false);
	rmdir(dir);
	sql_seed("sql-state", "UPDATE migration SET state = 'NO_STATE'");
	sql_seed("sql-side", "UPDATE migration SET state = 'HELD'");
	sql_seed("sql-id", "UPDATE migration SET id = 'short'");
	sql_seed("sql-long", "UPDATE migration SET peer = printf('%.1000c', 'x')");
	sql_seed("sql-huge", "UPDATE migration SET summary = printf('%.3000000c', 'x')");
	sql_seed("sql-version", "PRAGMA user_version = 7");
	sql_seed("sql-negative", "PRAGMA user_version = -1");
	sql_seed("sql-view", "DROP TABLE migration; CREATE VIEW migration AS WITH RECURSIVE "
		 "n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT printf('%032d', i) id, "
		 "'dest' side, 'PREPARED' state, 'a' guest, 'b' uuid, 'c' peer, '' peer_digest, "
		 "1 epoch, 1 guest_pid, 0 paused, 0 began_ns, 0 ended_ns, 0 acknowledged, '' error,"
		 " NULL summary, NULL proof FROM n");
	sql_seed("sql-trigger", "CREATE TRIGGER t AFTER UPDATE ON migration BEGIN "
		 "UPDATE migration SET state = 'GO'; END");
	sql_seed("sql-table", "DROP TABLE migration; CREATE TABLE migration (id, side, state)");
}

/* ---- page states --------------------------------------------------------- */

/* As states.c reads it: each word that is not as in a fresh file. */
static void states_diff(const struct states *fresh, const struct states *used)
{
	const uint64_t *before = fresh->file, *after = used->file;
	uint64_t i;

	seed_start(&seed);
	for (i = 0; i < used->size / 8; i++) {
		if (before[i] == after[i])
			continue;
		seed_add_byte(&seed, i & 0xff);
		seed_add_byte(&seed, (unsigned int)(i >> 8));
		seed_add(&seed, &after[i], 8);
	}
}

/**
 * seeds_states() - pages that came, one that was being counted, one claimed
 */
void seeds_states(void)
{
	static struct states fresh, used;
	static struct region_map map;
	char path[2][64];
	int i;

	fuzz_region(&map, 12, 1000);
	fuzz_region(&map, 21, 3);
	for (i = 0; i < 2; i++) {
		snprintf(path[i], sizeof(path[i]), "/tmp/seeds-%d-%d", (int)getpid(), i);
		FUZZ_CHECK(!states_create(i ? &used : &fresh, path[i], &map));
	}
	pages_received(&used.pages[0], 3, 40);
	FUZZ_CHECK(pages_claim(&used.pages[0], 100, 16) == 16);
	ledger_write(&used.ledgers[0], &map.regions[0], 100, 16,
		     (struct digest){ 1, 2 });
	FUZZ_CHECK(pages_claim(&used.pages[1], 2, 1) == 1);
	states_diff(&fresh, &used);
	seed_write("states", "used", seed.bytes, seed.size);
	for (i = 0; i < 2; i++) {
		states_close(i ? &used : &fresh);
		unlink(path[i]);
	}
}

/* ---- testaments ---------------------------------------------------------- */

static int process_started(void *port, pid_t pid, uint64_t *started)
{
	(void)port;
	*started = proc_started(pid);
	return 0;
}

/**
 * seeds_testament() - of a dest with two regions
 */
void seeds_testament(void)
{
	static const struct port_ops port_ops = { .process_started = process_started };
	static const struct guest_region region = {
		.name = "pc.ram", .address = 1 << 30, .size = 64 << 20,
		.page_size = 4096, .shared = true,
	};
	static struct migration m = { .side = SIDE_DEST, .driver = &vmm_driver,
				      .port_ops = &port_ops,
				      .fault_lanes = 2, .push_lanes = 2 };
	char dir[] = "/tmp/seeds.XXXXXX", path[80];
	FILE *file;

	FUZZ_CHECK(mkdtemp(dir));
	m.run_dir = dir;
	m.description.pid = getpid();
	strcpy(m.description.name, "db1");
	strcpy(m.description.uuid, "c7a5fdbd-edaf-9455-926a-d65c16db1809");
	m.description.regions[0] = m.description.regions[1] = region;
	m.description.region_count = 2;
	FUZZ_CHECK(!testament_write(&m));
	snprintf(path, sizeof(path), "%s/testament.%032d.dest", dir, 0);
	file = fopen(path, "re");
	FUZZ_CHECK(file);
	seed.size = fread(seed.bytes, 1, 32768, file);
	fclose(file);
	FUZZ_CHECK(!unlink(path));
	rmdir(dir);
	seed_write("testament", "dest", seed.bytes, seed.size);
}

/* ---- definitions --------------------------------------------------------- */

/**
 * seeds_xml() - of domains as the tests have them
 */
void seeds_xml(void)
{
	static const struct domain domains[] = {
		{ .name = "db1", .memory_mib = 64, .machine = "q35", .kvm = true,
		  .memory = DOMAIN_MEMFD_SHARED, .mac = "52:54:00:00:00:01",
		  .disks = { { .path = "/a.qcow2", .format = "qcow2", .bus = "virtio",
			       .cache = "none" } }, .rng = true, .usb = true },
		{ .name = "db2", .memory_mib = 64, .cells = 2, .dimms_mib = 64, .vcpus = 2,
		  .memory = DOMAIN_HUGE_PRIVATE, .ovmf = true, .locked = true },
	};
	static const struct virt_host virt;
	static char text[16384];
	size_t i;

	for (i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
		FUZZ_CHECK(domain_xml(&virt, &domains[i], text, sizeof(text)) >= 0);
		seed_start(&seed);
		if (i) {	/* the first one stands before this one */
			seed_add(&seed, text, strlen(text) + 1);
			FUZZ_CHECK(domain_xml(&virt, &domains[0], text, sizeof(text)) >= 0);
		}
		seed_add(&seed, text, strlen(text));
		seed_write("xml", domains[i].name, seed.bytes, seed.size);
	}
}
