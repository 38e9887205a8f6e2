// SPDX-License-Identifier: LGPL-2.1-or-later
/* decided.c - a process dies at the moment in which a guest's fate is decided. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "harness.h"
#include "selftests/lib/process.h"
#include "selftests/migrate/crossing.h"
#include "sys.h"
#include "tools/lib/textfile.h"

#define GUEST		"db"
#define WAIT_MS		20000
#define TRIES		1200	/* 25 ms apart */
#define TRY_MS		25
#define POST_COPY	"\"live\":true,\"postcopy\":true,\"rounds_max\":0," \
			"\"postcopy_bandwidth\":"

FIXTURE(decided) {
	struct pair *pair;
	struct host *source, *dest;
	struct move move;
	struct fail fail;
};

FIXTURE_SETUP(decided)
{
	*self = (FIXTURE_DATA(decided)){ .move.fd = -1 };
}

FIXTURE_TEARDOWN(decided)
{
	move_end(&self->move);
	pair_destroy(self->pair);
}

/* Two hosts with these faults, and a guest on its way. */
static bool begin_with(FIXTURE_DATA(decided) *self, const char *source, const char *dest,
		       const char *const guest[], uint64_t ticks, const char *options)
{
	int ret = pair_create_faulty(&self->pair, PAIR_PLAIN, NULL, source, dest,
				     &self->fail);

	if (ret == -EOPNOTSUPP)
		SKIP(return false, "%s", self->fail.text);
	ASSERT_EQ(0, ret) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
	crossing_guest(self->pair, GUEST, guest);
	ASSERT_EQ(0, guest_run_on(self->source, GUEST, ticks, &self->fail));
	ASSERT_EQ(0, move_start(&self->move, self->source, GUEST, self->dest->address,
				options));
	return true;
}

static bool begin(FIXTURE_DATA(decided) *self, const char *source, const char *dest)
{
	return begin_with(self, source, dest, NO_OPTIONS, 2000, POST_COPY "5000000");
}

/* Most of them are missing for as long as a test takes. */
static bool begin_slowly(FIXTURE_DATA(decided) *self, const char *source, const char *dest)
{
	static const char *const guest[] = { "--working-set", "40M", "--workload", "random",
					     "--rate", "200", NULL };

	if (!begin_with(self, source, dest, guest, 100, POST_COPY "100000"))
		return false;
	ASSERT_EQ(0, move_wait_state(&self->move, STATE_HELD));
	return true;
}

/* An agent kills itself, and is started again, as its unit would. */
static void agent_back(FIXTURE_DATA(decided) *self, const struct host *host, pid_t *agent)
{
	ASSERT_EQ(128 + SIGKILL, process_wait(*agent, WAIT_MS));
	*agent = pair_start_agent(self->pair, host, &self->fail);
	ASSERT_LT(0, *agent) {
		TH_LOG("%s", self->fail.text);
	}
}

static void reaches(FIXTURE_DATA(decided) *self, const struct host *host, enum side side,
		    const char *state)
{
	char now[16] = "";
	int i;

	for (i = 0; i < TRIES && strcmp(now, state); i++) {
		row_state(host, self->move.id, side, now, sizeof(now));
		poll(NULL, 0, TRY_MS);
	}
	EXPECT_STREQ(state, now);
}

static void arrives(FIXTURE_DATA(decided) *self)
{
	reaches(self, self->source, SIDE_SOURCE, "TORN_DOWN");
	reaches(self, self->dest, SIDE_DEST, "DONE");
	crossing_arrived(self->pair, self->dest, GUEST);
	crossing_left(self->source, GUEST, 0);
}

/* The worker did not hear that it is written: it must not take it back. */
TEST_F_TIMEOUT(decided, go_is_written_and_its_reply_lost, 60)
{
	if (!begin(self, NULL, "journal.GO:kill-after"))
		return;
	agent_back(self, self->dest, &self->pair->dest_agent);
	arrives(self);
}

TEST_F_TIMEOUT(decided, go_is_not_written, 60)
{
	if (!begin(self, NULL, "journal.GO:kill"))
		return;
	agent_back(self, self->dest, &self->pair->dest_agent);
	reaches(self, self->dest, SIDE_DEST, "DISCARDED");
	reaches(self, self->source, SIDE_SOURCE, "RESUMED");
	crossing_undone(self->pair, GUEST);
}

