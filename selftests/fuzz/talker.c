/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * talker.c - a server that says what an input has it say.
 *
 * One thread for all inputs. A line that begins with '!' comes with a
 * descriptor, and without the '!'. After the last line it hangs up on everybody.
 */
#include "talker.h"

#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/un.h>

#include "sys.h"

static struct {
	int fd;				/* it listens there */
	const char *const *first;
	bool at_once;
	struct fuzz_input input;	/* the thread's from begin to end */
	size_t size;			/* of it, at its begin */
	bool ends;			/* atomic; nobody connects any more */
	sem_t begin, end;
} talker;

static void line_send(int fd, const void *bytes, size_t size, int passed)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control;
	struct iovec iov = { (void *)(uintptr_t)bytes, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (passed >= 0) {
		memset(&control, 0, sizeof(control));
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.header), &passed, sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	(void)sys_retry(sendmsg(fd, &msg, MSG_NOSIGNAL));
}

/* Return: false: there is no line any more, or this one has no end. */
static bool line_say(int fd)
{
	struct fuzz_input line;
	int passed = -1;

	if (!fuzz_line(&talker.input, &line))
		return false;
	if (*line.at == '!') {
		passed = fuzz_file(line.at, line.left);
		fuzz_byte(&line);
	}
	if (line.left)
		line_send(fd, line.at, line.left, passed);
	if (passed >= 0)
		close(passed);
	return line.left && line.at[line.left - 1] == '\n';
}

/* Requests are short and come one at a time. */
static bool request_hear(int fd)
{
	char text[4096];
	ssize_t got;

	do {
		got = sys_retry(recv(fd, text, sizeof(text), 0));
		if (got <= 0)
			return false;
	} while (text[got - 1] != '\n');
	return true;
}

static void connection_serve(int fd)
{
	const char *const *first;

	for (first = talker.first; *first; first++) {
		line_send(fd, *first, strlen(*first), -1);
		if (first[1] && !request_hear(fd))
			return;
	}
	while ((talker.at_once && talker.input.left < talker.size) || request_hear(fd))
		if (!line_say(fd))
			return;
}

static void *talker_main(void *arg)
{
	(void)arg;
	for (;;) {
		sem_wait(&talker.begin);
		for (;;) {
			int fd = sys_retry(accept4(talker.fd, NULL, NULL, SOCK_CLOEXEC));

			FUZZ_CHECK(fd >= 0);
			if (__atomic_load_n(&talker.ends, __ATOMIC_ACQUIRE)) {
				close(fd);
				break;
			}
			connection_serve(fd);
			close(fd);
		}
		sem_post(&talker.end);
	}
	return NULL;
}

static struct sockaddr_un address = { .sun_family = AF_UNIX };

/**
 * talker_listen() - begin to listen; once a process
 * @path: of the socket
 * @first: what it says to each connection at first; between two of them it
 *	hears a request
 * @at_once: the first request after that is answered with all lines
 */
void talker_listen(const char *path, const char *const *first, bool at_once)
{
	pthread_t thread;

	FUZZ_CHECK(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	talker.first = first;
	talker.at_once = at_once;
	talker.fd = sys_ret(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	FUZZ_CHECK(!bind(talker.fd, (struct sockaddr *)&address, sizeof(address)));
	FUZZ_CHECK(!listen(talker.fd, 16));
	sem_init(&talker.begin, 0, 0);
	sem_init(&talker.end, 0, 0);
	FUZZ_CHECK(!pthread_create(&thread, NULL, talker_main, NULL));
	pthread_detach(thread);
}

/**
 * talker_begin() - answer with the lines of an input
 * @input: stays as it is until talker_end()
 */
void talker_begin(struct fuzz_input input)
{
	talker.input = input;
	talker.size = input.left;
	__atomic_store_n(&talker.ends, false, __ATOMIC_RELEASE);
	sem_post(&talker.begin);
}

/**
 * talker_end() - nobody is connected any more: wait until that is known
 */
void talker_end(void)
{
	int fd = sys_ret(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	__atomic_store_n(&talker.ends, true, __ATOMIC_RELEASE);
	FUZZ_CHECK(!connect(fd, (struct sockaddr *)&address, sizeof(address)));
	FUZZ_CHECK(!sys_retry(sem_wait(&talker.end)));
	close(fd);
}
