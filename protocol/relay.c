// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * relay.c - bytes between a Unix socket here and a channel, both ways.
 *
 * It ends well in one way only: the client has closed, the server closed for
 * that reason, and all in between has arrived. The end travels backwards: the
 * server's relay closes the channel, and the client's then knows that the
 * server has seen everything.
 */
#include "protocol/relay.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "sys.h"
#include "thread.h"

#define HALF_SIZE	(128u << 10)
#define TICK_MS		500
#define ANSWER_NS	UINT64_C(30000000000)	/* a server that is silent */
#define FLUSH_MS	60000
#define LEAVE_NS	UINT64_C(5000000000)	/* a client that has said good-bye */
#define CLOSE_NS	UINT64_C(70000000000)	/* a server that does not end */

/* Bytes on their way in one direction. */
struct half {
	size_t from, to;
	uint8_t bytes[HALF_SIZE];
};

struct relay {
	enum relay_end end;
	struct channel *channel;	/* owned; closed by the thread */
	int listener;			/* borrowed; -1: connected */
	int fd;				/* owned; -1: nobody connected yet */
	pid_t client;
	int flusher;			/* borrowed */
	int news;			/* borrowed */
	int stop;			/* eventfd, owned */
	pthread_t thread;
	_Atomic int result;		/* -EINPROGRESS: it runs */

	/* The thread's. */
	bool closed;			/* the Unix socket is at its end */
	bool hung_up;			/* the channel is */
	uint64_t closed_ns, hung_up_ns;
	uint64_t asked_ns;		/* sent and not answered since; 0: none */
	struct nbd_watch watch;		/* RELAY_SERVER */
	struct half out, in;		/* to the channel, from the channel */
};

static size_t half_left(const struct half *half)
{
	return half->to - half->from;
}

