/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest.h - what a migration asks of a hypervisor.
 *
 * A guest driver answers these questions for one kind of hypervisor. Every
 * call but list() and the creating ones takes an open guest. All return 0 or
 * -errno and say in @fail, for the user, what could not be done and why.
 */
#ifndef STRADDLE_GUEST_H
#define STRADDLE_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fail.h"
#include "obstacles.h"

#define GUEST_NOWHERE		UINT64_MAX
#define GUEST_DISKS_MAX		64
#define GUEST_REGIONS_MAX	64
#define GUEST_REGION_NAME_MAX	128	/* bytes, NUL included */
#define GUEST_NAME_MAX		64	/* bytes, NUL included */
#define GUEST_UUID_SIZE		37	/* text, NUL included */
#define GUEST_DEFINITION_MAX	(1u << 20)	/* bytes of one definition */
#define GUEST_STATE_MAX		(64u << 20)	/* bytes of device state */

/* A piece of guest memory, as it lies in the guest's process. */
struct guest_region {
	char name[GUEST_REGION_NAME_MAX]; /* the hypervisor's word for it */
	uint64_t address;	/* in the guest's process, page aligned */
	uint64_t size;		/* bytes, whole pages */
	uint32_t page_size;	/* 4096, or the huge page's */
	bool shared;		/* MAP_SHARED: the file is the truth */
	bool of_file;		/* MAP_PRIVATE: what was not written is its file's */
	int fd;			/* its file, owned by the description; -1: none */
	uint64_t offset;	/* where in the file it starts */
	uint64_t physical;	/* where the guest sees its first page, or
				 * GUEST_NOWHERE: not known */
};

/* Memory behind which there is one; @fd is it, once that was opened. */
static inline bool guest_region_has_file(const struct guest_region *region)
{
	return region->shared || region->of_file;
}

/* Which disks go along that the hosts do not share. */
enum copy_storage {
	COPY_STORAGE_NONE,	/* there must be none */
	COPY_STORAGE_ALL,	/* all of what each of them holds */
	COPY_STORAGE_INC,	/* what is not in its backing file */
};

/* A disk that the guest writes, as this host sees it. */
struct guest_disk {
	char target[32];	/* the guest's name for it, "vda" */
	char path[512];		/* file or block device */
	uint64_t filesystem;	/* statfs(2): f_type */
	uint64_t device, inode;	/* stat(2) */
	char identity[128];	/* of a block device, the same everywhere; or "" */
	uint64_t capacity;	/* bytes that the guest sees; 0: not known */
	uint64_t allocation;	/* bytes that it takes on storage */
	char backing[512];	/* its backing file, or "" */
	char backing_format[16];
	bool copy;		/* dest: check() found that it has to be copied */
};

/* What a disk is to be copied to. */
struct guest_image {
	char path[512];
	char format[16];
	bool direct;		/* past the page cache, as the guest's is */
	bool made;		/* by us, and it is this one: */
	uint64_t device, inode;
};

/* How far the copy of a disk is. */
struct guest_copy {
	uint64_t done, total;	/* bytes; the guest's writes add to both */
	bool ready;		/* it follows the guest's writes */
	bool gone;		/* nothing is copied any more */
};

/* Where a disk is copied to, and how. */
struct guest_copying {
	const struct guest_disk *disk;
	const char *socket;	/* speaks NBD */
	const char *export;	/* the name of the disk there */
	bool incremental;	/* without what is in the backing file */
	bool synchronous;	/* the guest's writes wait for the copy's */
	uint64_t bandwidth;	/* bytes a second; 0: unlimited */
};

/* A program of ours that serves an image. */
struct guest_server {
	pid_t pid;		/* a child */
	int pidfd;		/* owned; -1: there is none */
};

/*
 * What a guest is. The live definition starts the guest elsewhere; the
 * persistent one, if it has one, is what remains after a shutdown. They
 * are never merged.
 */
struct guest_description {
	char name[GUEST_NAME_MAX];
	char uuid[GUEST_UUID_SIZE];
	pid_t pid;
	unsigned int vcpus;
	uint64_t memory_bytes;	/* as its definition says */
	bool running;		/* false: paused */
	bool incoming;		/* created for a migration, never ran here */
	bool drain;		/* devices write memory behind the process's
				 * page tables: looks at what was written need
				 * it to stand still */
	char *live;		/* owned; text */
	char *persistent;	/* owned; text, or NULL: transient */
	char version[64];	/* of the hypervisor, or "" */
	unsigned int disk_count;
	struct guest_disk *disks;	/* owned */
	unsigned int region_count;	/* filled by map() */
	struct guest_region regions[GUEST_REGIONS_MAX];
};

