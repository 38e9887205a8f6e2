// SPDX-License-Identifier: LGPL-2.1-or-later
/* refusal.c - why a phase cannot go on, in words. */
#include <errno.h>
#include <string.h>

#include "protocol/phase.h"

/**
 * engine_error() - what went wrong first in a thread that moves pages
 * @m: to ask; @m->fail receives it in words
 *
 * Return: 0 or -errno.
 */
int engine_error(struct migration *m)
{
	int error = 0;

	if (m->source)
		error = source_error(m->source);
	else if (m->dest)
		error = dest_error(m->dest);
	if (error == -EBADMSG)
		return fail_set(&m->fail, error,
				"pages of guest '%s' arrived damaged, again and again; is the network or a host's memory faulty?",
				m->description.name);
	if (m->dest && broken_no_room(error))
		return fail_set(&m->fail, error,
				"there is no room here for memory of guest '%s' (%s); make room, or choose a host that has it",
				m->description.name, strerror(-error));
	if (error < 0)
		return fail_set(&m->fail, error,
				"moving pages of guest '%s' failed during %s: %s",
				m->description.name, phase_name(m->phase),
				strerror(-error));
	return 0;
}

/* What the dest says instead of what was expected. */
static int message_refuse(struct migration *m, const struct message *message)
{
	const char *reason = NULL;

	if (message->type == MSG_FAILED)
		reason = ((Straddle__Failed *)message->body)->reason;
	else if (message->type == MSG_CANCEL)
		reason = ((Straddle__Cancel *)message->body)->reason;
	if (message->type == MSG_FAILED)
		return fail_set(&m->fail, -EREMOTEIO, "%s: %s",
				m->options.host, reason);
	if (message->type == MSG_CANCEL)
		return fail_set(&m->fail, -ECANCELED,
				"the source gave up: %s",
				reason && *reason ? reason : "no reason given");
	return fail_set(&m->fail, -EPROTO,
			"the peer sent %s, which does not belong here",
			message_rule(message->type)->name);
}

/**
 * event_refuse() - an event that ends the phase
 * @m: of the migration
 * @event: freed here
 *
 * Return: -errno, never 0, with @m->fail in words.
 */
int event_refuse(struct migration *m, struct event *event)
{
	int ret;

	switch (event->kind) {
	case EVENT_MESSAGE:
		ret = message_refuse(m, &event->message);
		message_fini(&event->message);
		return ret;
	case EVENT_ABORT:
		return fail_set(&m->fail, -ECANCELED,
				"migration of guest '%s' was aborted by the user",
				m->description.name);
	case EVENT_LOST:
		return fail_set(&m->fail, -EPIPE,
				"the connection to the peer of guest '%s' broke",
				m->description.name);
	case EVENT_GUEST_ENDED:
		return fail_set(&m->fail, -ESRCH,
				"guest '%s' (process %d) ended during %s",
				m->description.name, (int)m->description.pid,
				phase_name(m->phase));
	default:
		return fail_set(&m->fail, -EPROTO,
				"guest '%s': nothing came that %s could go on with",
				m->description.name, phase_name(m->phase));
	}
}
