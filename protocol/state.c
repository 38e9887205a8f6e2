// SPDX-License-Identifier: LGPL-2.1-or-later
/* state.c - device state, in pieces. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/phase.h"
#include "sys.h"

#define STATE_PIECE	(256u << 10)

static int state_size(struct migration *m, uint64_t *size)
{
	struct stat status;
	int ret = sys_ret(fstat(m->state_fd, &status));

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
 * state_send() - source: send the device state
 * @m: with @state_fd
 *
 * Return: 0 or -errno with @m->fail.
 */
int state_send(struct migration *m)
{
	Straddle__State piece = STRADDLE__STATE__INIT;
	uint8_t *buffer;
	int ret = state_size(m, &piece.total);

	if (ret < 0)
		return ret;
	buffer = malloc(STATE_PIECE);
	if (!buffer)
		return -ENOMEM;
	piece.data.data = buffer;
	while (!ret && piece.offset < piece.total) {
		ssize_t got = sys_retry(pread(m->state_fd, buffer,
					      STATE_PIECE,
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
	uint8_t *grown;

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
 * Return: true when it is.
 */
bool state_complete(const struct migration *m)
{
	return m->device_size && m->device_got == m->device_size;
}
