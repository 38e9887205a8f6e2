// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * stream.c - the peer of the push: bytes in blocks of 64 KiB, and no more.
 *
 * Two kinds. The plain one sends the same block again and again and throws
 * away what arrives: what the connection can do. The other reads blocks from
 * guest memory and writes them into memory that holds nothing yet: the work
 * that no migration can leave out.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "sys.h"
#include "tools/bench/bench.h"

#define BLOCK		(64u << 10)
#define STREAMS_MAX	8
#define TIMEOUT_MS	30000

struct work {
	const struct row *row;
	bool memory;			/* from and into guest memory */
};

/* One connection's thread. */
struct stream {
	pthread_t thread;
	struct channel *channel;	/* with TLS, else NULL */
	int fd;				/* without */
	int memory;			/* -1: none */
	uint64_t first, size;		/* its part of the memory */
	int ret;
};

static int block_send(const struct stream *stream, const uint8_t *block)
{
	if (stream->channel)
		return channel_send(stream->channel, block, BLOCK, TIMEOUT_MS);
	return sys_write_all(stream->fd, block, BLOCK);
}

static ssize_t some_receive(const struct stream *stream, uint8_t *block)
{
	ssize_t got;

	if (!stream->channel)
		return sys_retry(recv(stream->fd, block, BLOCK, 0));
	while ((got = channel_receive_some(stream->channel, block, BLOCK)) == -EAGAIN) {
		int ret = sys_wait_fd(stream->fd, POLLIN, TIMEOUT_MS);

		if (ret)
			return ret;
	}
	return got;
}

static void *send_main(void *arg)
{
	struct stream *stream = arg;
	uint8_t *block = aligned_alloc(4096, BLOCK);
	uint64_t done;

	stream->ret = block ? 0 : -ENOMEM;
	if (block)
		memset(block, 0x5a, BLOCK);
	for (done = 0; !stream->ret && done < stream->size; done += BLOCK) {
		if (stream->memory >= 0 &&
		    sys_retry(pread(stream->memory, block, BLOCK,
				    (off_t)(stream->first + done))) != BLOCK)
			stream->ret = -EIO;
		else
			stream->ret = block_send(stream, block);
	}
	free(block);
	return NULL;
}

static void *receive_main(void *arg)
{
	struct stream *stream = arg;
	uint8_t *block = aligned_alloc(4096, BLOCK);
	uint64_t done = 0;

	stream->ret = block ? 0 : -ENOMEM;
	while (!stream->ret && done < stream->size) {
		ssize_t got = some_receive(stream, block);

		if (got <= 0)
			stream->ret = got ? (int)got : -EPIPE;
		else if (stream->memory >= 0)
			stream->ret = sys_pwrite_all(stream->memory, block, (size_t)got,
						     stream->first + done);
		done += got > 0 ? (uint64_t)got : 0;
	}
	free(block);
	return NULL;
}

static int plain_open(const struct party *party, bool source, unsigned int count,
		      struct stream *streams)
{
	int listener = source ? -1 : socket_listen();
	int ret = !source && listener < 0 ? listener : party_meet(party);
	unsigned int i;

	for (i = 0; i < count && !ret; i++) {
		streams[i].fd = source ? socket_connect(NULL) : socket_accept(listener);
		ret = streams[i].fd < 0 ? streams[i].fd : 0;
	}
	if (listener >= 0)
		close(listener);
	return ret;
}

static int tls_open(const struct party *party, bool source, unsigned int count,
		    struct stream *streams)
{
	struct channel *channels[STREAMS_MAX];
	unsigned int i;
	int ret = channels_open(party, source, count, true, NULL, channels);

	for (i = 0; i < count && !ret; i++) {
		streams[i].channel = channels[i];
		streams[i].fd = channel_fd(channels[i]);
	}
	return ret;
}

static int streams_run(struct stream *streams, unsigned int count, void *(*start)(void *))
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < count; i++)
		if (pthread_create(&streams[i].thread, NULL, start, &streams[i]))
			return -EAGAIN;
	for (i = 0; i < count; i++) {
		pthread_join(streams[i].thread, NULL);
		ret = ret ?: streams[i].ret;
	}
	return ret;
}

/* A process of its own: what is open is closed by its end. */
static int stream_party(struct party *party, bool source)
{
	const struct work *work = party->arg;
	unsigned int i, count = work->row->lanes;
	uint64_t size = party->site->memory_size / count;
	struct stream streams[STREAMS_MAX] = { 0 };
	int memory = -1, ret;

	if (work->memory)
		memory = source ? party->site->memory
				: memory_create(party->site->memory_size, 0);
	for (i = 0; i < count; i++) {
		streams[i].memory = memory;
		streams[i].first = i * size;
		streams[i].size = size;
	}
	ret = work->row->tls ? tls_open(party, source, count, streams)
			     : plain_open(party, source, count, streams);
	ret = ret ?: party_meet(party);
	if (ret)
		return ret;
	party_begin(party);
	ret = streams_run(streams, count, source ? send_main : receive_main);
	party_end(party);
	/* Nobody leaves before the other has all. */
	return ret ?: party_meet(party);
}

static int stream_source(struct party *party)
{
	return stream_party(party, true);
}

static int stream_dest(struct party *party)
{
	return stream_party(party, false);
}

static int measure(const struct site *site, const struct work *work, double *value,
		   struct fail *fail)
{
	struct work copy = *work;
	struct outcome outcomes[2];
	int ret = parties_run(site, stream_source, stream_dest, &copy, outcomes, fail);

	if (!ret)
		*value = row_value(work->row, site->memory_size, outcomes);
	return ret;
}

/**
 * stream_measure() - a stream that comes from nowhere and goes nowhere
 * @site: where
 * @row: how many at once, and whether with TLS
 * @value: receives MiB/s of all
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int stream_measure(const struct site *site, const struct row *row, double *value,
		   struct fail *fail)
{
	struct work work = { .row = row };

	return measure(site, &work, value, fail);
}

/**
 * stream_memory_measure() - a stream from guest memory into empty memory
 * @site: where
 * @row: how many at once, and whether with TLS
 * @value: receives MiB/s of all
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int stream_memory_measure(const struct site *site, const struct row *row, double *value,
			  struct fail *fail)
{
	struct work work = { .row = row, .memory = true };

	return measure(site, &work, value, fail);
}
