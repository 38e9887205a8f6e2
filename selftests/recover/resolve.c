// SPDX-License-Identifier: LGPL-2.1-or-later
/* resolve.c - an operator decides, and what he decides is what happens. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "harness.h"
#include "selftests/lib/process.h"
#include "selftests/migrate/crossing.h"
#include "sys.h"

#define GUEST	"db"
#define TRIES	800	/* 25 ms apart */
#define TRY_MS	25
#define TEXT	8192
#define WORDS_MAX	4096	/* more than a socket holds */

FIXTURE(resolve) {
	struct pair *pair;
	const struct host *source, *dest;
	struct move move;
	struct fail fail;
	pid_t here;		/* the guest's process at the source */
	char text[TEXT];
};

/* Held: a guest runs at the dest, and most of its pages are not there. */
static void held(FIXTURE_DATA(resolve) *self, const char *memory)
{
	struct guest_view view;

	self->move.fd = -1;
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PLAIN, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
	crossing_slow_guest(self->pair, GUEST, memory);
	ASSERT_EQ(0, guest_view_get(self->source, GUEST, &view, &self->fail));
	self->here = view.pid;
	guest_view_fini(&view);
	crossing_hold(self->pair, GUEST, &self->move);
}

FIXTURE_SETUP(resolve)
{
	held(self, NULL);
}

FIXTURE_TEARDOWN(resolve)
{
	move_end(&self->move);
	pair_destroy(self->pair);
}

/* straddle resolve GUEST ...; @more ends with NULL. Return: its exit status. */
static int decide(FIXTURE_DATA(resolve) *self, const struct host *host,
		  const char *const more[])
{
	const char *argv[8] = { "resolve", GUEST };
	size_t n = 2;

	while (*more && n < 7)
		argv[n++] = *more++;
	argv[n] = NULL;
	return pair_straddle(self->pair, host, argv, self->text, sizeof(self->text));
}

#define DECIDE(host, ...) \
	decide(self, host, (const char *const[]){ __VA_ARGS__, NULL })

