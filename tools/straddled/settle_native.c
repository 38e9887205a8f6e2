/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * settle_native.c - how a migration ended that libvirt ran.
 *
 * Who runs the guest was never ours to decide: its row only says what
 * happened, and for that libvirt of this host is asked.
 */
#include <errno.h>

#include "engine.h"
#include "settle.h"
#include "tools/guests/libvirt_native.h"

/**
 * native_settle() - the state in which a row ends whose worker saw no end
 * @row: DELEGATED
 * @to: receives it
 * @fail: says why it has to stay open
 *
 * Return: 0; -EBUSY: libvirt has not ended it; or -errno: it cannot be asked.
 */
int native_settle(const struct journal_row *row, enum owner_state *to,
		  struct fail *fail)
{
	enum native_place place;
	int ret = native_where(row->uuid, &place, fail);

	if (ret)
		return ret;
	if (place == NATIVE_MOVING)
		return fail_set(fail, -EBUSY,
				"libvirt is still moving guest '%s' to %s: 'virsh domjobinfo' and 'virsh domstate --reason' on both hosts show how far it is",
				row->guest, row->peer);
	*to = place == NATIVE_HERE ? STATE_RESUMED : STATE_MOVED;
	return 0;
}
