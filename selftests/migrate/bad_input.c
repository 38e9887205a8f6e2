// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * bad_input.c - what cannot be done is said in words, and nothing is lost.
 *
 * By the command, as a user types it: the exit status is not 0, the message
 * says what, where, why and what to do, the guest goes on where it was.
 */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "crossing.h"
#include "harness.h"
#include "lib/hugepages.h"
#include "lib/pki.h"
#include "lib/process.h"
#include "sys.h"

#define WORDS_MAX	4
#define HUGEPAGES	32
#define NOWHERE		"10.99.0.1"	/* no host has a route to it */

FIXTURE(bad) {
	struct pair *pair;
	struct host *source, *dest;
	struct fail fail;
	long hugepages;		/* to give back */
	char text[4096];	/* what the command said last */
};

FIXTURE_SETUP(bad)
{
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PLAIN, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
}

FIXTURE_TEARDOWN(bad)
{
	pair_destroy(self->pair);
	if (self->hugepages)
		hugepages_add(-self->hugepages);
}

static void guest(FIXTURE_DATA(bad) *self)
{
	crossing_guest(self->pair, "db", (const char *const[]){
		"--memory", "16M", NULL });
}

/* The command fails and says all of @words, NULL-ended. */
static void refused(FIXTURE_DATA(bad) *self, const char *const argv[],
		    const char *const words[])
{
	int ret = pair_straddle(self->pair, self->source, argv, self->text,
				sizeof(self->text));

	EXPECT_LT(0, ret);
	EXPECT_GT(126, ret);
	for (; *words; words++)
		EXPECT_NE(NULL, strstr(self->text, *words)) {
			TH_LOG("no '%s' in: %s", *words, self->text);
		}
}

#define MIGRATE(...)	((const char *const[]){ "migrate", __VA_ARGS__, NULL })
#define WORDS(...)	((const char *const[]){ __VA_ARGS__, NULL })

TEST_F(bad, unknown_guest)
{
	refused(self, MIGRATE("nobody", self->dest->address),
		WORDS("nobody", "straddle list"));
}

TEST_F(bad, name_that_is_taken_there)
{
	guest(self);
	crossing_guest(self->pair, "web", (const char *const[]){
		"--memory", "16M", NULL });
	ASSERT_EQ(0, pair_straddle(self->pair, self->source, MIGRATE("web",
				   self->dest->address, "--live", "--dname",
				   "db"), self->text, sizeof(self->text))) {
		TH_LOG("%s", self->text);
	}
	refused(self, MIGRATE("db", self->dest->address, "--live"),
		WORDS("'db'", self->dest->address, "already", "--dname",
		      "the guest stays here"));
	EXPECT_EQ(0, guest_run_on(self->source, "db", 20, &self->fail));
	EXPECT_EQ(0, guest_run_on(self->dest, "db", 20, &self->fail));
	crossing_left(self->source, "web", 1);
}

TEST_F(bad, host_where_nothing_listens)
{
	guest(self);
	refused(self, MIGRATE("db", "10.88.0.2:49999", "--live"),
		WORDS(self->dest->address, "49999", "refused", "straddled"));
	crossing_undone(self->pair, "db");
}

TEST_F(bad, host_without_a_route)
{
	guest(self);
	refused(self, MIGRATE("db", NOWHERE, "--live"),
		WORDS("no route to " NOWHERE, "check"));
	crossing_undone(self->pair, "db");
}

TEST_F(bad, address_that_is_none)
{
	guest(self);
	refused(self, MIGRATE("db", "10.88.0.2:port", "--live"),
		WORDS("10.88.0.2:port", "HOST:PORT"));
	crossing_undone(self->pair, "db");
}

TEST_F(bad, host_that_the_guest_is_on)
{
	guest(self);
	refused(self, MIGRATE("db", self->source->address, "--live"),
		WORDS("'db'", "this very host", "another one"));
	crossing_undone(self->pair, "db");
}

TEST_F(bad, options_that_do_not_go_together)
{
	guest(self);
	refused(self, MIGRATE("db", self->dest->address,
			      "--postcopy-after-precopy"),
		WORDS("--postcopy-after-precopy", "add --postcopy"));
	refused(self, MIGRATE("db", self->dest->address, "--precopy-rounds",
			      "0"), WORDS("--precopy-rounds", "--postcopy"));
	crossing_undone(self->pair, "db");
}

TEST_F(bad, more_memory_than_there_is)
{
	crossing_guest(self->pair, "db", (const char *const[]){
		"--memory", "10T", "--working-set", "16M", NULL });
	refused(self, MIGRATE("db", self->dest->address, "--live"),
		WORDS("'db'", self->dest->address, "10485760 MiB of memory",
		      "available", "choose another host"));
	EXPECT_EQ(0, guest_run_on(self->source, "db", 20, &self->fail));
	crossing_left(self->dest, "db", 0);
}

/*
 * Both hosts are one machine: a guest that has three quarters of its free
 * pages leaves too few for a second one, also when others take or free some.
 */
