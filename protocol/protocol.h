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
#include "protocol/address.h"
#include "protocol/channel.h"
#include "protocol/cookie.h"
#include "protocol/guest.h"
#include "protocol/inject.h"
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
	uint64_t recover_timeout_ns;	/* a cut is tried again; 0: for ever */
	enum timeout_action timeout_action;
	uint32_t rounds_max;		/* of pre-copy; 0: post-copy only;
					 * UINT32_MAX: no limit */
	uint32_t fault_lanes;		/* 0: min(vCPUs, 4) */
	uint32_t push_lanes;		/* 0: default */
	bool compressed;		/* push lanes pack where that pays */
	enum engine engine;
	char dest_uri[256];		/* native: dest's libvirt, "": by host */
	char migrate_uri[256];		/* native: dest's QEMU, "": libvirt asks */
	bool tls;			/* native: QEMU encrypts the memory */
};

/* What an operator decides about a migration that cannot go on by itself. */
enum resolution {
	RESOLVE_NONE,
	RESOLVE_TAKE_BACK,	/* source: it runs here, from the stop on */
	RESOLVE_GIVE_UP,	/* source: the held copy goes */
	RESOLVE_POISON,		/* dest: what is missing never comes */
	RESOLVE_RESCUE,		/* a file instead of the network */
};

/* A user's word to a running migration. */
enum command {
	COMMAND_NONE,
	COMMAND_ABORT,
	COMMAND_POSTCOPY,	/* switch now */
	COMMAND_BANDWIDTH,
	COMMAND_CONNECTION,	/* a connection of the peer came in */
	COMMAND_RESOLVE,	/* an operator decides */
	COMMAND_LINK_DOWN,	/* to the peer, as this host's kernel says */
	COMMAND_LINK_UP,
	COMMAND_RECOVER,	/* an operator: try again now */
};

struct command_data {
	enum command command;
	uint64_t bandwidth;		/* COMMAND_BANDWIDTH: bytes a second */
	struct preamble preamble;	/* COMMAND_CONNECTION */
	char from[ADDRESS_TEXT];	/* likewise: where it came from */
	enum resolution resolution;	/* COMMAND_RESOLVE */
	int fd;				/* COMMAND_CONNECTION, and RESOLVE with
					 * a file; owned */
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
	bool missing_unknown;		/* source: its dest has not said how many */
	uint64_t faults;
	uint64_t network_faults;
	uint64_t fault_p50_ns;
	uint64_t fault_p99_ns;
	uint64_t data_bytes;		/* guest pages sent with their bytes */
	uint64_t zero_pages;		/* 4 KiB each */
	uint64_t left_out_bytes;	/* written again before its turn in a
					 * round, so not sent in it */
	uint64_t round_bytes;		/* on the wire, by kind */
	uint64_t push_bytes;
	uint64_t fault_bytes;
	uint64_t repeated_pages;	/* sent twice: pushed and wanted */
	uint64_t packed_bytes;		/* of data_bytes, what was packed */
	uint64_t packed_to_bytes;	/* and what that came to */
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
	uint32_t recoveries;		/* lanes that were opened again */
	uint64_t broken_ns;		/* CLOCK_REALTIME since when nothing
					 * moves; 0: nothing is broken, or, with
					 * @broken, nobody knows since when */
	uint64_t next_try_ns;		/* likewise; 0: none is due */
	uint64_t silent_ns;		/* likewise; since when nothing came from
					 * the peer, before Finish; 0: it did */
	bool recover_due;		/* source: tried long enough, so it
					 * waits for COMMAND_RECOVER */
	bool poisoned;			/* source: what is missing there never comes:
					 * RAN said so */
	uint64_t waiting_pages;		/* dest: that the guest waits for */
	uint64_t pauses;		/* looks for which the guest stood still */
	uint64_t pause_max_ns;		/* the longest of them */
	char peer_host[COOKIE_TEXT_MAX]; /* as the other host calls itself */
	char broken[160];		/* what is, in words, or "" */
	char note[640];			/* last decision, in words, or "" */
};

/* Files in /proc of the guest's process. */
enum process_file {
	PROCESS_PAGEMAP = 1,	/* to read */
	PROCESS_MEMORY = 2,	/* to read, at the dest to write, too; offsets are
				 * addresses. Where all of it is in files: -EACCES */
};

struct storage_port;		/* storage.h */

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

	/* Which process the guest's is: its end is proven by that. */
	int (*process)(void *port, pid_t pid, struct fail *fail);
	/* The peer has heard how it ended: the tombstone may expire. */
	int (*acknowledge)(void *port, struct fail *fail);

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
	/* One that lies in the process already, of a predecessor. */
	int (*adopt)(void *port, pid_t pid, int remote_fd,
		     struct uffd_attachment *made, struct fail *fail);
	/* Open the files of the regions that have one, from where they are mapped. */
	int (*files)(void *port, struct guest_description *description,
		     struct fail *fail);

	/*
	 * What takes rights over the guest's process, or files: the process
	 * that runs a migration has none but for what these hand it.
	 */
	int (*process_open)(void *port, enum process_file file, int *fd,
			    struct fail *fail);
	int (*process_signal)(void *port, int signal);
	/* When a process started; 0: there is none. Or -errno: nobody knows. */
	int (*process_started)(void *port, pid_t pid, uint64_t *started);
	/* Of the guest that was opened; -ESRCH: gone; or -errno: nobody knows. */
	pid_t (*process_of)(void *port);
	/* Source: no other engine will take over, before lanes carry bytes. */
	int (*decided)(void *port, struct fail *fail);
	const struct storage_port *storage;

	/* Dest: the source has connected anew; its address and its name. */
	void (*peer)(void *port, const char *from, const char *name);
	/* A connection to the migration is refused, of a peer that has proven who it
	 * is, or not; any thread may tell. */
	void (*refused)(void *port, bool proven, const char *text);

	void (*progress)(void *port, const struct progress *progress);
	/* Readable when command() has something. */
	int (*command_fd)(void *port);
	int (*command)(void *port, struct command_data *data);
};

