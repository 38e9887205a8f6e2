// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * load.c - dest: the hypervisor loads the device state, in a thread.
 *
 * It may take long, and wait for pages that a source has to send that has given
 * up by then. So the main thread goes on listening meanwhile; when there is
 * nothing to load for any more, the guest's process is killed under the loading
 * hypervisor.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "protocol/phase.h"
#include "sys.h"
#include "thread.h"

struct loading {
	struct migration *m;	/* the thread reads its guest and driver */
	pthread_t thread;
	int done;		/* eventfd: the thread is through */
	uint64_t took_ns;	/* the thread's until then */
	int ret;		/* likewise */
	struct fail fail;	/* likewise */
};

static void *load_main(void *arg)
{
	struct loading *loading = arg;
	uint64_t began_ns = now_ns(), one = 1;

	loading->ret = state_hand(loading->m, loading->m->driver->load,
				  &loading->fail);
	loading->took_ns = now_ns() - began_ns;
	(void)sys_retry(write(loading->done, &one, sizeof(one)));
	return NULL;
}

/**
 * load_start() - begin to load what came; event_wait() says EVENT_LOADED
 * @m: dest, with all of the device state
 *
 * Return: 0 or -errno with @m->fail.
 */
int load_start(struct migration *m)
{
	struct loading *loading = calloc(1, sizeof(*loading));
	int ret = loading ? 0 : -ENOMEM;

	if (ret)
		return ret;
	loading->m = m;
	loading->done = sys_ret(eventfd(0, EFD_CLOEXEC));
	ret = loading->done;
	if (ret >= 0)
		ret = thread_create(&loading->thread, "load", load_main, loading);
	if (ret == -EAGAIN)
		fail_set(&m->fail, ret,
			 "no thread can be started to load guest '%s': too little memory, or too many tasks here",
			 m->description.name);
	if (ret < 0) {
		if (loading->done >= 0)
			close(loading->done);
		free(loading);
		return ret;
	}
	m->loading = loading;
	return 0;
}

/**
 * load_fd() - what to poll for its end
 * @m: of the migration
 *
 * Return: a descriptor, or -1: nothing is being loaded.
 */
int load_fd(const struct migration *m)
{
	return m->loading ? m->loading->done : -1;
}

/**
 * load_end() - wait for the end of it, and take what came of it
 * @m: loading
 *
 * Return: 0: the guest is loaded; or -errno with @m->fail.
 */
int load_end(struct migration *m)
{
	struct loading *loading = m->loading;
	int ret;

	pthread_join(loading->thread, NULL);
	m->loading = NULL;
	m->mine.load_ns = loading->took_ns;
	ret = loading->ret;
	if (ret)
		fail_set(&m->fail, ret, "%s", loading->fail.err ?
			 loading->fail.text : strerror(-ret));
	close(loading->done);
	free(loading);
	return ret;
}

/**
 * load_cancel() - end it, with its guest's process
 * @m: failed, loading or not; not owned here
 */
void load_cancel(struct migration *m)
{
	if (!m->loading)
		return;
	m->port_ops->process_signal(m->port, SIGKILL);
	load_end(m);
}
