// SPDX-License-Identifier: LGPL-2.1-or-later
/* lane.c - a connection that carries pages. */
#include "copy/lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sys.h"

/* A peer that takes nothing for so long is cut off. */
#define LANE_SEND_TIMEOUT_MS	30000
#define FRAME_PARTS	2		/* header, pages */
/* Room for some frames, so that one receive brings several. */
#define LANE_INPUT_SLACK	(192u << 10)

/**
 * lane_create() - put a lane on a connection
 * @ops: what the connection can do
 * @connection: owned by the lane from success on
 * @fd: its descriptor, for poll()
 * @role: of the lane
 * @index: within its role
 * @map: the regions that frames may name; outlives the lane
 * @lane: receives the lane; lane_destroy() frees it
 *
 * Return: 0 or -ENOMEM.
 */
int lane_create(const struct lane_ops *ops, void *connection, int fd,
		enum lane_role role, unsigned int index,
		struct region_map *map, struct lane **lane)
{
	struct lane *made = calloc(1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	made->ops = ops;
	made->connection = connection;
	made->fd = fd;
	made->role = role;
	made->index = index;
	made->map = map;
	made->capacity = FRAME_HEADER_SIZE + frame_payload_max(map) +
			 LANE_INPUT_SLACK;
	made->input = aligned_alloc(64, (made->capacity + 63) / 64 * 64);
	if (!made->input) {
		free(made);
		return -ENOMEM;
	}
	*lane = made;
	return 0;
}

/**
 * lane_destroy() - close a lane's connection and free it
 * @lane: no thread uses it any more; NULL is fine
 */
void lane_destroy(struct lane *lane)
{
	if (!lane)
		return;
	lane->ops->close(lane->connection);
	packer_destroy(lane->packer);
	unpacker_destroy(lane->unpacker);
	free(lane->input);
	free(lane);
}

/**
 * lane_shutdown() - break a lane that other threads may be waiting in
 * @lane: they return with an error
 */
void lane_shutdown(struct lane *lane)
{
	lane->ops->shutdown(lane->connection);
}

/**
 * lane_stop_receiving() - end a lane's receiving thread, and tell nobody
 * @lane: its receiver gets an error or an end of file; the peer sees nothing
 */
void lane_stop_receiving(struct lane *lane)
{
	shutdown(lane->fd, SHUT_RD);
}

/* Drop @done bytes from the front of @parts. Return: how many are left. */
static int parts_advance(struct iovec *parts, int count, size_t done)
{
	int left = 0;
	int i;

	for (i = 0; i < count; i++) {
		size_t step = done < parts[i].iov_len ? done
						      : parts[i].iov_len;
		done -= step;
		if (step == parts[i].iov_len)
			continue;
		parts[left].iov_base = (char *)parts[i].iov_base + step;
		parts[left++].iov_len = parts[i].iov_len - step;
	}
	return left;
}

/* What is sent next: no more than @most bytes of @parts. Return: its parts. */
static int parts_first(const struct iovec *parts, int count, size_t most,
		       struct iovec *first)
{
	int i;

