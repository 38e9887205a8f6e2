// SPDX-License-Identifier: LGPL-2.1-or-later
/* mishap.c - a domain on its way, to which something is to happen. */
#include "mishap.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "selftests/lib/traces.h"
#include "sys.h"
#include "uffd/sys.h"

#define WAIT_MS		30000

/* A guest of 160 MiB takes some seconds, and always dirties more. */
static const struct net_rate slow = {
	.rate = 100000000, .burst = 128 << 10, .latency_us = 50000,
};

/**
 * mishap_sh() - a shell's command on a host, which is to end well
 * @virt: the host
 * @fmt: the command
 *
 * Return: its exit status; another one than 0 is logged.
 */
int mishap_sh(struct virt_host *virt, const char *fmt, ...)
{
	const char *const argv[] = { "/bin/sh", "-c", NULL, NULL };
	const char *run[4] = { argv[0], argv[1] };
	struct fail fail = { 0 };
	char script[1024];
	va_list args;
	int ret;

	va_start(args, fmt);
	vsnprintf(script, sizeof(script), fmt, args);
	va_end(args);
	run[2] = script;
	ret = virt_host_run(virt, run, NULL, 0, &fail);
	if (ret)
		TH_LOG("%s", fail.text);
	return ret;
}

static void guest_up(struct journey *journey, const struct domain *domain)
{
	struct fail *fail = &journey->ground.fail;

	journey_prepare(journey, domain, "");
	ASSERT_EQ(0, domain_define(journey->here, &journey->domain, fail) ||
		     domain_start(journey->here, JOURNEY_GUEST, fail)) {
		TH_LOG("%s", fail->text);
	}
	journey_ready(journey);
	journey_ask(journey, "rate 2000", "rate=2000");
	ASSERT_EQ(0, two_hosts_limit(journey->ground.hosts, &slow, fail));
}

/**
 * mishap_up() - two production hosts, and a busy domain on the first
 * @self: receives them; its @source is NULL where the test was skipped
 * @domain: what it is made of, beside what every one has
 */
void mishap_up(struct mishap *self, const struct domain *domain)
{
	const struct virt_options options = { .production = true };

	journey_up(&self->journey, &options);
	if (!self->journey.here)
		return;
	self->source = self->journey.here;
	self->dest = self->journey.there;
	guest_up(&self->journey, domain);
}

/**
 * mishap_begin() - migrate it, up to where something is to happen
 * @self: up
 * @options: of the migration, as JSON
 * @state: of the source; up to STOPPED a round is waited for, too
 */
void mishap_begin(struct mishap *self, const char *options,
		  enum owner_state state)
{
	struct move *move = &self->journey.move;

	ASSERT_EQ(0, move_start(move, self->source->host, JOURNEY_GUEST,
				self->dest->host->address, options));
	ASSERT_EQ(0, move_wait_state(move, state)) {
		TH_LOG("%s", move->error);
	}
	if (state <= STATE_STOPPED)
		ASSERT_EQ(0, move_wait_round(move, 1)) {
			TH_LOG("%s", move->error);
		}
}

/**
 * mishap_rows() - what both journals say of it, once nobody works on it
 * @self: migrated
 * @source: state
 * @dest: state
 */
void mishap_rows(struct mishap *self, const char *source,
			const char *dest)
{
	const char *id = self->journey.move.id;
	char state[16];

	EXPECT_EQ(0, host_settle(self->source->host));
	EXPECT_EQ(0, host_settle(self->dest->host));
	row_state(self->source->host, id, SIDE_SOURCE, state, sizeof(state));
	EXPECT_STREQ(source, state);
	row_state(self->dest->host, id, SIDE_DEST, state, sizeof(state));
	EXPECT_STREQ(dest, state);
}

/**
 * mishap_nothing() - no domain, no definition, no process, no file
 * @virt: the host
 */