TEST_F_TIMEOUT(decided, worker_dies_before_it_starts_the_guest, 60)
{
	if (!begin(self, NULL, "move.GO:kill-after"))
		return;
	arrives(self);
}

TEST_F_TIMEOUT(decided, source_dies_before_it_has_asked, 60)
{
	if (!begin(self, "move.ASKED:kill-after", NULL))
		return;
	reaches(self, self->source, SIDE_SOURCE, "RESUMED");
	reaches(self, self->dest, SIDE_DEST, "DISCARDED");
	crossing_undone(self->pair, GUEST);
}

/* Nothing was asked: the dest has discarded it, and says so when it is asked. */
TEST_F_TIMEOUT(decided, asked_is_written_and_its_reply_lost, 60)
{
	if (!begin(self, "journal.ASKED:kill-after", NULL))
		return;
	agent_back(self, self->source, &self->pair->source_agent);
	reaches(self, self->source, SIDE_SOURCE, "RESUMED");
	reaches(self, self->dest, SIDE_DEST, "DISCARDED");
	crossing_undone(self->pair, GUEST);
}

TEST_F_TIMEOUT(decided, asked_is_not_written, 60)
{
	if (!begin(self, "journal.ASKED:kill", NULL))
		return;
	agent_back(self, self->source, &self->pair->source_agent);
	reaches(self, self->source, SIDE_SOURCE, "RESUMED");
	reaches(self, self->dest, SIDE_DEST, "DISCARDED");
	crossing_undone(self->pair, GUEST);
}

TEST_F_TIMEOUT(decided, source_dies_while_it_tears_down, 60)
{
	if (!begin(self, "move.TEARING_DOWN:kill-after", NULL))
		return;
	arrives(self);
}

/* Its guest's process has ended by then, and may not be waited for yet. */
TEST_F_TIMEOUT(decided, source_dies_after_it_tore_down, 60)
{
	if (!begin(self, "move.TORN_DOWN:kill", NULL))
		return;
	arrives(self);
}

TEST_F_TIMEOUT(decided, dest_dies_before_complete_is_written, 60)
{
	if (!begin(self, NULL, "journal.COMPLETE:kill"))
		return;
	agent_back(self, self->dest, &self->pair->dest_agent);
	arrives(self);
}

/* The promise is written; what it promises is done by whoever comes next. */
TEST_F_TIMEOUT(decided, worker_dies_after_it_has_promised, 60)
{
	if (!begin(self, "state:cut-before", "move.DISCARDED:kill-after"))
		return;
	reaches(self, self->dest, SIDE_DEST, "DISCARDED");
	crossing_undone(self->pair, GUEST);
}

/* It may run already, and its hypervisor wait for a page: no reason to kill it. */
TEST_F_TIMEOUT(decided, hypervisor_does_not_answer_whoever_comes_next, 90)
{
	struct guest_view view;
	char log[8192] = "";
	int i;

	if (!begin(self, NULL, "move.RUNNING:stall"))
		return;
	reaches(self, self->dest, SIDE_DEST, "GO");
	for (i = 0; i < TRIES && fault_struck(self->dest, "move.RUNNING:stall") <= 0; i++)
		poll(NULL, 0, TRY_MS);
	ASSERT_EQ(0, guest_view_get(self->dest, GUEST, &view, &self->fail));
	ASSERT_EQ(0, kill(view.pid, SIGSTOP));
	ASSERT_EQ(0, kill(host_worker(self->dest, "dest"), SIGKILL));
	/* Until the next one goes on without an answer. */
	for (i = 0; i < TRIES && !strstr(log, "\"phase\":\"Confirm\""); i++) {
		poll(NULL, 0, TRY_MS);
		if (pair_straddle(self->pair, self->dest, (const char *const[]){ "--json",
				  "status", NULL }, log, sizeof(log)))
			break;
	}
	EXPECT_TRUE(strstr(log, "\"phase\":\"Confirm\"") && strstr(log, "\"state\":\"GO\"")) {
		TH_LOG("%s", log);
	}
	EXPECT_EQ(0, kill(view.pid, SIGCONT));
	guest_view_fini(&view);
	arrives(self);
}

