// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * pulse.c - heartbeats, in a thread of their own.
 *
 * The main thread asks hypervisors, which may take their time; that is no cut.
 * So whether this worker lives is told by another thread, whenever nothing
 * else was said for a while.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "protocol/phase.h"
#include "sys.h"
#include "thread.h"

#define BEAT_NS		UINT64_C(500000000)	/* a heartbeat if nothing else */
#define LOOK_MS		250

struct pulse {
	pthread_t thread;
	int stop;			/* eventfd */
	struct inject *inject;		/* the migration's, or NULL */
	uint64_t *last_sent_ns;		/* atomic; the migration's */
	pthread_mutex_t lock;
	struct channel *channel;	/* @lock; borrowed, or NULL */
};

/* Who takes no byte has enough of ours on their way. */
static void beat(struct pulse *pulse)
{
	struct fail ignored = { 0 };
	uint64_t sent = __atomic_load_n(pulse->last_sent_ns, __ATOMIC_RELAXED);

	if (now_ns() - sent < BEAT_NS)
		return;
	pthread_mutex_lock(&pulse->lock);
	if (pulse->channel &&
	    !sys_wait_fd(channel_fd(pulse->channel), POLLOUT, 0) &&
	    !inject_message(pulse->inject, inject_phase_now(pulse->inject),
			    pulse->channel, MSG_PING, NULL, &ignored))
		__atomic_store_n(pulse->last_sent_ns, now_ns(),
				 __ATOMIC_RELAXED);
	pthread_mutex_unlock(&pulse->lock);
}

static void *pulse_main(void *arg)
{
	struct pulse *pulse = arg;

	while (sys_wait_fd(pulse->stop, POLLIN, LOOK_MS) == -ETIMEDOUT)
		beat(pulse);
	return NULL;
}

/**
 * pulse_start() - tell the peer from here on that this worker lives
 * @m: with or without a control channel. Twice is once
 *
 * Return: 0 or -errno.
 */
int pulse_start(struct migration *m)
{
	struct pulse *pulse = m->pulse ? NULL : calloc(1, sizeof(*pulse));
	int ret;

	if (m->pulse)
		return 0;
	if (!pulse)
		return -ENOMEM;
	pulse->last_sent_ns = &m->last_sent_ns;
	pulse->inject = m->inject;
	pulse->channel = m->channel;
	pthread_mutex_init(&pulse->lock, NULL);
	pulse->stop = sys_ret(eventfd(0, EFD_CLOEXEC));
	ret = pulse->stop;
	if (ret >= 0)
		ret = thread_create(&pulse->thread, "pulse", pulse_main, pulse);
	if (ret < 0) {
		if (pulse->stop >= 0)
			close(pulse->stop);
		pthread_mutex_destroy(&pulse->lock);
		free(pulse);
		return ret;
	}
	m->pulse = pulse;
	return 0;
}

/**
 * pulse_end() - it is over
 * @m: with a pulse or without
 */
void pulse_end(struct migration *m)
{
	struct pulse *pulse = m->pulse;
	uint64_t one = 1;

	if (!pulse)
		return;
	(void)sys_retry(write(pulse->stop, &one, sizeof(one)));
	pthread_join(pulse->thread, NULL);
	close(pulse->stop);
	pthread_mutex_destroy(&pulse->lock);
	free(pulse);
	m->pulse = NULL;
}

/**
 * channel_set() - use a control channel from here on, or none
 * @m: without one, or with one that its caller closes
 * @channel: owned by the migration; or NULL
 */
void channel_set(struct migration *m, struct channel *channel)
{
	m->last_heard_ns = now_ns();
	m->unacked_ns = 0;
	__atomic_store_n(&m->last_sent_ns, now_ns(), __ATOMIC_RELAXED);
	m->channel = channel;
	m->answered = false;
	m->broken_told_ns = 0;
	if (!m->pulse)
		return;
	pthread_mutex_lock(&m->pulse->lock);
	m->pulse->channel = channel;
	pthread_mutex_unlock(&m->pulse->lock);
}

/**
 * channel_lost() - close a control channel that broke
 * @m: goes on without one
 */
void channel_lost(struct migration *m)
{
	struct channel *channel = m->channel;

	channel_set(m, NULL);
	channel_close(channel);
}