void guest_description_fini(struct guest_description *description);

struct guest;			/* an open guest; each driver has its own */

/* What a hypervisor says of a guest. */
enum guest_runs {
	GUEST_UNKNOWN,		/* it cannot be asked now, or is in between */
	GUEST_PAUSED,
	GUEST_RUNS,
	GUEST_GONE,
};

/* Where a host keeps its guests. */
struct guest_host {
	const char *run_dir;		/* sockets of running guests */
	const char *definitions_dir;	/* persistent definitions */
	bool allow_qmp;			/* a peer may say which program runs */
};

/* Called once a guest; non-zero ends the listing and is returned. */
typedef int guest_each_fn(const char *name, void *arg);

/* What create_incoming() is asked to make. */
struct guest_incoming {
	const char *live;	/* the definition to start from */
	const char *name;	/* the guest's name here */
	const struct guest_region *regions;	/* as they are at the source:
						 * name, size, page_size */
	unsigned int region_count;
	const char *version;	/* of the source's hypervisor, or "" */
	const char *boot_id;	/* of the source's kernel, or "" */
	struct guest_disk *disks;	/* as the source sees them */
	unsigned int disk_count;
	bool unsafe;		/* disks need not be shared */
	bool allow_version_skew;
	const char *given;	/* what the user wants instead of @live, which
				 * must look the same to the guest; or NULL */
	enum copy_storage copy_storage;
};

/* What a user wants of a guest that leaves. */
struct guest_leaving {
	char *live, *persistent;	/* definitions for there; NULL: its own */
	bool undefine;			/* its persistent one goes from here */
};

/*
 * Copying disks that the hosts do not share: the guest's process at the source
 * writes to a server at the dest, and goes on writing to its own disk.
 */
struct guest_storage_ops {
	/* Source. None of these waits for what is copied. */
	int (*copy_start)(struct guest *guest, const struct guest_copying *what,
			  struct fail *fail);
	int (*copy_look)(struct guest *guest, const char *target,
			 struct guest_copy *copy, struct fail *fail);
	/* @bandwidth: bytes a second; 0: unlimited. */
	int (*copy_limit)(struct guest *guest, const char *target,
			  uint64_t bandwidth, struct fail *fail);
	/* A ready one ends with all that was written up to now. */
	int (*copy_end)(struct guest *guest, const char *target,
			struct fail *fail);

	/* Dest: where it is to go, made if it is not there. */
	int (*make)(const struct guest_incoming *incoming, unsigned int disk,
		    struct guest_image *image, struct fail *fail);
	/*
	 * Serve it by NBD to whoever connects to @listener, as whoever the
	 * guest's process is. It ends when its last client leaves.
	 */
	int (*serve)(struct guest *guest, const struct guest_image *image,
		     const char *export, int listener,
		     struct guest_server *server, struct fail *fail);
};

struct guest_driver {
	const char *name;
	/* Its guests' names begin so; NULL: they have no '/' in them. */
	const char *prefix;
	/* describe() is answered by another process than the guest's. */
	bool described_elsewhere;

	int (*list)(const struct guest_host *host, guest_each_fn *each,
		    void *arg, struct fail *fail);
	int (*open)(const struct guest_host *host, const char *name,
		    struct guest **guest, struct fail *fail);
	void (*close)(struct guest *guest);
	/* An exited guest process is not alive; no question is asked of it. */
	bool (*alive)(struct guest *guest);
	/* A descriptor that becomes readable (POLLIN) when its process ends. */
	int (*pidfd)(struct guest *guest);

