/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* agent.c - set the agent up, run its loop, take it down. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "agent.h"
#include "broker.h"
#include "control.h"
#include "lock.h"
#include "log.h"
#include "peer.h"
#include "settle.h"
#include "sys.h"
#include "uplink.h"
#include "workers.h"

#define JOURNAL_DAYS	30	/* that tombstones are kept at least */

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

static int agent_start(struct agent *agent, struct fail *fail)
{
	int ret;

	/* First: it is forked off, and is to hold nothing of ours. */
	ret = broker_start(&agent->broker_fd, fail);
	if (ret < 0)
		return ret;
	ret = security_choose(agent->options, &agent->choice, fail);
	if (ret)
		return ret;
	ret = agent_files(agent, fail);
	if (ret)
		return ret;
	ret = agent_signals(agent);
	if (ret)
		return fail_set(fail, ret, "cannot set up the event loop: %s", strerror(-ret));
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
	sd_event_unref(agent->event);
	journal_close(agent->journal);
	lock_release(&agent->control_lock);
	lock_release(&agent->state_lock);
	if (agent->broker_fd >= 0)
		close(agent->broker_fd);
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
		.broker_fd = -1, .state_lock = -1, .control_lock = -1,
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
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
