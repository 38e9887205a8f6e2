// SPDX-License-Identifier: LGPL-2.1-or-later
/* site.c - two hosts, a cable, keys for TLS, and some guest memory. */
#include "tools/bench/site.h"

#include <errno.h>
#include <linux/memfd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/net/net.h"
#include "tools/net/netns.h"

#define SOURCE_CIDR	"10.177.0.1/24"
#define DEST_CIDR	DEST_ADDRESS "/24"

/* Bytes that no page has all zero and none has as another one has. */
static void block_fill(uint64_t *words, size_t count, uint64_t *state)
{
	size_t i;

	for (i = 0; i < count; i++) {
		*state ^= *state << 13;
		*state ^= *state >> 7;
		*state ^= *state << 17;
		words[i] = *state;
	}
}

static int fill(int fd, uint64_t filled)
{
	uint64_t words[8192], done, state = 88172645463325252ull;
	int ret = 0;

	for (done = 0; !ret && done < filled; done += sizeof(words)) {
		block_fill(words, sizeof(words) / sizeof(*words), &state);
		ret = sys_pwrite_all(fd, words, sizeof(words), done);
	}
	return ret;
}

/* There is no write(2) into a file of large pages. */
static int fill_huge(int fd, uint64_t filled)
{
	uint64_t state = 88172645463325252ull;
	void *at = NULL;
	int ret = 0;

	if (filled)
		ret = sys_mmap(&at, filled, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!at)
		return ret;
	block_fill(at, filled / sizeof(uint64_t), &state);
	munmap(at, filled);
	return 0;
}

static int create(unsigned int flags, uint64_t size, uint64_t filled,
		  int (*fill_fn)(int fd, uint64_t filled))
{
	int fd = sys_ret(memfd_create("straddle-bench", MFD_CLOEXEC | flags));
	int ret;

	if (fd < 0)
		return fd;
	ret = sys_ret(ftruncate(fd, (off_t)size));
	if (!ret)
		ret = fill_fn(fd, filled);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/**
 * memory_create() - guest memory in a memfd
 * @size: of it, bytes
 * @filled: how much of its beginning holds data; the rest was never written
 *
 * Return: its descriptor or -errno.
 */
int memory_create(uint64_t size, uint64_t filled)
{
	return create(0, size, filled, fill);
}

/**
 * memory_create_huge() - the same of pages of 2 MiB
 * @size: of it, bytes; the pages are in the host's pool
 * @filled: how much of its beginning holds data; the rest was never written
 *
 * Return: its descriptor or -errno.
 */
int memory_create_huge(uint64_t size, uint64_t filled)
{
	return create(MFD_HUGETLB | MFD_HUGE_2MB, size, filled, fill_huge);
}

/**
 * memory_warm() - make sure that free memory of this machine is really there
 * @size: bytes that somebody is about to allocate
 *
 * A virtual machine gives free memory back to its host (free page reporting);
 * who takes it next waits for the host, page by page. That is no cost of what
 * is measured here, and falls on whoever comes first: so it falls on us.
 */
void memory_warm(uint64_t size)
{
	void *at = NULL;

	if (!sys_mmap(&at, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0))
		munmap(at, size);
}

/* As the kernel estimates it; 0: it does not say. */
static uint64_t memory_available(void)
{
	__cleanup_file FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[128];

	while (file && !kib && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) != 1)
			kib = 0;
	return kib << 10;
}

/**
 * memory_fits() - could this machine give so much?
 * @size: bytes
 *
 * Return: false if the kernel says that it could not.
 */
bool memory_fits(uint64_t size)
{
	uint64_t available = memory_available();

	return !available || size < available;
}

static int key_write(const char *path)
{
	__cleanup_file FILE *file = fopen(path, "wx");
	uint8_t key[32];
	size_t i;

	if (!file)
		return -EIO;
	if (getrandom(key, sizeof(key), 0) != sizeof(key) ||
	    fchmod(fileno(file), 0600))
		return -EIO;
	fprintf(file, "bench:");
	for (i = 0; i < sizeof(key); i++)
		fprintf(file, "%02x", key[i]);
	fprintf(file, "\n");
	return ferror(file) ? -EIO : 0;
}

static int keys_make(struct site *site, struct fail *fail)
{
	static const char path[] = SITE_DIR "/keys";
	struct credentials_paths paths = { .psk_file = path };
	int ret = key_write(path);

	if (ret < 0)
		return fail_set(fail, ret, "cannot write %s", path);
	ret = credentials_load(SECURITY_PSK, &paths, &site->credentials, fail);
	unlink(path);
	return ret;
}

