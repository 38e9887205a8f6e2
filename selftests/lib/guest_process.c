// SPDX-License-Identifier: LGPL-2.1-or-later
/* guest_process.c - a process that owns memory and touches it on command. */
#include "lib/guest_process.h"

#include <linux/mman.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "sys.h"

enum command_code { HASH, WRITE, ADVISE, SCRIBBLE, BALLOON, REST };

struct command {
	enum command_code code;
	uint64_t first, count;	/* pages; ADVISE: address and bytes */
	uint64_t seed;		/* ADVISE: MADV_* */
};

/* ---- both sides ---------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/**
 * guest_pattern() - what guest_write() writes
 * @page: where to
 * @size: bytes
 * @number: of the page
 * @seed: 0: zeroes; with GUEST_TEXT: what packs well; else what does not
 */
void guest_pattern(void *page, uint64_t size, uint64_t number, uint64_t seed)
{
	uint64_t *words = page, i, state = mix(number << 20 ^ seed);
	unsigned int drop = seed & GUEST_TEXT ? 58 : 0;

	if (!seed) {
		memset(page, 0, size);
		return;
	}
	for (i = 0; i < size / 8; i++)
		words[i] = (state += 0x9e3779b97f4a7c15ull) >> drop;
}

/**
 * guest_hash_of() - what guest_hash() finds
 * @page: bytes
 * @size: how many
 *
 * Return: the hash.
 */
uint64_t guest_hash_of(const void *page, uint64_t size)
{
	const uint64_t *words = page;
	uint64_t i, hash = size;

	for (i = 0; i < size / 8; i++)
		hash = (hash ^ words[i]) * 0x100000001b3ull + (hash >> 47);
	return hash;
}

static uint64_t guest_bytes(const struct guest_process *guest)
{
	return guest->pages << guest->page_shift;
}

/* ---- the child ----------------------------------------------------------- */

/* Writes single words all over some pages, or frees them, until told to rest. */
struct scribbler {
	struct guest_process *guest;
	struct command command;
	pthread_t thread;
	bool running;		/* atomic */
	int wrong;		/* freed pages that were not zero */
};

static void *scribble_main(void *arg)
{
	struct scribbler *scribbler = arg;
	struct guest_process *guest = scribbler->guest;
	uint64_t state = 1, words = 1ull << (guest->page_shift - 3);

	while (__atomic_load_n(&scribbler->running, __ATOMIC_ACQUIRE)) {
		uint64_t page, *at;

		state += 0x9e3779b97f4a7c15ull;
		page = scribbler->command.first +
		       mix(state) % scribbler->command.count;
		at = (uint64_t *)(guest->address +
				  (page << guest->page_shift));
		at[mix(state + 1) % words] = state;
	}
	return NULL;
}

static bool all_zero(const uint64_t *words, uint64_t count)
{
	uint64_t i;

	for (i = 0; i < count; i++)
		if (words[i])
			return false;
	return true;
}

/* Memory that was freed is zero, however soon it is looked at, and stays so. */
static void *balloon_main(void *arg)
{
	struct scribbler *scribbler = arg;
	struct guest_process *guest = scribbler->guest;
	uint64_t state = 1, size = 1ull << guest->page_shift;

	while (__atomic_load_n(&scribbler->running, __ATOMIC_ACQUIRE)) {
		uint64_t page;
		void *at;

		state += 0x9e3779b97f4a7c15ull;
		page = scribbler->command.first +
		       mix(state) % scribbler->command.count;
		at = (void *)(guest->address + page * size);
		if (sys_ret(madvise(at, size, MADV_DONTNEED)) ||
		    !all_zero(at, size / 8))
			scribbler->wrong++;
	}
	return NULL;
}

static int scribble(struct scribbler *scribbler, const struct command *command)
{
	if (scribbler->running)
		return -EBUSY;
	scribbler->command = *command;
	scribbler->running = true;
	return -pthread_create(&scribbler->thread, NULL,
			       command->code == BALLOON ? balloon_main
							: scribble_main,
			       scribbler);
}

static int rest(struct scribbler *scribbler)
{
	int ret;

	if (!scribbler->running)
		return -EINVAL;
	__atomic_store_n(&scribbler->running, false, __ATOMIC_RELEASE);
	ret = -pthread_join(scribbler->thread, NULL);
	return ret ? ret : scribbler->wrong;
}

