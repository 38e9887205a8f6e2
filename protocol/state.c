// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * state.c - device state, in pieces.
 *
 * What does not change while the guest runs, ROMs of devices say, goes ahead of
 * it and is loaded while it runs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/phase.h"
#include "sys.h"

#define STATE_PIECE	(256u << 10)

static int state_size(struct migration *m, int fd, uint64_t *size)
{
	struct stat status;
	int ret = sys_ret(fstat(fd, &status));

	if (ret < 0)
		return ret;
	if (status.st_size <= 0 || status.st_size > GUEST_STATE_MAX)
		return fail_set(&m->fail, -EFBIG,
				"guest '%s' saved %lld bytes of device state; up to %u MiB can be carried",
				m->description.name,
				(long long)status.st_size,
				GUEST_STATE_MAX >> 20);
	*size = (uint64_t)status.st_size;
	return 0;
}

/**
 * state_send() - source: send device state
 * @m: performing
 * @fd: file with it
 * @ahead: it is what goes ahead
 *
 * Return: 0 or -errno with @m->fail.
 */
int state_send(struct migration *m, int fd, bool ahead)
{
	Straddle__State piece = STRADDLE__STATE__INIT;
	uint8_t *buffer;
	int ret = state_size(m, fd, &piece.total);

	if (ret < 0)
		return ret;
	buffer = malloc(STATE_PIECE);
	if (!buffer)
		return -ENOMEM;
	piece.data.data = buffer;
	piece.has_ahead = piece.ahead = ahead;
	while (!ret && piece.offset < piece.total) {
		ssize_t got = sys_retry(pread(fd, buffer, STATE_PIECE,
					      (off_t)piece.offset));

		if (got <= 0) {
			ret = got ? (int)got : -EIO;
			break;
		}
		piece.data.len = (size_t)got;
		ret = send_message(m, MSG_STATE, &piece.base);
		piece.offset += (uint64_t)got;
	}
	free(buffer);
	return ret;
}

static int state_refuse(struct migration *m)
{
	return fail_set(&m->fail, -EPROTO,
			"the source's device state comes in pieces that do not fit");
}

/**
 * state_receive() - dest: take in one piece of the device state
 * @m: performing
 * @state: from the source; memory grows only as bytes arrive
 *
 * Return: 0, -ENOMEM, or -EPROTO with @m->fail.
 */
int state_receive(struct migration *m, const Straddle__State *state)
{
	bool ahead = state->has_ahead && state->ahead;
	uint8_t *grown;

	if ((ahead && m->ahead_came) || (m->device_got && ahead != m->ahead))
		return state_refuse(m);
	m->ahead = ahead;
	if (!state->total || state->total > GUEST_STATE_MAX ||
	    (m->device_size && state->total != m->device_size) ||
	    state->offset != m->device_got || !state->data.len ||
	    state->data.len > state->total - state->offset)
		return state_refuse(m);
	grown = realloc(m->device, m->device_got + state->data.len);
	if (!grown)
		return -ENOMEM;
	memcpy(grown + m->device_got, state->data.data, state->data.len);
	m->device = grown;
	m->device_size = state->total;
	m->device_got += state->data.len;
	return 0;
}

/**
 * state_complete() - whether all of the device state is there
 * @m: dest
 *
 * Return: true when it is, or all of what goes ahead of it: see @m->ahead.
 */
bool state_complete(const struct migration *m)
{
	return m->device_size && m->device_got == m->device_size;
}

/**
 * state_hand() - dest: give what came to the guest
 * @m: complete; room for what comes next
 * @load: of the guest's driver
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int state_hand(struct migration *m, state_fn *load, struct fail *fail)
{
	__cleanup_fd int fd = sys_ret(memfd_create("straddle-state",
						   MFD_CLOEXEC));
	int ret = fd < 0 ? fd : sys_write_all(fd, m->device, m->device_got);

	if (!ret)
		ret = load(m->guest, fd, fail);
	free(m->device);
	m->device = NULL;
	m->device_size = m->device_got = 0;
	return ret;
}
