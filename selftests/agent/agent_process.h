/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* agent_process.h - an agent of a test, alone on loopback. */
#ifndef STRADDLE_TEST_AGENT_PROCESS_H
#define STRADDLE_TEST_AGENT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct json_object;

struct agent_process {
	pid_t pid;		/* 0: ended */
	int status;		/* once ended: exit code */
	int log_fd;
	char log[16384];	/* what it said so far */
	char state_dir[300];
	char run_dir[300];
	char socket[360];
	unsigned int port;
};

void agent_dirs(struct agent_process *agent, const char *name);
int agent_start(struct agent_process *agent, const char *const *more);
bool agent_says(struct agent_process *agent, const char *text);
void agent_unheard(struct agent_process *agent);
int agent_stop(struct agent_process *agent);
int agent_kill(struct agent_process *agent);

int agent_connect_control(const struct agent_process *agent);
int agent_connect_peer(const struct agent_process *agent, const char *from);
int line_send(int fd, const char *line);
struct json_object *line_receive(int fd);
struct json_object *agent_answer(const struct agent_process *agent, const char *line);
bool agent_lives(const struct agent_process *agent);
int agent_straddle(const struct agent_process *agent, const char *const *arguments,
		   char *text, size_t size);
int wait_for_end(int fd);

#endif
