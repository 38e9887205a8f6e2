// SPDX-License-Identifier: LGPL-2.1-or-later
/* accept.c - dest: handshakes with whoever connects to a migration. */
#include "protocol/accept.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "protocol/deadline.h"
#include "sys.h"

#define HANDSHAKES_MAX		16	/* at once */
#define ACCEPTED_MAX		128	/* that nobody has taken yet */
#define HANDSHAKE_TIMEOUT_MS	10000

struct accepter {
	struct credentials *credentials;	/* borrowed */
	uint8_t token[TOKEN_SIZE];
	uint8_t peer[32];
	int event_fd;
	accept_refused_fn *refused;		/* or NULL: nobody wants to know */
	void *refused_arg;

	pthread_mutex_t lock;
	pthread_cond_t idle;
	unsigned int running;			/* @lock; handshakes */
	unsigned int era;			/* @lock; of the token */
	unsigned int ready;			/* @lock */
	struct accepted accepted[ACCEPTED_MAX];	/* @lock */
};

struct handshake {
	struct accepter *accepter;
	struct preamble preamble;
	char from[ADDRESS_TEXT];
	unsigned int era;		/* of the token that it showed */
	bool proven;			/* we know who it is */
	int fd;
};

/**
 * accepter_create() - be ready for a migration's connections
 * @credentials: borrowed
 * @token: that lanes must present, TOKEN_SIZE bytes
 * @peer: who they must prove to be: channel_peer() or a row's, 32 bytes
 * @accepter: receives it; accepter_destroy() frees it
 *
 * Return: 0 or -errno.
 */
