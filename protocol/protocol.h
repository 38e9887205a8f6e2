/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * protocol.h - one migration, as one of its two sides sees it.
 *
 * The five phases are in begin.c, prepare.c, perform.c, finish.c, confirm.c;
 * phase.c runs them in order and undoes them. A migration asks the process
 * that it runs in (a worker of the agent, or a test) through struct port.
 */
#ifndef STRADDLE_PROTOCOL_H
#define STRADDLE_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include "copy/dest.h"
#include "copy/source.h"
#include "protocol/channel.h"
#include "protocol/cookie.h"
#include "protocol/guest.h"
#include "protocol/journal.h"
#include "obstacles.h"
#include "protocol/message.h"
#include "uffd/uffd.h"

#define FILE_NAME_MAX	1024	/* bytes, NUL included */

/* Who moves the guest: we, or libvirt under our command. */
enum engine { ENGINE_STRADDLE, ENGINE_NATIVE, ENGINE_AUTO };

/* What happens when --timeout passes in pre-copy. */
enum timeout_action { TIMEOUT_SUSPEND, TIMEOUT_POSTCOPY };

/* How to migrate; the names are virsh's where virsh has one. */
struct migration_options {
	char host[256];			/* dest, HOST[:PORT] */
	char guest[GUEST_NAME_MAX];
	char dest_name[GUEST_NAME_MAX];	/* --dname, or "" */
	char xml[FILE_NAME_MAX];	/* --xml: a file's absolute path, or "" */
	char persistent_xml[FILE_NAME_MAX];
	bool live;			/* else: stopped before the first round */
	bool postcopy;			/* may switch */
	bool postcopy_after_precopy;	/* switch after the first round */
	bool persistent;		/* define at the dest */
	bool undefine_source;
	bool handover;			/* guest hands over its userfaultfd */
	bool dry_run;			/* say what is in the way, move nothing */
	bool unsafe;			/* disks that the dest may not share */
	bool allow_version_skew;	/* of the two hypervisors */
	enum copy_storage copy_storage;	/* disks that are not shared */
	bool copy_synchronous;		/* the guest's writes wait for it */
	uint64_t bandwidth;		/* bytes a second, 0: unlimited */
	uint64_t postcopy_bandwidth;
	uint64_t downtime_ns;		/* target */
	uint64_t timeout_ns;		/* 0: none */
	enum timeout_action timeout_action;
	uint32_t rounds_max;		/* of pre-copy; 0: post-copy only;
					 * UINT32_MAX: no limit */
	uint32_t fault_lanes;		/* 0: min(vCPUs, 4) */
	uint32_t push_lanes;		/* 0: default */
	enum engine engine;
	char dest_uri[256];		/* native: dest's libvirt, "": by host */
	char migrate_uri[256];		/* native: dest's QEMU, "": libvirt asks */
	bool tls;			/* native: QEMU encrypts the memory */
};

/* A user's word to a running migration. */
enum command {
	COMMAND_NONE,
	COMMAND_ABORT,
	COMMAND_POSTCOPY,	/* switch now */
	COMMAND_BANDWIDTH,
	COMMAND_CONNECTION,	/* a connection of the peer came in */
};

struct command_data {
	enum command command;
	uint64_t bandwidth;		/* COMMAND_BANDWIDTH: bytes a second */
	struct preamble preamble;	/* COMMAND_CONNECTION */
	int fd;				/* COMMAND_CONNECTION, owned */
};

/* How far it is; for status, --verbose and the summary. */
struct progress {
	enum engine engine;		/* that moves it: straddle or native */
	enum phase phase;
	enum owner_state state;
	uint32_t round;			/* from 1; 0: none yet */
	bool postcopy;			/* switched */
	uint64_t memory_bytes;		/* of the guest */
	uint64_t done_bytes;		/* of them across (estimate) */
	uint64_t rate;			/* bytes a second on the wire, lately */
	uint64_t link_rate;		/* memory bytes a second, last round */
	uint64_t dirty_rate;		/* bytes a second, last round */
	uint64_t missing_pages;
	uint64_t faults;
	uint64_t network_faults;
	uint64_t fault_p50_ns;
	uint64_t fault_p99_ns;
	uint64_t data_bytes;		/* guest pages sent with their bytes */
	uint64_t zero_pages;		/* 4 KiB each */
	uint64_t round_bytes;		/* on the wire, by kind */
	uint64_t push_bytes;
	uint64_t fault_bytes;
	uint64_t repeated_pages;	/* sent twice: pushed and wanted */
	uint64_t total_ns;		/* since Begin */
	uint64_t downtime_ns;		/* once known; its parts, of which the
					 * rest is spent on the wire: */
	uint64_t downtime_pause_ns;	/* stop vCPUs, drain devices */
	uint64_t downtime_scan_ns;	/* the last look at what was written */
	uint64_t downtime_save_ns;	/* device state, at the source */
	uint64_t downtime_load_ns;	/* device state, at the dest */
	uint64_t downtime_arm_ns;	/* what must not be mapped, journal */
	uint64_t downtime_resume_ns;	/* start vCPUs */
	uint64_t storage_bytes;		/* of disks that are copied */
	uint64_t storage_done_bytes;
	uint64_t storage_ns;		/* until the copies followed the guest */
	uint64_t pauses;		/* looks for which the guest stood still */
	uint64_t pause_max_ns;		/* the longest of them */
	char peer_host[COOKIE_TEXT_MAX]; /* as the other host calls itself */
	char note[640];			/* last decision, in words, or "" */
};

