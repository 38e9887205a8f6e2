/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spawn.c - start a worker: this program again, with five descriptors. */
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "broker.h"
#include "cleanup.h"
#include "port.h"
#include "sys.h"
#include "workers.h"

extern char **environ;

/* Above PORT_*_FD, so that putting one in place never hides another. */
#define FD_FLOOR	16

static int fd_raise(int fd)
{
	int raised = sys_ret(fcntl(fd, F_DUPFD_CLOEXEC, FD_FLOOR));

	close(fd);
	return raised;
}

/* The agent's end never waits; the worker's may. */
static int pair_make(int *ours, int *theirs)
{
	int pair[2], ret;

	ret = sys_ret(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	if (ret)
		return ret;
	ret = sys_ret(fcntl(pair[0], F_SETFL, O_RDWR | O_NONBLOCK));
	*ours = pair[0];
	*theirs = fd_raise(pair[1]);
	return ret ? ret : *theirs < 0 ? *theirs : 0;
}

/* Its own session, no signal blocked or ignored, nothing else inherited. */
static int process_start(pid_t *pid, const int fds[])
{
	char *argv[] = { (char *)"straddled", (char *)"--worker", NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int fd, ret;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	for (fd = PORT_RPC_FD; fd <= PORT_GUEST_FD; fd++)
		posix_spawn_file_actions_adddup2(&files, fds[fd], fd);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
				 POSIX_SPAWN_SETSIGDEF);
	ret = posix_spawn(pid, "/proc/self/exe", &files, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return -ret;
}

/* Nothing of the process has run that is worth keeping. */
static void process_end(pid_t pid)
{
	kill(pid, SIGKILL);
	sys_retry(waitpid(pid, NULL, 0));
}

/**
 * worker_spawn() - start the process of a worker
 * @worker: receives pid, pidfd and this end of its sockets; unspecified on error
 * @fail: says why not
 *
 * Return: 0 or -errno; then nothing is left.
 */
int worker_spawn(struct worker *worker, struct fail *fail)
{
	__cleanup_fd int rpc = -1, command = -1, broker = -1, binder = -1, guest = -1;
	__cleanup_fd int our_rpc = -1, our_command = -1, our_guest = -1;
	int ret;

	ret = pair_make(&our_rpc, &rpc);
	if (!ret)
		ret = pair_make(&our_command, &command);
	if (!ret)
		ret = pair_make(&our_guest, &guest);
	/* Nor does a steward wait, of which the agent hears as it hears the worker. */
	if (!ret)
		ret = sys_ret(fcntl(guest, F_SETFL, O_RDWR | O_NONBLOCK));
	if (ret)
		return fail_set(fail, ret, "cannot make the sockets of a worker: %s",
				strerror(-ret));
	ret = broker_connect(worker->agent->broker_fd, &broker, &binder);
	if (ret)
		return fail_set(fail, ret, "cannot connect a worker to the broker: %s; restart "
				"straddled", strerror(-ret));
	broker = fd_raise(broker);
	binder = fd_raise(binder);
	ret = broker < 0 ? broker : binder < 0 ? binder :
	      process_start(&worker->pid, (const int[]){
		[PORT_RPC_FD] = rpc, [PORT_COMMAND_FD] = command,
		[PORT_BROKER_FD] = broker, [PORT_BINDER_FD] = binder,
		[PORT_GUEST_FD] = guest,
	      });
	if (ret)
		return fail_set(fail, ret, "cannot start a worker process: %s", strerror(-ret));
	worker->pidfd = (int)sys_ret(syscall(SYS_pidfd_open, worker->pid, 0));
	if (worker->pidfd < 0) {
		process_end(worker->pid);
		return fail_set(fail, worker->pidfd, "cannot watch a worker process: %s",
				strerror(-worker->pidfd));
	}
	worker->rpc = take_fd(&our_rpc);
	worker->command = take_fd(&our_command);
	worker->guest_told = take_fd(&our_guest);
	return 0;
}