struct accepter;		/* accept.c: handshakes of incoming lanes */
struct dial;			/* dial.c: connections that go out */
struct loading;			/* load.c */
struct pulse;			/* pulse.c: heartbeats */
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
	struct inject *inject;		/* faults; borrowed, NULL: none */
	struct channel *channel;	/* control; owned. Source: made in
					 * Prepare. Dest: given */
	uint8_t peer_digest[32];	/* successor at the dest: who the
					 * source is; channel_is_peer() */

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
	bool undecided;			/* ASKED, GO or RESUMING was asked for, and
					 * no answer came: it may be journalled */
	enum owner_state unwritten;	/* a fact that its row does not say yet */
	uint64_t write_again_ns;	/* when it is written again */
	pid_t process;			/* successor: the guest's, by its row;
					 * 0: gone, less: nobody knows */
	struct region_map map;
	uint32_t generation;		/* of frames; 0: none sent */
	uint8_t token[TOKEN_SIZE];
	uint64_t epoch;
	struct progress progress;
	struct cookie mine;		/* said with each message of a phase */
	struct cookie peer;		/* what the other host said */
	uint64_t began_ns;
	uint64_t stopped_ns;		/* source: pause asked for */
	struct pulse *pulse;		/* owned; NULL: none beats yet */
	uint64_t last_sent_ns;		/* control channel; atomic */
	uint64_t last_heard_ns;
	uint64_t unacked_ns;		/* control channel: see silence.c */
	uint64_t last_progress_ns;
	uint64_t last_waiting_ns;
	uint64_t last_progress_bytes;

	/* The kernel's side. */
	struct uffd_attachment attachment;
	bool handed_over;		/* attachment.uffd is the guest's */
	uint64_t inserts;		/* dest: see dest_inserts() */
	int news_fd;			/* the guest's; -1: nobody tells */
	int pagemap;			/* of the guest's process, or -1 */
	int process_memory;		/* likewise: its private memory; 0: none */
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
	char went_to[256];		/* what the host was, if not as it is, or "" */
	bool paused_by_us;
	bool drained;			/* stands still for a look */
	uint64_t drained_ns;		/* since when */
	bool looked;			/* and was looked at so, before its stop */
	bool never_ran;			/* the dest promised it */
	Straddle__Answer *complete;	/* COMPLETE that came early, owned */
	bool switch_asked;		/* COMMAND_POSTCOPY came */
	enum resolution resolution;	/* to be carried out; both sides */
	int resolve_fd;			/* its file, owned, or -1 */
	struct dial *dial;		/* owned; NULL: nobody is called */
	uint64_t next_try_ns;		/* to reconnect or recover */
	uint64_t cut_ns;		/* since when it is tried; 0: it is not */
	uint64_t asked_ns;		/* last: FINISH, QUERY or RECOVER */
	unsigned int backoff_ms;
	uint64_t recovered_ns;		/* when lanes came last */
	bool answered;			/* RAN, on this very channel */
	bool unanswered;		/* asked, and all that is broken is silence */
	bool lanes_up;			/* none of them broke */
	bool recovering;		/* RECOVER was sent. Dest: was taken */
	bool packs;			/* both: push lanes carry PACKED */
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
	bool start_due;			/* it did not answer its start */
	bool settled;			/* all pages are here, counted */
	bool confirmed;			/* the row says that the source has torn down */
	bool given_up;			/* it has, and pages are missing here */
	bool broken_told;		/* BROKEN was sent of these lanes */
	uint64_t broken_told_ns;	/* last, on this channel; 0: not yet */
	uint64_t still_ns;		/* since when no page has come */
	uint64_t still_missing;		/* how many were missing then */
	bool keep_paused;		/* guest was paused before Begin */
	char dest_name[GUEST_NAME_MAX];
};

/* One phase on one side; the table is in phase.c. */
struct phase_step {
	enum side side;
	enum phase phase;
	int (*run)(struct migration *migration);
	void (*undo)(struct migration *migration);
	int (*again)(struct migration *migration);	/* a successor; NULL:
							 * it never comes there */
};

extern const struct phase_step phase_table[];
extern const size_t phase_table_count;

const char *resolution_name(enum resolution resolution);
enum resolution resolution_named(const char *name);
void migration_init(struct migration *migration, enum side side);
/* All phases of this side; 0, or -errno with migration->fail. */
int migration_run(struct migration *migration);
/* From where a predecessor was, by its row's state in @m->state. */
int migration_continue(struct migration *migration);
void migration_fini(struct migration *migration);

#endif
