// SPDX-License-Identifier: LGPL-2.1-or-later
/* qmp.c - QEMUs without libvirt move from host to host, or are refused. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "protocol/guest.h"
#include "qmp_guest.h"
#include "selftests/lib/inspect.h"
#include "selftests/lib/move.h"
#include "selftests/lib/process.h"
#include "selftests/lib/traces.h"
#include "selftests/lib/virt_host.h"
#include "sys.h"
#include "tools/guests/qmp_line.h"

#define END_MS		10000
#define TRIES		1200
#define TRY_MS		25
#define TIMEOUT_S	240

FIXTURE(qmp) {
	struct pair *pair;
	struct host *source, *dest;
	struct qmp_guest guest;
	struct guest_host here;		/* what a driver is told of a host */
	struct fail fail;
};

FIXTURE_VARIANT(qmp) {
	const char *qemu;
};

FIXTURE_VARIANT_ADD(qmp, installed) { .qemu = VIRT_QEMU };
FIXTURE_VARIANT_ADD(qmp, version_10) { .qemu = VIRT_QEMU_10 };

FIXTURE_SETUP(qmp)
{
	const struct qmp_guest wanted = { .qemu = variant->qemu };

	if (qmp_guest_missing(&wanted, false, &self->fail)) {
		ASSERT_FALSE(virt_is_required());
		SKIP(return, "%s", self->fail.text);
	}
	ASSERT_EQ(0, pair_create(&self->pair, PAIR_PLAIN, NULL, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	self->source = &self->pair->hosts->source;
	self->dest = &self->pair->hosts->dest;
	qmp_guest_init(&self->guest, self->pair, variant->qemu);
	self->here = (struct guest_host){ .run_dir = self->dest->run_dir,
					  .definitions_dir = "/nowhere",
					  .allow_qmp = true };
}

FIXTURE_TEARDOWN(qmp)
{
	pair_destroy(self->pair);
}

/* Agents as pair_create() starts them take in no command line. */
static void allow(FIXTURE_DATA(qmp) *self)
{
	self->pair->allow_qmp = true;
	process_stop(self->pair->source_agent);
	process_stop(self->pair->dest_agent);
	self->pair->source_agent = pair_start_agent(self->pair, self->source,
						    &self->fail);
	self->pair->dest_agent = pair_start_agent(self->pair, self->dest,
						  &self->fail);
	ASSERT_LT(0, self->pair->source_agent);
	ASSERT_LT(0, self->pair->dest_agent);
}

static void start_idle(FIXTURE_DATA(qmp) *self)
{
	ASSERT_EQ(0, qmp_guest_idle(&self->guest, (const char *const[]){
					    "-S", "-m", "16", "-uuid",
					    self->guest.uuid, NULL },
				    &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
}

static int run(FIXTURE_DATA(qmp) *self, struct move *move, int from,
	       const char *options)
{
	const struct host *hosts[] = { self->source, self->dest };
	char all[256];

	snprintf(all, sizeof(all), "\"live\":true,\"dest_name\":\"%s\"%s",
		 self->guest.names[!from], options);
	return move_run(move, hosts[from], self->guest.names[from],
			hosts[!from]->address, all);
}

/* It ended well, the guest gets on there, whole, and nowhere else. */
static void crosses(FIXTURE_DATA(qmp) *self, int from, const char *options)
{
	struct qmp_report report;
	struct move move;

	ASSERT_EQ(0, run(self, &move, from, options)) {
		TH_LOG("%s", move.error);
	}
	if (!from && self->guest.first) {
		EXPECT_EQ(0, process_wait(self->guest.first, END_MS));
		self->guest.first = 0;
	}
	EXPECT_EQ(1, qmp_guest_owners(&self->guest));
	ASSERT_EQ(0, qmp_guest_gets_on(&self->guest, &report));
	EXPECT_EQ(0, report.bad);
	EXPECT_EQ(0, report.disk_bad);
	EXPECT_LT(0, report.disk_ok);
	EXPECT_EQ(1, qmp_guest_owners(&self->guest));
}

TEST_F_TIMEOUT(qmp, crosses_there_and_back_and_boots_again, TIMEOUT_S)
{
	struct qmp_report report;

	if (qmp_guest_missing(&self->guest, true, &self->fail))
		SKIP(return, "%s", self->fail.text);
	allow(self);
	ASSERT_EQ(0, qmp_guest_boot(&self->guest, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	crosses(self, 0, ",\"postcopy\":true,\"rounds_max\":0");
	crosses(self, 1, ",\"postcopy\":true,\"rounds_max\":2");
	crosses(self, 0, "");
	ASSERT_EQ(0, qmp_guest_report(&self->guest, &report));
	ASSERT_EQ(0, qmp_guest_ask(qmp_guest_path(&self->guest, 1),
				   "system_reset", NULL, 0));
	EXPECT_EQ(0, qmp_guest_boots_again(&self->guest, report.boot));
}

TEST_F_TIMEOUT(qmp, paused_one_stays_paused_and_is_marked_no_more, 60)
{
	struct guest_description seen;
	struct guest *guest;
	struct move move;
	char status[128];

	allow(self);
	start_idle(self);
	ASSERT_EQ(0, run(self, &move, 0, ",\"postcopy\":true")) {
		TH_LOG("%s", move.error);
	}
	ASSERT_EQ(0, qmp_guest_ask(qmp_guest_path(&self->guest, 1),
				   "query-status", status, sizeof(status)));
	EXPECT_NE(NULL, strstr(status, "paused"));
	ASSERT_EQ(0, qmp_driver.open(&self->here, self->guest.names[1], &guest,
				     &self->fail));
	ASSERT_EQ(0, qmp_driver.describe(guest, &seen, &self->fail));
	EXPECT_FALSE(seen.incoming);
	guest_description_fini(&seen);
	qmp_driver.close(guest);
}

static int resolve(FIXTURE_DATA(qmp) *self, int side, const char *const more[], char *text,
		   size_t size)
{
	const struct host *hosts[] = { self->source, self->dest };
	const char *argv[] = { "resolve", self->guest.names[side], more[0], more[1], more[2],
			       NULL };

	return pair_straddle(self->pair, hosts[side], argv, text, size);
}

static void reaches(const struct host *host, const char *id, enum side side,
		    const char *state)
{
	char now[16] = "";
	int i;

	for (i = 0; i < TRIES && strcmp(now, state); i++) {
		poll(NULL, 0, TRY_MS);
		row_state(host, id, side, now, sizeof(now));
	}
	EXPECT_STREQ(state, now);
}

/* All of it is there, and its source stands still before it tears down its own. */
static void arrive_unheard(FIXTURE_DATA(qmp) *self, struct move *move)
{
	static const char fault[] = "move.TEARING_DOWN:stall";
	char options[128];
	int i;

	self->pair->inject[SIDE_SOURCE] = fault;
	allow(self);
	ASSERT_EQ(0, qmp_guest_idle(&self->guest, (const char *const[]){
					    "-m", "16", "-uuid", self->guest.uuid, NULL },
				    &self->fail));
	snprintf(options, sizeof(options), "\"live\":true,\"postcopy\":true,\"dest_name\":\"%s\"",
		 self->guest.names[1]);
	ASSERT_EQ(0, move_start(move, self->source, self->guest.names[0], self->dest->address,
				options));
	for (i = 0; i < TRIES && fault_struck(self->source, fault) <= 0; i++)
		poll(NULL, 0, TRY_MS);
	ASSERT_EQ(0, net_link_down(self->dest->net, HOST_LINK, &self->fail));
	EXPECT_EQ(0, kill(host_worker(self->source, "source"), SIGKILL));
	reaches(self->dest, move->id, SIDE_DEST, "COMPLETE");
	EXPECT_EQ(0, kill(host_worker(self->dest, "dest"), SIGKILL));
	reaches(self->dest, move->id, SIDE_DEST, "DONE");
}

/* As its source was: QEMU answers us, and its memory is protected. */
TEST_F_TIMEOUT(qmp, arrived_copy_that_was_taken_back_is_held, 90)
{
	struct move move = { .fd = -1 };
	char text[4096] = "";
	int i;

	if (!STRADDLE_INJECT)
		SKIP(return, "fault injection is not built in: make INJECT=1");
	arrive_unheard(self, &move);
	EXPECT_EQ(0, resolve(self, 0, (const char *const[]){ "--take-back", "--fenced",
			     self->dest->address }, text, sizeof(text))) {
		TH_LOG("%s", text);
	}
	ASSERT_EQ(0, net_link_up(self->dest->net, HOST_LINK, &self->fail));
	reaches(self->dest, move.id, SIDE_DEST, "SUPERSEDED");
	for (i = 0; i < TRIES && !strstr(text, "stopped (fenced)"); i++) {
		poll(NULL, 0, TRY_MS);
		pair_straddle(self->pair, self->dest, (const char *const[]){ "status", NULL },
			      text, sizeof(text));
	}
	EXPECT_TRUE(strstr(text, "stopped (fenced)")) {
		TH_LOG("%s", text);
	}
	EXPECT_EQ(0, resolve(self, 1, (const char *const[]){ "--give-up", self->guest.names[1],
			     NULL }, text, sizeof(text))) {
		TH_LOG("%s", text);
	}
	reaches(self->dest, move.id, SIDE_DEST, "DIED");
	EXPECT_EQ(1, qmp_guest_owners(&self->guest));
	move_end(&move);
}

/* Neither the agent nor its broker may signal it; it arrives as that user. */
TEST_F_TIMEOUT(qmp, of_another_user_crosses, 60)
{
	char path[256];
	struct stat process;
	struct qmp_line line;
	struct move move;

	if (access("/usr/bin/setpriv", X_OK))
		SKIP(return, "there is no setpriv: install util-linux");
	ASSERT_EQ(0, chown(self->pair->hosts->dir, QMP_NOBODY, QMP_NOBODY));
	snprintf(path, sizeof(path), "%s/..", self->pair->hosts->dir);
	ASSERT_EQ(0, chmod(path, 0711));	/* the test's own */
	self->guest.nobody = true;
	allow(self);
	start_idle(self);
	ASSERT_EQ(0, run(self, &move, 0, ",\"postcopy\":true")) {
		TH_LOG("%s", move.error);
	}
	qmp_line_init(&line, qmp_guest_path(&self->guest, 1));
	ASSERT_EQ(0, qmp_line_open(&line, &self->fail));
	snprintf(path, sizeof(path), "/proc/%d", (int)line.pid);
	ASSERT_EQ(0, stat(path, &process));
	EXPECT_EQ(QMP_NOBODY, process.st_uid);
	EXPECT_EQ(QMP_NOBODY, process.st_gid);
	qmp_line_close(&line);
}

TEST_F_TIMEOUT(qmp, refused_where_it_is_not_allowed, 60)
{
	struct move move;

	start_idle(self);
	EXPECT_EQ(-ECANCELED, run(self, &move, 0, ",\"postcopy\":true"));
	EXPECT_NE(NULL, strstr(move.error, "straddled with --allow-qmp")) {
		TH_LOG("%s", move.error);
	}
	EXPECT_EQ(1, qmp_guest_owners(&self->guest));
	EXPECT_EQ(0, qmp_guest_ask(qmp_guest_path(&self->guest, 0), "quit",
				   NULL, 0));
	EXPECT_EQ(0, process_wait(self->guest.first, END_MS));
}

/* A QEMU with 16 MiB of memory in what descriptor @fd of this process is then. */
static void start_over(FIXTURE_DATA(qmp) *self, int fd, const char *share)
{
	char backend[160];

	allow(self);
	snprintf(backend, sizeof(backend),
		 "memory-backend-file,id=ram,size=16M,share=%s,mem-path=/proc/%d/fd/%d",
		 share, (int)getpid(), fd);
	ASSERT_EQ(0, qmp_guest_idle(&self->guest, (const char *const[]){
					    "-m", "16", "-object", backend, "-machine",
					    "memory-backend=ram", "-uuid",
					    self->guest.uuid, NULL },
				    &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
}

static int file_with(const char *word)
{
	int fd = sys_ret(memfd_create("memory", MFD_CLOEXEC));

	ASSERT_EQ(0, sys_ret(ftruncate(fd, 16 << 20)));
	ASSERT_EQ(0, sys_pwrite_all(fd, word, strlen(word), 8 << 20));
	return fd;
}

/* It cannot come there: what the file has, and the source, stay as they were. */
static void refused_over(FIXTURE_DATA(qmp) *self, int fd, const char *word,
			 const char *why)
{
	char found[16] = "";
	struct move move;

	EXPECT_EQ(-ECANCELED, run(self, &move, 0, ",\"postcopy\":true"));
	EXPECT_NE(NULL, strstr(move.error, why)) {
		TH_LOG("%s", move.error);
	}
	EXPECT_EQ((ssize_t)strlen(word), pread(fd, found, strlen(word), 8 << 20));
	EXPECT_STREQ(word, found);
	EXPECT_EQ(1, qmp_guest_owners(&self->guest));
	EXPECT_EQ(0, qmp_guest_ask(qmp_guest_path(&self->guest, 0), "quit",
				   NULL, 0));
	EXPECT_EQ(0, process_wait(self->guest.first, END_MS));
}

TEST_F_TIMEOUT(qmp, private_memory_over_a_file_with_content_is_refused, 60)
{
	int here = file_with(""), there = file_with("template");

	start_over(self, here, "off");
	ASSERT_EQ(here, dup2(there, here));
	refused_over(self, there, "template", "private mapping of a file that holds something");
	close(here);
	close(there);
}

/* Emptied for the one, it would be gone for the other. */
TEST_F_TIMEOUT(qmp, memory_that_both_have_mapped_is_refused, 60)
{
	int fd = file_with("shared");

	start_over(self, fd, "on");
	refused_over(self, fd, "shared", "give each QEMU a file of its own");
	close(fd);
}

/* What it has not written yet is the file's, and would turn into zeroes. */
TEST_F_TIMEOUT(qmp, memory_that_another_has_mapped_privately_is_refused, 60)
{
	int here = file_with(""), there = file_with("private");
	void *mine = mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE, there, 0);

	ASSERT_NE(MAP_FAILED, mine);
	start_over(self, here, "on");
	ASSERT_EQ(here, dup2(there, here));
	refused_over(self, there, "private", "give each QEMU a file of its own");
	munmap(mine, 16 << 20);
	close(here);
	close(there);
}

TEST_F_TIMEOUT(qmp, refused_without_a_socket, 60)
{
	struct move move;

	EXPECT_EQ(-ECANCELED, run(self, &move, 0, ""));
	EXPECT_NE(NULL, strstr(move.error, "no QEMU listens at")) {
		TH_LOG("%s", move.error);
	}
}

TEST_F_TIMEOUT(qmp, refused_without_a_uuid, 60)
{
	struct move move;

	ASSERT_EQ(0, qmp_guest_idle(&self->guest, (const char *const[]){
					    "-S", "-m", "16", NULL },
				    &self->fail));
	EXPECT_EQ(-ECANCELED, run(self, &move, 0, ""));
	EXPECT_NE(NULL, strstr(move.error, "start it with -uuid")) {
		TH_LOG("%s", move.error);
	}
}

TEST_F_TIMEOUT(qmp, refused_where_another_listens, 60)
{
	struct guest_description seen;
	struct guest_incoming incoming = { .name = self->guest.names[0] };
	struct guest *guest;

	start_idle(self);
	ASSERT_EQ(0, qmp_driver.open(&self->here, self->guest.names[0], &guest,
				     &self->fail));
	ASSERT_EQ(0, qmp_driver.describe(guest, &seen, &self->fail));
	incoming.live = seen.live;
	EXPECT_EQ(-EEXIST, qmp_driver.check(&self->here, &incoming,
					    &self->fail));
	guest_description_fini(&seen);
	qmp_driver.close(guest);
}

TEST_F_TIMEOUT(qmp, monitor_of_another_client_is_waited_for_and_told, 60)
{
	struct qmp_line other;
	struct guest *guest;

	start_idle(self);
	qmp_line_init(&other, qmp_guest_path(&self->guest, 0));
	ASSERT_EQ(0, qmp_line_open(&other, &self->fail));
	EXPECT_EQ(-EBUSY, qmp_driver.open(&self->here, self->guest.names[0],
					  &guest, &self->fail));
	EXPECT_NE(NULL, strstr(self->fail.text, "another client"));
	qmp_line_close(&other);
	ASSERT_EQ(0, qmp_driver.open(&self->here, self->guest.names[0], &guest,
				     &self->fail));
	/* Nor is it kept by us: others get it while the guest is open. */
	EXPECT_EQ(0, qmp_line_open(&other, &self->fail));
	qmp_line_close(&other);
	qmp_driver.close(guest);
}

/* Its state in two parts, by the driver; the guest goes on being open. */
static void idle_save(FIXTURE_DATA(qmp) *self, struct guest **guest,
		      struct guest_description *seen, int *ahead, int *state)
{
	start_idle(self);
	ASSERT_EQ(0, qmp_driver.open(&self->here, self->guest.names[0], guest,
				     &self->fail));
	ASSERT_EQ(0, qmp_driver.describe(*guest, seen, &self->fail));
	ASSERT_EQ(0, qmp_driver.map(*guest, seen, &self->fail));
	ASSERT_EQ(0, qmp_driver.save_ahead(*guest, ahead, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	ASSERT_LE(0, qmp_driver.pause(*guest, &self->fail));
	ASSERT_EQ(0, qmp_driver.save(*guest, state, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
}

/* What an agent sees whose worker is gone between loading and its decision. */
TEST_F_TIMEOUT(qmp, loaded_one_is_incoming_until_it_is_paused, 60)
{
	struct guest_incoming incoming = { .name = self->guest.names[1] };
	struct guest_description seen, there;
	struct guest *guest, *made;
	int ahead, state, i;

	idle_save(self, &guest, &seen, &ahead, &state);
	incoming.live = seen.live;
	incoming.regions = seen.regions;
	incoming.region_count = seen.region_count;
	ASSERT_EQ(0, qmp_driver.create_incoming(&self->here, &incoming, &made,
						&self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	ASSERT_EQ(0, qmp_driver.load_ahead(made, ahead, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	ASSERT_EQ(0, qmp_driver.load(made, state, &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
	for (i = 1; i >= 0; i--) {
		qmp_driver.close(made);
		ASSERT_EQ(0, qmp_driver.open(&self->here, incoming.name, &made,
					     &self->fail));
		ASSERT_EQ(0, qmp_driver.describe(made, &there, &self->fail));
		EXPECT_EQ(i, there.incoming);
		EXPECT_FALSE(there.running);
		EXPECT_STREQ(seen.uuid, there.uuid);
		guest_description_fini(&there);
		EXPECT_EQ(1, qmp_driver.pause(made, &self->fail));
	}
	EXPECT_EQ(0, qmp_driver.destroy(made, &self->fail));
	EXPECT_FALSE(qmp_driver.alive(made));
	qmp_driver.close(made);
	guest_description_fini(&seen);
	qmp_driver.close(guest);
	close(ahead);
	close(state);
}

TEST_F_TIMEOUT(qmp, one_that_is_not_loaded_ends_with_its_writer, 60)
{
	struct guest_incoming incoming = { .name = self->guest.names[1] };
	struct guest_description seen;
	struct guest *guest, *made;
	int ahead, state, pidfd;

	idle_save(self, &guest, &seen, &ahead, &state);
	incoming.live = seen.live;
	ASSERT_EQ(0, qmp_driver.create_incoming(&self->here, &incoming, &made,
						&self->fail));
	EXPECT_EQ(2, qmp_guest_owners(&self->guest));
	pidfd = dup(qmp_driver.pidfd(made));
	qmp_driver.close(made);
	EXPECT_EQ(0, sys_wait_fd(pidfd, POLLIN, END_MS));
	close(pidfd);
	guest_description_fini(&seen);
	qmp_driver.close(guest);
	close(ahead);
	close(state);
}

TEST_F_TIMEOUT(qmp, state_that_is_none_is_refused_in_its_words, 60)
{
	static const char junk[] = "QEVM\0\0\0\3 and no section of it";
	struct guest_incoming incoming = { .name = self->guest.names[1] };
	struct guest_description seen;
	struct guest *guest, *made;
	int ahead, state;

	idle_save(self, &guest, &seen, &ahead, &state);
	incoming.live = seen.live;
	ASSERT_EQ(0, qmp_driver.create_incoming(&self->here, &incoming, &made,
						&self->fail));
	ASSERT_EQ(0, ftruncate(state, 0));
	ASSERT_EQ(0, sys_pwrite_all(state, junk, sizeof(junk), 0));
	EXPECT_EQ(-EIO, qmp_driver.load(made, state, &self->fail));
	EXPECT_NE(NULL, strstr(self->fail.text, "it said")) {
		TH_LOG("%s", self->fail.text);
	}
	EXPECT_FALSE(qmp_driver.alive(made));
	EXPECT_EQ(0, qmp_driver.destroy(made, &self->fail));
	qmp_driver.close(made);
	/* The source goes on as if nothing had been. */
	EXPECT_EQ(0, qmp_driver.resume(guest, &self->fail));
	guest_description_fini(&seen);
	qmp_driver.close(guest);
	close(ahead);
	close(state);
}

TEST_JOBS(3)
TEST_HARNESS_MAIN
