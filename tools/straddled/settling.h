/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settling.h - a row that is settled, and its guest. */
#ifndef STRADDLE_SETTLING_H
#define STRADDLE_SETTLING_H

#include "predecessor.h"
#include "protocol/guest.h"

/* What is to be settled. */
struct settling {
	struct guest_host host;
	struct journal_row row;
	struct remote_fds left;		/* in the guest's process */
	bool again;			/* what is in the way was told */
};

/* The guest of a row. */
struct found {
	const struct guest_driver *driver;
	struct guest *guest;
	struct guest_description description;
};

/* The very guest of the row; found_close() ends that. -ENOENT: it is not here. */
int settling_guest(const struct settling *self, struct found *found, struct fail *fail);
/* The same, or one that does not answer, and waits for its state. */
int settling_incoming(const struct settling *self, struct found *found, struct fail *fail);
void found_close(struct found *found);
/* Killed, whatever it is busy with. */
int found_end(struct found *found, struct fail *fail);
/* Made for the row, and never started? */
bool found_is_to_end(const struct settling *self, const struct found *found);

/* What the dead worker left in its process. */
void settling_release(const struct settling *self, pid_t pid);
/* A process that was stopped so that nobody could resume its guest. */
void settling_thaw(const struct journal_row *row);
/* The process that the row names is killed; 0: it is gone. */
int settling_process_end(const struct journal_row *row);

#endif
