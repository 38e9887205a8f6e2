/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* psk.c - pre-shared keys: a file of "name:hexkey" lines, for its owner only. */
#include <string.h>

#include "cleanup.h"
#include "protocol/credentials.h"
#include "sys.h"

#define PSK_LINE_MAX	(PSK_NAME_MAX + 2 * PSK_KEY_MAX + 4)

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int key_parse(const char *hex, struct psk *psk)
{
	size_t i, length = strlen(hex);

	if (length % 2 || length / 2 < PSK_KEY_MIN || length / 2 > PSK_KEY_MAX)
		return -EINVAL;
	for (i = 0; i < length / 2; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		psk->key[i] = (uint8_t)(high << 4 | low);
	}
	psk->size = length / 2;
	return 0;
}

static int psk_parse(char *line, struct psk *psk)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@";
	char *colon = strchr(line, ':');
	size_t length;

	if (!colon)
		return -EINVAL;
	*colon = 0;
	length = strlen(line);
	if (!length || length >= PSK_NAME_MAX || strspn(line, legal) != length)
		return -EINVAL;
	memcpy(psk->name, line, length + 1);
	return key_parse(colon + 1, psk);
}

static int file_check(int fd, const char *path, struct fail *fail)
{
	struct stat st;
	int ret = sys_ret(fstat(fd, &st));

	if (ret)
		return fail_set(fail, ret, "cannot look at the pre-shared keys in %s: %s",
				path, strerror(-ret));
	if (!S_ISREG(st.st_mode))
		return fail_set(fail, -EINVAL, "the pre-shared keys in %s: not a regular file",
				path);
	if (st.st_mode & 0077 || (st.st_uid && st.st_uid != geteuid()))
		return fail_set(fail, -EPERM, "the pre-shared keys in %s are open to others "
				"(mode %04o, owner %u): 'chmod 0600 %s', and make new keys",
				path, st.st_mode & 07777, st.st_uid, path);
	return 0;
}

static int psk_read(FILE *file, const char *path, struct psk *psks,
		    size_t *count, struct fail *fail)
{
	char line[PSK_LINE_MAX];
	unsigned int number = 0;
	int ret = 0;

	*count = 0;
	while (!ret && fgets(line, sizeof(line), file)) {
		number++;
		line[strcspn(line, "\r\n")] = 0;
		if (!line[0] || line[0] == '#')
			continue;
		if (*count == PSK_COUNT_MAX)
			ret = fail_set(fail, -E2BIG, "%s holds more than %u keys",
				       path, PSK_COUNT_MAX);
		else if (psk_parse(line, &psks[*count]))
			ret = fail_set(fail, -EINVAL, "%s line %u: give NAME:KEY, with a key of "
				       "%u to %u bytes in hexadecimal ('openssl rand -hex 32' "
				       "makes one)", path, number, PSK_KEY_MIN, PSK_KEY_MAX);
		else
			(*count)++;
	}
	explicit_bzero(line, sizeof(line));
	if (!ret && !*count)
		ret = fail_set(fail, -EINVAL, "%s holds no key: add a line NAME:KEY", path);
	return ret;
}

/**
 * psk_load() - read the file of pre-shared keys
 * @credentials: receives the keys
 * @path: the file; regular, owned by this user or root, closed to others
 * @fail: says what is wrong with which line
 *
 * Return: 0 or -errno.
 */
int psk_load(struct credentials *credentials, const char *path,
	     struct fail *fail)
{
	__cleanup_fd int fd = sys_ret(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	__cleanup_file FILE *file = NULL;
	int ret;

	if (fd < 0)
		return fail_set(fail, fd, "cannot open the pre-shared keys in %s: %s",
				path, strerror(-fd));
	ret = file_check(fd, path, fail);
	if (ret)
		return ret;
	file = fdopen(fd, "r");
	credentials->psks = calloc(PSK_COUNT_MAX, sizeof(struct psk));
	if (!file || !credentials->psks)
		return fail_set(fail, -ENOMEM, "no memory for the pre-shared keys");
	(void)take_fd(&fd);
	return psk_read(file, path, credentials->psks, &credentials->psk_count,
			fail);
}

/**
 * psk_unload() - wipe and free the keys
 * @credentials: whose
 */
void psk_unload(struct credentials *credentials)
{
	if (credentials->psks)
		explicit_bzero(credentials->psks,
			       PSK_COUNT_MAX * sizeof(struct psk));
	free(credentials->psks);
	credentials->psks = NULL;
	credentials->psk_count = 0;
}
