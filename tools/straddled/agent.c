/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* agent.c - set the agent up, run its loop, take it down. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>

#include "agent.h"
#include "arrival.h"
#include "broker.h"
#include "control.h"
#include "inject.h"
#include "left_out.h"
#include "lock.h"
#include "log.h"
#include "peer.h"
#include "settle.h"
#include "sys.h"
#include "uplink.h"
#include "workers.h"


/* Each step with what it needs from those before it. */
static int agent_files(struct agent *agent, struct fail *fail)
{
	const struct agent_options *options = agent->options;
	int ret = directory_make(options->run_dir, "--run-dir", fail);

	if (!ret)
		ret = directory_make(options->state_dir, "--state-dir", fail);
	if (!ret)
		ret = directory_make(options->definitions, "--definitions", fail);
	if (!ret)
		ret = lock_take(options->state_dir, "/lock", &agent->state_lock, fail);
	if (!ret)
		ret = lock_take(options->control, ".lock", &agent->control_lock, fail);
	if (!ret)
		ret = journal_open(options->state_dir, &agent->journal, fail);
	if (!ret)
		ret = agent_inject(agent, fail);
	if (!ret)
		ret = journal_expire(agent->journal, JOURNAL_DAYS, fail);
	return ret;
}

static int agent_signals(struct agent *agent)
{
	sigset_t mask;
	int ret;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	ret = sys_ret(sigprocmask(SIG_BLOCK, &mask, NULL));
	if (ret)
		return ret;
	signal(SIGPIPE, SIG_IGN);
	ret = sd_event_new(&agent->event);
	if (ret < 0)
		return ret;
	ret = sd_event_add_signal(agent->event, NULL, SIGTERM, NULL, NULL);
	if (ret < 0)
		return ret;
	ret = sd_event_add_signal(agent->event, NULL, SIGINT, NULL, NULL);
	return ret < 0 ? ret : 0;
}

/*
 * Without a broker no worker can attach to a guest, nor let go of it. A process
 * with threads cannot fork another one: so the next agent does, and goes on.
 */
static int broker_ended(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct agent *agent = arg;

	(void)source;
	(void)fd;
	(void)revents;
	log_error("the broker process has ended: this agent ends, too; the one that is started "
		  "next goes on with its migrations");
	return sd_event_exit(agent->event, -EPIPE);
}

static int broker_watch(struct agent *agent)
{
	int ret = sd_event_add_io(agent->event, NULL, agent->broker_pidfd, EPOLLIN,
				  broker_ended, agent);

	return ret < 0 ? ret : 0;
}

static int agent_start(struct agent *agent, struct fail *fail)
{
	pid_t broker;
	int ret;

	/* First: it is forked off, and is to hold nothing of ours. */
	broker = broker_start(&agent->broker_fd, fail);
	if (broker < 0)
		return broker;
	agent->broker_pidfd = (int)sys_ret(syscall(SYS_pidfd_open, broker, 0));
	if (agent->broker_pidfd < 0)
		return fail_set(fail, agent->broker_pidfd, "cannot watch the broker: %s",
				strerror(-agent->broker_pidfd));
	ret = security_choose(agent->options, &agent->choice, fail);
	if (ret)
		return ret;
	ret = agent_files(agent, fail);
	if (ret)
		return ret;
	ret = agent_signals(agent);
	if (!ret)
		ret = broker_watch(agent);
	if (!ret)
		ret = left_out_watch(agent->event);
	if (ret)
		return fail_set(fail, ret, "cannot set up the event loop: %s", strerror(-ret));
	arrival_spare(agent);
	settle_rows(agent);
	uplinks_create(agent);
	ret = control_create(agent, fail);
	if (ret)
		return ret;
	return peers_create(agent, fail);
}

static void agent_stop(struct agent *agent)
{
	peers_destroy(agent);
	control_destroy(agent);
	workers_forget(agent);
	uplinks_destroy(agent);
	sd_event_source_disable_unref(agent->later);
	free(agent->due);
	sd_event_unref(agent->event);
	agent_inject_end(agent);
	journal_close(agent->journal);
	lock_release(&agent->control_lock);
	lock_release(&agent->state_lock);
	if (agent->broker_fd >= 0)
		close(agent->broker_fd);
	if (agent->broker_pidfd >= 0)
		close(agent->broker_pidfd);
	if (agent->spare_fd >= 0)
		close(agent->spare_fd);
}

/**
 * agent_main() - be the agent until a signal ends it
 * @options: the command line
 *
 * Workers that run then go on: they outlive the agent.
 *
 * Return: the exit status.
 */
int agent_main(const struct agent_options *options)
{
	struct agent agent = {
		.options = options,
		.host = { .run_dir = options->run_dir,
			  .definitions_dir = options->definitions,
			  .allow_qmp = options->allow_qmp },
		.drivers = guest_drivers,
		.broker_fd = -1, .broker_pidfd = -1, .spare_fd = -1,
		.state_lock = -1, .control_lock = -1,
	};
	struct fail fail = { 0 };
	int ret = agent_start(&agent, &fail);

	if (!ret) {
		sd_notify(0, "READY=1");
		ret = sd_event_loop(agent.event);
		sd_notify(0, "STOPPING=1");
		if (ret < 0)
			fail_set(&fail, ret, "the event loop ended: %s", strerror(-ret));
	}
	if (ret < 0)
		log_error("%s", fail.err ? fail.text : strerror(-ret));
	else
		log_info("ending; %u workers run on", agent.worker_count);
	agent_stop(&agent);
	log_left_out(UINT64_MAX);
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