/* What is in it goes away with the processes, in whatever way they end. */
static int dir_make(struct fail *fail)
{
	int ret = sys_ret(unshare(CLONE_NEWNS));

	if (!ret)
		ret = sys_ret(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	if (!ret)
		ret = sys_ret(mount("straddle-bench", SITE_DIR, "tmpfs", MS_NOSUID | MS_NODEV,
				    "mode=0700"));
	return ret ? fail_set(fail, ret, "cannot mount a tmpfs of its own: %s: run it as root",
			      strerror(-ret))
		   : 0;
}

static int hosts_make(struct site *site, struct fail *fail)
{
	struct netns_end source = {
		.name = SITE_LINK, .address = SOURCE_CIDR,
	}, dest = {
		.name = SITE_LINK, .address = DEST_CIDR,
	};

	site->source_netns = netns_create(fail);
	if (site->source_netns < 0)
		return site->source_netns;
	site->dest_netns = netns_create(fail);
	if (site->dest_netns < 0)
		return site->dest_netns;
	source.netns = site->source_netns;
	dest.netns = site->dest_netns;
	return netns_connect(&source, &dest, fail);
}

/* Both guests, and as much once more that is made sure of. */
static int memory_check(uint64_t memory_size, struct fail *fail)
{
	if (memory_fits(3 * memory_size))
		return 0;
	return fail_set(fail, -ENOMEM, "%llu MiB take three times as much memory, and %llu MiB "
			"are free: give a smaller --size",
			(unsigned long long)memory_size >> 20,
			(unsigned long long)memory_available() >> 20);
}

/**
 * site_open() - make all that measurements share
 * @site: receives it; site_close() removes it, also after a failure here
 * @memory_size: of the guest memory that is moved, bytes
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int site_open(struct site *site, uint64_t memory_size, struct fail *fail)
{
	int ret;

	*site = (struct site){
		.source_netns = -1, .dest_netns = -1, .memory = -1,
		.memory_size = memory_size,
	};
	ret = memory_check(memory_size, fail);
	if (!ret)
		ret = dir_make(fail);
	if (!ret)
		ret = hosts_make(site, fail);
	if (!ret)
		ret = keys_make(site, fail);
	if (ret)
		return ret;
	site->memory = memory_create(memory_size, memory_size);
	if (site->memory < 0)
		return fail_set(fail, site->memory, "cannot make %llu MiB of guest memory: %s",
				(unsigned long long)memory_size >> 20, strerror(-site->memory));
	return 0;
}

typedef int limit_fn(struct net *net, const char *name, const struct net_rate *rate,
		     struct fail *fail);

/* @limit: NULL: none */
static int end_narrow(int netns, limit_fn *limit, struct fail *fail)
{
	/* A queue as deep as a switch has. A burst of the largest packet: TCP's
	 * need not be cut, as they need not be for a network card. */
	static const struct net_rate rate = {
		.rate = 1000000000, .burst = 72 << 10, .latency_us = 50000,
	};
	struct net *net;
	int ret = net_open_in(&net, netns, fail);

	if (ret)
		return ret;
	ret = limit ? limit(net, SITE_LINK, &rate, fail) : net_limit_none(net, SITE_LINK, fail);
	net_close(net);
	return ret;
}

static int ends_narrow(const struct site *site, limit_fn *limit, struct fail *fail)
{
	int ret = end_narrow(site->source_netns, limit, fail);

	return ret ?: end_narrow(site->dest_netns, limit, fail);
}

/**
 * site_narrow() - have the cable carry 1 Gbit/s
 * @site: where nothing is measured at the moment
 * @on: or all that it can
 * @fail: says why not; or NULL
 *
 * Return: 0 or -errno.
 */
int site_narrow(const struct site *site, bool on, struct fail *fail)
{
	return ends_narrow(site, on ? net_limit_tbf : NULL, fail);
}

/**
 * site_narrow_bands() - site_narrow(), with bands by SO_PRIORITY for a queue
 * @site: where nothing is measured at the moment; site_narrow() undoes it
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int site_narrow_bands(const struct site *site, struct fail *fail)
{
	return ends_narrow(site, net_limit_bands, fail);
}

/**
 * site_close() - remove all of it
 * @site: from site_open()
 */
void site_close(struct site *site)
{
	int *fds[] = { &site->source_netns, &site->dest_netns, &site->memory };
	size_t i;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (*fds[i] >= 0)
			close(*fds[i]);
	credentials_free(site->credentials);
}