static int obey(struct scribbler *scribbler, const struct command *command)
{
	struct guest_process *guest = scribbler->guest;
	uint64_t i, size = 1ull << guest->page_shift;

	switch (command->code) {
	case HASH:
		for (i = command->first; i < command->first + command->count;
		     i++)
			guest->hashes[i] = guest_hash_of(
				(void *)(guest->address + i * size), size);
		return 0;
	case WRITE:
		for (i = command->first; i < command->first + command->count;
		     i++)
			guest_pattern((void *)(guest->address + i * size),
				      size, i, command->seed);
		return 0;
	case ADVISE:
		return sys_ret(madvise((void *)command->first, command->count,
				       (int)command->seed));
	case SCRIBBLE:
	case BALLOON:
		return scribble(scribbler, command);
	case REST:
		return rest(scribbler);
	}
	return -EINVAL;
}

static int memory_map(struct guest_process *guest)
{
	void *map = NULL;
	int flags = guest_memory_is_shared(guest->memory) ? MAP_SHARED : MAP_PRIVATE;
	int ret;

	if (guest->fd < 0)
		flags |= MAP_ANONYMOUS;
	if (guest->memory == GUEST_HUGE_PRIVATE)
		flags |= MAP_HUGETLB | MAP_HUGE_2MB;
	ret = sys_mmap(&map, guest_bytes(guest), PROT_READ | PROT_WRITE, flags,
		       guest->fd, 0);

	guest->address = (uint64_t)map;
	return ret;
}

/* What the parent has to know: the address, and the descriptor beside it. */
static int hello(struct guest_process *guest, int uffd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} rights = { .header = {
		.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	struct iovec part = { &guest->address, sizeof(guest->address) };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = &rights, .msg_controllen = sizeof(rights),
	};

	memcpy(CMSG_DATA(&rights.header), &uffd, sizeof(uffd));
	return (int)sys_retry(sendmsg(guest->control, &message, 0));
}

static void child_main(struct guest_process *guest, uint64_t features)
{
	struct scribbler scribbler = { .guest = guest };
	struct command command;
	int uffd = uffd_open();

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (uffd < 0 || uffd_enable(uffd, features) < 0 ||
	    memory_map(guest) < 0 || hello(guest, uffd) < 0)
		_exit(1);
	while (!sys_read_all(guest->control, &command, sizeof(command))) {
		int ret = obey(&scribbler, &command);

		if (sys_write_all(guest->control, &ret, sizeof(ret)))
			break;
	}
	_exit(0);
}

/* ---- the parent ---------------------------------------------------------- */

static int hear_hello(struct guest_process *guest)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} rights;
	struct iovec part = { &guest->address, sizeof(guest->address) };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = &rights, .msg_controllen = sizeof(rights),
	};
	ssize_t got = sys_retry(recvmsg(guest->control, &message,
					MSG_CMSG_CLOEXEC));

	if (got != sizeof(guest->address) || !CMSG_FIRSTHDR(&message))
		return got < 0 ? (int)got : -EPIPE;
	memcpy(&guest->uffd, CMSG_DATA(CMSG_FIRSTHDR(&message)),
	       sizeof(guest->uffd));
	return 0;
}

static int memory_make(struct guest_process *guest)
{
	unsigned int flags = MFD_CLOEXEC;
	void *hashes = NULL;
	int ret = sys_mmap(&hashes, guest->pages * 8, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	guest->hashes = hashes;
	if (ret < 0 || !guest_memory_has_file(guest->memory))
		return ret;
	if (guest->memory == GUEST_HUGETLB)
		flags |= MFD_HUGETLB;
	guest->fd = sys_ret(memfd_create("guest", flags));
	if (guest->fd < 0)
		return guest->fd;
	return sys_ret(ftruncate(guest->fd, (off_t)guest_bytes(guest)));
}

static int child_start(struct guest_process *guest, uint64_t features)
{
	int pair[2];
	int ret = sys_ret(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				     pair));

	if (ret < 0)
		return ret;
	guest->pid = sys_ret(fork());
	if (!guest->pid) {
		close(pair[0]);
		guest->control = pair[1];
		child_main(guest, features);
	}
	close(pair[1]);
	guest->control = pair[0];
	return guest->pid < 0 ? guest->pid : hear_hello(guest);
}

/**
 * guest_start() - make a process with memory
 * @guest: to fill in; guest_end() ends it, also when this fails
 * @memory: of which kind
 * @pages: how many, small or huge ones
 * @features: UFFD_FEATURE_* of its userfaultfd
 *
 * Return: 0 or -errno.
 */