	for (i = 0; i < count && most; i++) {
		first[i] = parts[i];
		if (first[i].iov_len > most)
			first[i].iov_len = most;
		most -= first[i].iov_len;
	}
	return i;
}

static ssize_t put_some(struct lane *lane, const struct iovec *parts, int count)
{
	struct iovec first[FRAME_PARTS];

	if (lane->most && count <= FRAME_PARTS) {
		count = parts_first(parts, count, lane->most, first);
		parts = first;
	}
	return lane->ops->sendv_some(lane->connection, parts, count);
}

/**
 * lane_narrow() - before a frame is sent: is somebody in a hurry beside it?
 * @lane: this thread is its only sender
 * @hurry: then little of it is to be on the way at any time
 */
void lane_narrow(struct lane *lane, bool hurry)
{
	if (lane->ops->narrow)
		lane->most = lane->ops->narrow(lane->connection, hurry);
}

static int room_wait(struct lane *lane)
{
	uint64_t began = now_ns();
	int ret = sys_wait_fd(lane->fd, POLLOUT, LANE_SEND_TIMEOUT_MS);

	lane->waited_ns += now_ns() - began;
	return ret;
}

/**
 * lane_put() - send bytes as they are
 * @lane: this thread is its only sender
 * @parts: the bytes; used up
 * @count: how many parts
 *
 * Return: 0; -ETIMEDOUT: the peer takes nothing; or -errno.
 */
int lane_put(struct lane *lane, struct iovec *parts, int count)
{
	uint64_t size = 0;
	int i;

	for (i = 0; i < count; i++)
		size += parts[i].iov_len;
	while (count) {
		ssize_t put = put_some(lane, parts, count);

		if (put == -EAGAIN) {
			int ret = room_wait(lane);

			if (ret < 0)
				return ret;
			continue;
		}
		if (put < 0)
			return (int)put;
		count = parts_advance(parts, count, (size_t)put);
	}
	__atomic_fetch_add(&lane->bytes_sent, size, __ATOMIC_RELAXED);
	return 0;
}

/* What a barrier says of all that came before it; see receive_barrier(). */
static void frame_sum(struct digest *sum, struct frame *frame)
{
	if (frame->type == FRAME_DATA || frame->type == FRAME_PACKED ||
	    frame->type == FRAME_ZERO) {
		digest_add(sum, frame->digest);
	} else if (frame->type == FRAME_BARRIER) {
		frame->digest = *sum;
		*sum = (struct digest){ 0, 0 };
	}
}

/**
 * lane_gather() - have frames without pages wait for lane_flush()
 * @lane: this thread is its only sender
 */
void lane_gather(struct lane *lane)
{
	lane->gathers = true;
}

static int output_put(struct lane *lane)
{
	struct iovec part = { lane->output, lane->output_size };

	lane->output_size = 0;
	return part.iov_len ? lane_put(lane, &part, 1) : 0;
}

/**
 * lane_flush() - send what was gathered, in one system call
 * @lane: this thread is its only sender
 *
 * Return: 0 or -errno, as lane_put().
 */
int lane_flush(struct lane *lane)
{
	lane->gathers = false;
	return output_put(lane);
}

static int header_gather(struct lane *lane, const uint8_t *header)
{
	memcpy(lane->output + lane->output_size, header, FRAME_HEADER_SIZE);
	lane->output_size += FRAME_HEADER_SIZE;
	return lane->output_size == sizeof(lane->output) ? output_put(lane) : 0;
}

/**
 * lane_send() - send one frame
 * @lane: this thread is its only sender
 * @frame: what to say
 * @payload: frame_payload() bytes
 *
 * Header and pages leave in one system call where the connection is plain.
 *
 * Return: 0; -ETIMEDOUT: the peer takes nothing; or -errno.
 */
int lane_send(struct lane *lane, const struct frame *frame,
	      const void *payload)
{
	struct frame said = *frame;
	uint8_t header[FRAME_HEADER_SIZE];
	struct iovec parts[FRAME_PARTS] = {
		{ header, sizeof(header) },
		{ (void *)payload, frame_payload(frame) },
	};
	int ret, count = parts[1].iov_len ? 2 : 1;

	frame_sum(&lane->sent, &said);
	frame_encode(&said, header);
	if (lane->tap)
		return lane->tap->send(lane->tap, lane, &said, parts, count);
	if (lane->gathers && count == 1)
		return header_gather(lane, header);
	ret = output_put(lane);
	return ret < 0 ? ret : lane_put(lane, parts, count);
}

/* What is packed is DATA for whoever takes it in. */
static int input_unpack(struct lane *lane, struct frame *frame, const void **bytes)
{
	int ret = unpacker_run(lane->unpacker, *bytes, frame->packed, frame_bytes(frame), bytes);

	frame->type = FRAME_DATA;
	frame->packed = 0;
	return ret;
}

/* The frame at the front of the input, if all of it is there. */
static int input_frame(struct lane *lane, struct frame *frame,
		       const void **payload)
{
	size_t have = lane->end - lane->start;
	const uint8_t *front = lane->input + lane->start;
	const void *bytes = front + FRAME_HEADER_SIZE;
	struct frame said;
	int ret;

	if (have < FRAME_HEADER_SIZE)
		return 0;
	ret = frame_decode(lane->map, front, &said);
	if (ret < 0)
		return ret;
	if (said.type == FRAME_PACKED && (!lane->unpacker || lane->role != LANE_PUSH))
		return -EPROTO;
	if (have - FRAME_HEADER_SIZE < frame_payload(&said))
		return 0;
	lane->start += FRAME_HEADER_SIZE + frame_payload(&said);
	if (said.type == FRAME_PACKED)
		ret = input_unpack(lane, &said, &bytes);
	if (ret < 0)
		return ret;
	*frame = said;
	*payload = bytes;
	return 1;
}

/* Receive what is there; the rest of a frame moves to the front first. */
static int input_more(struct lane *lane)
{
	ssize_t got;

	if (lane->start) {
		memmove(lane->input, lane->input + lane->start,
			lane->end - lane->start);
		lane->end -= lane->start;
		lane->start = 0;
	}
	got = lane->ops->receive_some(lane->connection,
				      lane->input + lane->end,
				      lane->capacity - lane->end);
	if (got < 0)
		return (int)got;
	if (!got)
		return -EPIPE;
	lane->emptied = (size_t)got < lane->capacity - lane->end;
	lane->end += (size_t)got;
	return 0;
}

static bool has_pending(const struct lane *lane)
{
	return lane->ops->pending && lane->ops->pending(lane->connection);
}

/* A frame, and nothing behind it: poll() tells sooner of the next one. */
static bool input_over(struct lane *lane)
{
	bool over = lane->emptied && lane->start == lane->end && !has_pending(lane);

	lane->emptied = false;
	return over;
}

/**
 * lane_receive_some() - the next frame, if it is there
 * @lane: this thread is its only receiver
 * @frame: receives the header, checked against the region map
 * @payload: receives where its bytes are, good until the next call
 *
 * Return: 1: a frame; 0: not all of it is there yet, poll() and call again;
 * -EPROTO, -EBADMSG (does not unpack), -EPIPE (end of file) or -errno.
 */
int lane_receive_some(struct lane *lane, struct frame *frame,
		      const void **payload)
{
	for (;;) {
		int ret = input_frame(lane, frame, payload);

		if (ret)
			return ret;
		if (input_over(lane))
			return 0;
		ret = input_more(lane);
		if (ret == -EAGAIN)
			return 0;
		if (ret < 0)
			return ret;
	}
}

/**
 * lane_receive() - wait for the next frame
 * @lane: this thread is its only receiver
 * @frame: receives the header, checked against the region map
 * @payload: receives where its bytes are, good until the next call
 *
 * lane_shutdown() ends the wait.
 *
 * Return: 0, -EPROTO, -EBADMSG (does not unpack), -EPIPE (end of file) or
 * -errno.
 */
int lane_receive(struct lane *lane, struct frame *frame, const void **payload)
{
	for (;;) {
		int ret = lane_receive_some(lane, frame, payload);

		if (ret)
			return ret < 0 ? ret : 0;
		ret = sys_wait_fd(lane->fd, POLLIN, -1);
		if (ret < 0)
			return ret;
	}
}
