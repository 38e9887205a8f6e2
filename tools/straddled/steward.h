/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * steward.h - the second process of a worker, which has the rights.
 *
 * A worker parses what another host sends, so it is to have nothing that is
 * worth taking: no capability, no file, a short list of system calls. What a
 * migration does to this host - talk to hypervisors, start programs, open what
 * belongs to a guest's process - its steward does, which hears nobody but the
 * worker. It is told before the first byte comes in what the migration is
 * about, and refuses what is not: another guest, another host to call, another
 * file.
 *
 * It is forked off by the worker and ends with it, killed by the kernel if need
 * be (PR_SET_PDEATHSIG): whoever saw the worker end need not look for it.
 */
#ifndef STRADDLE_STEWARD_H
#define STRADDLE_STEWARD_H

#include "protocol/guest.h"
#include "protocol/phase.h"
#include "protocol/storage.h"
#include "tools/lib/wire.h"

/* Its streams in the worker: after the descriptors of port.h. */
#define STEWARD_FD	8
#define STEWARD_FDS	4

/* As a driver's number: of whatever guest is open, or was checked last. */
#define STEWARD_ITS	UINT32_MAX

/* What a migration may ask for; learnt from the agent. */
struct steward_job {
	enum side side;
	char id[MIGRATION_ID_TEXT];
	struct guest_host host;			/* texts outlive it */
	char guest[GUEST_NAME_MAX];		/* that may be opened, or "" */
	pid_t process;				/* that it has to be; 0: not known, -1: gone */
	char peer[256];				/* source: that may be called */
	char went_to[256];			/* likewise, or "" */
	bool private;				/* not all of its memory is in files */
};

enum steward_verb {
	STEWARD_OPEN = 1,
	STEWARD_CLOSE,
	STEWARD_DESCRIBE,
	STEWARD_MAP,
	STEWARD_PAUSE,
	STEWARD_RESUME,
	STEWARD_WATCH,
	STEWARD_RUNS,
	STEWARD_SAVE_AHEAD,
	STEWARD_SAVE,
	STEWARD_LOAD_AHEAD,
	STEWARD_LOAD,
	STEWARD_LOADS,
	STEWARD_HOLD,
	STEWARD_CHECK_LEAVING,
	STEWARD_CHECK,
	STEWARD_CLAIM,
	STEWARD_CREATE,
	STEWARD_DESTROY,
	STEWARD_FORGET,
	STEWARD_DEFINE,
	STEWARD_DEFINE_END,
	STEWARD_USERFAULTFD,
	STEWARD_USERFAULTFD_CLOSE,
	STEWARD_COPY_START,
	STEWARD_COPY_LOOK,
	STEWARD_COPY_LIMIT,
	STEWARD_COPY_END,
	STEWARD_IMAGE_MAKE,
	STEWARD_IMAGE_SERVE,
	STEWARD_IMAGE_END,
	STEWARD_DISK_LISTEN,
	STEWARD_DISKS_OVER,
	STEWARD_PROCESS_OPEN,
	STEWARD_PROCESS_SIGNAL,
	STEWARD_PROCESS_STARTED,
	STEWARD_PROCESS_OF,
	STEWARD_FILES,
	STEWARD_DIAL,
	STEWARD_FILE_OPEN,
	STEWARD_FILE_RENAME,
	STEWARD_FILE_REMOVE,
	STEWARD_VERBS
};

/* The worker's side: steward_client.c. */
int steward_start(const struct steward_job *job, struct fail *fail);
void steward_end(void);
int steward_ask(enum steward_verb verb, uint32_t driver, struct wire *request,
		struct wire *reply, struct fail *fail);

/* steward_driver.c: drivers that ask it; as guest_drivers[]. */
const struct guest_driver *const *steward_drivers(void);

/* steward_port.c: what else a migration asks for. */
int steward_claim(const char *guest, struct fail *fail);
int steward_process_open(void *port, enum process_file file, int *fd,
			 struct fail *fail);
int steward_process_signal(void *port, int signal);
int steward_process_started(void *port, pid_t pid, uint64_t *started);
pid_t steward_process_of(void *port);
int steward_files(void *port, struct guest_description *description,
		  struct fail *fail);
extern const struct storage_port steward_storage;
channel_dial_fn steward_dial;
void steward_states(void);

/* The steward's own: steward.c. Does not return. */
__attribute__((noreturn))
void steward_main(const struct steward_job *job, const int *sockets,
		  unsigned int count);

#endif