static pid_t guest_there(FIXTURE_DATA(decided) *self)
{
	struct guest_view view;
	pid_t pid;

	ASSERT_EQ(0, guest_view_get(self->dest, GUEST, &view, &self->fail));
	pid = view.pid;
	guest_view_fini(&view);
	return pid;
}

/* Whoever asks that guest's hypervisor finds its connection closed. */
static void connection_cut(const struct host *host, pid_t guest)
{
	__cleanup_fd int pidfd = (int)sys_ret(syscall(SYS_pidfd_open,
						      host_worker(host, "steward"), 0));
	int number, cut = 0;

	ASSERT_LE(0, pidfd);
	for (number = 0; number < 64; number++) {
		__cleanup_fd int fd = (int)sys_ret(syscall(SYS_pidfd_getfd, pidfd, number, 0));
		struct ucred peer = { .pid = 0 };
		socklen_t size = sizeof(peer);

		if (fd >= 0 && !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) &&
		    peer.pid == guest)
			cut += !shutdown(fd, SHUT_RDWR);
	}
	EXPECT_LT(0, cut);
}

/* Whoever is between us and it is away: its guest is asked again, not killed. */
TEST_F_TIMEOUT(decided, hypervisor_that_cannot_be_reached_to_start_is_asked_again, 90)
{
	static const char fault[] = "move.GO:stall-after";
	const char *const ask[] = { "--json", "status", NULL };
	char path[256], away[270], text[8192] = "";
	int i;

	if (!begin(self, NULL, fault))
		return;
	for (i = 0; i < TRIES && fault_struck(self->dest, fault) <= 0; i++)
		poll(NULL, 0, TRY_MS);
	snprintf(path, sizeof(path), "%s/guests/" GUEST ".sock", self->dest->run_dir);
	snprintf(away, sizeof(away), "%s.away", path);
	connection_cut(self->dest, guest_there(self));
	ASSERT_EQ(0, rename(path, away));
	ASSERT_EQ(0, kill(host_worker(self->dest, "dest"), SIGCONT));
	for (i = 0; i < TRIES && !strstr(text, "\"phase\":\"Confirm\""); i++) {
		poll(NULL, 0, TRY_MS);
		EXPECT_EQ(0, pair_straddle(self->pair, self->dest, ask, text, sizeof(text)));
	}
	EXPECT_TRUE(strstr(text, "\"state\":\"GO\"")) {
		TH_LOG("%s", text);
	}
	ASSERT_EQ(0, rename(away, path));
	arrives(self);
}

/* What an operator may do depends on the row: it follows what is true. */
TEST_F_TIMEOUT(decided, running_that_could_not_be_written_is_written_again, 60)
{
	static const char fault[] = "journal.RUNNING:fail=ENOSPC";

	if (!begin_slowly(self, NULL, fault))
		return;
	reaches(self, self->dest, SIDE_DEST, "RUNNING");
	EXPECT_EQ(1, fault_struck(self->dest, fault));
}

/* As long as it cannot be written its pages may come, and not be given up. */
TEST_F_TIMEOUT(decided, guest_whose_row_says_go_has_its_choices, 60)
{
	const char *const ask[] = { "resolve", GUEST, NULL };
	const char *const poison[] = { "resolve", GUEST, "--poison", GUEST, NULL };
	char text[4096], file[200];
	const char *const write[] = { "resolve", GUEST, "--rescue", file, NULL };

	if (!begin_slowly(self, NULL, "journal.RUNNING:fail=ENOSPC/all"))
		return;
	EXPECT_EQ(0, pair_straddle(self->pair, self->dest, ask, text, sizeof(text)));
	EXPECT_TRUE(strstr(text, "state GO") && strstr(text, "may run already") &&
		    strstr(text, "--poison GUEST") && strstr(text, "--rescue FILE")) {
		TH_LOG("%s", text);
	}
	EXPECT_NE(0, pair_straddle(self->pair, self->dest, poison, text, sizeof(text)));
	EXPECT_TRUE(strstr(text, "cannot be poisoned") && strstr(text, "no space")) {
		TH_LOG("%s", text);
	}
	ASSERT_EQ(0, net_link_down(self->dest->net, HOST_LINK, &self->fail));
	snprintf(file, sizeof(file), "%s/pages", self->source->dir);
	EXPECT_EQ(0, pair_straddle(self->pair, self->source, write, text, sizeof(text)));
	EXPECT_EQ(0, pair_straddle(self->pair, self->dest, write, text, sizeof(text))) {
		TH_LOG("%s", text);
	}
	reaches(self, self->dest, SIDE_DEST, "COMPLETE");
}

