/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * corpus.c - the committed inputs of a target, one after the other.
 *
 * They run in a child of the test, which may crash: the parent knows from a
 * shared page which input it was.
 */
#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "fuzz.h"
#include "sys.h"

/* FUZZ_CORPUS: the folder with one folder a target, of the build. */
#define INPUT_MAX	(1u << 20)	/* bytes */

/* Shared with the parent. */
struct replay {
	unsigned int count;
	char name[NAME_MAX + 1];	/* of the input that is being eaten */
};

static void input_feed(const char *folder, const char *name,
		       int (*feed)(const uint8_t *, size_t))
{
	__cleanup_free uint8_t *bytes = NULL;
	__cleanup_free uint8_t *exact = NULL;
	__cleanup_fd int fd = -1;
	char path[PATH_MAX + NAME_MAX + 2];
	ssize_t size;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = sys_ret(open(path, O_RDONLY | O_CLOEXEC));
	bytes = malloc(INPUT_MAX);
	ASSERT_TRUE(fd >= 0 && bytes);
	size = sys_retry(read(fd, bytes, INPUT_MAX));
	ASSERT_GE(size, 0);
	/* Of its very size, so that a sanitizer sees a read beyond it. */
	exact = malloc((size_t)size + !size);
	ASSERT_TRUE(exact);
	memcpy(exact, bytes, (size_t)size);
	feed(exact, (size_t)size);
}

static void corpus_feed(const char *folder, struct replay *replay,
			int (*feed)(const uint8_t *, size_t))
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name == '.')
			continue;
		snprintf(replay->name, sizeof(replay->name), "%s", entry->d_name);
		input_feed(folder, entry->d_name, feed);
		replay->count++;
	}
	if (dir)
		closedir(dir);
}

/**
 * corpus_replay() - feed all inputs of a target's corpus to it
 * @target: its name
 * @feed: what eats them
 *
 * The test fails where one crashes, and where there is none.
 */
void corpus_replay(const char *target, int (*feed)(const uint8_t *, size_t))
{
	char folder[PATH_MAX];
	void *shared = NULL;
	struct replay *replay;
	int status = 0;
	pid_t pid;

	snprintf(folder, sizeof(folder), "%s/%s", FUZZ_CORPUS, target);
	ASSERT_EQ(0, sys_mmap(&shared, sizeof(*replay), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	replay = shared;
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		corpus_feed(folder, replay, feed);
		exit(EXIT_SUCCESS);	/* with what a sanitizer does then */
	}
	ASSERT_EQ(pid, sys_retry(waitpid(pid, &status, 0)));
	EXPECT_EQ(0, status) {
		TH_LOG("%s/%s broke it", folder, replay->name);
	}
	EXPECT_GT(replay->count, 0) {
		TH_LOG("no input in %s", folder);
	}
	TH_LOG("%u inputs", replay->count);
	munmap(shared, sizeof(*replay));
}
