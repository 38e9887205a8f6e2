// SPDX-License-Identifier: LGPL-2.1-or-later
/* accept.c - dest: handshakes with whoever connects to a migration. */
#include "protocol/accept.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "sys.h"

#define HANDSHAKES_MAX		16	/* at once */
#define ACCEPTED_MAX		128	/* that nobody has taken yet */
#define HANDSHAKE_TIMEOUT_MS	10000

struct accepter {
	struct credentials *credentials;	/* borrowed */
	uint8_t token[TOKEN_SIZE];
	uint8_t peer[32];
	int event_fd;

	pthread_mutex_t lock;
	pthread_cond_t idle;
	unsigned int running;			/* @lock; handshakes */
	unsigned int ready;			/* @lock */
	struct accepted accepted[ACCEPTED_MAX];	/* @lock */
};

struct handshake {
	struct accepter *accepter;
	struct preamble preamble;
	int fd;
};

/**
 * accepter_create() - be ready for a migration's connections
 * @credentials: borrowed
 * @token: that lanes must present, TOKEN_SIZE bytes
 * @peer: digest of the certificate that they must have, 32 bytes
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

/* A lane proves that it belongs to the control channel's owner. */
static int token_check(struct accepter *accepter, struct channel *channel)
{
	uint32_t welcome = htole32(LANE_WELCOME);
	uint8_t hello[LANE_HELLO_SIZE];
	int ret = channel_receive(channel, hello, sizeof(hello),
				  HANDSHAKE_TIMEOUT_MS);

	if (!ret && !same_secret(hello, accepter->token, sizeof(hello)))
		ret = -EACCES;
	explicit_bzero(hello, sizeof(hello));
	if (ret < 0)
		return ret;
	return channel_send(channel, &welcome, sizeof(welcome),
			    HANDSHAKE_TIMEOUT_MS);
}

static int handshake(struct handshake *self, struct channel **channel)
{
	struct accepter *accepter = self->accepter;
	struct fail ignored = { 0 };	/* a stranger's failure is no news */
	int ret = channel_accept(self->fd, accepter->credentials,
				 HANDSHAKE_TIMEOUT_MS, channel, &ignored);

	if (ret < 0)
		return ret;
	if (memcmp(channel_peer(*channel), accepter->peer,
		   sizeof(accepter->peer)))
		ret = -EACCES;
	else if (self->preamble.role != ROLE_CONTROL)
		ret = token_check(accepter, *channel);
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
	room = accepter->ready < ACCEPTED_MAX;
	if (room)
		accepter->accepted[accepter->ready++] = (struct accepted){
			.role = self->preamble.role,
			.index = self->preamble.index,
			.channel = channel,
		};
	pthread_mutex_unlock(&accepter->lock);
	if (room)
		(void)sys_retry(write(accepter->event_fd, &one, sizeof(one)));
	else
		channel_close(channel);
}

static void *handshake_main(void *arg)
{
	struct handshake *self = arg;
	struct accepter *accepter = self->accepter;
	struct channel *channel;

	if (!handshake(self, &channel))
		hand_over(self, channel);
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
 * @accepter: of the migration that it asks for; NULL: it is closed
 * @preamble: that was read from it
 * @fd: owned from here on; closed when there are too many
 */
void accepter_take(struct accepter *accepter, const struct preamble *preamble,
		   int fd)
{
	struct handshake *self;
	pthread_t thread;

	if (!accepter || !handshake_begin(accepter)) {
		preamble_refuse(fd, PREAMBLE_BUSY);
		close(fd);
		return;
	}
	self = calloc(1, sizeof(*self));
	if (self) {
		self->accepter = accepter;
		self->preamble = *preamble;
		self->fd = fd;
	}
	if (!self ||
	    pthread_create(&thread, NULL, handshake_main, self)) {
		handshake_refused(accepter);
		free(self);
		close(fd);
		return;
	}
	pthread_detach(thread);
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
