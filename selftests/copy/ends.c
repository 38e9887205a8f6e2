// SPDX-License-Identifier: LGPL-2.1-or-later
/* ends.c - both ends of a migration in one process, with a guest at each. */
#include "ends.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "copy/kind.h"
#include "harness.h"
#include "lib/hugepages.h"
#include "sys.h"

#define TRACK_FEATURES	(UFFD_FEATURE_WP_ASYNC |			\
			 UFFD_FEATURE_WP_UNPOPULATED |			\
			 UFFD_FEATURE_WP_HUGETLBFS_SHMEM |		\
			 UFFD_FEATURE_PAGEFAULT_FLAG_WP)

static const struct memory_kind *kind_at(enum guest_memory memory)
{
	static const struct memory_kind *const kinds[] = {
		[GUEST_MEMFD] = &kind_shmem,
		[GUEST_PRIVATE] = &kind_private,
		[GUEST_HUGETLB] = &kind_hugetlb,
	};

	return kinds[memory];
}

bool memory_ready(enum guest_memory memory, uint64_t pages)
{
	const struct uffd_feature *lacking =
		uffd_feature_missing(kind_at(memory)->features |
				     TRACK_FEATURES);

	if (lacking) {
		test_skip("%s needs %s, of kernel %s", lacking->needed_for,
			  lacking->name, lacking->since);
		return false;
	}
	if (memory == GUEST_HUGETLB && hugepages_add((long)pages)) {
		test_skip("no %u huge pages of 2 MiB free on this host",
			  (unsigned int)pages);
		return false;
	}
	return true;
}

void memory_done(enum guest_memory memory, uint64_t pages)
{
	if (memory == GUEST_HUGETLB)
		EXPECT_EQ(0, hugepages_add(-(long)pages));
}

/* A guest of huge pages has fewer of them. */
uint64_t memory_pages(enum guest_memory memory, uint64_t small_pages)
{
	return memory == GUEST_HUGETLB ? 16 : small_pages;
}

static struct region region_of(const struct guest_process *guest, int uffd)
{
	return (struct region){
		.page_shift = guest->page_shift,
		.pages = guest->pages,
		.shared = guest->fd >= 0,
		.address = guest->address,
		.fd = guest->fd,
		.pid = guest->pid,
		.pagemap = guest->pagemap,
		.uffd = uffd,
	};
}

static void here_create(struct ends *ends)
{
	struct region region = region_of(&ends->here, -1);

	ASSERT_EQ(0, region_add(&ends->here_map, &region));
	ASSERT_EQ(0, source_create(&ends->here_map, 0, &ends->source));
}

static void there_create(struct ends *ends)
{
	struct region region = region_of(&ends->there, ends->there.uffd);
	char path[256];

	ASSERT_EQ(0, region_add(&ends->there_map, &region));
	ASSERT_EQ(0, uffd_register(region.uffd,
				   page_range(&region, 0, region.pages),
				   kind_at(ends->there.memory)->modes));
	snprintf(path, sizeof(path), "%s/pages", test_dir());
	ASSERT_EQ(0, dest_create(&ends->there_map, path, region.uffd,
				 &ends->dest));
	ASSERT_EQ(0, unlink(path));
}

static void ends_init(struct ends *ends)
{
	memset(ends, 0, sizeof(*ends));
	ends->tracker.pagemap = -1;
	ends->generation = 1;
}

void here_open(struct ends *ends, enum guest_memory memory, uint64_t pages)
{
	ends_init(ends);
	ASSERT_EQ(0, guest_start(&ends->here, memory, pages, TRACK_FEATURES));
	here_create(ends);
}

void there_open(struct ends *ends, enum guest_memory memory, uint64_t pages)
{
	ends_init(ends);
	ASSERT_EQ(0, guest_start(&ends->there, memory, pages,
				 kind_at(memory)->features));
	there_create(ends);
}

/* The guests come first: there are no threads yet when they are forked. */
void ends_open(struct ends *ends, enum guest_memory memory, uint64_t pages)
{
	unsigned int i;

	ends_init(ends);
	ASSERT_EQ(0, guest_start(&ends->here, memory, pages, TRACK_FEATURES));
	ASSERT_EQ(0, guest_start(&ends->there, memory, pages,
				 kind_at(memory)->features));
	here_create(ends);
	there_create(ends);
	for (i = 0; i < LANES; i++) {
		lane_pair(ends, LANE_PUSH, i);
		lane_pair(ends, LANE_FAULT, i);
	}
}

void ends_close(struct ends *ends)
{
	dest_destroy(ends->dest);
	source_destroy(ends->source);
	if (ends->tracker.pagemap >= 0)
		uffd_tracker_close(&ends->tracker);
	if (ends->here.pid > 0)
		guest_end(&ends->here);
	if (ends->there.pid > 0)
		guest_end(&ends->there);
	region_map_fini(&ends->here_map);
	region_map_fini(&ends->there_map);
}

static void sockets(int pair[2])
{
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
}

static void source_side(struct ends *ends, int fd, enum lane_role role,
			unsigned int index)
{
	struct lane *lane;

	ASSERT_EQ(0, lane_create_plain(fd, role, index, &ends->here_map,
				       &lane));
	ASSERT_EQ(0, source_add_lane(ends->source, lane));
}

