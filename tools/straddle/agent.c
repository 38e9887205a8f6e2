/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* agent.c - connect to the agent, ask, receive. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "agent.h"
#include "sys.h"

#define ANSWER_MAX	(8u << 20)	/* bytes of one line: a long history */

static int connect_explain(const char *path, int ret, struct fail *fail)
{
	if (ret == -EACCES || ret == -EPERM)
		return fail_set(fail, ret, "no right to talk to the agent on %s: run this as "
				"root", path);
	return fail_set(fail, ret, "no agent answers on %s (%s): start one with 'systemctl start "
			"straddled' or 'straddled &', or name its socket with --agent", path,
			strerror(-ret));
}

/**
 * agent_connect() - connect to the agent
 * @link: receives the connection; nothing to close on error
 * @path: of its control socket
 * @fail: says why not, and how to start one
 *
 * Return: 0 or -errno.
 */
int agent_connect(struct agent_link *link, const char *path, struct fail *fail)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int ret;

	if (strlen(path) >= sizeof(address.sun_path))
		return fail_set(fail, -ENAMETOOLONG, "--agent %.60s...: the path of a socket is "
				"at most 107 bytes long", path);
	strcpy(address.sun_path, path);
	link->fd = sys_ret(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	if (link->fd < 0)
		return fail_set(fail, link->fd, "no socket: %s", strerror(-link->fd));
	ret = sys_retry(connect(link->fd, (struct sockaddr *)&address, sizeof(address)));
	if (ret)
		connect_explain(path, ret, fail);
	else
		ret = jsonline_init(&link->in, ANSWER_MAX);
	if (ret)
		close(link->fd);
	return ret;
}

/**
 * agent_close() - close a connection
 * @link: of agent_connect()
 */
void agent_close(struct agent_link *link)
{
	jsonline_fini(&link->in);
	close(link->fd);
}

/**
 * agent_receive() - wait for the next line of the agent
 * @link: the connection
 * @answer: receives it, the caller's
 * @fail: says why none comes
 *
 * Return: 0 or -errno.
 */
int agent_receive(struct agent_link *link, struct json_object **answer,
		  struct fail *fail)
{
	ssize_t got;
	int ret;

	while (!(ret = jsonline_next(&link->in, answer))) {
		got = jsonline_read(&link->in, link->fd);
		if (got < 0)
			return fail_set(fail, (int)got, "cannot hear the agent: %s",
					strerror((int)-got));
		if (!got)
			return fail_set(fail, -EPIPE, "the agent has ended; what it had started "
					"goes on: 'straddle status' tells once it runs again");
	}
	if (ret < 0)
		return fail_set(fail, ret, "what answers on the socket is no straddled");
	return 0;
}

/**
 * agent_error() - is an answer an error?
 * @answer: of the agent
 * @fail: receives what it says
 *
 * Return: 0 or -errno.
 */
int agent_error(struct json_object *answer, struct fail *fail)
{
	const char *type = json_text(answer, "type"), *text = json_text(answer, "error");
	struct json_object *number;
	int err = EPROTO;

	if (!type || strcmp(type, "error"))
		return 0;
	if (json_object_object_get_ex(answer, "errno", &number) &&
	    json_object_get_int(number) > 0)
		err = json_object_get_int(number);
	return fail_set(fail, -err, "%s", text ? text : strerror(err));
}

/**
 * agent_request() - a request with nothing but its verb
 * @verb: "list"
 *
 * Return: a new object, the caller's.
 */
struct json_object *agent_request(const char *verb)
{
	struct json_object *request = json_object_new_object();

	json_object_object_add(request, "do", json_object_new_string(verb));
	return request;
}

/**
 * agent_ask() - one request, one answer
 * @context: which agent
 * @request: freed
 * @answer: receives it, the caller's
 * @fail: says why there is none, or what the agent says against it
 *
 * Return: 0 or -errno.
 */
int agent_ask(const struct context *context, struct json_object *request,
	      struct json_object **answer, struct fail *fail)
{
	struct json_object *got = NULL;
	struct agent_link link;
	int ret = agent_connect(&link, context->agent, fail);

	if (!ret) {
		ret = jsonline_write(link.fd, request);
		/* It does not wait to be asked before it turns one away. */
		if (ret && ret != -EPIPE)
			fail_set(fail, ret, "cannot ask the agent: %s", strerror(-ret));
		else
			ret = agent_receive(&link, &got, fail);
		agent_close(&link);
	}
	json_object_put(request);
	if (!ret)
		ret = agent_error(got, fail);
	if (ret)
		json_object_put(got);
	else
		*answer = got;
	return ret;
}

/**
 * json_print() - print an object as one line
 * @object: what to print
 */
void json_print(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	fflush(stdout);
}
