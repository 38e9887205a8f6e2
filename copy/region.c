// SPDX-License-Identifier: LGPL-2.1-or-later
/* region.c - pieces of guest memory, as one end of a migration sees them. */
#include "copy/region.h"

#include <errno.h>
#include <sys/mman.h>

#include "copy/kind.h"
#include "sys.h"

/* Sizes that would make later arithmetic wrap are refused here, once. */
static int region_check(const struct region *region)
{
	uint64_t size, mask, end;

	if (region->page_shift < 12 || region->page_shift > 30 ||
	    !region->pages)
		return -EINVAL;
	mask = (1ull << region->page_shift) - 1;
	if (__builtin_mul_overflow(region->pages, mask + 1, &size) ||
	    size > INT64_MAX)
		return -EOVERFLOW;
	if (__builtin_add_overflow(region->address, size, &end) ||
	    __builtin_add_overflow(region->offset, size, &end) ||
	    end > INT64_MAX)
		return -EOVERFLOW;
	return (region->address | region->offset) & mask ? -EINVAL : 0;
}

/**
 * region_add() - append a region to a map
 * @map: zeroed before the first region
 * @region: copied; @id, @alias and @kind are filled in here. With a @uffd
 *	(the dest) an alias is mapped where the kind needs one
 *
 * Return: 0, -ENOSPC (REGIONS_MAX), -EINVAL, -EOVERFLOW or mmap's -errno.
 */
int region_add(struct region_map *map, const struct region *region)
{
	struct region *added;
	void *alias = NULL;
	int ret = region_check(region);

	if (ret < 0)
		return ret;
	if (map->count == REGIONS_MAX)
		return -ENOSPC;
	added = &map->regions[map->count];
	*added = *region;
	added->id = map->count;
	added->alias = NULL;
	added->kind = kind_of(added);
	if (added->kind->alias && added->uffd >= 0) {
		ret = sys_mmap(&alias, added->pages << added->page_shift,
			       PROT_READ | PROT_WRITE, MAP_SHARED, added->fd,
			       added->offset);
		if (ret < 0)
			return ret;
		added->alias = alias;
	}
	map->count++;
	return 0;
}

/**
 * region_map_fini() - unmap the aliases of a map
 * @map: may be all zeroes
 */
void region_map_fini(struct region_map *map)
{
	unsigned int i;

	for (i = 0; i < map->count; i++) {
		struct region *region = &map->regions[i];

		if (region->alias)
			munmap(region->alias,
			       region->pages << region->page_shift);
	}
	map->count = 0;
}

/**
 * region_at() - which page an address of the guest's process is in
 * @map: to search; a handful of regions, so a walk is fastest
 * @address: in the guest's process
 * @page: receives the page's number
 *
 * Return: the region, or NULL.
 */
struct region *region_at(struct region_map *map, uint64_t address,
			 uint64_t *page)
{
	unsigned int i;

	for (i = 0; i < map->count; i++) {
		struct region *region = &map->regions[i];
		uint64_t distance = address - region->address;

		if (address >= region->address &&
		    distance >> region->page_shift < region->pages) {
			*page = distance >> region->page_shift;
			return region;
		}
	}
	return NULL;
}

/**
 * region_map_pages() - how many pages all regions have
 * @map: to count
 *
 * Return: pages, each of its region's size.
 */
uint64_t region_map_pages(const struct region_map *map)
{
	uint64_t pages = 0;
	unsigned int i;

	for (i = 0; i < map->count; i++)
		pages += map->regions[i].pages;
	return pages;
}

/**
 * region_map_bytes() - how much memory all regions are
 * @map: to count
 *
 * Return: bytes.
 */
uint64_t region_map_bytes(const struct region_map *map)
{
	uint64_t bytes = 0;
	unsigned int i;

	for (i = 0; i < map->count; i++)
		bytes += map->regions[i].pages << map->regions[i].page_shift;
	return bytes;
}
