// SPDX-License-Identifier: LGPL-2.1-or-later
/* qmp_check.c - may a QEMU be started here, and could it? */
#include <stdio.h>
#include <string.h>

#include "sys.h"
#include "tools/guests/qmp_command.h"
#include "tools/guests/qmp_guest.h"

#define RENAME		"--dname " QMP_PREFIX "/other/path"

/* QEMU would remove what lies there, whatever it is, and listen itself. */
static int check_socket(const char *path, struct fail *fail)
{
	struct qmp_line line;
	struct stat status;
	struct fail why = { 0 };
	int ret = sys_ret(lstat(path, &status));

	if (ret == -ENOENT)
		return 0;
	if (!ret && !S_ISSOCK(status.st_mode))
		ret = -ENOTSOCK;
	if (ret)
		return fail_set(fail, ret,
				"its monitor cannot listen at %s (%s): move away what is there, or give " RENAME,
				path, strerror(-ret));
	qmp_line_init(&line, path);
	ret = qmp_line_open(&line, &why);
	qmp_line_close(&line);
	return ret == -ENOENT ? 0 :
	       fail_set(fail, -EEXIST,
			"somebody listens at %s here already: end that, or give " RENAME,
			path);
}

static int check_directory(const char *path, struct fail *fail)
{
	const char *slash = strrchr(path, '/');
	char directory[QMP_PATH_MAX];
	int ret;

	snprintf(directory, sizeof(directory), "%.*s",
		 slash == path ? 1 : (int)(slash - path), path);
	ret = sys_ret(access(directory, X_OK));
	return ret ? fail_set(fail, ret,
			      "its monitor cannot listen at %s: %s: %s; make that directory, or give " RENAME,
			      path, directory, strerror(-ret)) : 0;
}

static int check_command(const struct qmp_command *command, struct fail *fail)
{
	int ret = sys_ret(access(command->program, X_OK));

	if (ret)
		return fail_set(fail, ret,
				"%s cannot be started (%s): the same QEMU has to be at the same place on both hosts",
				command->program, strerror(-ret));
	ret = sys_ret(access(command->cwd, X_OK));
	return ret ? fail_set(fail, ret,
			      "it was started in %s, which is not here (%s): make it, or start the guest elsewhere",
			      command->cwd, strerror(-ret)) : 0;
}

static int check_all(const struct guest_host *host,
		     const struct guest_incoming *incoming, struct fail *fail)
{
	struct qmp_command command = { .program = NULL };
	const char *path;
	int ret;

	if (!host->allow_qmp)
		return fail_set(fail, -EPERM,
				"it comes as a command line that would be run, and this host runs none: start its straddled with --allow-qmp, if all who can connect to it may run programs here");
	ret = qmp_path(incoming->name, &path, fail);
	if (ret)
		return ret;
	ret = qmp_command_make(incoming->live, path, &command, fail);
	if (!ret)
		ret = check_command(&command, fail);
	if (!ret)
		ret = check_directory(path, fail);
	if (!ret)
		ret = check_socket(path, fail);
	qmp_command_fini(&command);
	return ret;
}

/**
 * qmp_check() - could @incoming be made here?
 * @host: whether it may be
 * @incoming: what
 * @fail: names what is in the way
 *
 * Return: 0; -EPERM: this host runs no peer's command line; or -errno.
 */
int qmp_check(const struct guest_host *host,
	      const struct guest_incoming *incoming, struct fail *fail)
{
	struct fail why = { 0 };
	int ret = check_all(host, incoming, &why);

	return ret ? fail_set(fail, ret, "guest '%s' cannot run here: %s",
			      incoming->name, why.err ? why.text : strerror(-ret))
		   : 0;
}
