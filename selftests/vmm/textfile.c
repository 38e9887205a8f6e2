// SPDX-License-Identifier: LGPL-2.1-or-later
/* textfile.c - what is read as a definition is a file, whole and of text. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "sys.h"
#include "tools/lib/textfile.h"

FIXTURE(file) {
	char path[256];
};

FIXTURE_SETUP(file)
{
	snprintf(self->path, sizeof(self->path), "%s/text", test_dir());
}

FIXTURE_TEARDOWN(file)
{
	(void)self;
}

static void file_write(const char *path, const char *bytes, size_t size)
{
	int fd = sys_ret(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			      0600));

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, sys_write_all(fd, bytes, size));
	close(fd);
}

TEST_F(file, text_is_read_as_it_was_written)
{
	struct fail fail = { 0 };
	char *text = NULL;

	ASSERT_EQ(0, textfile_write(self->path, "{\"name\":1}", &fail));
	ASSERT_EQ(0, textfile_read(self->path, 64, &text, &fail));
	EXPECT_STREQ("{\"name\":1}", text);
	free(text);
}

TEST_F(file, file_that_is_missing_is_no_text)
{
	struct fail fail = { 0 };
	char *text = (char *)"unset";

	EXPECT_EQ(0, textfile_read(self->path, 64, &text, &fail));
	EXPECT_EQ(NULL, text);
}

TEST_F(file, file_that_is_too_long_is_refused)
{
	struct fail fail = { 0 };
	char *text;

	file_write(self->path, "0123456789", 10);
	EXPECT_EQ(-EFBIG, textfile_read(self->path, 9, &text, &fail));
	EXPECT_NE(NULL, strstr(fail.text, self->path));
}

TEST_F(file, bytes_that_are_no_text_are_refused)
{
	struct fail fail = { 0 };
	char *text;

	file_write(self->path, "a\0b", 3);
	EXPECT_EQ(-EINVAL, textfile_read(self->path, 64, &text, &fail));
}

TEST(directory_is_said_to_be_one)
{
	struct fail fail = { 0 };
	char *text;

	EXPECT_EQ(-EISDIR, textfile_read("/", 64, &text, &fail));
	EXPECT_NE(NULL, strstr(fail.text, "Is a directory"));
}

TEST_F(file, pipe_is_no_file_and_not_waited_for)
{
	struct fail fail = { 0 };
	char *text;

	ASSERT_EQ(0, mkfifo(self->path, 0600));
	EXPECT_EQ(-EINVAL, textfile_read(self->path, 64, &text, &fail));
}

/* Whose lease is broken gives it up from the signal that tells of it. */
static int leased;

static void give_up_lease(int signo)
{
	(void)signo;
	fcntl(leased, F_SETLEASE, F_UNLCK);
}

TEST_F(file, leased_file_is_waited_for)
{
	struct fail fail = { 0 };
	char *text = NULL;

	file_write(self->path, "abc", 3);
	leased = sys_ret(open(self->path, O_RDWR | O_CLOEXEC));
	ASSERT_LE(0, leased);
	signal(SIGIO, give_up_lease);
	ASSERT_EQ(0, sys_ret(fcntl(leased, F_SETLEASE, F_WRLCK)));
	EXPECT_EQ(0, textfile_read(self->path, 64, &text, &fail));
	EXPECT_STREQ("abc", text);
	free(text);
	close(leased);
}

TEST(device_is_no_file)
{
	struct fail fail = { 0 };
	char *text;

	EXPECT_EQ(-EINVAL, textfile_read("/dev/zero", 64, &text, &fail));
}

TEST_HARNESS_MAIN