void mishap_nothing(struct virt_host *virt)
{
	char text[512] = "";

	EXPECT_EQ(0, journey_virsh(virt, text, sizeof(text), "list", "--all",
				   "--name", NULL));
	EXPECT_NULL(strstr(text, JOURNEY_GUEST));
	EXPECT_EQ(0, host_processes(virt->host, "qemu-system-x86"));
	EXPECT_EQ(0, host_files(virt->host, "incoming-"));
	EXPECT_EQ(0, host_files(virt->host, "pages-"));
	EXPECT_EQ(0, mishap_sh(virt, "! ls -A %s/definitions 2>/dev/null | grep .",
			virt->host->state_dir));
}

/**
 * mishap_images() - when its guest has ended, a disk's image is as it should be
 * @self: of the hosts
 * @virt: where it runs until now
 */
void mishap_images(struct mishap *self, struct virt_host *virt)
{
	EXPECT_EQ(0, mishap_sh(virt, VIRSH "destroy " JOURNEY_GUEST));
	EXPECT_EQ(0, mishap_sh(self->source, "qemu-img check -q " VIRT_SHARED "/work.qcow2"));
	EXPECT_EQ(0, mishap_sh(self->dest, "qemu-img check -q " VIRT_SHARED "/work.qcow2"));
}

/**
 * mishap_stays() - it failed, and the guest goes on here
 * @self: of the migration
 */
void mishap_stays(struct mishap *self)
{
	mishap_rows(self, "RESUMED", "DISCARDED");
	mishap_nothing(self->dest);
	journey_is_here(&self->journey, "running");
	journey_proves_itself(&self->journey);
	/* Nothing that it was held by is left. */
	EXPECT_EQ(0, mishap_sh(self->source, "! " VIRSH "qemu-monitor-command " JOURNEY_GUEST
			       " --hmp 'info block -n' | grep straddle"));
	mishap_images(self, self->source);
}

/**
 * mishap_goes_on() - it failed, was told why, and the guest goes on here
 * @self: of the migration
 * @words: part of the reason
 */
void mishap_goes_on(struct mishap *self, const char *words)
{
	struct move *move = &self->journey.move;

	EXPECT_EQ(-ECANCELED, move_wait(move));
	EXPECT_NE(NULL, strstr(move->error, words)) {
		TH_LOG("%s", move->error);
		journey_explain(&self->journey);
	}
	mishap_stays(self);
}

/**
 * mishap_arrives() - it did not fail, and the guest goes on there
 * @self: of the migration
 */
void mishap_arrives(struct mishap *self)
{
	struct journey *journey = &self->journey;

	EXPECT_EQ(0, move_wait(&journey->move)) {
		TH_LOG("%s", journey->move.error);
		journey_explain(journey);
	}
	mishap_rows(self, "TORN_DOWN", "DONE");
	journey->here = self->dest;
	journey->there = self->source;
	journey_arrived(journey, "running");
	journey_proves_itself(journey);
	mishap_images(self, self->dest);
}

/**
 * mishap_kill() - kill a process, and wait until it is gone
 * @pid: of it
 */
void mishap_kill(pid_t pid)
{
	int fd = pid > 0 ? sys_pidfd_open(pid) : -1;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(0, sys_wait_fd(fd, POLLIN, WAIT_MS));
	close(fd);
}

/**
 * mishap_libvirtd() - start libvirtd again
 * @self: of the hosts
 * @virt: on which of them
 */
void mishap_libvirtd(struct mishap *self, struct virt_host *virt)
{
	ASSERT_EQ(0, virt_host_start_libvirtd(virt, &self->journey.ground.fail)) {
		TH_LOG("%s", self->journey.ground.fail.text);
	}
}

/**
 * mishap_down() - end all of it, whatever became of it
 * @self: up or not
 */
void mishap_down(struct mishap *self)
{
	move_end(&self->journey.move);
	journey_down(&self->journey);
}
