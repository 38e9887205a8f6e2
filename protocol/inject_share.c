/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inject_share.c - the file in which an agent, its workers and their successors
 * count together: what struck once does not strike again after the death that
 * it caused.
 */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/inject_spec.h"
#include "sys.h"

static const char file_magic[8] = "STRINJ1";

/* The shared file. */
struct inject_file {
	char magic[8];
	uint64_t seed;
	char texts[INJECT_SPECS_MAX][INJECT_TEXT_MAX];
	struct inject_counter counters[INJECT_SPECS_MAX];
};

static bool file_is_of(const struct inject *inject, const struct inject_file *file, bool seeded)
{
	size_t i;

	if (memcmp(file->magic, file_magic, sizeof(file_magic)) ||
	    (seeded && file->seed != inject->seed))
		return false;
	for (i = 0; i < INJECT_SPECS_MAX; i++)
		if (strncmp(file->texts[i], i < inject->count ? inject->specs[i].text : "",
			    INJECT_TEXT_MAX))
			return false;
	return true;
}

static int file_map(const char *path, struct inject_file **file)
{
	__cleanup_fd int fd = sys_ret(open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW));
	struct stat st;
	void *map = NULL;
	int ret;

	if (fd < 0)
		return fd;
	ret = sys_ret(fstat(fd, &st));
	if (!ret && st.st_size != sizeof(struct inject_file))
		ret = -ESTALE;
	if (!ret)
		ret = sys_mmap(&map, sizeof(struct inject_file), PROT_READ | PROT_WRITE,
			       MAP_SHARED, fd, 0);
	if (!ret)
		*file = map;
	return ret;
}

/* In one step: a process that has the old one goes on with that. */
static int file_make(const struct inject *inject, const char *path)
{
	__cleanup_free struct inject_file *file = calloc(1, sizeof(*file));
	__cleanup_fd int fd = -1;
	char fresh[320];
	size_t i;
	int ret;

	if (!file)
		return -ENOMEM;
	memcpy(file->magic, file_magic, sizeof(file_magic));
	file->seed = inject->seed;
	for (i = 0; i < inject->count; i++)
		memcpy(file->texts[i], inject->specs[i].text, INJECT_TEXT_MAX);
	if ((size_t)snprintf(fresh, sizeof(fresh), "%s.new", path) >= sizeof(fresh))
		return -ENAMETOOLONG;
	fd = sys_ret(open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	if (fd < 0)
		return fd;
	ret = sys_write_all(fd, file, sizeof(*file));
	return ret ? ret : sys_ret(rename(fresh, path));
}

/**
 * inject_share() - count in a file, with every process that does so
 * @inject: all its specs were added
 * @path: of the file
 * @fresh: begin it anew where there is none, or one of other specs
 * @seeded: the seed was given, and one of another seed is begun anew; else its
 *	seed is taken over
 * @fail: says why not
 *
 * Return: 0, -ESTALE (it is of other specs, and not to be begun anew) or -errno.
 */
int inject_share(struct inject *inject, const char *path, bool fresh, bool seeded,
		 struct fail *fail)
{
	struct inject_file *file = NULL;
	int ret = file_map(path, &file);

	if (!ret && !file_is_of(inject, file, seeded)) {
		munmap(file, sizeof(*file));
		ret = -ESTALE;
	}
	if (ret && fresh) {
		ret = file_make(inject, path);
		if (!ret)
			ret = file_map(path, &file);
	}
	if (ret)
		return fail_set(fail, ret, "cannot count injected faults in %s: %s", path,
				strerror(-ret));
	inject->shared = file;
	inject->counters = file->counters;
	inject->seed = file->seed;
	return 0;
}

/**
 * inject_unshare() - let go of the file
 * @inject: counts no more; shared or not
 */
void inject_unshare(struct inject *inject)
{
	if (inject->shared)
		munmap(inject->shared, sizeof(struct inject_file));
	inject->shared = NULL;
}