TEST_F(bad, more_huge_pages_than_there_are)
{
	char memory[32], needs[64];
	long pages;

	if (hugepages_add(HUGEPAGES))
		SKIP(return, "no memory for %d pages of 2 MiB", HUGEPAGES);
	self->hugepages = HUGEPAGES;
	pages = hugepages_free() * 3 / 4;
	ASSERT_LT(0, pages);
	snprintf(memory, sizeof(memory), "%ldM", pages * 2);
	snprintf(needs, sizeof(needs), "%ld huge pages of 2 MiB", pages);
	crossing_guest(self->pair, "db", (const char *const[]){
		"--memory", memory, "--working-set", "8M",
		"--hugepages", "2M", NULL });
	refused(self, MIGRATE("db", self->dest->address, "--live"),
		WORDS("'db'", needs, "nr_hugepages"));
	crossing_undone(self->pair, "db");
}

TEST_F(bad, agent_that_does_not_run)
{
	guest(self);
	process_stop(self->pair->source_agent);
	refused(self, MIGRATE("db", self->dest->address, "--live"),
		WORDS("no agent", self->source->run_dir, "straddled"));
	EXPECT_EQ(0, guest_run_on(self->source, "db", 20, &self->fail));
}

TEST_F(bad, second_migrate_of_a_guest)
{
	struct move move;

	guest(self);
	ASSERT_EQ(0, move_start(&move, self->source, "db", self->dest->address,
				"\"live\":true,\"bandwidth\":65536"));
	ASSERT_EQ(0, move_wait_round(&move, 1));
	refused(self, MIGRATE("db", self->dest->address, "--live"),
		WORDS("'db'", "already", move.id, "straddle status"));
	EXPECT_EQ(0, pair_straddle(self->pair, self->source,
				   (const char *const[]){ "abort", "db", NULL },
				   self->text, sizeof(self->text)));
	EXPECT_EQ(-ECANCELED, move_wait(&move));
	move_end(&move);
	crossing_undone(self->pair, "db");
}

/* ---- certificates -------------------------------------------------------- */

TEST(certificate_of_another_authority)
{
	FIXTURE_DATA(bad) data = { .pair = NULL }, *it = &data;
	struct pki *pki;

	ASSERT_EQ(0, pair_create(&it->pair, PAIR_X509, NULL, &it->fail)) {
		TH_LOG("%s", it->fail.text);
	}
	it->source = &it->pair->hosts->source;
	it->dest = &it->pair->hosts->dest;
	guest(it);
	ASSERT_EQ(0, pki_create(&pki));
	EXPECT_EQ(0, pki_issue(pki, it->dest->pki_dir, "dest",
			       it->dest->address, 1));
	pki_destroy(pki);
	refused(it, MIGRATE("db", it->dest->address, "--live"),
		WORDS(it->dest->address, "certificate", "CA"));
	crossing_undone(it->pair, "db");
	pair_destroy(it->pair);
}

/* ---- a disk without room ------------------------------------------------- */

FIXTURE(disk) {
	FIXTURE_DATA(bad) base;
	struct host *full;
	pid_t *agent;
};

FIXTURE_VARIANT(disk) {
	bool source;
};

FIXTURE_VARIANT_ADD(disk, source) { .source = true };
FIXTURE_VARIANT_ADD(disk, dest) { .source = false };

/* The mount is in a namespace of this test: it goes when the test does. */
FIXTURE_SETUP(disk)
{
	FIXTURE_DATA(bad) *base = &self->base;

	ASSERT_EQ(0, sys_ret(unshare(CLONE_NEWNS)));
	ASSERT_EQ(0, sys_ret(mount("none", "/", NULL, MS_REC | MS_PRIVATE,
				   NULL)));
	fixture_setup_bad_body(base, NULL);
	self->full = variant->source ? base->source : base->dest;
	self->agent = variant->source ? &base->pair->source_agent
				      : &base->pair->dest_agent;
	process_stop(*self->agent);
	ASSERT_EQ(0, sys_ret(mount("tmpfs", self->full->state_dir, "tmpfs", 0,
				   "size=512k,mode=0700")));
	*self->agent = pair_start_agent(base->pair, self->full, &base->fail);
	ASSERT_LT(0, *self->agent) {
		TH_LOG("%s", base->fail.text);
	}
}

FIXTURE_TEARDOWN(disk)
{
	process_stop(*self->agent);
	umount2(self->full->state_dir, MNT_DETACH);
	fixture_teardown_bad_body(&self->base, NULL);
}

static void fill(const struct host *host, char *path, size_t size)
{
	char page[4096] = { 1 };
	int fd;

	snprintf(path, size, "%s/filler", host->state_dir);
	fd = sys_ret(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	ASSERT_LE(0, fd);
	while (!sys_write_all(fd, page, sizeof(page)))
		;
	close(fd);
}

TEST_F(disk, without_room_for_the_journal)
{
	FIXTURE_DATA(bad) *base = &self->base;
	char path[256];

	guest(base);
	fill(self->full, path, sizeof(path));
	refused(base, MIGRATE("db", base->dest->address, "--live"),
		WORDS("'db'", "no space left", "journal.db", "make room"));
	crossing_undone(base->pair, "db");
	/* With room again, it goes as if nothing had been. */
	ASSERT_EQ(0, sys_ret(unlink(path)));
	EXPECT_EQ(0, pair_straddle(base->pair, base->source, MIGRATE("db",
				   base->dest->address, "--live"), base->text,
				   sizeof(base->text))) {
		TH_LOG("%s", base->text);
	}
	crossing_arrived(base->pair, base->dest, "db");
}

TEST_HARNESS_MAIN