int accepter_create(struct credentials *credentials, const uint8_t *token,
		    const uint8_t *peer, struct accepter **accepter)
{
	struct accepter *made = calloc(1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	made->event_fd = sys_ret(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (made->event_fd < 0) {
		int ret = made->event_fd;

		free(made);
		return ret;
	}
	made->credentials = credentials;
	memcpy(made->token, token, sizeof(made->token));
	memcpy(made->peer, peer, sizeof(made->peer));
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->idle, NULL);
	*accepter = made;
	return 0;
}

/**
 * accepter_tell() - hear of those who are turned away
 * @accepter: that has taken no connection yet
 * @refused: whom to tell: who it was, what he wanted, and why not
 * @arg: its first argument
 */
void accepter_tell(struct accepter *accepter, accept_refused_fn *refused, void *arg)
{
	accepter->refused = refused;
	accepter->refused_arg = arg;
}

static void refuse(const struct accepter *accepter, const struct preamble *preamble,
		   const char *from, bool proven, const char *why)
{
	if (accepter->refused)
		accepter->refused(accepter->refused_arg, preamble->role, from, proven, why);
}

/**
 * accepter_destroy() - wait for the handshakes that run, drop what they made
 * @accepter: NULL is fine
 */
void accepter_destroy(struct accepter *accepter)
{
	unsigned int i;

	if (!accepter)
		return;
	pthread_mutex_lock(&accepter->lock);
	while (accepter->running)
		pthread_cond_wait(&accepter->idle, &accepter->lock);
	pthread_mutex_unlock(&accepter->lock);
	for (i = 0; i < accepter->ready; i++)
		channel_close(accepter->accepted[i].channel);
	pthread_cond_destroy(&accepter->idle);
	pthread_mutex_destroy(&accepter->lock);
	close(accepter->event_fd);
	explicit_bzero(accepter->token, sizeof(accepter->token));
	free(accepter);
}

/**
 * accepter_fd() - for poll(): readable when accepter_next() has something
 * @accepter: to watch
 *
 * Return: an eventfd.
 */
int accepter_fd(const struct accepter *accepter)
{
	return accepter->event_fd;
}

/* Compares in constant time: a token is a secret. */
static bool same_secret(const uint8_t *a, const uint8_t *b, size_t size)
{
	uint8_t differ = 0;
	size_t i;

	for (i = 0; i < size; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

/* Byte by byte: whoever sends one now and then has no more time in all. */
static int hello_receive(struct channel *channel, uint8_t *hello)
{
	uint64_t deadline = deadline_after(HANDSHAKE_TIMEOUT_MS);
	size_t i;
	int ret = 0;

	for (i = 0; i < LANE_HELLO_SIZE && !ret; i++)
		ret = channel_receive(channel, hello + i, 1,
				      deadline_left_ms(deadline));
	return ret;
}

/* A lane proves that it belongs to the control channel's owner. */
static int token_check(struct handshake *self, struct channel *channel, struct fail *fail)
{
	struct accepter *accepter = self->accepter;
	uint32_t welcome = htole32(LANE_WELCOME);
	uint8_t hello[LANE_HELLO_SIZE];
	int ret = hello_receive(channel, hello);

	if (ret)
		fail_set(fail, ret, "%s did not show the token: %s", channel_peer_name(channel),
			 strerror(-ret));
	pthread_mutex_lock(&accepter->lock);
	if (!ret && !same_secret(hello, accepter->token, sizeof(hello)))
		ret = fail_set(fail, -EACCES, "%s showed a token that opens nothing here, or "
			       "does no more", channel_peer_name(channel));
	self->era = accepter->era;
	pthread_mutex_unlock(&accepter->lock);
	explicit_bzero(hello, sizeof(hello));
	if (!ret)
		ret = channel_send(channel, &welcome, sizeof(welcome),
				   HANDSHAKE_TIMEOUT_MS);
	return ret;
}

static int handshake(struct handshake *self, struct channel **channel, struct fail *fail)
{
	struct accepter *accepter = self->accepter;
	int ret = channel_accept(self->fd, accepter->credentials,
				 HANDSHAKE_TIMEOUT_MS, channel, fail);

	self->proven = channel_accept_proved(accepter->credentials, ret);
	if (ret < 0)
		return ret;
	if (!channel_is_peer(*channel, accepter->peer))
		ret = fail_set(fail, -EACCES, "it proved to be %s, by names that are not those of "
			       "the host that this migration is with", channel_peer_name(*channel));
	else if (self->preamble.role != ROLE_CONTROL)
		ret = token_check(self, *channel, fail);
	if (!ret)
		ret = channel_tune(*channel, self->preamble.role);
	if (ret < 0)
		channel_close(*channel);
	return ret;
}

static void hand_over(struct handshake *self, struct channel *channel)
{
	struct accepter *accepter = self->accepter;
	uint64_t one = 1;
	bool room;

	pthread_mutex_lock(&accepter->lock);
	room = accepter->ready < ACCEPTED_MAX &&
	       (self->preamble.role == ROLE_CONTROL ||
		self->era == accepter->era);
	if (room)
		accepter->accepted[accepter->ready++] = (struct accepted){
			.role = self->preamble.role,
			.index = self->preamble.index,
			.channel = channel,
		};
	if (room)
		memcpy(accepter->accepted[accepter->ready - 1].from, self->from,
		       sizeof(self->from));
	pthread_mutex_unlock(&accepter->lock);
	if (room) {
		(void)sys_retry(write(accepter->event_fd, &one, sizeof(one)));
		return;
	}
	channel_close(channel);
	refuse(accepter, &self->preamble, self->from, self->proven,
	       "its token was replaced meanwhile, or too many wait to be used");
}

static void *handshake_main(void *arg)
{
	struct handshake *self = arg;
	struct accepter *accepter = self->accepter;
	struct fail fail = { 0 };
	struct channel *channel;
	int ret = handshake(self, &channel, &fail);

	if (!ret)
		hand_over(self, channel);
	else
		refuse(accepter, &self->preamble, self->from, self->proven,
		       fail.err ? fail.text : strerror(-ret));
	free(self);
	pthread_mutex_lock(&accepter->lock);
	accepter->running--;
	pthread_cond_broadcast(&accepter->idle);
	pthread_mutex_unlock(&accepter->lock);
	return NULL;
}

static bool handshake_begin(struct accepter *accepter)
{
	bool room;

	pthread_mutex_lock(&accepter->lock);
	room = accepter->running < HANDSHAKES_MAX;
	if (room)
		accepter->running++;
	pthread_mutex_unlock(&accepter->lock);
	return room;
}

static void handshake_refused(struct accepter *accepter)
{
	pthread_mutex_lock(&accepter->lock);
	accepter->running--;
	pthread_mutex_unlock(&accepter->lock);
}

/**
 * accepter_take() - begin the handshake with a connection
 * @accepter: of the migration that it asks for
 * @preamble: that was read from it
 * @from: its address, for messages
 * @fd: owned from here on; closed when there are too many
 */
void accepter_take(struct accepter *accepter, const struct preamble *preamble,
		   const char *from, int fd)
{
	struct handshake *self;
	pthread_t thread;

	if (!handshake_begin(accepter)) {
		preamble_refuse(fd, PREAMBLE_BUSY);
		close(fd);
		refuse(accepter, preamble, from, false,
		       "too many connect to this migration at a time");
		return;
	}
	self = calloc(1, sizeof(*self));
	if (self) {
		self->accepter = accepter;
		self->preamble = *preamble;
		snprintf(self->from, sizeof(self->from), "%s", from);
		self->fd = fd;
	}
	if (!self ||
	    pthread_create(&thread, NULL, handshake_main, self)) {
		handshake_refused(accepter);
		free(self);
		close(fd);
		refuse(accepter, preamble, from, false, "no memory or thread for its handshake");
		return;
	}
	pthread_detach(thread);
}

/**
 * accepter_renew() - lanes need another token from here on
 * @accepter: of the migration
 * @token: TOKEN_SIZE bytes
 *
 * Those that showed an older one and were not taken yet are closed.
 */
void accepter_renew(struct accepter *accepter, const uint8_t *token)
{
	unsigned int i, kept = 0;

	pthread_mutex_lock(&accepter->lock);
	memcpy(accepter->token, token, sizeof(accepter->token));
	accepter->era++;
	for (i = 0; i < accepter->ready; i++) {
		if (accepter->accepted[i].role == ROLE_CONTROL)
			accepter->accepted[kept++] = accepter->accepted[i];
		else
			channel_close(accepter->accepted[i].channel);
	}
	accepter->ready = kept;
	pthread_mutex_unlock(&accepter->lock);
}

/**
 * accepter_next() - take a connection whose handshake succeeded
 * @accepter: of the migration
 * @accepted: receives it, with its channel
 *
 * Return: false when there is none.
 */
bool accepter_next(struct accepter *accepter, struct accepted *accepted)
{
	bool found;

	pthread_mutex_lock(&accepter->lock);
	found = accepter->ready;
	if (found) {
		*accepted = accepter->accepted[0];
		memmove(accepter->accepted, accepter->accepted + 1,
			--accepter->ready * sizeof(*accepted));
	}
	pthread_mutex_unlock(&accepter->lock);
	return found;
}