static void dest_side(struct ends *ends, int fd, enum lane_role role,
		      unsigned int index)
{
	struct lane *lane;

	ASSERT_EQ(0, lane_create_plain(fd, role, index, &ends->there_map,
				       &lane));
	ASSERT_EQ(0, dest_add_lane(ends->dest, lane));
}

void lane_pair(struct ends *ends, enum lane_role role, unsigned int index)
{
	int pair[2];

	sockets(pair);
	source_side(ends, pair[0], role, index);
	dest_side(ends, pair[1], role, index);
}

/* Our end of a lane of the source: what a dest would have. */
struct lane *lane_to_source(struct ends *ends, enum lane_role role)
{
	struct lane *lane;
	int pair[2];

	sockets(pair);
	source_side(ends, pair[0], role, 0);
	ASSERT_EQ(0, lane_create_plain(pair[1], role, 0, &ends->here_map,
				       &lane));
	return lane;
}

/* Our end of a lane of the dest: what a source would have. */
struct lane *lane_to_dest(struct ends *ends, enum lane_role role)
{
	struct lane *lane;
	int pair[2];

	sockets(pair);
	dest_side(ends, pair[0], role, 0);
	ASSERT_EQ(0, lane_create_plain(pair[1], role, 0, &ends->there_map,
				       &lane));
	return lane;
}

/* Wait for news; they are looked for again before the next wait. */
static void event_wait(int fd)
{
	uint64_t value;

	ASSERT_EQ(0, sys_wait_fd(fd, POLLIN, -1));
	ASSERT_EQ(8, sys_retry(read(fd, &value, sizeof(value))));
}

int source_wait_error(struct source *source)
{
	while (!source_error(source))
		event_wait(source->event_fd);
	return source_error(source);
}

int dest_wait_error(struct dest *dest)
{
	while (!dest_error(dest))
		event_wait(dest->event_fd);
	return dest_error(dest);
}

static struct region *here_region(struct ends *ends)
{
	return &ends->here_map.regions[0];
}

void ends_track(struct ends *ends)
{
	struct region *region = here_region(ends);

	ASSERT_EQ(0, uffd_tracker_open(&ends->tracker, ends->here.pid,
				       ends->here.uffd));
	ASSERT_EQ(0, uffd_track(&ends->tracker,
				page_range(region, 0, region->pages)));
}

/* One pre-copy round, through its barrier. */
void ends_round(struct ends *ends)
{
	struct round_result result;

	source_round_start(ends->source, ends->generation);
	while (!source_round_done(ends->source, &result)) {
		ASSERT_EQ(0, source_error(ends->source));
		event_wait(ends->source->event_fd);
	}
	while (dest_barrier_passed(ends->dest) < ends->generation) {
		ASSERT_EQ(0, dest_error(ends->dest));
		event_wait(ends->dest->event_fd);
	}
	ends->generation++;
}

static int zap_there(struct range range, void *arg)
{
	struct ends *ends = arg;

	return guest_zap(&ends->there, range);
}

/* The guest stands still here; what is dirty is missing there. */
void ends_switch(struct ends *ends)
{
	struct bitmap *dirty = &ends->source->regions[0].dirty;
	struct region *region = &ends->there_map.regions[0];
	struct bitmap keep;

	source_hold(ends->source);
	ASSERT_EQ(0, bitmap_init(&keep, region->pages));
	bitmap_copy_inverted(&keep, dirty);
	ASSERT_EQ(0, dest_keep(ends->dest, region, 0, region->pages,
			       keep.words));
	bitmap_fini(&keep);
	ASSERT_EQ(0, dest_stale(ends->dest, ends->there.pagemap, zap_there,
				ends));
	dest_switch(ends->dest, ends->generation);
}

void ends_push(struct ends *ends)
{
	ASSERT_EQ(0, dest_settle(ends->dest));
	ASSERT_EQ(0, source_push_start(ends->source, ends->generation));
}

void ends_finish(struct ends *ends)
{
	while (!dest_complete(ends->dest)) {
		ASSERT_EQ(0, dest_error(ends->dest));
		ASSERT_EQ(0, source_error(ends->source));
		event_wait(ends->dest->event_fd);
	}
	while (!source_proven(ends->source)) {
		ASSERT_EQ(0, source_error(ends->source));
		event_wait(ends->source->event_fd);
	}
	EXPECT_EQ(0, dest_error(ends->dest));
	EXPECT_EQ(ends->here.pages, ends->source->regions[0].proof.pages);
	EXPECT_EQ(ends->there.pages, ends->dest->proofs[0].pages);
	EXPECT_TRUE(digest_equal(ends->source->regions[0].proof.sum,
				 ends->dest->proofs[0].sum));
}

void ends_compare(struct ends *ends)
{
	uint64_t page;

	ASSERT_EQ(0, guest_hash(&ends->here, 0, ends->here.pages));
	ASSERT_EQ(0, guest_hash(&ends->there, 0, ends->there.pages));
	for (page = 0; page < ends->here.pages; page++)
		ASSERT_EQ(ends->here.hashes[page], ends->there.hashes[page]) {
			TH_LOG("page %llu", (unsigned long long)page);
		}
}

unsigned int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	ASSERT_NE(NULL, dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}