/* Whoever settles what had arrived cannot: somebody else finds it taken back. */
TEST_F_TIMEOUT(decided, arrived_copy_is_paused_whoever_finds_it_taken_back, 60)
{
	const char *const take_back[] = { "resolve", GUEST, "--take-back", "--fenced",
					  "10.88.0.2", NULL };
	struct guest_stats stats;
	char text[4096], file[200];
	const char *const rescue[] = { "resolve", GUEST, "--rescue", file, NULL };

	if (!begin_slowly(self, NULL, "journal.DONE:fail=ENOSPC/all"))
		return;
	ASSERT_EQ(0, net_link_down(self->dest->net, HOST_LINK, &self->fail));
	snprintf(file, sizeof(file), "%s/pages", self->source->dir);
	EXPECT_EQ(0, pair_straddle(self->pair, self->source, rescue, text, sizeof(text)));
	EXPECT_EQ(0, pair_straddle(self->pair, self->dest, rescue, text, sizeof(text)));
	reaches(self, self->dest, SIDE_DEST, "COMPLETE");
	EXPECT_EQ(0, kill(host_worker(self->dest, "dest"), SIGKILL));
	EXPECT_EQ(0, pair_straddle(self->pair, self->source, take_back, text, sizeof(text))) {
		TH_LOG("%s", text);
	}
	ASSERT_EQ(0, net_link_up(self->dest->net, HOST_LINK, &self->fail));
	reaches(self, self->dest, SIDE_DEST, "SUPERSEDED");
	EXPECT_EQ(0, host_settle(self->source));
	ASSERT_EQ(0, guest_stats_get(self->dest, GUEST, &stats, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	EXPECT_STREQ("paused", stats.state);
}

/* The guest is stopped meanwhile: what touches such a page ends it. */
static pid_t poison_begin(FIXTURE_DATA(decided) *self, const char *fault)
{
	const char *const argv[] = { "resolve", GUEST, "--poison", GUEST, NULL };
	struct guest_view view;
	char text[4096];
	pid_t pid;

	if (!begin(self, NULL, fault))
		return 0;
	ASSERT_EQ(0, move_wait_state(&self->move, STATE_HELD));
	ASSERT_EQ(0, guest_view_get(self->dest, GUEST, &view, &self->fail));
	pid = view.pid;
	guest_view_fini(&view);
	ASSERT_EQ(0, process_freeze(pid));
	pair_straddle(self->pair, self->dest, argv, text, sizeof(text));
	return pid;
}

/* A page that is poisoned looks as if it were there: it must not count. */
TEST_F_TIMEOUT(decided, worker_dies_when_pages_are_poisoned, 60)
{
	char state[16];

	if (!poison_begin(self, "move.POISONED:kill"))
		return;
	reaches(self, self->dest, SIDE_DEST, "POISONED");
	row_state(self->source, self->move.id, SIDE_SOURCE, state, sizeof(state));
	EXPECT_STREQ("HELD", state);
}

/* Nobody answers its faults any more: it must have none. */
TEST_F_TIMEOUT(decided, worker_dies_when_it_is_written_that_they_are, 60)
{
	pid_t guest = poison_begin(self, "move.POISONED:kill-after");
	int i, ordinary = 0;

	if (!guest)
		return;
	reaches(self, self->dest, SIDE_DEST, "POISONED");
	for (i = 0; i < TRIES && !ordinary; i++) {
		ordinary = process_is_ordinary(guest) == 1;
		poll(NULL, 0, TRY_MS);
	}
	EXPECT_TRUE(ordinary);
	EXPECT_EQ(0, host_settle(self->dest));
	EXPECT_EQ(0, host_files(self->dest, "pages-"));
	EXPECT_EQ(0, host_files(self->dest, "worker."));
}

/* Nobody owns the guest. Return: false: skipped. */
static bool begin_died_there(FIXTURE_DATA(decided) *self, const char *fault)
{
	struct guest_view view;

	if (!begin_slowly(self, fault, NULL))
		return false;
	ASSERT_EQ(0, guest_view_get(self->dest, GUEST, &view, &self->fail));
	ASSERT_EQ(0, kill(view.pid, SIGKILL));
	guest_view_fini(&view);
	reaches(self, self->source, SIDE_SOURCE, "DIED_THERE");
	return true;
}

static int decide(FIXTURE_DATA(decided) *self, const char *const argv[], char *text,
		  size_t size)
{
	int status = pair_straddle(self->pair, self->source, argv, text, size);

	TH_LOG("%s", text);
	return status;
}

/* The source hears of it when it is written: the first time it cannot be. */
static const char died_fault[] = "journal.DIED:fail=ENOSPC";

static void death_is_told(FIXTURE_DATA(decided) *self)
{
	reaches(self, self->dest, SIDE_DEST, "DIED");
	EXPECT_EQ(1, fault_struck(self->dest, died_fault));
	reaches(self, self->source, SIDE_SOURCE, "DIED_THERE");
	crossing_left(self->dest, GUEST, 0);
}

TEST_F_TIMEOUT(decided, death_that_could_not_be_written_is_written_again, 60)
{
	if (!begin_slowly(self, NULL, died_fault))
		return;
	ASSERT_EQ(0, kill(guest_there(self), SIGKILL));
	death_is_told(self);
}

TEST_F_TIMEOUT(decided, death_that_the_next_one_finds_is_written_again, 60)
{
	pid_t worker, guest;

	if (!begin_slowly(self, NULL, died_fault))
		return;
	worker = host_worker(self->dest, "dest");
	guest = guest_there(self);
	ASSERT_EQ(0, kill(worker, SIGSTOP));
	ASSERT_EQ(0, kill(guest, SIGKILL));
	ASSERT_EQ(0, kill(worker, SIGKILL));
	death_is_told(self);
}

TEST_F_TIMEOUT(decided, end_of_a_copy_that_could_not_be_written_is_written_again, 60)
{
	const char *const take_back[] = { "resolve", GUEST, "--take-back", "--fenced",
					  "10.88.0.2", NULL };
	const char *const give_up[] = { "resolve", GUEST, "--give-up", GUEST, NULL };
	char text[4096];

	if (!begin_slowly(self, NULL, died_fault))
		return;
	ASSERT_EQ(0, net_link_down(self->dest->net, HOST_LINK, &self->fail));
	EXPECT_EQ(0, pair_straddle(self->pair, self->source, take_back, text, sizeof(text))) {
		TH_LOG("%s", text);
	}
	ASSERT_EQ(0, net_link_up(self->dest->net, HOST_LINK, &self->fail));
	reaches(self, self->dest, SIDE_DEST, "SUPERSEDED");
	EXPECT_EQ(0, host_settle(self->source));
	EXPECT_EQ(0, pair_straddle(self->pair, self->dest, give_up, text, sizeof(text))) {
		TH_LOG("%s", text);
	}
	reaches(self, self->dest, SIDE_DEST, "DIED");
	EXPECT_EQ(1, fault_struck(self->dest, died_fault));
	crossing_left(self->dest, GUEST, 0);
}

/* In the background: its worker stands still before it does what was decided. */
static pid_t give_up_begin(FIXTURE_DATA(decided) *self)
{
	const char *const argv[] = { "resolve", GUEST, "--give-up", GUEST, NULL };
	pid_t pid;
	int i;

	pid = pair_straddle_start(self->pair, self->source, argv, "give-up.log", &self->fail);
	ASSERT_LT(0, pid);
	for (i = 0; i < TRIES &&
	     fault_struck(self->source, "move.TEARING_DOWN:stall") <= 0; i++)
		poll(NULL, 0, TRY_MS);
	return pid;
}

/* Nobody owns it, so anybody may: but not between the look at it and its end. */
TEST_F_TIMEOUT(decided, copy_resumed_while_it_is_given_up_does_not_run, 60)
{
	pid_t straddle;

	if (!begin_died_there(self, "move.TEARING_DOWN:stall"))
		return;
	straddle = give_up_begin(self);
	crossing_resumed_waits(self->source, GUEST);
	EXPECT_EQ(0, kill(host_worker(self->source, "source"), SIGCONT));
	EXPECT_EQ(0, process_wait(straddle, WAIT_MS));
	reaches(self, self->source, SIDE_SOURCE, "TORN_DOWN");
	crossing_left(self->source, GUEST, 0);
}

/* Pages that came from a file are no part of its proof: it holds, and is asked. */
TEST_F_TIMEOUT(decided, source_without_a_proof_hears_its_operator, 60)
{
	char file[200] = "", text[4096];
	const char *const rescue[] = { "resolve", GUEST, "--rescue", file, NULL };
	const char *const give_up[] = { "resolve", GUEST, "--give-up", GUEST, NULL };

	if (!begin(self, NULL, NULL))
		return;
	ASSERT_EQ(0, move_wait_state(&self->move, STATE_HELD));
	snprintf(file, sizeof(file), "%s/pages", self->source->dir);
	EXPECT_EQ(0, pair_straddle(self->pair, self->source, rescue, text, sizeof(text)));
	EXPECT_EQ(0, pair_straddle(self->pair, self->dest, rescue, text, sizeof(text))) {
		TH_LOG("%s", text);
	}
	reaches(self, self->dest, SIDE_DEST, "COMPLETE");
	EXPECT_EQ(0, decide(self, give_up, text, sizeof(text)));
	arrives(self);
}

/* Its fence stays: whoever resumes it waits for somebody who knows of that. */
TEST_F_TIMEOUT(decided, worker_dies_before_it_is_written_that_a_copy_is_given_up, 60)
{
	const char *const give_up[] = { "resolve", GUEST, "--give-up", GUEST, NULL };
	const char *const take_back[] = { "resolve", GUEST, "--take-back", NULL };
	struct guest_view view;
	char text[4096];

	if (!begin_died_there(self, "move.TEARING_DOWN:kill"))
		return;
	EXPECT_NE(0, decide(self, give_up, text, sizeof(text)));
	ASSERT_EQ(0, guest_verb(self->source, GUEST, "resume", &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	EXPECT_NE(0, decide(self, give_up, text, sizeof(text)));
	EXPECT_TRUE(strstr(text, "it waits here to be taken back"));
	EXPECT_EQ(0, decide(self, take_back, text, sizeof(text)));
	reaches(self, self->source, SIDE_SOURCE, "TAKEN_BACK");
	EXPECT_EQ(0, guest_run_on(self->source, GUEST, 10, &self->fail));
	ASSERT_EQ(0, guest_view_get(self->source, GUEST, &view, &self->fail));
	EXPECT_EQ(1, process_is_ordinary(view.pid));
	guest_view_fini(&view);
}

/* The pages come while it is decided: that is not what was decided. */
TEST_F_TIMEOUT(decided, decision_that_comes_too_late_is_not_done, 60)
{
	const char *const argv[] = { "resolve", GUEST, "--poison", GUEST, NULL };
	struct guest_view view;
	char text[4096];
	int i;

	if (!begin(self, NULL, "move.COMPLETE:delay=3s"))
		return;
	ASSERT_EQ(0, move_wait_state(&self->move, STATE_HELD));
	ASSERT_EQ(0, guest_view_get(self->dest, GUEST, &view, &self->fail));
	/* It has let go of it, and is about to say so. */
	for (i = 0; i < TRIES && process_is_ordinary(view.pid) != 1; i++)
		poll(NULL, 0, TRY_MS);
	guest_view_fini(&view);
	EXPECT_NE(0, pair_straddle(self->pair, self->dest, argv, text, sizeof(text)));
	EXPECT_FALSE(strstr(text, "it is done")) {
		TH_LOG("%s", text);
	}
	arrives(self);
}

/* Nothing says where the guest is, and it lives: that is no death. */
TEST_F_TIMEOUT(decided, guest_that_cannot_be_found_has_not_died, 60)
{
	char path[256], state[16];
	int i;

	if (!begin(self, NULL, NULL))
		return;
	ASSERT_EQ(0, move_wait_state(&self->move, STATE_HELD));
	snprintf(path, sizeof(path), "%s/testament.%s.dest", self->dest->run_dir,
		 self->move.id);
	ASSERT_EQ(0, unlink(path));
	snprintf(path, sizeof(path), "%s/guests/" GUEST ".sock", self->dest->run_dir);
	ASSERT_EQ(0, unlink(path));
	ASSERT_EQ(0, kill(host_worker(self->dest, "dest"), SIGKILL));
	for (i = 0; i < 100; i++) {
		row_state(self->dest, self->move.id, SIDE_DEST, state, sizeof(state));
		EXPECT_STREQ("RUNNING", state);
		poll(NULL, 0, TRY_MS);
	}
	row_state(self->source, self->move.id, SIDE_SOURCE, state, sizeof(state));
	EXPECT_STREQ("HELD", state);
}

/* To a third host. Return: whether it is refused since the source has not heard. */
static bool onward_is_refused(FIXTURE_DATA(decided) *self, const char *options)
{
	struct move onward;

	EXPECT_NE(0, move_run(&onward, self->dest, GUEST, "10.88.0.9", options));
	return strstr(onward.error, "has not confirmed");
}

/* The source says it again until it is known to be written: the guest is free then. */
TEST_F_TIMEOUT(decided, confirmation_that_was_lost_is_said_again, 90)
{
	char text[2048] = "unheard";
	int i;

	if (!begin(self, "confirm.confirmed:drop", NULL))
		return;
	reaches(self, self->dest, SIDE_DEST, "DONE");
	for (i = 0; i < TRIES && strstr(text, "unheard"); i++) {
		poll(NULL, 0, TRY_MS);
		pair_straddle(self->pair, self->dest, (const char *const[]){ "history", NULL },
			      text, sizeof(text));
	}
	EXPECT_FALSE(strstr(text, "unheard")) {
		TH_LOG("%s", text);
	}
	EXPECT_FALSE(onward_is_refused(self, POST_COPY "0"));
	EXPECT_EQ(0, guest_run_on(self->dest, GUEST, 10, &self->fail));
}

/* It was killed before it came to that; and the dest hears nothing for a while. */
TEST_F_TIMEOUT(decided, disks_of_a_guest_that_is_gone_are_seen_to, 90)
{
	char path[256];
	int i;

	if (!begin(self, "move.TORN_DOWN:kill-after", NULL))
		return;
	snprintf(path, sizeof(path), "%s/disks-%s", self->source->run_dir, self->move.id);
	ASSERT_EQ(0, textfile_write(path, "copy vda\n", NULL));
	arrives(self);
	for (i = 0; i < TRIES && !sys_ret(access(path, F_OK)); i++)
		poll(NULL, 0, TRY_MS);
	EXPECT_EQ(-ENOENT, sys_ret(access(path, F_OK)));
}

/* Who takes it back at the source fences the dest only: it is to be there still. */
TEST_F_TIMEOUT(decided, guest_does_not_go_on_before_its_source_has_heard, 90)
{
	if (!begin(self, NULL, "confirm.answer:drop/all"))
		return;
	reaches(self, self->dest, SIDE_DEST, "COMPLETE");
	EXPECT_TRUE(onward_is_refused(self, POST_COPY "0"));
	EXPECT_EQ(0, kill(host_worker(self->dest, "dest"), SIGKILL));
	reaches(self, self->dest, SIDE_DEST, "DONE");
	EXPECT_TRUE(onward_is_refused(self, POST_COPY "0"));
	EXPECT_FALSE(onward_is_refused(self, POST_COPY "0,\"unsafe\":true"));
	/* That its source is gone was said, and is not asked again. */
	EXPECT_FALSE(onward_is_refused(self, POST_COPY "0"));
	reaches(self, self->source, SIDE_SOURCE, "HELD");
	EXPECT_EQ(0, guest_run_on(self->dest, GUEST, 10, &self->fail));
}

/* Connected, asked, and nothing comes: that is told, and may be asked again. */
TEST_F_TIMEOUT(decided, silence_of_who_was_asked_is_told, 60)
{
	const char *const status[] = { "status", GUEST, NULL };
	const char *const recover[] = { "recover", GUEST, NULL };
	char text[4096] = "";
	int i;

	if (!begin(self, NULL, "journal.GO:stall"))
		return;
	for (i = 0; i < TRIES && !strstr(text, "does not say whether"); i++) {
		EXPECT_EQ(0, pair_straddle(self->pair, self->source, status, text, sizeof(text)));
		poll(NULL, 0, TRY_MS);
	}
	EXPECT_TRUE(strstr(text, "next try in")) {
		TH_LOG("%s", text);
	}
	EXPECT_EQ(0, pair_straddle(self->pair, self->source, recover, text, sizeof(text))) {
		TH_LOG("%s", text);
	}
	reaches(self, self->source, SIDE_SOURCE, "ASKED");
}

TEST_JOBS(3)
TEST_HARNESS_MAIN
