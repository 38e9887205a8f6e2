// SPDX-License-Identifier: LGPL-2.1-or-later
/* hold.c - hold a migration up at the dest, just before its definition. */
#include "hold.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "selftests/lib/move.h"
#include "sys.h"

#define TRY_MS		50
#define ROW_TRIES	600

/**
 * hold_loaded() - have the next guest with --persistent wait in LOADED
 * @virt: where it arrives
 * @name: of the guest there
 * @before: what lies there as its persistent definition, or ""
 *
 * The dest keeps what it replaces in a file. It finds that there is one, and
 * waits for its lease, up to /proc/sys/fs/lease-break-time (45 s).
 *
 * Return: a descriptor, which lets it go on when it is closed.
 */
int hold_loaded(const struct virt_host *virt, const char *name,
		const char *before)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/definitions", virt->host->state_dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/definitions/.%s.xml.old",
		 virt->host->state_dir, name);
	fd = sys_ret(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, sys_write_all(fd, before, strlen(before)));
	signal(SIGIO, SIG_IGN);
	ASSERT_EQ(0, sys_ret(fcntl(fd, F_SETLEASE, F_WRLCK)));
	return fd;
}

/**
 * hold_reached() - wait until a dest's row is in a state
 * @virt: the dest
 * @id: of the migration
 * @state: its name
 *
 * Polled, as nobody else is told of it.
 */
void hold_reached(const struct virt_host *virt, const char *id,
		  const char *state)
{
	char now[16] = "";
	int i;

	for (i = 0; i < ROW_TRIES && strcmp(now, state); i++) {
		row_state(virt->host, id, SIDE_DEST, now, sizeof(now));
		poll(NULL, 0, TRY_MS);
	}
	ASSERT_STREQ(state, now);
}