	int (*describe)(struct guest *guest,
			struct guest_description *description,
			struct fail *fail);
	/* Where its memory lies: a description's regions. */
	int (*map)(struct guest *guest, struct guest_description *description,
		   struct fail *fail);
	/*
	 * Stop all vCPUs and drain device I/O; idempotent. A loaded one is
	 * no longer incoming then: it is here, and paused. 1: somebody else
	 * had paused it already, as far as the driver can tell.
	 */
	int (*pause)(struct guest *guest, struct fail *fail);
	int (*resume)(struct guest *guest, struct fail *fail);
	/*
	 * A descriptor that becomes readable when the hypervisor was had to
	 * pause, resume or end the guest, by us or by others; the guest's.
	 * runs() says what is true now and empties it. NULL: nobody tells.
	 */
	int (*watch)(struct guest *guest, int *fd, struct fail *fail);
	enum guest_runs (*runs)(struct guest *guest);
	/* Do two live definitions say the same? NULL: if they are equal. */
	bool (*same)(const char *then, const char *now);
	/*
	 * While the guest still runs: what can go ahead of its state, into a
	 * new memfd, and whatever else makes save() quicker; close() undoes
	 * that. NULL: nothing goes ahead.
	 */
	int (*save_ahead)(struct guest *guest, int *state_fd,
			  struct fail *fail);
	int (*load_ahead)(struct guest *guest, int state_fd,
			  struct fail *fail);
	/* Device state of a paused guest, or the rest, into a new memfd. */
	int (*save)(struct guest *guest, int *state_fd, struct fail *fail);
	int (*load)(struct guest *guest, int state_fd, struct fail *fail);
	/*
	 * Saved, it is held: its owner is to be kept from saving it or moving
	 * it away, which would end its process; or that is over, as it is with
	 * resume(), too. NULL: nobody can.
	 */
	int (*hold)(struct guest *guest, bool hold, struct fail *fail);
	/*
	 * May this thread touch guest memory while load() runs? No vCPU may:
	 * their faults are answered from GO on. NULL: no thread does.
	 */
	bool (*loads)(struct guest *guest, uint32_t thread);

	/*
	 * Everything that keeps it from leaving like that: texts in @leaving
	 * may be replaced by what is to travel; the description receives what
	 * only a migration asks for: version, disks. NULL: nothing keeps it.
	 */
	void (*check_leaving)(struct guest *guest,
			      struct guest_description *description,
			      struct guest_leaving *leaving,
			      struct obstacles *all);
	/* Check that @incoming could be made here: every obstacle at once. */
	int (*check)(const struct guest_host *host,
		     const struct guest_incoming *incoming, struct fail *fail);
	/* Start it paused, memory empty. Its process outlives the caller. */
	int (*create_incoming)(const struct guest_host *host,
			       const struct guest_incoming *incoming,
			       struct guest **guest, struct fail *fail);
	/* Kill the process and wait until it is gone. */
	int (*destroy)(struct guest *guest, struct fail *fail);
	/*
	 * It runs elsewhere: what lies here and could become a second copy
	 * goes (a saved state). NULL: nothing can.
	 */
	void (*forget)(struct guest *guest);

	/*
	 * Store a persistent definition under @name; @previous receives the
	 * text it replaces (owned), or NULL. NULL as @text removes it.
	 */
	int (*define)(const struct guest_host *host, const char *name,
		      const char *text, char **previous, struct fail *fail);
	/*
	 * End what define() of a guest that comes in began: keep what it
	 * stored, or put back what it replaced, which outlives the caller
	 * until then. Fine when nothing is to be ended.
	 */
	int (*define_end)(const struct guest_host *host, const char *name,
			  bool keep, struct fail *fail);

	/*
	 * The guest's own userfaultfd over its memory, not yet enabled, for
	 * hypervisors that cooperate; -EOPNOTSUPP: attach from outside.
	 */
	int (*userfaultfd)(struct guest *guest, int *uffd, struct fail *fail);
	int (*userfaultfd_close)(struct guest *guest, struct fail *fail);

	/* NULL: its disks cannot be copied. */
	const struct guest_storage_ops *storage;
};

extern const struct guest_driver vmm_driver;	/* tools/guests/vmm.c */
extern const struct guest_driver libvirt_driver; /* tools/guests/libvirt.c */
extern const struct guest_driver qmp_driver;	/* tools/guests/qmp.c */
extern const struct guest_driver *const guest_drivers[]; /* ends with NULL;
						 * tools/guests/drivers.c */

bool guest_name_fits(const struct guest_driver *driver, const char *name);
int guest_find(const struct guest_driver *const *drivers,
	       const struct guest_host *host, const char *name,
	       const struct guest_driver **driver, struct guest **guest,
	       struct fail *fail);
int guest_process_owner(pid_t pid, uid_t *user, gid_t *group);
const struct guest_driver *guest_driver_named(
	const struct guest_driver *const *drivers, const char *name);

#endif
