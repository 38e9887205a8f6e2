// SPDX-License-Identifier: LGPL-2.1-or-later
/* dial.c - source: connections that go out, made in a thread. */
#include "protocol/dial.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "protocol/lane_greet.h"
#include "protocol/phase.h"
#include "sys.h"
#include "thread.h"

#define CONNECT_TIMEOUT_MS	5000	/* one of them */

struct dial {
	enum dial_for what;
	char host[256];
	struct credentials *credentials;	/* borrowed */
	uint8_t id[MIGRATION_ID_SIZE];
	uint8_t token[TOKEN_SIZE];
	unsigned int fault_lanes, push_lanes;
	pthread_t thread;
	int done;			/* eventfd: the thread is through */
	bool cancelled;			/* atomic: make no more */
	/* The thread's until then. */
	struct dialled made[DIALLED_MAX];
	unsigned int count;
	int ret;
	struct fail fail;
};

static int connect_one(struct dial *dial, enum channel_role role,
		       unsigned int index)
{
	struct dialled *made = &dial->made[dial->count];
	struct preamble preamble;
	int ret;

	if (__atomic_load_n(&dial->cancelled, __ATOMIC_RELAXED))
		return -ECANCELED;
	preamble_init(&preamble, role, index, dial->id);
	ret = channel_connect(dial->host, &preamble, dial->credentials,
			      CONNECT_TIMEOUT_MS, &made->channel, &dial->fail);
	if (ret < 0)
		return ret;
	made->role = role;
	made->index = index;
	dial->count++;
	if (role != ROLE_CONTROL)
		ret = lane_greet(made->channel, dial->token, dial->host,
				 CONNECT_TIMEOUT_MS, &dial->fail);
	return ret ? ret : channel_tune(made->channel, role);
}

static int connect_all(struct dial *dial)
{
	unsigned int i;
	int ret = 0;

	if (dial->what == DIAL_CONTROL)
		return connect_one(dial, ROLE_CONTROL, 0);
	for (i = 0; i < dial->fault_lanes && !ret; i++)
		ret = connect_one(dial, ROLE_FAULT, i);
	for (i = 0; i < dial->push_lanes && !ret; i++)
		ret = connect_one(dial, ROLE_PUSH, i);
	return ret;
}

static void *dial_main(void *arg)
{
	struct dial *dial = arg;
	uint64_t one = 1;

	dial->ret = connect_all(dial);
	(void)sys_retry(write(dial->done, &one, sizeof(one)));
	return NULL;
}

/**
 * dial_start() - begin to connect; event_wait() says EVENT_DIALLED
 * @m: source, nothing is being connected. Lanes: with the token for them
 * @what: the control connection, or all lanes
 *
 * Return: 0 or -errno.
 */
int dial_start(struct migration *m, enum dial_for what)
{
	struct dial *dial = calloc(1, sizeof(*dial));
	int ret;

	if (!dial)
		return -ENOMEM;
	dial->what = what;
	memcpy(dial->host, m->options.host, sizeof(dial->host));
	dial->credentials = m->credentials;
	memcpy(dial->id, m->id, sizeof(dial->id));
	memcpy(dial->token, m->token, sizeof(dial->token));
	dial->fault_lanes = m->fault_lanes;
	dial->push_lanes = m->push_lanes;
	dial->done = sys_ret(eventfd(0, EFD_CLOEXEC));
	ret = dial->done;
	if (ret >= 0)
		ret = thread_create(&dial->thread, "dial", dial_main, dial);
	if (ret < 0) {
		if (dial->done >= 0)
			close(dial->done);
		free(dial);
		return ret;
	}
	m->dial = dial;
	return 0;
}

/**
 * dial_fd() - what to poll for its end
 * @dial: NULL is fine
 *
 * Return: a descriptor, or -1: nothing is being connected.
 */
int dial_fd(const struct dial *dial)
{
	return dial ? dial->done : -1;
}

/**
 * dial_what() - what is being connected
 * @dial: under way
 *
 * Return: the control connection, or lanes.
 */
enum dial_for dial_what(const struct dial *dial)
{
	return dial->what;
}

/**
 * dial_end() - wait for the end of it, and take what was made
 * @m: of the migration
 * @made: receives the connections, DIALLED_MAX; none on error
 * @count: receives how many
 * @fail: says why not
 *
 * Return: 0, or -errno: not all could be made, and none is left.
 */
int dial_end(struct migration *m, struct dialled *made, unsigned int *count,
	     struct fail *fail)
{
	struct dial *dial = m->dial;
	unsigned int i;
	int ret;

	pthread_join(dial->thread, NULL);
	m->dial = NULL;
	ret = dial->ret;
	for (i = 0; i < dial->count && ret; i++)
		channel_close(dial->made[i].channel);
	*count = ret ? 0 : dial->count;
	memcpy(made, dial->made, *count * sizeof(*made));
	if (ret)
		fail_set(fail, ret, "%s", dial->fail.err ? dial->fail.text
							: strerror(-ret));
	close(dial->done);
	explicit_bzero(dial->token, sizeof(dial->token));
	free(dial);
	return ret;
}

/**
 * dial_cancel() - nobody waits for it any more
 * @m: connecting or not
 */
void dial_cancel(struct migration *m)
{
	struct dialled made[DIALLED_MAX];
	struct fail ignored = { 0 };
	unsigned int i, count;

	if (!m->dial)
		return;
	__atomic_store_n(&m->dial->cancelled, true, __ATOMIC_RELAXED);
	if (!dial_end(m, made, &count, &ignored))
		for (i = 0; i < count; i++)
			channel_close(made[i].channel);
}
