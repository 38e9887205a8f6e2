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
		[GUEST_HUGE_PRIVATE] = &kind_private_huge,
		[GUEST_FILE_PRIVATE] = &kind_private_file,
	};

	return kinds[memory];
}

/**
 * memory_ready() - whether the kernel and the host have what a test needs
 * @memory: kind of it
 * @pages: how many, at both ends together
 *
 * Return: true, or false: the test is skipped, with its reason.
 */
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
	if (guest_memory_is_huge(memory) && hugepages_add((long)pages)) {
		test_skip("no %u huge pages of 2 MiB free on this host",
			  (unsigned int)pages);
		return false;
	}
	return true;
}

/**
 * memory_done() - give back what memory_ready() took
 * @memory: kind of it
 * @pages: as there
 */
void memory_done(enum guest_memory memory, uint64_t pages)
{
	if (guest_memory_is_huge(memory))
		EXPECT_EQ(0, hugepages_add(-(long)pages));
}

/**
 * memory_pages() - how large a guest to test with
 * @memory: kind of it; of huge pages a few will do
 * @small_pages: how many otherwise
 *
 * Return: pages.
 */
uint64_t memory_pages(enum guest_memory memory, uint64_t small_pages)
{
	return guest_memory_is_huge(memory) ? 16 : small_pages;
}

static struct region region_of(const struct guest_process *guest, int uffd)
{
	return (struct region){
		.page_shift = guest->page_shift,
		.pages = guest->pages,
		.shared = guest_memory_is_shared(guest->memory),
		.of_file = guest->memory == GUEST_FILE_PRIVATE,
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

/**
 * here_open() - a source alone, without lanes
 * @ends: to fill in
 * @memory: of its guest
 * @pages: of its guest
 */
void here_open(struct ends *ends, enum guest_memory memory, uint64_t pages)
{
	ends_init(ends);
	ASSERT_EQ(0, guest_start(&ends->here, memory, pages, TRACK_FEATURES));
	here_create(ends);
}

/**
 * there_open() - a dest alone, without lanes
 * @ends: to fill in
 * @memory: of its guest
 * @pages: of its guest
 */
void there_open(struct ends *ends, enum guest_memory memory, uint64_t pages)
{
	ends_init(ends);
	ASSERT_EQ(0, guest_start(&ends->there, memory, pages,
				 kind_at(memory)->features));
	there_create(ends);
}

static void both_open(struct ends *ends, enum guest_memory memory, uint64_t pages,
		      bool packs)
{
	unsigned int i;

	ends_init(ends);
	ends->packs = packs;
	/* First of all: there are no threads yet when they are forked. */
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

/**
 * ends_open() - both ends and the lanes between them
 * @ends: to fill in
 * @memory: of the guests
 * @pages: of each guest
 */
void ends_open(struct ends *ends, enum guest_memory memory, uint64_t pages)
{
	both_open(ends, memory, pages, false);
}

/**
 * ends_open_packed() - the same, and push lanes may pack
 * @ends: to fill in
 * @memory: of the guests
 * @pages: of each guest
 */
void ends_open_packed(struct ends *ends, enum guest_memory memory, uint64_t pages)
{
	both_open(ends, memory, pages, true);
}

/**
 * ends_pack_all() - have push lanes pack all that gets smaller, paying or not
 * @ends: of ends_open_packed(); nothing was sent yet
 */
void ends_pack_all(struct ends *ends)
{
	ends->source->worth.packs = true;
	ends->source->worth.left = UINT32_MAX;
}

/**
 * ends_close() - end everything that was opened
 * @ends: some of it may be NULL
 */
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
	if (ends->packs && role == LANE_PUSH)
		ASSERT_EQ(0, packer_create(frame_payload_max(lane->map), &lane->packer));
	ASSERT_EQ(0, source_add_lane(ends->source, lane));
}

static void dest_side(struct ends *ends, int fd, enum lane_role role,
		      unsigned int index)
{
	struct lane *lane;

	ASSERT_EQ(0, lane_create_plain(fd, role, index, &ends->there_map,
				       &lane));
	if (ends->packs)	/* also where it is not to be used */
		ASSERT_EQ(0, unpacker_create(frame_payload_max(lane->map), &lane->unpacker));
	ASSERT_EQ(0, dest_add_lane(ends->dest, lane));
}

/**
 * lane_pair() - join both ends by one more lane
 * @ends: both open
 * @role: of the lane
 * @index: within its role
 */
void lane_pair(struct ends *ends, enum lane_role role, unsigned int index)
{
	int pair[2];

	sockets(pair);
	source_side(ends, pair[0], role, index);
	dest_side(ends, pair[1], role, index);
}

/**
 * lane_to_source() - be the dest of a lane
 * @ends: with a source
 * @role: of the lane
 *
 * Return: the other end of the lane, the caller's to destroy.
 */
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

/**
 * lane_to_dest() - be the source of a lane
 * @ends: with a dest
 * @role: of the lane
 *
 * Return: the other end of the lane, the caller's to destroy.
 */
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

/**
 * open_fds() - how many descriptors this process has open
 *
 * Return: their number.
 */
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

uint8_t pattern_bytes[PATTERN_PAGES * 4096] __attribute__((aligned(64)));

/**
 * pattern_frame() - make the frame of guest_write()'s pages, bytes in pattern_bytes
 * @region: of small pages
 * @generation: of the frame
 * @first: page
 * @count: pages, at most PATTERN_PAGES
 * @seed: of the pattern
 *
 * Return: the frame, with the digest that belongs to it.
 */
struct frame pattern_frame(struct region *region, uint32_t generation,
			   uint64_t first, uint64_t count, uint64_t seed)
{
	uint64_t i;

	for (i = 0; i < count; i++)
		guest_pattern(pattern_bytes + i * 4096, 4096, first + i, seed);
	return (struct frame){
		.type = FRAME_DATA,
		.generation = generation,
		.region = region,
		.first = first,
		.count = count,
		.digest = digest_run(region, first, count, pattern_bytes),
	};
}

/**
 * pattern_send() - send what guest_write() writes
 * @lane: on which
 * @region: of small pages
 * @generation: of the frame
 * @first: page
 * @count: pages, at most PATTERN_PAGES
 * @seed: of the pattern
 */
void pattern_send(struct lane *lane, struct region *region,
		  uint32_t generation, uint64_t first, uint64_t count,
		  uint64_t seed)
{
	struct frame frame = pattern_frame(region, generation, first, count,
					   seed);

	ASSERT_EQ(0, lane_send(lane, &frame, pattern_bytes));
}
