/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz.c - inputs in pieces, peers that say them, files that hold them. */
#include "fuzz.h"

#include <ftw.h>
#include <limits.h>
#include <string.h>

#include "sys.h"

/**
 * fuzz_byte() - the next byte of an input
 * @input: gets shorter
 *
 * Return: the byte; 0 at the end.
 */
uint8_t fuzz_byte(struct fuzz_input *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->at++;
}

/**
 * fuzz_line() - the next line of an input
 * @input: gets shorter
 * @line: receives it, its line feed included where it has one
 *
 * Return: false at the end.
 */
bool fuzz_line(struct fuzz_input *input, struct fuzz_input *line)
{
	const uint8_t *end = input->left ? memchr(input->at, '\n', input->left)
					 : NULL;

	if (!input->left)
		return false;
	line->at = input->at;
	line->left = end ? (size_t)(end - input->at) + 1 : input->left;
	input->at += line->left;
	input->left -= line->left;
	return true;
}

/**
 * fuzz_peer() - a socket whose peer has said all that it is going to say
 * @type: SOCK_STREAM or SOCK_SEQPACKET
 * @bytes: what it said, as far as they fit a socket; one packet
 * @size: how many
 * @other: receives the peer's end, which the caller closes
 *
 * Return: the socket, the caller's.
 */
int fuzz_peer(int type, const void *bytes, size_t size, int *other)
{
	int fds[2];

	FUZZ_CHECK(!socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds));
	if (size)
		(void)sys_retry(send(fds[1], bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT));
	shutdown(fds[1], SHUT_WR);
	*other = fds[1];
	return fds[0];
}

#ifdef FUZZER
static char dir[PATH_MAX];

static int entry_remove(const char *path, const struct stat *status, int kind,
			struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	remove(path);
	return 0;
}

static void dir_remove(void)
{
	nftw(dir, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/**
 * fuzz_dir() - a directory of this process, in TMPDIR
 *
 * Return: its path; it goes away with the process, unless that crashes.
 */
const char *fuzz_dir(void)
{
	const char *parent = getenv("TMPDIR");

	if (*dir)
		return dir;
	snprintf(dir, sizeof(dir), "%s/fuzz.XXXXXX", parent ? parent : "/tmp");
	FUZZ_CHECK(mkdtemp(dir));
	atexit(dir_remove);
	return dir;
}
#else
/**
 * fuzz_dir() - a directory of this test
 *
 * Return: its path; it goes away with the test.
 */
const char *fuzz_dir(void)
{
	return test_dir();
}
#endif

/**
 * fuzz_region() - one more region of a guest that there is not
 * @map: gets it
 * @page_shift: of its pages
 * @pages: how many
 */
void fuzz_region(struct region_map *map, uint32_t page_shift, uint64_t pages)
{
	struct region region = { .page_shift = page_shift, .pages = pages,
				 .fd = -1, .uffd = -1, .shared = true };

	FUZZ_CHECK(!region_add(map, &region));
}

/**
 * fuzz_file() - a file that holds an input
 * @bytes: of the file
 * @size: how many
 *
 * Return: a descriptor of it, at its start; the caller's.
 */
int fuzz_file(const void *bytes, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(!sys_pwrite_all(fd, bytes, size, 0));
	return fd;
}
