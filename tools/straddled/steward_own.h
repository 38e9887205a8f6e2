/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* steward_own.h - the inside of a steward: what it holds, and its verbs. */
#ifndef STRADDLE_STEWARD_OWN_H
#define STRADDLE_STEWARD_OWN_H

#include <pthread.h>

#include "protocol/storage_host.h"
#include "steward.h"
#include "steward_wire.h"

struct steward {
	struct steward_job job;
	struct storage_host storage;
	/*
	 * Drivers expect one caller a guest, but for some verbs. Those hold
	 * @open to read, so that the guest stays; all others hold @turn, too.
	 */
	pthread_rwlock_t open;
	pthread_mutex_t turn;
	const struct guest_driver *driver;	/* under @open: the guest's, or the one
						 * that checked one; may be NULL */
	struct guest *guest;			/* likewise; NULL: none */
	char claimed[GUEST_NAME_MAX];		/* under @turn: what may come in, or "" */
	char made[GUEST_NAME_MAX];		/* under @turn: what came in, or "" */
	char described[GUEST_NAME_MAX];		/* under @turn: as it calls itself */
	bool told;				/* under @turn: the agent, of the guest */
	bool private;				/* atomic: not all of its memory is in files */
	pid_t pid;				/* atomic: of its process; 0: not known */
};

/* Decode @in, do it, write what it gave to @out. Return: >= 0 or -errno. */
typedef int steward_fn(struct steward *steward, const struct guest_driver *driver,
		       struct wire *in, struct wire *out, struct fail *fail);

/* Who may ask for a verb. */
enum { FOR_SOURCE = 1, FOR_DEST = 2, FOR_BOTH = 3 };

/* Who may be in a verb at the same time. */
enum steward_lock {
	LOCK_NONE,	/* it touches no guest */
	LOCK_GUEST,	/* beside others, with an open guest */
	LOCK_TURN,	/* alone but for those, with an open guest */
	LOCK_HOST,	/* likewise, and there need be no guest */
	LOCK_OPENS,	/* alone: the guest is opened or closed */
};

struct steward_row {
	unsigned int sides;
	enum steward_lock lock;
	steward_fn *run;
};

/* By enum steward_verb; steward_verbs.c. */
extern const struct steward_row steward_table[STEWARD_VERBS];

/* steward_disks.c */
steward_fn verb_copy_start, verb_copy_look, verb_copy_limit, verb_copy_end,
	   verb_image_make, verb_image_serve, verb_image_end, verb_disk_listen,
	   verb_disks_over;

/* steward_host.c */
steward_fn verb_process_open, verb_process_signal, verb_process_started,
	   verb_process_of, verb_files, verb_dial, verb_file_open,
	   verb_file_rename, verb_file_remove;

#endif