static int nonblocking(int fd)
{
	int flags = sys_ret(fcntl(fd, F_GETFL));

	return flags < 0 ? flags : sys_ret(fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

/* Whoever else may connect to this socket is not the guest's process. */
static int client_take(struct relay *relay)
{
	struct ucred peer = { .pid = 0 };
	socklen_t size = sizeof(peer);
	int fd = sys_retry(accept4(relay->listener, NULL, NULL,
				   SOCK_CLOEXEC | SOCK_NONBLOCK));

	if (fd < 0)
		return fd == -EAGAIN ? 0 : fd;
	if (sys_ret(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size)) ||
	    peer.pid != relay->client) {
		close(fd);
		return 0;
	}
	relay->listener = -1;
	relay->fd = fd;
	relay->asked_ns = now_ns();	/* it waits to be greeted */
	return 0;
}

static int out_read(struct relay *relay)
{
	struct half *out = &relay->out;
	ssize_t got;

	if (half_left(out) || relay->closed || relay->fd < 0)
		return 0;
	got = sys_retry(recv(relay->fd, out->bytes, sizeof(out->bytes), 0));
	if (got == -EAGAIN)
		return 0;
	if (got < 0)
		return (int)got;
	relay->closed = !got;
	relay->closed_ns = now_ns();
	out->from = 0;
	out->to = (size_t)got;
	if (relay->end == RELAY_SERVER)
		nbd_watch_feed(&relay->watch, out->bytes, out->to);
	return 0;
}

static int out_write(struct relay *relay)
{
	struct half *out = &relay->out;
	ssize_t put;

	if (!half_left(out))
		return 0;
	put = channel_send_some(relay->channel, out->bytes + out->from,
				half_left(out));
	if (put < 0)
		return put == -EAGAIN ? 0 : (int)put;
	out->from += (size_t)put;
	if (put && !relay->asked_ns)
		relay->asked_ns = now_ns();
	return 0;
}

static int in_read(struct relay *relay)
{
	struct half *in = &relay->in;
	ssize_t got;

	if (half_left(in) || relay->hung_up)
		return 0;
	got = channel_receive_some(relay->channel, in->bytes, sizeof(in->bytes));
	if (got < 0)
		return got == -EAGAIN ? 0 : (int)got;
	relay->hung_up = !got;
	relay->hung_up_ns = now_ns();
	relay->asked_ns = 0;
	in->from = 0;
	in->to = (size_t)got;
	return 0;
}

static int in_write(struct relay *relay)
{
	struct half *in = &relay->in;
	ssize_t put;

	if (relay->closed)
		in->from = in->to;	/* nobody is left to read it */
	if (!half_left(in) || relay->fd < 0)
		return 0;
	put = sys_retry(send(relay->fd, in->bytes + in->from, half_left(in),
			     MSG_NOSIGNAL));
	if (put < 0)
		return put == -EAGAIN ? 0 : (int)put;
	in->from += (size_t)put;
	return 0;
}

/* Return: 1: over, and well; 0: it goes on; or -errno. */
static int relay_over(const struct relay *relay)
{
	uint64_t now = now_ns();
	bool said = relay->closed && !half_left(&relay->out);

	if (relay->end == RELAY_SERVER && relay->watch.error)
		return relay->watch.error;
	if (said && relay->end == RELAY_SERVER)
		return 1;
	if (said && relay->hung_up)
		return 1;
	/* The server may be faster than the client that told it to go. */
	if (relay->hung_up && (relay->end == RELAY_SERVER ||
			       now - relay->hung_up_ns > LEAVE_NS))
		return -EPIPE;
	if (said && now - relay->closed_ns > CLOSE_NS)
		return -ETIMEDOUT;
	if (relay->end == RELAY_CLIENT && !relay->closed && relay->asked_ns &&
	    now - relay->asked_ns > ANSWER_NS)
		return -ETIMEDOUT;
	return 0;
}

enum { POLL_STOP, POLL_LISTENER, POLL_SOCKET, POLL_CHANNEL, POLL_COUNT };

static void poll_set(const struct relay *relay, struct pollfd *fds)
{
	bool out = half_left(&relay->out), in = half_left(&relay->in);
	short at_socket = (short)((!out ? POLLIN : 0) | (in ? POLLOUT : 0));
	short at_channel = (short)((!in ? POLLIN : 0) | (out ? POLLOUT : 0));

	fds[POLL_STOP] = (struct pollfd){ relay->stop, POLLIN, 0 };
	fds[POLL_LISTENER] = (struct pollfd){ relay->listener, POLLIN, 0 };
	fds[POLL_SOCKET] = (struct pollfd){ relay->fd, at_socket, 0 };
	fds[POLL_CHANNEL] = (struct pollfd){ channel_fd(relay->channel),
					     at_channel, 0 };
	if (relay->closed)
		fds[POLL_SOCKET].fd = -1;
	if (relay->hung_up)
		fds[POLL_CHANNEL].fd = -1;
}

static int relay_step(struct relay *relay)
{
	bool decrypted = channel_pending(relay->channel) &&
			 !half_left(&relay->in);
	struct pollfd fds[POLL_COUNT];
	int ret;

	poll_set(relay, fds);
	ret = sys_retry(poll(fds, POLL_COUNT, decrypted ? 0 : TICK_MS));
	if (ret < 0)
		return ret;
	if (fds[POLL_STOP].revents)
		return -ECANCELED;
	ret = fds[POLL_LISTENER].revents ? client_take(relay) : 0;
	if (!ret)
		ret = out_read(relay);
	if (!ret)
		ret = out_write(relay);
	if (!ret)
		ret = in_read(relay);
	if (!ret)
		ret = in_write(relay);
	return ret ? ret : relay_over(relay);
}

static void *relay_main(void *arg)
{
	struct relay *relay = arg;
	uint64_t one = 1;
	int ret;

	do {
		ret = relay_step(relay);
	} while (!ret);
	/* The client's end hears of it when all is on storage, not before. */
	if (ret > 0 && relay->end == RELAY_SERVER)
		ret = nbd_flush(relay->flusher, FLUSH_MS);
	channel_close(relay->channel);
	if (relay->fd >= 0)
		close(relay->fd);
	atomic_store(&relay->result, ret > 0 ? 0 : ret);
	(void)sys_retry(write(relay->news, &one, sizeof(one)));
	return NULL;
}

/**
 * relay_create() - begin to carry bytes
 * @setup: between what
 * @relay: receives it
 *
 * Return: 0 or -errno; then what it was to own is closed.
 */
int relay_create(const struct relay_setup *setup, struct relay **relay)
{
	bool is_server = setup->end == RELAY_SERVER;
	struct relay *made = calloc(1, sizeof(*made));
	int ret = made ? 0 : -ENOMEM;

	if (ret)
		goto err_close;
	*made = (struct relay){
		.end = setup->end, .channel = setup->channel,
		.listener = is_server ? -1 : setup->fd,
		.fd = is_server ? setup->fd : -1,
		.client = setup->client, .flusher = setup->flusher,
		.news = setup->news,
		.result = -EINPROGRESS,
	};
	nbd_watch_init(&made->watch);
	made->stop = sys_ret(eventfd(0, EFD_CLOEXEC));
	ret = made->stop < 0 ? made->stop : nonblocking(setup->fd);
	if (!ret)
		ret = thread_create(&made->thread, "relay", relay_main, made);
	if (ret)
		goto err_free;
	*relay = made;
	return 0;

err_free:
	if (made->stop >= 0)
		close(made->stop);
	free(made);
err_close:
	channel_close(setup->channel);
	if (is_server)
		close(setup->fd);
	return ret;
}

/**
 * relay_destroy() - end it, whatever is on its way
 * @relay: NULL is fine
 */
void relay_destroy(struct relay *relay)
{
	uint64_t one = 1;

	if (!relay)
		return;
	(void)sys_retry(write(relay->stop, &one, sizeof(one)));
	pthread_join(relay->thread, NULL);
	close(relay->stop);
	free(relay);
}

/**
 * relay_result() - how it ended, if it did
 * @relay: any thread may ask
 *
 * Return: -EINPROGRESS; 0: the client closed and the server has everything;
 * or -errno: it broke, or the server could not do what it was asked to.
 */
int relay_result(const struct relay *relay)
{
	return atomic_load(&relay->result);
}
