/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmm_client.c - one request, one answer, each a line of JSON.
 *
 * A call that timed out leaves an answer behind: the connection is dropped
 * and the next call makes a new one.
 */
#include "tools/guests/vmm_client.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "cleanup.h"
#include "sys.h"
#include "tools/lib/jsonline.h"

#define ANSWER_MAX	(4u << 20)	/* bytes of an answer */
#define CONNECT_MS	10000

struct vmm_client {
	pthread_mutex_t lock;	/* of a call, and fd */
	int dir;		/* where the socket is */
	int fd;			/* -1: to be made again */
	pid_t pid;
	char name[80];
};

static int connect_again(struct vmm_client *client)
{
	struct timeval limit = { .tv_sec = CONNECT_MS / 1000 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	__cleanup_fd int fd = -1;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int ret;

	snprintf(address.sun_path, sizeof(address.sun_path),
		 "/proc/self/fd/%d/%s.sock", client->dir, client->name);
	fd = sys_ret(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	ret = sys_retry(connect(fd, (struct sockaddr *)&address,
				sizeof(address)));
	if (!ret)
		ret = sys_ret(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer,
					 &size));
	if (!ret && client->pid && client->pid != peer.pid)
		ret = -ESTALE;	/* another process has the name now */
	if (ret)
		return ret;
	client->pid = peer.pid;
	client->fd = take_fd(&fd);
	return 0;
}

/**
 * vmm_connect() - connect to a guest by its name
 * @run_dir: the VMM's --run-dir
 * @name: the guest's
 * @client: receives the connection
 * @fail: says why there is none
 *
 * Return: 0, -ENOENT when no such guest runs, or -errno.
 */
int vmm_connect(const char *run_dir, const char *name,
		struct vmm_client **client, struct fail *fail)
{
	struct vmm_client *got;
	char path[512];
	int ret;

	if (!*name || *name == '.' || strchr(name, '/') ||
	    strlen(name) >= sizeof(got->name) - 16)
		return fail_set(fail, -EINVAL,
				"\"%.80s\" cannot be a guest's name", name);
	got = calloc(1, sizeof(*got));
	if (!got)
		return fail_set(fail, -ENOMEM, "no memory");
	snprintf(path, sizeof(path), "%s/guests", run_dir);
	snprintf(got->name, sizeof(got->name), "%s", name);
	pthread_mutex_init(&got->lock, NULL);
	got->fd = -1;
	got->dir = sys_ret(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
	ret = got->dir < 0 ? got->dir : connect_again(got);
	if (!ret) {
		*client = got;
		return 0;
	}
	vmm_disconnect(got);
	if (ret == -ECONNREFUSED)
		ret = -ENOENT;	/* a socket that a dead VMM left */
	if (ret == -ENOENT)
		return fail_set(fail, ret,
				"no guest %s runs here (looked in %s); \"straddle list\" shows "
				"those that do",
				name, path);
	return fail_set(fail, ret, "cannot connect to guest %s: %s", name,
			strerror(-ret));
}

/**
 * vmm_disconnect() - end a connection
 * @client: or NULL
 */
void vmm_disconnect(struct vmm_client *client)
{
	if (!client)
		return;
	if (client->fd >= 0)
		close(client->fd);
	if (client->dir >= 0)
		close(client->dir);
	pthread_mutex_destroy(&client->lock);
	free(client);
}

/**
 * vmm_client_pid() - the process at the other end
 * @client: connected
 *
 * Return: its pid, as the kernel says, not as it says.
 */
pid_t vmm_client_pid(const struct vmm_client *client)
{
	return client->pid;
}

static int send_line(int fd, const char *text, size_t size, int send_fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)text, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (send_fd >= 0) {
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &send_fd, sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	while (iov.iov_len) {
		ssize_t sent = sys_retry(sendmsg(fd, &msg, MSG_NOSIGNAL));

		if (sent < 0)
			return (int)sent;
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
		iov.iov_base = (char *)iov.iov_base + sent;
		iov.iov_len -= (size_t)sent;
	}
	return 0;
}

/* Keep the one descriptor of an answer; further ones are closed. */
static void take_fds(struct msghdr *msg, int *fd)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int *fds = (int *)CMSG_DATA(c);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			if (*fd < 0)
				*fd = fds[i];
			else
				close(fds[i]);
		}
	}
}

