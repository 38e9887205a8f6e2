// SPDX-License-Identifier: LGPL-2.1-or-later
/* links.c - a cut past the switch heals by itself, as often as there is one. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>

#include "harness.h"
#include "selftests/lib/cut.h"
#include "selftests/lib/directory.h"
#include "selftests/lib/process.h"
#include "selftests/migrate/crossing.h"
#include "sys.h"
#include "tools/lib/migration_json.h"

#define GUEST	"db"
#define TRIES	800	/* 25 ms apart */
#define TRY_MS	25
#define TEXT	8192
#define REPORTS	15	/* a fifth of a second apart */

/* Post-copy of 48 MiB that takes ten seconds if nobody disturbs it. */
#define POST_COPY	"\"live\":true,\"postcopy\":true,\"rounds_max\":0," \
			"\"postcopy_bandwidth\":5000000"

FIXTURE(links) {
	struct pair *pair;
	struct move move;
	struct fail fail;
};

FIXTURE_VARIANT(links) {
	enum pair_security security;
	const char *memory;	/* option, or NULL: a memfd */
};

FIXTURE_VARIANT_ADD(links, plain_memfd) { PAIR_PLAIN, NULL };
FIXTURE_VARIANT_ADD(links, x509_private) { PAIR_X509, "--private" };

static void guest_start(FIXTURE_DATA(links) *self, const char *memory)
{
	const char *const guest[] = { "--workload", "random", "--working-set",
		"40M", "--rate", "20000", memory, NULL };

	crossing_guest(self->pair, GUEST, guest);
	ASSERT_EQ(0, guest_run_on(&self->pair->hosts->source, GUEST, 40000,
				  &self->fail));
}

static void set_out(FIXTURE_DATA(links) *self, const char *to,
		    const char *options)
{
	ASSERT_EQ(0, move_start(&self->move, &self->pair->hosts->source, GUEST,
				to, options)) {
		TH_LOG("%s", self->move.error);
	}
}

static void wait_held(FIXTURE_DATA(links) *self)
{
	ASSERT_EQ(0, move_wait_state(&self->move, STATE_HELD)) {
		TH_LOG("%s", self->move.error);
	}
}

