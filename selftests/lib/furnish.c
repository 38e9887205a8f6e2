// SPDX-License-Identifier: LGPL-2.1-or-later
/* furnish.c - memory of a straddle-vmm as that of ordinary guests is. */
#include "selftests/lib/furnish.h"

#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "selftests/lib/inspect.h"
#include "sys.h"
#include "tools/vmm/guest/abi.h"

#define WORDS	(GUEST_PAGE_SIZE / sizeof(uint64_t))

static void words_make(uint64_t *words, uint64_t page)
{
	static const uint64_t text[4] = {	/* 8 characters each */
		0x2065676170206120, 0x656e616c20666f20,
		0x6e756f7220737465, 0x6420746c75616620,
	};
	uint64_t i, state = page * 0x9e3779b97f4a7c15 | 1;

	for (i = 0; i < WORDS; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		words[i] = page % 4 == 1 ? state : text[state % 4];
	}
}

static bool is_guests(uint64_t word)
{
	return word == GUEST_WORD_START || word == GUEST_WORD_MIDDLE || word == GUEST_WORD_END;
}

/* Return: whether @words are as they were filled; if not, fill them. */
static bool page_furnish(uint64_t *words, uint64_t page)
{
	uint64_t wanted[WORDS], i;
	bool right = true;

	words_make(wanted, page);
	for (i = 0; i < WORDS; i++)
		if (!is_guests(i) && words[i] != wanted[i]) {
			words[i] = wanted[i];
			right = false;
		}
	return right;
}

static int64_t pages_furnish(int fd, const struct guest_view *view, bool fill)
{
	uint64_t words[WORDS], page, pages = view->size / GUEST_PAGE_SIZE;
	int64_t wrong = 0;

	for (page = pages / 2; page < pages; page++) {
		off_t at = (off_t)(view->address + page * GUEST_PAGE_SIZE);

		if (!(page % 4))
			continue;
		if (sys_retry(pread(fd, words, sizeof(words), at)) != sizeof(words))
			return -EIO;
		if (page_furnish(words, page))
			continue;
		wrong++;
		if (fill && sys_retry(pwrite(fd, words, sizeof(words), at)) != sizeof(words))
			return -EIO;
	}
	return wrong;
}

static int64_t guest_furnish(const struct host *host, const char *name, bool fill,
			     struct fail *fail)
{
	__cleanup_fd int fd = -1;
	struct guest_view view;
	char path[32];
	int64_t ret = guest_view_get(host, name, &view, fail);

	if (ret)
		return ret;
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)view.pid);
	fd = sys_ret(open(path, O_RDWR | O_CLOEXEC));
	ret = fd < 0 ? fd : pages_furnish(fd, &view, fill);
	guest_view_fini(&view);
	return ret;
}

/**
 * furnish() - fill the upper half of a guest's memory
 * @host: where it is
 * @name: of the guest, which is paused
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int furnish(const struct host *host, const char *name, struct fail *fail)
{
	int64_t ret = guest_furnish(host, name, true, fail);

	return ret < 0 ? (int)ret : 0;
}

/**
 * furnish_wrong() - look whether that is still there
 * @host: where it is
 * @name: of the guest; all its pages are there
 * @fail: says why not
 *
 * Return: pages that differ, or -errno.
 */
int64_t furnish_wrong(const struct host *host, const char *name, struct fail *fail)
{
	return guest_furnish(host, name, false, fail);
}