int guest_start(struct guest_process *guest, enum guest_memory memory,
		uint64_t pages, uint64_t features)
{
	char path[64];
	int ret;

	*guest = (struct guest_process){
		.memory = memory,
		.page_shift = guest_memory_is_huge(memory) ? 21 : 12,
		.pages = pages,
		.pid = -1, .control = -1, .fd = -1, .uffd = -1, .pagemap = -1,
	};
	ret = memory_make(guest);
	if (!ret)
		ret = child_start(guest, features);
	if (ret < 0)
		return ret;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", guest->pid);
	guest->pagemap = sys_ret(open(path, O_RDONLY | O_CLOEXEC));
	return guest->pagemap < 0 ? guest->pagemap : 0;
}

/**
 * guest_end() - kill the process and forget it
 * @guest: that was started, or failed to
 */
void guest_end(struct guest_process *guest)
{
	int fds[] = { guest->control, guest->fd, guest->uffd, guest->pagemap };
	unsigned int i;

	if (guest->pid > 0) {
		kill(guest->pid, SIGKILL);
		(void)sys_retry(waitpid(guest->pid, NULL, 0));
	}
	for (i = 0; i < 4; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (guest->hashes)
		munmap(guest->hashes, guest->pages * 8);
}

static int post(struct guest_process *guest, struct command command)
{
	return sys_write_all(guest->control, &command, sizeof(command));
}

static int command_do(struct guest_process *guest, struct command command)
{
	int ret = post(guest, command);

	return ret ? ret : guest_wait(guest);
}

/**
 * guest_wait() - wait for the answer to what was posted
 * @guest: with one command under way
 *
 * Return: 0 or -errno.
 */
int guest_wait(struct guest_process *guest)
{
	int answer;
	int ret = sys_read_all(guest->control, &answer, sizeof(answer));

	return ret ? ret : answer;
}

/**
 * guest_post_hash() - have pages read, and do not wait
 * @guest: to read
 * @first: page
 * @count: pages
 *
 * Return: 0 or -errno.
 */
int guest_post_hash(struct guest_process *guest, uint64_t first,
		    uint64_t count)
{
	return post(guest, (struct command){ HASH, first, count, 0 });
}

/**
 * guest_hash() - have pages read into guest->hashes
 * @guest: to read
 * @first: page
 * @count: pages
 *
 * Return: 0 or -errno.
 */
int guest_hash(struct guest_process *guest, uint64_t first, uint64_t count)
{
	return command_do(guest, (struct command){ HASH, first, count, 0 });
}

/**
 * guest_write() - have pages written
 * @guest: to write
 * @first: page
 * @count: pages
 * @seed: of the pattern; 0: zeroes
 *
 * Return: 0 or -errno.
 */
int guest_write(struct guest_process *guest, uint64_t first, uint64_t count,
		uint64_t seed)
{
	return command_do(guest,
			  (struct command){ WRITE, first, count, seed });
}

/**
 * guest_zap() - have a range unmapped there
 * @guest: whose memory it is
 * @range: addresses there
 *
 * Return: 0 or -errno.
 */
int guest_zap(struct guest_process *guest, struct range range)
{
	return command_do(guest, (struct command){ ADVISE, range.start,
						   range.len, MADV_DONTNEED });
}

/**
 * guest_advise() - have it call madvise()
 * @guest: whose memory it is
 * @first: page
 * @count: pages
 * @advice: MADV_*
 *
 * Return: 0 or -errno.
 */
int guest_advise(struct guest_process *guest, uint64_t first, uint64_t count,
		 int advice)
{
	return command_do(guest, (struct command){ ADVISE,
			guest->address + (first << guest->page_shift),
			count << guest->page_shift, (uint64_t)advice });
}

/**
 * guest_balloon() - free pages of private memory and look at them, until
 *	guest_rest()
 * @guest: that does
 * @first: page
 * @count: pages
 *
 * Return: 0 or -errno.
 */
int guest_balloon(struct guest_process *guest, uint64_t first, uint64_t count)
{
	return command_do(guest, (struct command){ BALLOON, first, count, 0 });
}

/**
 * guest_scribble() - write all over some pages until guest_rest()
 * @guest: that writes
 * @first: page
 * @count: pages
 *
 * Return: 0 or -errno.
 */
int guest_scribble(struct guest_process *guest, uint64_t first, uint64_t count)
{
	return command_do(guest, (struct command){ SCRIBBLE, first, count,
						   0 });
}

/**
 * guest_rest() - end guest_scribble() or guest_balloon()
 * @guest: that is at it
 *
 * Return: 0, how many freed pages were not zero, or -errno.
 */
int guest_rest(struct guest_process *guest)
{
	return command_do(guest, (struct command){ .code = REST });
}
