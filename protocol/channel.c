/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channel.c - a connection between two hosts.
 *
 * Plain TCP is here, TLS in tls.c; both answer the same four operations. The
 * sending and the receiving half share nothing that either writes, so one
 * thread may use each.
 */
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/address.h"
#include "protocol/deadline.h"
#include "protocol/preamble.h"
#include "protocol/tls.h"

static ssize_t plain_send(struct channel *channel, const struct iovec *iov,
			  int count)
{
	struct msghdr msg = {
		.msg_iov = (struct iovec *)iov,
		.msg_iovlen = count < IOV_MAX ? (size_t)count : IOV_MAX,
	};

	return sys_retry(sendmsg(channel->fd, &msg, MSG_NOSIGNAL));
}

static ssize_t plain_receive(struct channel *channel, void *buf, size_t size)
{
	return sys_retry(recv(channel->fd, buf, size, 0));
}

static size_t plain_pending(const struct channel *channel)
{
	(void)channel;
	return 0;
}

static void plain_close(struct channel *channel)
{
	(void)channel;
}

static const struct channel_ops plain_ops = {
	.send = plain_send,
	.receive = plain_receive,
	.pending = plain_pending,
	.close = plain_close,
};

static int socket_prepare(int fd)
{
	int flags = sys_ret(fcntl(fd, F_GETFL)), on = 1;

	if (flags < 0)
		return flags;
	/* Refused by sockets that are not TCP, which need none. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return sys_ret(fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

/**
 * channel_wrap() - a plain channel over any stream socket
 * @fd: owned from the call on, also when it fails
 * @channel: receives the channel
 *
 * Return: 0 or -errno.
 */
int channel_wrap(int fd, struct channel **channel)
{
	struct channel *new;
	int ret;

	ret = socket_prepare(fd);
	if (ret)
		goto err_close;
	new = calloc(1, sizeof(*new));
	ret = -ENOMEM;
	if (!new)
		goto err_close;
	new->ops = &plain_ops;
	new->fd = fd;
	pthread_mutex_init(&new->sending, NULL);
	address_of_peer(fd, new->peer_name, sizeof(new->peer_name));
	*channel = new;
	return 0;

err_close:
	close(fd);
	return ret;
}

/**
 * channel_connect_fd() - preamble and handshake over a connected socket
 * @fd: a stream socket; owned from the call on, also when it fails
 * @name: whom the certificate must name, and how messages call the peer
 * @preamble: what the connection is for
 * @credentials: NULL or of SECURITY_NONE: plain
 * @timeout_ms: limit for all of it
 * @channel: receives the channel
 * @fail: says why not, and what to do
 *
 * Return: 0 or -errno.
 */
int channel_connect_fd(int fd, const char *name,
		       const struct preamble *preamble,
		       struct credentials *credentials, int timeout_ms,
		       struct channel **channel, struct fail *fail)
{
	enum security security = credentials_security(credentials);
	uint64_t deadline = deadline_after(timeout_ms);
	struct channel *new;
	int ret;

	ret = channel_wrap(fd, &new);
	if (ret)
		return fail_set(fail, ret, "cannot set up the connection to %s: %s",
				name, strerror(-ret));
	ret = preamble_send(fd, preamble);
	if (ret) {
		fail_set(fail, ret, "%s broke the connection at once: %s",
			 name, strerror(-ret));
		goto err_close;
	}
	ret = preamble_answered(fd, name, security, deadline, fail);
	if (!ret && security != SECURITY_NONE)
		ret = tls_connect(new, credentials, name, deadline, fail);
	if (ret)
		goto err_close;
	*channel = new;
	return 0;

err_close:
	channel_close(new);
	return ret;
}

/**
 * channel_connect() - connect to a host
 * @host: "HOST[:PORT]" or "[V6]:PORT"; the certificate must name HOST
 * @preamble: what the connection is for
 * @credentials: NULL or of SECURITY_NONE: plain
 * @timeout_ms: limit for all of it
 * @channel: receives the channel
 * @fail: says why not, and what to do
 *
 * Return: 0 or -errno.
 */
int channel_connect(const char *host, const struct preamble *preamble,
		    struct credentials *credentials, int timeout_ms,
		    struct channel **channel, struct fail *fail)
{
	const char *congestion = channel_congestion(preamble->role);
	channel_dial_fn *dial = credentials_dial(credentials);
	uint64_t deadline = deadline_after(timeout_ms);
	struct address address;
	int fd, ret;

	ret = address_parse(host, &address, fail);
	if (ret)
		return ret;
	fd = dial ? dial(host, congestion, timeout_ms, fail) :
		    address_connect(&address, congestion, timeout_ms, fail);
	if (fd < 0)
		return fd;
	return channel_connect_fd(fd, address.host, preamble, credentials,
				  deadline_left_ms(deadline), channel, fail);
}

/**
 * channel_accept() - answer a connection whose preamble has been read
 * @fd: a stream socket; owned from the call on, also when it fails
 * @credentials: NULL or of SECURITY_NONE: plain
 * @timeout_ms: limit for the handshake
 * @channel: receives the channel
 * @fail: says why not, and what to do
 *
 * Return: 0, -EPERM: it has proven who it is, and is not on the list; or -errno.
 */
int channel_accept(int fd, struct credentials *credentials, int timeout_ms,
		   struct channel **channel, struct fail *fail)
{
	enum security security = credentials_security(credentials);
	uint64_t deadline = deadline_after(timeout_ms);
	struct channel *new;
	int ret;

	ret = channel_wrap(fd, &new);
	if (ret)
		return fail_set(fail, ret, "cannot set up a connection: %s",
				strerror(-ret));
	ret = preamble_answer(fd, PREAMBLE_WELCOME, security);
	if (ret)
		fail_set(fail, ret, "%s left before it was answered: %s",
			 new->peer_name, strerror(-ret));
	if (!ret && security != SECURITY_NONE)
		ret = tls_accept(new, credentials, deadline, fail);
	if (ret) {
		channel_close(new);
		return ret;
	}
	*channel = new;
	return 0;
}

/**
 * channel_accept_proved() - do we know who the peer is, welcome or not?
 * @credentials: that were given to channel_accept()
 * @ret: what that returned
 *
 * Return: true if it has proven a name.
 */
bool channel_accept_proved(const struct credentials *credentials, int ret)
{
	return ret == -EPERM || (!ret && credentials_security(credentials) != SECURITY_NONE);
}

/**
 * channel_close() - end a connection and free it
 * @channel: no thread is in it any more; NULL is fine
 */
void channel_close(struct channel *channel)
{
	if (!channel)
		return;
	pthread_mutex_destroy(&channel->sending);
	channel->ops->close(channel);
	close(channel->fd);
	free(channel);
}

/**
 * channel_shutdown() - break both directions
 * @channel: any thread may call; one that waits in it returns with an error
 */
void channel_shutdown(struct channel *channel)
{
	(void)shutdown(channel->fd, SHUT_RDWR);
}

/**
 * channel_fd() - the socket, for poll()
 * @channel: which
 *
 * Return: the descriptor, which stays the channel's.
 */
int channel_fd(const struct channel *channel)
{
	return channel->fd;
}

/**
 * channel_pending() - bytes that can be received without the socket
 * @channel: which; called by the thread that receives
 *
 * Return: bytes; 0 means that poll() tells the truth.
 */
size_t channel_pending(const struct channel *channel)
{
	return channel->ops->pending(channel);
}

/**
 * channel_peer_name() - who the peer is, for messages
 * @channel: which
 *
 * Return: the common name of its certificate, the name of its key, or its
 * address; printable.
 */
const char *channel_peer_name(const struct channel *channel)
{
	return channel->peer_name;
}

/**
 * channel_send_some() - send what can be sent without waiting
 * @channel: which
 * @buf: bytes
 * @size: how many
 *
 * Return: bytes taken, -EAGAIN (offer the same bytes again) or -errno.
 */
ssize_t channel_send_some(struct channel *channel, const void *buf,
			  size_t size)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = size };

	return channel->ops->send(channel, &iov, 1);
}

