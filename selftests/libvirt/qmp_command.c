// SPDX-License-Identifier: LGPL-2.1-or-later
/* qmp_command.c - from a definition to the command line of who takes over. */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "protocol/guest.h"
#include "tools/guests/qmp_command.h"

#define ARGS_MAX	16

#define OF(argv) \
	"{\"program\":\"/bin/q\",\"argv\":[\"q\"," argv "],\"cwd\":\"/\"," \
	"\"socket\":\"m\",\"uid\":0,\"gid\":5,\"groups\":[0,7]}"

FIXTURE(arguments) {
	struct qmp_command command;
	struct fail fail;
};

FIXTURE_VARIANT(arguments) {
	const char *from;
	const char *to[ARGS_MAX];
};

#define END	"-S", "-incoming", "fd:3"
#define NAMED	END, "-name", "debug-threads=on"

FIXTURE_VARIANT_ADD(arguments, qmp) {
	.from = OF("\"-qmp\",\"unix:m,server=on,wait=off\""),
	.to = { "q", "-qmp", "unix:/new,server=on,wait=off", NAMED },
};

FIXTURE_VARIANT_ADD(arguments, that_would_wait_for_a_client) {
	.from = OF("\"--qmp\",\"unix:m,server\""),
	.to = { "q", "--qmp", "unix:/new,server,wait=off", NAMED },
};

FIXTURE_VARIANT_ADD(arguments, chardev_and_another) {
	.from = OF("\"-chardev\",\"socket,id=a,path=m2,server=on,wait=off\","
		   "\"-chardev\",\"socket,path=m,id=b,server=on,wait=off\""),
	.to = { "q", "-chardev", "socket,id=a,path=m2,server=on,wait=off",
		"-chardev", "socket,path=/new,id=b,server=on,wait=off", NAMED },
};

FIXTURE_VARIANT_ADD(arguments, of_one_that_came_in) {
	.from = OF("\"-qmp\",\"unix:m,server,nowait\",\"-S\",\"-incoming\","
		   "\"fd:3\",\"-name\",\"debug-threads=on\""),
	.to = { "q", "-qmp", "unix:/new,server,nowait", "-name",
		"debug-threads=on", END },
};

FIXTURE_VARIANT_ADD(arguments, that_are_not_for_the_other) {
	.from = OF("\"-daemonize\",\"-loadvm\",\"x\",\"-runas\",\"y\","
		   "\"-qmp\",\"unix:m,server,nowait\",\"-m\",\"64\""),
	.to = { "q", "-qmp", "unix:/new,server,nowait", "-m", "64", NAMED },
};

FIXTURE_VARIANT_ADD(arguments, with_fd_in_it_that_is_no_descriptor) {
	.from = OF("\"-qmp\",\"unix:m,server,nowait\",\"-device\","
		   "\"e1000,netdev=n,mac=52:54:00:fd:fd:01\""),
	.to = { "q", "-qmp", "unix:/new,server,nowait", "-device",
		"e1000,netdev=n,mac=52:54:00:fd:fd:01", NAMED },
};

FIXTURE_SETUP(arguments)
{
	ASSERT_EQ(0, qmp_command_make(variant->from, "/new", &self->command,
				      &self->fail)) {
		TH_LOG("%s", self->fail.text);
	}
}

FIXTURE_TEARDOWN(arguments)
{
	qmp_command_fini(&self->command);
}

TEST_F(arguments, are_carried_over)
{
	int i;

	for (i = 0; variant->to[i] && self->command.argv[i]; i++)
		EXPECT_STREQ(variant->to[i], self->command.argv[i]);
	EXPECT_EQ(NULL, variant->to[i]);
	EXPECT_EQ(NULL, self->command.argv[i]);
	EXPECT_STREQ("/bin/q", self->command.program);
	EXPECT_EQ(5, self->command.gid);
	EXPECT_EQ(2, self->command.group_count);
	EXPECT_EQ(7, self->command.groups[1]);
}

#define REST	"\"cwd\":\"/\",\"uid\":0,\"gid\":0,\"groups\":[]"
#define ARGV	"\"argv\":[\"q\",\"-qmp\",\"unix:m\"]"