static void reaches(FIXTURE_DATA(resolve) *self, const struct host *host, enum side side,
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

/* Does history say that the dest has not heard? */
static bool is_unheard(FIXTURE_DATA(resolve) *self)
{
	const char *const argv[] = { "history", NULL };

	EXPECT_EQ(0, pair_straddle(self->pair, self->source, argv, self->text,
				   sizeof(self->text)));
	return strstr(self->text, "TAKEN_BACK, unheard");
}

/* Until straddle status at the source says so. */
static void status_says(FIXTURE_DATA(resolve) *self, const char *words)
{
	const char *const status[] = { "status", GUEST, NULL };
	int i;

	*self->text = '\0';
	for (i = 0; i < TRIES && !strstr(self->text, words); i++) {
		EXPECT_EQ(0, pair_straddle(self->pair, self->source, status, self->text,
					   sizeof(self->text)));
		poll(NULL, 0, TRY_MS);
	}
	EXPECT_GT(TRIES, i) {
		TH_LOG("%s", self->text);
	}
}

static char process_state(pid_t pid)
{
	char path[64], state = '?';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = '?';
	if (file)
		fclose(file);
	return state;
}

/* Somebody has it go on: it stops again. */
static void stays_stopped(pid_t pid)
{
	int i;

	ASSERT_EQ(0, kill(pid, SIGCONT));
	for (i = 0; i < TRIES && process_state(pid) != 'T'; i++)
		poll(NULL, 0, TRY_MS);
	EXPECT_EQ('T', process_state(pid));
}

TEST_F(resolve, explains_and_offers_what_is_safe)
{
	EXPECT_EQ(0, decide(self, self->source, (const char *const[]){ NULL }));
	EXPECT_TRUE(strstr(self->text, "state HELD"));
	EXPECT_TRUE(strstr(self->text, "--take-back --fenced DEST"));
	EXPECT_TRUE(strstr(self->text, "--give-up GUEST"));
	EXPECT_FALSE(strstr(self->text, "--poison"));
	EXPECT_EQ(0, decide(self, self->dest, (const char *const[]){ NULL }));
	EXPECT_TRUE(strstr(self->text, "state RUNNING"));
	EXPECT_TRUE(strstr(self->text, "--poison GUEST"));
	EXPECT_FALSE(strstr(self->text, "--take-back"));
}

TEST_F(resolve, refuses_what_is_not_safe)
{
	EXPECT_NE(0, DECIDE(self->source, "--take-back"));
	EXPECT_TRUE(strstr(self->text, "--fenced 10."));
	EXPECT_NE(0, DECIDE(self->source, "--take-back", "--fenced", "10.0.0.9"));
	EXPECT_TRUE(strstr(self->text, "cut off until"));
	EXPECT_NE(0, DECIDE(self->source, "--give-up", "other"));
	EXPECT_NE(0, DECIDE(self->source, "--poison", GUEST));
	EXPECT_TRUE(strstr(self->text, "no safe choice"));
	EXPECT_NE(0, DECIDE(self->dest, "--take-back", "--fenced", self->source->address));
	EXPECT_NE(0, DECIDE(self->dest, "--rescue", "/no/such/file"));
	EXPECT_TRUE(strstr(self->text, "/no/such/file"));
	EXPECT_NE(0, DECIDE(self->source, "--fenced", self->dest->address));
	reaches(self, self->source, SIDE_SOURCE, "HELD");
	reaches(self, self->dest, SIDE_DEST, "RUNNING");
}

/* The dest is cut off; when it comes back its copy is paused, and told. */
TEST_F_TIMEOUT(resolve, taken_back_from_a_host_that_is_fenced, 60)
{
	struct guest_stats stats = { .walk_bad = 1 };
	struct guest_view view;
	char why[64], log[16384];

	ASSERT_EQ(0, guest_view_get(self->dest, GUEST, &view, &self->fail));
	ASSERT_EQ(0, net_link_down(self->dest->net, HOST_LINK, &self->fail));
	EXPECT_EQ(0, DECIDE(self->source, "--take-back", "--fenced", self->dest->address)) {
		TH_LOG("%s", self->text);
	}
	reaches(self, self->source, SIDE_SOURCE, "TAKEN_BACK");
	EXPECT_EQ(0, guest_run_on(self->source, GUEST, 10, &self->fail));
	EXPECT_EQ(0, guest_walk(self->source, GUEST, &stats, &self->fail));
	EXPECT_EQ(0, stats.walk_bad);
	EXPECT_TRUE(is_unheard(self));
	/* Why it has not is told, as a recovery that fails is. */
	snprintf(why, sizeof(why), "%s could not be told (", self->dest->address);
	status_says(self, why);
	host_log(self->source, "straddled.log", log, sizeof(log));
	EXPECT_TRUE(strstr(log, why)) {
		TH_LOG("%s", log);
	}
	ASSERT_EQ(0, net_link_up(self->dest->net, HOST_LINK, &self->fail));
	reaches(self, self->dest, SIDE_DEST, "SUPERSEDED");
	EXPECT_EQ(0, host_settle(self->source));
	EXPECT_FALSE(is_unheard(self));
	EXPECT_EQ('T', process_state(view.pid));
	stays_stopped(view.pid);
	guest_view_fini(&view);
	EXPECT_EQ(0, DECIDE(self->dest, "--give-up", GUEST)) {
		TH_LOG("%s", self->text);
	}
	reaches(self, self->dest, SIDE_DEST, "DIED");
	crossing_left(self->dest, GUEST, 0);
	EXPECT_EQ(0, host_settle(self->source));
}

/* It is heard, and not carried out: the command is told, and decides anew. */
TEST_F_TIMEOUT(resolve, decision_that_a_worker_took_along_is_told, 60)
{
	const char *const argv[] = { "--json", "resolve", GUEST, "--take-back", "--fenced",
				     self->dest->address, NULL };
	pid_t worker = host_worker(self->source, "source"), command;
	int i;

	ASSERT_EQ(0, net_link_down(self->dest->net, HOST_LINK, &self->fail));
	ASSERT_EQ(0, kill(worker, SIGSTOP));
	command = pair_straddle_start(self->pair, self->source, argv, "decision", &self->fail);
	ASSERT_LT(0, command);
	*self->text = '\0';
	for (i = 0; i < TRIES && !strstr(self->text, "\"resolve\""); i++) {
		poll(NULL, 0, TRY_MS);
		host_log(self->source, "decision", self->text, sizeof(self->text));
	}
	ASSERT_EQ(0, kill(worker, SIGKILL));
	EXPECT_EQ(1, process_wait(command, TRIES * TRY_MS));
	host_log(self->source, "decision", self->text, sizeof(self->text));
	EXPECT_TRUE(strstr(self->text, "decide once more")) {
		TH_LOG("%s", self->text);
	}
	reaches(self, self->source, SIDE_SOURCE, "HELD");
	EXPECT_EQ(0, DECIDE(self->source, "--take-back", "--fenced", self->dest->address)) {
		TH_LOG("%s", self->text);
	}
	reaches(self, self->source, SIDE_SOURCE, "TAKEN_BACK");
}

/* Once the cut is noticed, and no sooner. */
static void recover_to(FIXTURE_DATA(resolve) *self, const char *to)
{
	const char *const argv[] = { "recover", GUEST, "--to", to, NULL };
	int i;

	for (i = 0; i < TRIES && pair_straddle(self->pair, self->source, argv, self->text,
					       sizeof(self->text)); i++)
		poll(NULL, 0, TRY_MS);
	EXPECT_GT(TRIES, i) {
		TH_LOG("%s", self->text);
	}
}

/* Where it went is what is to be fenced, and told; not what somebody said since. */
TEST_F_TIMEOUT(resolve, wrong_address_does_not_hide_where_it_runs, 90)
{
	const char *dest = self->dest->address;
	int i, ret = 0;

	ASSERT_EQ(0, net_link_down(self->dest->net, HOST_LINK, &self->fail));
	recover_to(self, "10.88.0.9");
	EXPECT_NE(0, DECIDE(self->source, "--take-back", "--fenced", "10.88.0.9"));
	EXPECT_TRUE(strstr(self->text, dest)) {
		TH_LOG("%s", self->text);
	}
	EXPECT_EQ(0, decide(self, self->source, (const char *const[]){ NULL }));
	EXPECT_TRUE(strstr(self->text, "has to name")) {
		TH_LOG("%s", self->text);
	}
	/* A worker that is being replaced takes nothing along, and that is told. */
	for (i = 0; i < TRIES && (ret = DECIDE(self->source, "--take-back", "--fenced", dest)) &&
		    strstr(self->text, "decide once more"); i++)
		poll(NULL, 0, TRY_MS);
	EXPECT_EQ(0, ret) {
		TH_LOG("%s", self->text);
	}
	reaches(self, self->source, SIDE_SOURCE, "TAKEN_BACK");
	ASSERT_EQ(0, net_link_up(self->dest->net, HOST_LINK, &self->fail));
	reaches(self, self->dest, SIDE_DEST, "SUPERSEDED");
	EXPECT_EQ(0, host_settle(self->source));
	EXPECT_FALSE(is_unheard(self));
	EXPECT_EQ(0, guest_run_on(self->source, GUEST, 10, &self->fail));
}

/* All of its pages had come by then, and its worker was gone. */
static void take_back_arrived(FIXTURE_DATA(resolve) *self)
{
	char file[200];

	snprintf(file, sizeof(file), "%s/pages", self->source->dir);
	ASSERT_EQ(0, net_link_down(self->dest->net, HOST_LINK, &self->fail));
	EXPECT_EQ(0, DECIDE(self->source, "--rescue", file));
	EXPECT_EQ(0, DECIDE(self->dest, "--rescue", file)) {
		TH_LOG("%s", self->text);
	}
	reaches(self, self->dest, SIDE_DEST, "COMPLETE");
	EXPECT_EQ(0, kill(host_worker(self->dest, "dest"), SIGKILL));
	EXPECT_EQ(0, DECIDE(self->source, "--take-back", "--fenced", self->dest->address)) {
		TH_LOG("%s", self->text);
	}
	reaches(self, self->source, SIDE_SOURCE, "TAKEN_BACK");
	ASSERT_EQ(0, net_link_up(self->dest->net, HOST_LINK, &self->fail));
	reaches(self, self->dest, SIDE_DEST, "SUPERSEDED");
}

/* A worker other than @before holds it. Return: its pid. */
static pid_t is_held_there(FIXTURE_DATA(resolve) *self, pid_t before)
{
	pid_t worker = before;
	int i;

	*self->text = '\0';
	for (i = 0; i < TRIES && (worker <= 1 || worker == before ||
				  !strstr(self->text, "this copy is stopped")); i++) {
		poll(NULL, 0, TRY_MS);
		worker = host_worker(self->dest, "dest");
		pair_straddle(self->pair, self->dest, (const char *const[]){ "status", NULL },
			      self->text, sizeof(self->text));
	}
	EXPECT_TRUE(strstr(self->text, "this copy is stopped")) {
		TH_LOG("%s", self->text);
	}
	ASSERT_LT(1, worker);
	return worker;
}

static void end_there(FIXTURE_DATA(resolve) *self)
{
	EXPECT_EQ(0, DECIDE(self->dest, "--give-up", GUEST)) {
		TH_LOG("%s", self->text);
	}
	reaches(self, self->dest, SIDE_DEST, "DIED");
	crossing_left(self->dest, GUEST, 0);
	EXPECT_EQ(0, host_settle(self->source));
}

/* No worker is left there: another one finds the guest, and holds it. */
TEST_F_TIMEOUT(resolve, taken_back_from_where_it_had_arrived, 60)
{
	struct guest_stats stats;

	take_back_arrived(self);
	is_held_there(self, 0);
	ASSERT_EQ(0, guest_stats_get(self->dest, GUEST, &stats, &self->fail));
	EXPECT_STREQ("paused", stats.state);
	EXPECT_EQ(0, guest_run_on(self->source, GUEST, 10, &self->fail));
	end_there(self);
}

/* Its fence outlives worker and agent; who tries has its process stopped. */
TEST_F_TIMEOUT(resolve, arrived_copy_that_was_taken_back_never_runs_again, 90)
{
	struct guest_view view;
	pid_t worker;
	int i;

	take_back_arrived(self);
	worker = is_held_there(self, 0);
	ASSERT_EQ(0, guest_view_get(self->dest, GUEST, &view, &self->fail));
	EXPECT_EQ(0, kill(self->pair->dest_agent, SIGKILL));
	process_wait(self->pair->dest_agent, -1);
	EXPECT_EQ(0, kill(worker, SIGKILL));
	self->pair->dest_agent = pair_start_agent(self->pair, self->dest, &self->fail);
	ASSERT_LT(0, self->pair->dest_agent);
	worker = is_held_there(self, worker);
	EXPECT_EQ(0, kill(worker, SIGSTOP));
	crossing_resumed_waits(self->dest, GUEST);
	EXPECT_EQ(0, kill(worker, SIGCONT));
	for (i = 0; i < TRIES && process_state(view.pid) != 'T'; i++)
		poll(NULL, 0, TRY_MS);
	EXPECT_EQ(0, kill(worker, SIGKILL));
	is_held_there(self, worker);
	EXPECT_EQ('T', process_state(view.pid));
	guest_view_fini(&view);
	EXPECT_EQ(0, guest_run_on(self->source, GUEST, 10, &self->fail));
	end_there(self);
}

TEST_F_TIMEOUT(resolve, taken_back_after_it_died_there, 60)
{
	struct guest_stats stats = { .walk_bad = 1 };
	struct guest_view view;

	ASSERT_EQ(0, guest_view_get(self->dest, GUEST, &view, &self->fail));
	ASSERT_EQ(0, kill(view.pid, SIGKILL));
	guest_view_fini(&view);
	reaches(self, self->source, SIDE_SOURCE, "DIED_THERE");
	EXPECT_EQ(0, decide(self, self->source, (const char *const[]){ NULL }));
	EXPECT_TRUE(strstr(self->text, "its process ended there"));
	EXPECT_EQ(0, DECIDE(self->source, "--take-back")) {
		TH_LOG("%s", self->text);
	}
	reaches(self, self->source, SIDE_SOURCE, "TAKEN_BACK");
	EXPECT_EQ(0, guest_run_on(self->source, GUEST, 10, &self->fail));
	EXPECT_EQ(0, guest_walk(self->source, GUEST, &stats, &self->fail));
	EXPECT_EQ(0, stats.walk_bad);
	EXPECT_FALSE(guest_exists(self->dest, GUEST));
	EXPECT_EQ(0, host_settle(self->source));
}

/* Nobody owned it: who resumed it has it, and nothing of a fence is left in it. */
TEST_F_TIMEOUT(resolve, copy_that_somebody_resumed_is_not_given_up, 60)
{
	struct guest_view view;

	ASSERT_EQ(0, guest_view_get(self->dest, GUEST, &view, &self->fail));
	ASSERT_EQ(0, kill(view.pid, SIGKILL));
	guest_view_fini(&view);
	reaches(self, self->source, SIDE_SOURCE, "DIED_THERE");
	EXPECT_EQ(0, host_settle(self->source));
	ASSERT_EQ(0, guest_verb(self->source, GUEST, "resume", &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	EXPECT_NE(0, DECIDE(self->source, "--give-up", GUEST));
	EXPECT_TRUE(strstr(self->text, "cannot be given up: somebody resumed it")) {
		TH_LOG("%s", self->text);
	}
	EXPECT_EQ(0, guest_run_on(self->source, GUEST, 10, &self->fail));
	reaches(self, self->source, SIDE_SOURCE, "DIED_THERE");
	ASSERT_EQ(0, guest_view_get(self->source, GUEST, &view, &self->fail));
	EXPECT_EQ(1, process_is_ordinary(view.pid));
	guest_view_fini(&view);
}

TEST_F_TIMEOUT(resolve, rescued_by_a_file, 60)
{
	char file[200];

	snprintf(file, sizeof(file), "%s/pages", self->source->dir);
	ASSERT_EQ(0, net_link_down(self->dest->net, HOST_LINK, &self->fail));
	EXPECT_EQ(0, DECIDE(self->source, "--rescue", file)) {
		TH_LOG("%s", self->text);
	}
	EXPECT_NE(0, DECIDE(self->source, "--rescue", file));
	EXPECT_EQ(0, DECIDE(self->dest, "--rescue", file)) {
		TH_LOG("%s", self->text);
	}
	reaches(self, self->dest, SIDE_DEST, "COMPLETE");
	EXPECT_EQ(0, DECIDE(self->source, "--give-up", GUEST)) {
		TH_LOG("%s", self->text);
	}
	/* The command that began it hears so, too. */
	move_wait(&self->move);
	EXPECT_STREQ("TORN_DOWN", self->move.state);
	reaches(self, self->source, SIDE_SOURCE, "TORN_DOWN");
	ASSERT_EQ(0, net_link_up(self->dest->net, HOST_LINK, &self->fail));
	reaches(self, self->dest, SIDE_DEST, "DONE");
	crossing_arrived(self->pair, self->dest, GUEST);
	crossing_left(self->source, GUEST, 0);
}

/* All of it is there, and the source knows: the guest is free to go on. */
TEST_F_TIMEOUT(resolve, given_up_is_confirmed_to_who_has_all_pages, 60)
{
	char file[200];

	snprintf(file, sizeof(file), "%s/pages", self->source->dir);
	EXPECT_EQ(0, DECIDE(self->source, "--rescue", file));
	EXPECT_EQ(0, DECIDE(self->dest, "--rescue", file)) {
		TH_LOG("%s", self->text);
	}
	EXPECT_EQ(0, DECIDE(self->source, "--give-up", GUEST)) {
		TH_LOG("%s", self->text);
	}
	reaches(self, self->dest, SIDE_DEST, "DONE");
	EXPECT_EQ(0, host_settle(self->dest));
	EXPECT_EQ(0, pair_straddle(self->pair, self->dest, (const char *const[]){
				   "history", NULL }, self->text, sizeof(self->text)));
	EXPECT_FALSE(strstr(self->text, "unheard")) {
		TH_LOG("%s", self->text);
	}
}

/* What is missing there never comes: nobody is to wait for it. */
TEST_F_TIMEOUT(resolve, given_up_is_told_to_who_misses_pages, 60)
{
	static const char *const status[] = { "status", NULL };
	int i;

	EXPECT_EQ(0, DECIDE(self->source, "--give-up", GUEST)) {
		TH_LOG("%s", self->text);
	}
	for (i = 0; i < TRIES && !strstr(self->text, "has given up its copy"); i++) {
		poll(NULL, 0, TRY_MS);
		pair_straddle(self->pair, self->dest, status, self->text, sizeof(self->text));
	}
	/* Whatever breaks of it after that. */
	poll(NULL, 0, 3000);
	pair_straddle(self->pair, self->dest, status, self->text, sizeof(self->text));
	EXPECT_TRUE(strstr(self->text, "has given up its copy")) {
		TH_LOG("%s", self->text);
	}
	EXPECT_EQ(0, DECIDE(self->dest, "--poison", GUEST)) {
		TH_LOG("%s", self->text);
	}
	for (i = 0; i < TRIES; i++) {
		pair_straddle(self->pair, self->dest, (const char *const[]){ "history", NULL },
			      self->text, sizeof(self->text));
		if (!strstr(self->text, "unheard"))
			break;
		poll(NULL, 0, TRY_MS);
	}
	EXPECT_FALSE(strstr(self->text, "unheard")) {
		TH_LOG("%s", self->text);
	}
}

TEST_F_TIMEOUT(resolve, file_that_is_none_changes_nothing, 60)
{
	char file[200];

	snprintf(file, sizeof(file), "%s/straddled.log", self->source->dir);
	EXPECT_NE(0, DECIDE(self->dest, "--rescue", file));
	EXPECT_TRUE(strstr(self->text, "no rescue file")) {
		TH_LOG("%s", self->text);
	}
	reaches(self, self->dest, SIDE_DEST, "RUNNING");
}

TEST_F_TIMEOUT(resolve, file_that_is_cut_short_is_told, 60)
{
	char file[200];
	int fd;

	snprintf(file, sizeof(file), "%s/empty", self->dest->dir);
	fd = sys_ret(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	ASSERT_LE(0, fd);
	close(fd);
	EXPECT_NE(0, DECIDE(self->dest, "--rescue", file));
	EXPECT_TRUE(strstr(self->text, "is cut short")) {
		TH_LOG("%s", self->text);
	}
	reaches(self, self->dest, SIDE_DEST, "RUNNING");
}

/* Nobody writes into it: who opens it waits, and the agent is not to. */
TEST_F_TIMEOUT(resolve, file_that_nobody_writes_is_refused, 60)
{
	char file[200];

	snprintf(file, sizeof(file), "%s/pipe", self->dest->dir);
	ASSERT_EQ(0, sys_ret(mkfifo(file, 0600)));
	EXPECT_NE(0, DECIDE(self->dest, "--rescue", file));
	EXPECT_TRUE(strstr(self->text, "no regular file")) {
		TH_LOG("%s", self->text);
	}
	EXPECT_EQ(0, decide(self, self->dest, (const char *const[]){ NULL }));
}

/* Its worker reads nothing any more: the name is free when it is tried again. */
TEST_F_TIMEOUT(resolve, file_of_who_cannot_be_told_is_removed, 90)
{
	const char *const word[] = { "bandwidth", GUEST, "1", NULL };
	pid_t worker = host_worker(self->source, "source");
	char file[200];
	int i;

	snprintf(file, sizeof(file), "%s/pages", self->source->dir);
	ASSERT_EQ(0, kill(worker, SIGSTOP));
	for (i = 0; i < WORDS_MAX && !pair_straddle(self->pair, self->source, word, self->text,
						    sizeof(self->text)); i++)
		;
	ASSERT_GT(WORDS_MAX, i);
	EXPECT_NE(0, DECIDE(self->source, "--rescue", file));
	EXPECT_EQ(-ENOENT, sys_ret(access(file, F_OK)));
	ASSERT_EQ(0, kill(worker, SIGCONT));
	for (i = 0; i < TRIES && DECIDE(self->source, "--rescue", file); i++)
		poll(NULL, 0, TRY_MS);
	EXPECT_GT(TRIES, i) {
		TH_LOG("%s", self->text);
	}
}

/* What was missing is an error to who touches it, and never zeroes. */
TEST_F_TIMEOUT(resolve, poisoned_when_the_source_is_gone, 60)
{
	int i;

	ASSERT_EQ(0, net_link_down(self->dest->net, HOST_LINK, &self->fail));
	EXPECT_EQ(0, DECIDE(self->dest, "--poison", GUEST)) {
		TH_LOG("%s", self->text);
	}
	reaches(self, self->dest, SIDE_DEST, "POISONED");
	EXPECT_EQ(0, host_files(self->dest, "pages-"));
	/* It walks through all of its memory: SIGBUS ends it. */
	for (i = 0; i < TRIES && guest_exists(self->dest, GUEST); i++)
		poll(NULL, 0, TRY_MS);
	EXPECT_FALSE(guest_exists(self->dest, GUEST));
}

/* It can be reached, and knows that nothing is to be sent any more. */
TEST_F_TIMEOUT(resolve, poisoned_is_told_to_the_source, 60)
{
	EXPECT_EQ(0, DECIDE(self->dest, "--poison", GUEST)) {
		TH_LOG("%s", self->text);
	}
	status_says(self, "were poisoned");
	reaches(self, self->source, SIDE_SOURCE, "HELD");
	EXPECT_EQ(0, DECIDE(self->source, "--give-up", GUEST)) {
		TH_LOG("%s", self->text);
	}
	reaches(self, self->source, SIDE_SOURCE, "TORN_DOWN");
}

/* ---- a private guest, whose held process ends ---------------------------- */

FIXTURE(lost) {
	FIXTURE_DATA(resolve) base;
};

FIXTURE_SETUP(lost)
{
	held(&self->base, "--private");
}

FIXTURE_TEARDOWN(lost)
{
	fixture_teardown_resolve_body(&self->base, NULL);
}

/* Its pages are gone with it: none goes as zeroes, and status tells. */
TEST_F_TIMEOUT(lost, private_pages_are_told_to_be_lost, 60)
{
	FIXTURE_DATA(resolve) *base = &self->base;

	ASSERT_EQ(0, kill(base->here, SIGKILL));
	status_says(base, "memory are gone");
	EXPECT_EQ(0, decide(base, base->source, (const char *const[]){ NULL }));
	EXPECT_TRUE(strstr(base->text, "memory are gone")) {
		TH_LOG("%s", base->text);
	}
	EXPECT_NE(0, decide(base, base->source, (const char *const[]){
			"--take-back", "--fenced", base->dest->address, NULL }));
	EXPECT_TRUE(strstr(base->text, "process is gone")) {
		TH_LOG("%s", base->text);
	}
	reaches(base, base->dest, SIDE_DEST, "RUNNING");
	EXPECT_EQ(0, decide(base, base->dest,
			    (const char *const[]){ "--poison", GUEST, NULL })) {
		TH_LOG("%s", base->text);
	}
	reaches(base, base->dest, SIDE_DEST, "POISONED");
	EXPECT_EQ(0, decide(base, base->source,
			    (const char *const[]){ "--give-up", GUEST, NULL })) {
		TH_LOG("%s", base->text);
	}
	reaches(base, base->source, SIDE_SOURCE, "TORN_DOWN");
}

TEST_JOBS(3)
TEST_HARNESS_MAIN