/**
 * channel_sendv_some() - send from several places without waiting
 * @channel: which
 * @iov: header, payload, ...; not changed
 * @count: how many
 *
 * Return: bytes taken, -EAGAIN (offer the same bytes again) or -errno.
 */
ssize_t channel_sendv_some(struct channel *channel, const struct iovec *iov,
			   int count)
{
	return channel->ops->send(channel, iov, count);
}

/**
 * channel_receive_some() - receive what is there
 * @channel: which
 * @buf: receives bytes
 * @size: at most so many
 *
 * Return: bytes, 0 at the end of file, -EAGAIN or -errno.
 */
ssize_t channel_receive_some(struct channel *channel, void *buf, size_t size)
{
	return channel->ops->receive(channel, buf, size);
}

static void iov_advance(struct iovec **iov, int *count, size_t done)
{
	while (*count && done >= (*iov)->iov_len) {
		done -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (*count) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + done;
		(*iov)->iov_len -= done;
	}
}

/**
 * channel_sendv() - send all of several pieces, waiting as needed
 * @channel: which
 * @iov: the pieces; used up
 * @count: how many
 * @timeout_ms: -ETIMEDOUT when nothing moves for so long (-1: for ever)
 *
 * After an error the stream is of no use: part of it may have been sent.
 *
 * Return: 0 or -errno.
 */
int channel_sendv(struct channel *channel, struct iovec *iov, int count,
		  int timeout_ms)
{
	ssize_t put;
	int ret;

	iov_advance(&iov, &count, 0);
	while (count) {
		put = channel->ops->send(channel, iov, count);
		if (put >= 0) {
			iov_advance(&iov, &count, (size_t)put);
			continue;
		}
		if (put != -EAGAIN)
			return (int)put;
		ret = sys_wait_fd(channel->fd, POLLOUT, timeout_ms);
		if (ret)
			return ret;
	}
	return 0;
}

/**
 * channel_send() - send all of it, waiting as needed
 * @channel: which
 * @buf: bytes
 * @size: how many
 * @timeout_ms: -ETIMEDOUT when nothing moves for so long (-1: for ever)
 *
 * Return: 0 or -errno.
 */
int channel_send(struct channel *channel, const void *buf, size_t size,
		 int timeout_ms)
{
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = size };

	return channel_sendv(channel, &iov, 1, timeout_ms);
}

/**
 * channel_receive() - receive all of it, waiting as needed
 * @channel: which
 * @buf: receives the bytes
 * @size: how many
 * @timeout_ms: -ETIMEDOUT when nothing moves for so long (-1: for ever)
 *
 * Return: 0, -EPIPE at the end of file, or -errno.
 */
int channel_receive(struct channel *channel, void *buf, size_t size,
		    int timeout_ms)
{
	size_t done = 0;
	ssize_t got;
	int ret;

	while (done < size) {
		got = channel_receive_some(channel, (char *)buf + done,
					   size - done);
		if (!got)
			return -EPIPE;
		if (got > 0) {
			done += (size_t)got;
			continue;
		}
		if (got != -EAGAIN)
			return (int)got;
		ret = sys_wait_fd(channel->fd, POLLIN, timeout_ms);
		if (ret)
			return ret;
	}
	return 0;
}