static ssize_t receive_some(int fd, char *text, size_t room, int *got_fd,
			    uint64_t end_ns)
{
	union {
		char bytes[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { text, room };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	uint64_t now = now_ns();
	ssize_t got;
	int ret;

	ret = sys_wait_fd(fd, POLLIN, now < end_ns ?
			  (int)((end_ns - now) / 1000000) : 0);
	if (ret)
		return ret;
	got = sys_retry(recvmsg(fd, &msg, MSG_CMSG_CLOEXEC));
	if (got > 0)
		take_fds(&msg, got_fd);
	/* One came along, and we have no room for it. */
	if (got > 0 && msg.msg_flags & MSG_CTRUNC && *got_fd < 0)
		return -EMFILE;
	return got ? got : -EPIPE;
}

static int receive_line(int fd, char **line, size_t *length, int *got_fd,
			uint64_t end_ns)
{
	__cleanup_free char *text = NULL;
	size_t used = 0, room = 0;

	for (;;) {
		ssize_t got;

		if (used == room) {
			char *more;

			room = room ? 2 * room : 8192;
			more = room > ANSWER_MAX ? NULL : realloc(text, room);
			if (!more)
				return -E2BIG;
			text = more;
		}
		got = receive_some(fd, text + used, room - used, got_fd,
				   end_ns);
		if (got < 0)
			return (int)got;
		used += (size_t)got;
		if (text[used - 1] != '\n')
			continue;
		text[used - 1] = '\0';
		*length = used - 1;
		*line = take_ptr(text);
		return 0;
	}
}

static int exchange(struct vmm_client *client, struct vmm_call *call,
		    const char *request, size_t size)
{
	uint64_t end = now_ns() + (uint64_t)call->timeout_ms * 1000000;
	__cleanup_free char *line = NULL;
	size_t length = 0;
	int ret = client->fd < 0 ? connect_again(client) : 0;

	if (!ret)
		ret = send_line(client->fd, request, size, call->send_fd);
	if (!ret)
		ret = receive_line(client->fd, &line, &length, &call->fd, end);
	if (!ret)
		ret = json_parse(line, length, &call->answer);
	if (ret && client->fd >= 0) {
		close(client->fd);
		client->fd = -1;
	}
	return ret;
}

/* An answer that says no becomes the errno and the text it carries. */
static int judge(const struct vmm_client *client, struct vmm_call *call,
		 const char *verb, struct fail *fail)
{
	struct json_object *ok = NULL;
	const char *why = vmm_text(call->answer, "error");
	uint64_t err = vmm_number(call->answer, "errno");

	json_object_object_get_ex(call->answer, "ok", &ok);
	if (json_object_get_boolean(ok))
		return 0;
	return fail_set(fail, err && err < 4096 ? -(int)err : -EIO,
			"guest %s: %s: %s", client->name, verb,
			why ? why : "no reason given");
}

static void call_clear(struct vmm_call *call)
{
	json_object_put(call->answer);
	call->answer = NULL;
	if (call->fd >= 0)
		close(call->fd);
	call->fd = -1;
}

/**
 * vmm_call() - one request and its answer
 * @client: connected
 * @call: what to send; what came
 * @fail: says what the VMM said, or why it did not
 *
 * Return: 0, the error that the VMM gave, -ETIMEDOUT, -EPIPE, ...
 */
int vmm_call(struct vmm_client *client, struct vmm_call *call,
	     struct fail *fail)
{
	const char *text = json_object_to_json_string_ext(call->request,
						JSON_C_TO_STRING_PLAIN);
	__cleanup_free char *line = NULL;
	__cleanup_free char *verb = strdup(vmm_text(call->request, "verb"));
	int size = asprintf(&line, "%s\n", text);
	int ret;

	json_object_put(call->request);
	call->request = NULL;
	call->answer = NULL;
	call->fd = -1;
	if (size < 0 || !verb)
		return fail_set(fail, -ENOMEM, "no memory");
	pthread_mutex_lock(&client->lock);
	ret = exchange(client, call, line, (size_t)size);
	pthread_mutex_unlock(&client->lock);
	if (ret)
		fail_set(fail, ret, "guest %s does not answer %s: %s",
			 client->name, verb, strerror(-ret));
	else
		ret = judge(client, call, verb, fail);
	if (ret)
		call_clear(call);
	return ret;
}

/**
 * vmm_verb() - a request without arguments whose answer is only yes or no
 * @client: connected
 * @verb: what to do
 * @timeout_ms: for the answer
 * @fail: says what the VMM said, or why it did not
 *
 * Return: as vmm_call().
 */
int vmm_verb(struct vmm_client *client, const char *verb, int timeout_ms,
	     struct fail *fail)
{
	struct vmm_call call = {
		.request = vmm_request(verb),
		.send_fd = -1,
		.timeout_ms = timeout_ms,
	};
	int ret = vmm_call(client, &call, fail);

	if (!ret)
		call_clear(&call);
	return ret;
}

/**
 * vmm_request() - start a request
 * @verb: what to do
 *
 * Return: an object to add arguments to; vmm_call() frees it.
 */
struct json_object *vmm_request(const char *verb)
{
	struct json_object *request = json_object_new_object();

	json_object_object_add(request, "verb", json_object_new_string(verb));
	return request;
}

/**
 * vmm_number() - a number of an answer
 * @answer: an object
 * @key: its member
 *
 * Return: the number; 0 when there is none or it is negative.
 */
uint64_t vmm_number(struct json_object *answer, const char *key)
{
	struct json_object *member = NULL;

	json_object_object_get_ex(answer, key, &member);
	return json_object_is_type(member, json_type_int) &&
	       json_object_get_int64(member) > 0 ?
	       json_object_get_uint64(member) : 0;
}

/**
 * vmm_text() - a text of an answer
 * @answer: an object
 * @key: its member
 *
 * Return: the text, which lives as long as @answer, or NULL.
 */
const char *vmm_text(struct json_object *answer, const char *key)
{
	struct json_object *member = NULL;

	json_object_object_get_ex(answer, key, &member);
	return json_object_is_type(member, json_type_string) ?
	       json_object_get_string(member) : NULL;
}