static const struct {
	const char *text;
	int error;
	const char *says;
} bad[] = {
	{ "", -EINVAL, "does not say how a QEMU was started" },
	{ "junk", -EINVAL, "does not say" },
	{ "<domain/>", -EINVAL, "does not say" },
	{ "{}", -EINVAL, "does not say" },
	{ "{\"program\":\"q\"," ARGV "," REST "}", -EINVAL, "does not say" },
	{ "{\"program\":\"/q\",\"argv\":[]," REST "}", -EINVAL, "does not say" },
	{ "{\"program\":\"/q\",\"argv\":[1]," REST "}", -EINVAL, "does not say" },
	{ "{\"program\":\"/q\",\"argv\":\"q\"," REST "}", -EINVAL, "does not say" },
	{ "{\"program\":\"/q\"," ARGV ",\"cwd\":\"/\",\"uid\":-1,\"gid\":0,"
	  "\"groups\":[]}", -EINVAL, "does not say" },
	{ "{\"program\":\"/q\"," ARGV ",\"cwd\":\"/\",\"uid\":4294967295,"
	  "\"gid\":0,\"groups\":[]}", -EINVAL, "does not say" },
	{ "{\"program\":\"/q\"," ARGV "," REST "}", -EINVAL, "start it with -qmp" },
	{ OF("\"-qmp\",\"unix:other,server\""), -EINVAL, "start it with -qmp" },
	{ OF("\"-qmp\",\"unix:m\",\"-add-fd\",\"fd=3,set=1\""), -EOPNOTSUPP,
	  "descriptors" },
	{ OF("\"-qmp\",\"unix:m\",\"-netdev\",\"tap,fd=3,id=n\""), -EOPNOTSUPP,
	  "descriptors" },
	{ OF("\"-qmp\",\"unix:m\",\"-netdev\",\"{\\\"fds\\\":\\\"3:4\\\"}\""),
	  -EOPNOTSUPP, "descriptors" },
	{ OF("\"-qmp\",\"unix:m\",\"-snapshot\""), -EOPNOTSUPP, "-snapshot" },
};

TEST(definition_that_is_none_is_refused)
{
	struct qmp_command command;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fail fail = { 0 };

		EXPECT_EQ(bad[i].error, qmp_command_make(bad[i].text, "/new",
							 &command, &fail)) {
			TH_LOG("%s", bad[i].text);
		}
		EXPECT_NE(NULL, strstr(fail.text, bad[i].says)) {
			TH_LOG("%s", fail.text);
		}
	}
}

TEST(definition_is_not_even_read_where_it_is_not_allowed)
{
	const struct guest_host host = { .run_dir = "/nowhere" };
	const struct guest_incoming incoming = { .live = "junk",
						 .name = "qmp:/m" };
	struct fail fail = { 0 };

	EXPECT_EQ(-EPERM, qmp_driver.check(&host, &incoming, &fail));
	EXPECT_NE(NULL, strstr(fail.text, "--allow-qmp"));
}

TEST(name_that_is_no_path_is_somebody_elses)
{
	const struct guest_host host = { .run_dir = "/nowhere" };
	struct guest *guest;
	struct fail fail = { 0 };

	EXPECT_EQ(-ENOENT, qmp_driver.open(&host, "db", &guest, NULL));
	EXPECT_EQ(-EINVAL, qmp_driver.open(&host, "qmp:m", &guest, NULL));
	EXPECT_EQ(-EINVAL, qmp_driver.open(&host, "qmp:/a,b", &guest, &fail));
	EXPECT_NE(NULL, strstr(fail.text, "without a comma"));
	EXPECT_FALSE(guest_name_fits(&qmp_driver, "db"));
	EXPECT_TRUE(guest_name_fits(&qmp_driver, "qmp:/m"));
	EXPECT_FALSE(guest_name_fits(&libvirt_driver, "qmp:/m"));
	EXPECT_TRUE(guest_name_fits(&libvirt_driver, "qmp:m"));
}

TEST_HARNESS_MAIN
