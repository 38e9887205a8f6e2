/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp_command.h - the live definition of a QEMU that was started by hand: how
 * it was started. As JSON:
 *
 * {"program":"/usr/bin/qemu-system-x86_64","argv":["qemu-system-x86_64",...],
 *  "cwd":"/root","socket":"mon.sock","environment":["PATH=/bin",...],
 *  "uid":0,"gid":0,"groups":[0]}
 *
 * socket: of the monitor by which it is known, as its argument spells it; not
 * there: no argument makes it.
 */
#ifndef STRADDLE_GUESTS_QMP_COMMAND_H
#define STRADDLE_GUESTS_QMP_COMMAND_H

#include <sys/types.h>

#include "fail.h"

struct json_object;

#define QMP_GROUPS_MAX	64
#define QMP_STATE_FD	3	/* from where the QEMU that is started loads */

/* How to start a QEMU that waits for its state. */
struct qmp_command {
	char *program;
	char **argv;		/* NULL-ended, as environment */
	char **environment;
	char *cwd;
	uid_t uid;
	gid_t gid;
	gid_t groups[QMP_GROUPS_MAX];
	size_t group_count;
};

/* qmp_definition.c */
int qmp_definition_make(pid_t pid, const char *path, char **text,
			struct fail *fail);

/* qmp_command.c */
int qmp_command_make(const char *definition, const char *path,
		     struct qmp_command *command, struct fail *fail);
void qmp_command_fini(struct qmp_command *command);

/* qmp_arguments.c */
const char *qmp_argument_socket(const char *option, const char *value,
				size_t *length);
int qmp_arguments_make(struct json_object *from, const char *socket,
		       const char *path, char ***argv, struct fail *fail);
void qmp_texts_free(char **texts);

/* qmp_process.c */
int qmp_process_start(const struct qmp_command *command, int state, int log,
		      pid_t *pid);

#endif
