/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* peer.c - a process that knows nothing of us, in a certain situation. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "peer.h"
#include "sys.h"
#include "uffd/sys.h"

#define PATIENCE_MS	10000

static int peer_prepare(struct peer *peer, bool shared)
{
	void *board = NULL, *memory = NULL;
	int ret;

	ret = sys_mmap(&board, 4096, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!ret)
		ret = sys_mmap(&memory, PEER_SIZE, PROT_READ | PROT_WRITE,
			       MAP_ANONYMOUS | (shared ? MAP_SHARED :
						MAP_PRIVATE), -1, 0);
	if (!ret)
		ret = sys_ret(pipe2(peer->wake, O_CLOEXEC));
	peer->board = board;
	peer->memory = memory;
	peer->shared = shared;
	return ret;
}

static void peer_live(struct peer *peer, peer_main_fn *main_fn)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close(peer->wake[1]);
	peer->wake[1] = -1;
	_exit(main_fn(peer));
}

/**
 * peer_start() - start a peer
 * @peer: receives it
 * @main_fn: its life
 * @shared: its memory is MAP_SHARED, else private
 *
 * Return: 0 or -errno.
 */
int peer_start(struct peer *peer, peer_main_fn *main_fn, bool shared)
{
	int ret;

	*peer = (struct peer){ .pidfd = -1, .wake = { -1, -1 } };
	ret = peer_prepare(peer, shared);
	if (ret)
		return ret;
	peer->pid = sys_ret(fork());
	if (!peer->pid)
		peer_live(peer, main_fn);
	if (peer->pid < 0)
		return peer->pid;
	close(peer->wake[0]);
	peer->wake[0] = -1;
	peer->pidfd = sys_pidfd_open(peer->pid);
	return peer->pidfd < 0 ? peer->pidfd : 0;
}

/**
 * peer_wake() - end the peer's waiting
 * @peer: a started peer
 */
void peer_wake(struct peer *peer)
{
	peer->board->stop = 1;
	sys_write_all(peer->wake[1], "w", 1);
}

/**
 * peer_exit_status() - wait for the peer's own end
 * @peer: a started peer
 *
 * Return: its exit status; 128 + signal if one killed it; -ETIMEDOUT.
 */
int peer_exit_status(struct peer *peer)
{
	int status, ret = sys_wait_fd(peer->pidfd, POLLIN, PATIENCE_MS);

	if (ret)
		return ret;
	ret = sys_retry(waitpid(peer->pid, &status, 0));
	if (ret < 0)
		return ret;
	peer->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

/**
 * peer_end() - end the peer, if it lives, and free all
 * @peer: a peer that was started, or is all zero
 */
void peer_end(struct peer *peer)
{
	if (peer->pid > 0) {
		kill(peer->pid, SIGKILL);
		sys_retry(waitpid(peer->pid, NULL, 0));
	}
	if (peer->pidfd > 0)
		close(peer->pidfd);
	if (peer->wake[1] > 0)
		close(peer->wake[1]);
	if (peer->memory)
		munmap(peer->memory, PEER_SIZE);
	if (peer->board)
		munmap(peer->board, 4096);
	*peer = (struct peer){ .pidfd = -1 };
}

/**
 * peer_read_proc() - read one of its files in /proc
 * @peer: a started peer
 * @name: of the file
 * @text: receives it, cut off if need be
 * @size: room
 *
 * Return: 0 or -errno.
 */
int peer_read_proc(struct peer *peer, const char *name, char *text,
		   size_t size)
{
	size_t used = 0;
	char path[64];
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/%s", peer->pid, name);
	int __cleanup_fd fd = sys_ret(open(path, O_RDONLY | O_CLOEXEC));

	if (fd < 0)
		return fd;
	do {
		got = sys_retry(read(fd, text + used, size - 1 - used));
		used += got > 0 ? (size_t)got : 0;
	} while (got > 0 && used < size - 1);
	text[used] = '\0';
	return got < 0 ? (int)got : 0;
}

/**
 * peer_list_fds() - list its descriptors, as text that can be compared
 * @peer: a started peer
 * @text: receives it
 * @size: room
 *
 * Return: 0 or -errno.
 */
int peer_list_fds(struct peer *peer, char *text, size_t size)
{
	struct dirent *entry;
	char path[64];
	size_t used = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", peer->pid);
	dir = opendir(path);
	if (!dir)
		return -ESRCH;
	text[0] = '\0';
	while ((entry = readdir(dir)) && used < size) {
		char link[128] = "";

		if (entry->d_name[0] == '.')
			continue;
		if (readlinkat(dirfd(dir), entry->d_name, link,
			       sizeof(link) - 1) < 0)
			link[0] = '\0';
		used += (size_t)snprintf(text + used, size - used, "%s %s\n",
					 entry->d_name, link);
	}
	closedir(dir);
	return 0;
}

/* Look once a millisecond, for as long as it lives. */
static int await(struct peer *peer, bool (*is)(const char *text, long value),
		 const char *name, long value)
{
	char text[512];

	for (int i = 0; i < PATIENCE_MS; i++) {
		int ret = peer_read_proc(peer, name, text, sizeof(text));

		if (ret)
			return ret;
		if (peer->board->ready && is(text, value))
			return 0;
		if (sys_wait_fd(peer->pidfd, POLLIN, 1) != -ETIMEDOUT)
			return -ESRCH;
	}
	return -ETIMEDOUT;
}

static bool is_in_call(const char *text, long number)
{
	return text[0] != 'r' && strtol(text, NULL, 10) == number;
}

static bool is_in_state(const char *text, long state)
{
	const char *end = strrchr(text, ')');

	return end && end[1] == ' ' && end[2] == (char)state;
}

/**
 * peer_await_call() - wait until it sleeps in a system call
 * @peer: a started peer
 * @number: of the call, __NR_*
 *
 * Return: 0, -ESRCH: it ended; -ETIMEDOUT.
 */
int peer_await_call(struct peer *peer, long number)
{
	return await(peer, is_in_call, "syscall", number);
}

/**
 * peer_await_state() - wait until its main thread is in a state
 * @peer: a started peer
 * @state: the letter in /proc/PID/stat
 *
 * Return: 0, -ESRCH: it ended; -ETIMEDOUT.
 */
int peer_await_state(struct peer *peer, char state)
{
	return await(peer, is_in_state, "stat", state);
}