FIXTURE_SETUP(links)
{
	self->move.fd = -1;
	ASSERT_EQ(0, pair_create(&self->pair, variant->security, NULL,
				 &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	guest_start(self, variant->memory);
	set_out(self, self->pair->hosts->dest.address, POST_COPY);
	wait_held(self);
}

FIXTURE_TEARDOWN(links)
{
	move_end(&self->move);
	pair_destroy(self->pair);
}

/* Until it is told that something is broken, or that nothing is any more. */
static bool told(struct move *move, bool broken)
{
	int i;

	for (i = 0; i < TRIES; i++) {
		if (move_next(move))
			return false;
		if (!move->progress.broken_ns == !broken)
			return true;
	}
	return false;
}

/* TCP itself would survive a moment: until the source has given it up. */
static bool told_cut(struct move *move)
{
	int i;

	for (i = 0; i < TRIES; i++) {
		if (strstr(move->progress.broken, "held here"))
			return true;
		if (move_next(move))
			return false;
	}
	return false;
}

static bool told_recoveries(struct move *move, unsigned int times)
{
	int i;

	for (i = 0; i < TRIES && move->progress.recoveries < times; i++)
		if (move_next(move))
			return false;
	return move->progress.recoveries >= times;
}

/* It ends well, with every page. */
static void arrives(FIXTURE_DATA(links) *self)
{
	EXPECT_EQ(0, move_wait(&self->move)) {
		TH_LOG("%s", self->move.error);
	}
	EXPECT_TRUE(self->move.ok) {
		TH_LOG("%s", self->move.error);
	}
	crossing_arrived(self->pair, &self->pair->hosts->dest, GUEST);
	crossing_rows(self->pair, self->move.id, "TORN_DOWN", "DONE");
	crossing_left(&self->pair->hosts->source, GUEST, 0);
}

/* What status says of the migration on a host. */
static void status_of(const struct host *host, struct progress *progress)
{
	struct json_object *answer = NULL, *list, *one, *told;
	struct fail fail = { 0 };

	memset(progress, 0, sizeof(*progress));
	ASSERT_EQ(0, agent_ask(host, &answer, &fail, "{\"do\":\"status\"}")) {
		TH_LOG("%s", fail.text);
	}
	json_object_object_get_ex(answer, "migrations", &list);
	one = json_object_array_get_idx(list, 0);
	if (one && json_object_object_get_ex(one, "progress", &told) && told)
		EXPECT_EQ(0, progress_from_json(told, progress, &fail));
	json_object_put(answer);
}

static bool dest_says_broken(const struct host *host)
{
	struct progress progress;
	int i;

	for (i = 0; i < TRIES; i++) {
		status_of(host, &progress);
		if (progress.broken_ns)
			return true;
		poll(NULL, 0, TRY_MS);
	}
	return false;
}

TEST_F_TIMEOUT(links, link_that_is_down_for_a_while, 90)
{
	const struct two_hosts *hosts = self->pair->hosts;

	ASSERT_EQ(0, net_link_down(hosts->source.net, HOST_LINK, &self->fail));
	EXPECT_TRUE(told(&self->move, true));
	EXPECT_NE(NULL, strstr(self->move.progress.broken, "link"));
	EXPECT_TRUE(told_cut(&self->move));
	EXPECT_NE(0, self->move.progress.next_try_ns);
	EXPECT_TRUE(dest_says_broken(&hosts->dest));
	ASSERT_EQ(0, net_link_up(hosts->source.net, HOST_LINK, &self->fail));
	EXPECT_TRUE(told_recoveries(&self->move, 1));
	arrives(self);
}

TEST_F_TIMEOUT(links, link_that_passes_next_to_nothing, 90)
{
	struct two_hosts *hosts = self->pair->hosts;

	ASSERT_EQ(0, cut_rate(hosts, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	EXPECT_TRUE(told_cut(&self->move));
	ASSERT_EQ(0, two_hosts_limit(hosts, &crossing_slow, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	EXPECT_TRUE(told(&self->move, false));
	arrives(self);
}

TEST_F_TIMEOUT(links, each_connection_is_reset_in_turn, 90)
{
	const struct two_hosts *hosts = self->pair->hosts;
	unsigned int what, times = 0;

	for (what = CUT_CONTROL; what <= CUT_PUSH; what++) {
		bool here = what != CUT_FAULT;
		pid_t pid = here ? host_worker(&hosts->source, "source")
				 : host_worker(&hosts->dest, "dest");

		ASSERT_LT(0, pid);
		ASSERT_EQ(0, cut_connection(pid, what));
		EXPECT_TRUE(told_recoveries(&self->move, ++times));
	}
	arrives(self);
}

/* The one that connects anew, once it has proven who it is. */
TEST_F_TIMEOUT(links, peer_of_status_is_the_source_that_was_there_last, 60)
{
	const struct two_hosts *hosts = self->pair->hosts;
	char before[256], now[256];

	ASSERT_EQ(0, status_peer(&hosts->dest, before, sizeof(before)));
	ASSERT_EQ(0, cut_connection(host_worker(&hosts->source, "source"), CUT_CONTROL));
	EXPECT_TRUE(told_recoveries(&self->move, 1));
	ASSERT_EQ(0, status_peer(&hosts->dest, now, sizeof(now)));
	EXPECT_STRNE(before, now);
	EXPECT_EQ(0, strncmp(now, "10.88.0.1:", 10)) {
		TH_LOG("%s", now);
	}
	EXPECT_EQ(variant->security == PAIR_X509, strstr(now, " (source)") != NULL) {
		TH_LOG("%s", now);
	}
	arrives(self);
}

TEST_F_TIMEOUT(links, cut_again_while_it_recovers, 90)
{
	const struct two_hosts *hosts = self->pair->hosts;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, net_link_down(hosts->dest.net, HOST_LINK,
					   &self->fail));
		self->move.progress.broken[0] = '\0';
		EXPECT_TRUE(told_cut(&self->move));
		ASSERT_EQ(0, net_link_up(hosts->dest.net, HOST_LINK,
					 &self->fail));
		/* When it has just reconnected, or is about to. */
		poll(NULL, 0, TRY_MS * (int)(1 + 7 * i));
	}
	EXPECT_TRUE(told(&self->move, false));
	arrives(self);
}

/* ---- tried for so long only ---------------------------------------------- */

FIXTURE(limited) {
	FIXTURE_DATA(links) base;
	char text[TEXT];
};

FIXTURE_SETUP(limited)
{
	self->base.move.fd = -1;
	ASSERT_EQ(0, pair_create(&self->base.pair, PAIR_PLAIN, NULL,
				 &self->base.fail)) {
		TH_LOG("%s", self->base.fail.text);
	}
	guest_start(&self->base, NULL);
}

FIXTURE_TEARDOWN(limited)
{
	move_end(&self->base.move);
	pair_destroy(self->base.pair);
}

#define LIMIT	",\"recover_timeout_ns\":1000000000"

/* @text receives what the command says. Return: its exit status. */
static int straddle(FIXTURE_DATA(links) *base, const struct host *host,
		    char *text, const char *const argv[])
{
	return pair_straddle(base->pair, host, argv, text, TEXT);
}

#define SAYS(host, ...) \
	straddle(&self->base, host, self->text, \
		 (const char *const[]){ __VA_ARGS__, NULL })

/* Until it has been told that nobody tries any more. */
static bool told_due(struct move *move)
{
	int i;

	for (i = 0; i < TRIES && !move->progress.recover_due; i++)
		if (move_next(move))
			return false;
	return move->progress.recover_due;
}

/* Past the switch, and the link down for longer than it is tried. */
static void limited_cut(FIXTURE_DATA(limited) *self, const struct host *source)
{
	set_out(&self->base, self->base.pair->hosts->dest.address,
		POST_COPY LIMIT);
	wait_held(&self->base);
	ASSERT_EQ(0, net_link_down(source->net, HOST_LINK, &self->base.fail));
	EXPECT_TRUE(told_due(&self->base.move));
}

/* Nobody tries, although it could be done. */
static void rests(struct move *move)
{
	int i;

	for (i = 0; i < REPORTS; i++) {
		ASSERT_EQ(0, move_next(move));
		EXPECT_TRUE(move->progress.recover_due);
		EXPECT_EQ(0, move->progress.next_try_ns);
		EXPECT_EQ(STATE_HELD, move->progress.state);
	}
}

TEST_F_TIMEOUT(limited, cut_past_the_switch_waits_for_an_operator, 90)
{
	const struct host *source = &self->base.pair->hosts->source;
	struct move *move = &self->base.move;

	limited_cut(self, source);
	EXPECT_NE(NULL, strstr(move->progress.note, "'straddle recover db'"));
	ASSERT_EQ(0, net_link_up(source->net, HOST_LINK, &self->base.fail));
	rests(move);
	EXPECT_EQ(0, SAYS(source, "status", GUEST));
	EXPECT_NE(NULL, strstr(self->text, "'straddle recover db'")) {
		TH_LOG("%s", self->text);
	}
	EXPECT_EQ(0, SAYS(source, "resolve", GUEST));
	EXPECT_NE(NULL, strstr(self->text, "--recover-timeout has passed"));
	EXPECT_EQ(0, SAYS(source, "recover", GUEST)) {
		TH_LOG("%s", self->text);
	}
	EXPECT_TRUE(told_recoveries(move, 1));
	EXPECT_FALSE(move->progress.recover_due);
	arrives(&self->base);
}

/* Told in vain it tries for as long once more. */
TEST_F_TIMEOUT(limited, operator_may_say_so_too_early, 90)
{
	const struct host *source = &self->base.pair->hosts->source;
	struct move *move = &self->base.move;

	limited_cut(self, source);
	EXPECT_EQ(0, SAYS(source, "recover", GUEST));
	while (move->progress.recover_due && !move_next(move))
		;
	EXPECT_TRUE(told_due(move));
	ASSERT_EQ(0, net_link_up(source->net, HOST_LINK, &self->base.fail));
	EXPECT_EQ(0, SAYS(source, "recover", GUEST));
	EXPECT_TRUE(told_recoveries(move, 1));
	arrives(&self->base);
}

TEST_F_TIMEOUT(limited, cut_in_a_round_ends_the_migration, 90)
{
	struct two_hosts *hosts = self->base.pair->hosts;
	struct move *move = &self->base.move;

	ASSERT_EQ(0, two_hosts_limit(hosts, &crossing_slow, &self->base.fail));
	set_out(&self->base, hosts->dest.address,
		"\"live\":true,\"postcopy\":true" LIMIT);
	ASSERT_EQ(0, move_wait_round(move, 1));
	ASSERT_EQ(0, net_link_down(hosts->source.net, HOST_LINK,
				   &self->base.fail));
	EXPECT_EQ(-ECANCELED, move_wait(move));
	EXPECT_NE(NULL, strstr(move->error, "--recover-timeout")) {
		TH_LOG("%s", move->error);
	}
	EXPECT_STREQ("RESUMED", move->state);
	ASSERT_EQ(0, net_link_up(hosts->source.net, HOST_LINK,
				 &self->base.fail));
	EXPECT_TRUE(crossing_row_reaches(&hosts->dest, move->id, SIDE_DEST,
					 "DISCARDED"));
	crossing_undone(self->base.pair, GUEST);
}

TEST_F_TIMEOUT(limited, what_is_not_held_is_not_recovered, 90)
{
	struct two_hosts *hosts = self->base.pair->hosts;
	const struct host *source = &hosts->source;

	EXPECT_EQ(1, SAYS(source, "recover", GUEST));
	EXPECT_NE(NULL, strstr(self->text, "no migration on this host"));
	ASSERT_EQ(0, two_hosts_limit(hosts, &crossing_slow, &self->base.fail));
	set_out(&self->base, hosts->dest.address,
		"\"live\":true,\"postcopy\":true");
	ASSERT_EQ(0, move_wait_round(&self->base.move, 1));
	EXPECT_EQ(1, SAYS(source, "recover", GUEST));
	EXPECT_NE(NULL, strstr(self->text, "is not held here")) {
		TH_LOG("%s", self->text);
	}
	wait_held(&self->base);
	EXPECT_EQ(1, SAYS(source, "recover", GUEST, "--to",
			  "10.88.0.9"));
	EXPECT_NE(NULL, strstr(self->text, "is not cut")) {
		TH_LOG("%s", self->text);
	}
	EXPECT_EQ(1, SAYS(&hosts->dest, "recover", GUEST));
	EXPECT_NE(NULL, strstr(self->text, "ask there")) {
		TH_LOG("%s", self->text);
	}
	arrives(&self->base);
}

/* ---- the dest has another address ----------------------------------------- */

#define MOVED	"10.88.0.3"

FIXTURE(moved) {
	FIXTURE_DATA(links) base;
	char names[300];	/* what the hosts have as /etc/hosts */
	char text[TEXT];
	bool skipped;
};

/* Its agent is not to be told of its address. */
static void dest_listens(FIXTURE_DATA(moved) *self)
{
	struct pair *pair = self->base.pair;
	struct host *dest = &pair->hosts->dest;
	const char *address = dest->address;

	ASSERT_EQ(0, kill(pair->dest_agent, SIGTERM));
	process_wait(pair->dest_agent, -1);
	dest->address = "0.0.0.0";
	pair->dest_agent = pair_start_agent(pair, dest, &self->base.fail);
	dest->address = address;
	ASSERT_LT(0, pair->dest_agent) {
		TH_LOG("%s", self->base.fail.text);
	}
}

static void dest_named(FIXTURE_DATA(moved) *self, const char *address)
{
	char line[64];
	int fd = sys_ret(open(self->names, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));

	ASSERT_LE(0, fd);
	/* As long as the one before: nobody reads half of it. */
	snprintf(line, sizeof(line), "%-15s dest\n", address);
	ASSERT_EQ(0, sys_write_all(fd, line, strlen(line)));
	close(fd);
}

FIXTURE_SETUP(moved)
{
	int ret = mounts_of_own();

	self->base.move.fd = -1;
	self->skipped = ret == -EPERM;
	if (self->skipped)
		SKIP(return, "a mount namespace of its own needs root");
	ASSERT_EQ(0, ret);
	snprintf(self->names, sizeof(self->names), "%s/hosts", test_dir());
	dest_named(self, "10.88.0.2");
	ASSERT_EQ(0, sys_ret(mount(self->names, "/etc/hosts", NULL, MS_BIND,
				   NULL)));
	ASSERT_EQ(0, pair_create(&self->base.pair, PAIR_X509, NULL,
				 &self->base.fail)) {
		TH_LOG("%s", self->base.fail.text);
	}
	dest_listens(self);
	guest_start(&self->base, NULL);
}

FIXTURE_TEARDOWN(moved)
{
	if (self->skipped)
		return;
	move_end(&self->base.move);
	pair_destroy(self->base.pair);
	(void)sys_ret(umount2("/etc/hosts", MNT_DETACH));
}

static void readdress_while_cut(FIXTURE_DATA(moved) *self)
{
	struct two_hosts *hosts = self->base.pair->hosts;

	ASSERT_EQ(0, net_link_down(hosts->source.net, HOST_LINK,
				   &self->base.fail));
	EXPECT_TRUE(told_cut(&self->base.move));
	ASSERT_EQ(0, host_readdress(&hosts->dest, MOVED, &self->base.fail)) {
		TH_LOG("%s", self->base.fail.text);
	}
	ASSERT_EQ(0, net_link_up(hosts->source.net, HOST_LINK,
				 &self->base.fail));
}

TEST_F_TIMEOUT(moved, dest_is_found_again_by_its_name, 90)
{
	set_out(&self->base, "dest", POST_COPY);
	wait_held(&self->base);
	readdress_while_cut(self);
	dest_named(self, MOVED);
	EXPECT_TRUE(told_recoveries(&self->base.move, 1));
	arrives(&self->base);
}

/* An address of old, that leads nowhere; its certificate has the name. */
TEST_F_TIMEOUT(moved, dest_is_found_again_where_an_operator_says, 90)
{
	const struct host *source = &self->base.pair->hosts->source;

	set_out(&self->base, "10.88.0.2", POST_COPY LIMIT);
	wait_held(&self->base);
	readdress_while_cut(self);
	EXPECT_TRUE(told_due(&self->base.move));
	dest_named(self, MOVED);
	EXPECT_EQ(0, SAYS(source, "recover", GUEST, "--to",
			  "dest")) {
		TH_LOG("%s", self->text);
	}
	arrives(&self->base);
	EXPECT_EQ(0, SAYS(source, "history"));
	EXPECT_EQ(NULL, strstr(self->text, "10.88.0.2"));
}

/* It is over at the source, and the dest has not heard so. */
TEST_F_TIMEOUT(moved, dest_is_told_where_an_operator_says, 90)
{
	const struct host *source = &self->base.pair->hosts->source;

	set_out(&self->base, "10.88.0.2", POST_COPY);
	wait_held(&self->base);
	readdress_while_cut(self);
	dest_named(self, MOVED);
	EXPECT_EQ(0, SAYS(source, "resolve", GUEST, "--take-back", "--fenced",
			  "10.88.0.2")) {
		TH_LOG("%s", self->text);
	}
	EXPECT_EQ(0, SAYS(source, "recover", GUEST, "--to", "dest")) {
		TH_LOG("%s", self->text);
	}
	EXPECT_TRUE(crossing_row_reaches(&self->base.pair->hosts->dest,
					 self->base.move.id, SIDE_DEST,
					 "SUPERSEDED"));
	EXPECT_EQ(0, host_settle(source));
	EXPECT_EQ(1, SAYS(source, "recover", GUEST));
	EXPECT_NE(NULL, strstr(self->text, "nothing to recover")) {
		TH_LOG("%s", self->text);
	}
}

TEST_JOBS(4)
TEST_HARNESS_MAIN