/* What a migration asks of its process. Each returns 0 or -errno. */
struct port_ops {
	/*
	 * The journal's row of this migration and side; synced. A source's
	 * row receives the guest's epoch, as this host knows it.
	 */
	int (*begin)(void *port, struct journal_row *row, struct fail *fail);
	/* -ESTALE: the row stands elsewhere, *now says where. */
	int (*move)(void *port, enum owner_state to, enum owner_state *now,
		    struct fail *fail);
	int (*note)(void *port, const char *error, const char *summary,
		    const char *proof, struct fail *fail);

	/* Its owner paused or resumed the guest: so it is if it stays. */
	int (*paused)(void *port, bool paused, struct fail *fail);

	/* The broker, which alone may ptrace. */
	int (*attach)(void *port, pid_t pid, struct uffd_attachment *made,
		      struct fail *fail);
	int (*zap)(void *port, const struct uffd_attachment *attachment,
		   const struct range *ranges, size_t count,
		   struct fail *fail);
	int (*detach)(void *port, struct uffd_attachment *attachment,
		      struct fail *fail);

	void (*progress)(void *port, const struct progress *progress);
	/* Readable when command() has something. */
	int (*command_fd)(void *port);
	int (*command)(void *port, struct command_data *data);
};

struct accepter;		/* accept.c: handshakes of incoming lanes */

struct loading;
struct migration {
	/* Given by whoever runs it. */
	enum side side;
	uint8_t id[MIGRATION_ID_SIZE];
	struct migration_options options;	/* source */
	struct guest_leaving leaving;	/* source: texts of --xml and
					 * --persistent-xml, owned */
	const struct guest_driver *const *drivers;	/* ends with NULL */
	struct guest_host host;
	struct credentials *credentials;	/* borrowed */
	const char *run_dir;		/* page states; on tmpfs */
	const struct port_ops *port_ops;
	void *port;
	struct channel *channel;	/* control; owned. Source: made in
					 * Prepare. Dest: given */

	/* What it learns. */
	struct fail fail;		/* the first reason */
	enum phase phase;
	enum owner_state state;
	const struct guest_driver *driver;	/* the guest's */
	struct guest *guest;
	struct obstacles obstacles;	/* of this side */
	struct guest_description description;
	bool guest_ended;		/* its process here is gone */
	bool agent_gone;		/* the port answers no more */
	struct region_map map;
	uint32_t generation;		/* of frames; 0: none sent */
	uint8_t token[TOKEN_SIZE];
	uint64_t epoch;
	struct progress progress;
	struct cookie mine;		/* said with each message of a phase */
	struct cookie peer;		/* what the other host said */
	uint64_t began_ns;
	uint64_t stopped_ns;		/* source: pause asked for */
	uint64_t last_sent_ns;		/* control channel */
	uint64_t last_heard_ns;
	uint64_t last_progress_ns;
	uint64_t last_progress_bytes;

	/* The kernel's side. */
	struct uffd_attachment attachment;
	bool handed_over;		/* attachment.uffd is the guest's */
	int news_fd;			/* the guest's; -1: nobody tells */
	int pagemap;			/* of the guest's process, or -1 */
	bool tracking;			/* source: tracker is armed */
	struct uffd_tracker tracker;
	struct uffd_attachment fence;	/* source: see fence.c */
	bool fenced;			/* source: memory is protected */
	bool arming;			/* source: a part of it may be */
	bool arm_untracks;		/* what is not is still tracked */
	unsigned int arm_region;	/* where the next step begins */
	uint64_t arm_done;		/* bytes of that region */
	uint64_t arm_at_ns;		/* not before, until it is answered */
	bool frozen;			/* source: its process is stopped */
	bool fence_tried;		/* source: somebody resumed it */
	bool registered;		/* dest: regions are registered */

	/* Pages. */
	struct source *source;		/* source only */
	struct dest *dest;		/* dest only */
	char states_path[256];		/* dest: file of the page states */

	struct storage *storage;	/* disks to be copied; NULL: none */

	/* Source. */
	bool paused_by_us;
	bool drained;			/* stands still for a look */
	uint64_t drained_ns;		/* since when */
	bool never_ran;			/* the dest promised it */
	Straddle__Answer *complete;	/* COMPLETE that came early, owned */
	bool switch_asked;		/* COMMAND_POSTCOPY came */
	uint64_t ask_next_ns;		/* not asked again before */
	unsigned int ask_backoff_ms;
	struct round_result round;	/* the last one */
	uint32_t barrier;		/* generation that is all across */
	int state_fd;			/* device state, or -1 */
	bool state_sent;		/* all of it: the dest loads */

	/* Dest. */
	char *prepare_live;		/* definition, owned */
	char *prepare_given;		/* instead of it, owned, or NULL */
	uint32_t fault_lanes, push_lanes;
	struct accepter *accepter;
	uint8_t *device;		/* device state as it arrives */
	uint64_t device_size, device_got;
	struct loading *loading;	/* the guest is; owned */
	bool ahead;			/* it is what goes ahead of that */
	bool ahead_came;		/* all of that, and was loaded */
	enum message_type naming;	/* MSG_KEEP or MSG_STALE; 0: none yet */
	uint64_t named_to[REGIONS_MAX];	/* pages that it has named so far */
	char *persistent;		/* definition to store, owned */
	bool settled;			/* all pages are here, counted */
	bool keep_paused;		/* guest was paused before Begin */
	char dest_name[GUEST_NAME_MAX];
};

/* One phase on one side; the table is in phase.c. */
struct phase_step {
	enum side side;
	enum phase phase;
	int (*run)(struct migration *migration);
	void (*undo)(struct migration *migration);
};

extern const struct phase_step phase_table[];
extern const size_t phase_table_count;

void migration_init(struct migration *migration, enum side side);
/* All phases of this side; 0, or -errno with migration->fail. */
int migration_run(struct migration *migration);
void migration_fini(struct migration *migration);

#endif
