// SPDX-License-Identifier: LGPL-2.1-or-later
/* command.c - what the agent of this host tells: users, operators, links. */
#include <errno.h>

#include "protocol/phase.h"
#include "protocol/storage.h"
#include "sys.h"

/* The guest's fate is decided past Perform: its pages go on moving. */
static int agent_lost(struct migration *m, int error)
{
	if (past_perform(m)) {
		m->agent_gone = true;
		progress_decide(m, "this host's agent is gone: pages go on, the journal waits");
		return 0;
	}
	return fail_set(&m->fail, error,
			"the agent of this host ended during %s of guest '%s'",
			phase_name(m->phase), m->description.name);
}

/* The wait until the next try is over. */
static int retry(struct migration *m, struct event *event)
{
	event->kind = EVENT_RETRY;
	return past_perform(m) && m->side == SIDE_SOURCE;
}

/**
 * command_obey() - do what needs no decision, hand on what a phase decides about
 * @m: of the migration; its agent has something
 * @event: receives what it is
 *
 * Return: 1 when @event is set, 0 to go on, or -errno with @m->fail.
 */
int command_obey(struct migration *m, struct event *event)
{
	struct command_data data = { .fd = -1 };
	int ret = m->port_ops->command(m->port, &data);

	if (ret == -EAGAIN)
		return 0;
	if (ret < 0)
		return agent_lost(m, ret);
	switch (data.command) {
	case COMMAND_ABORT:
		event->kind = EVENT_ABORT;
		return 1;
	case COMMAND_POSTCOPY:
		m->switch_asked = true;
		event->kind = EVENT_SWITCH;
		return 1;
	case COMMAND_BANDWIDTH:
		if (m->source)
			limit_set(&m->source->limit, data.bandwidth);
		if (m->side == SIDE_SOURCE)
			storage_limit(m, data.bandwidth);
		return 0;
	case COMMAND_CONNECTION:
		lanes_connection(m, &data);
		return 0;
	case COMMAND_LINK_DOWN:
	case COMMAND_LINK_UP:
		broken_link(m, data.command == COMMAND_LINK_UP);
		return retry(m, event);
	case COMMAND_RECOVER:
		recover_again(m);
		return retry(m, event);
	case COMMAND_RESOLVE:
		if (m->resolve_fd >= 0)
			close(m->resolve_fd);
		m->resolve_fd = data.fd;
		m->resolution = data.resolution;
		event->kind = EVENT_RESOLVE;
		return past_perform(m);
	default:
		return 0;
	}
}
