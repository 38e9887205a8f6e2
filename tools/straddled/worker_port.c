// SPDX-License-Identifier: LGPL-2.1-or-later
/* worker_port.c - a worker asks its agent and its broker. */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "log.h"
#include "sys.h"
#include "tools/lib/broker_client.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/migration_json.h"
#include "tools/lib/packet.h"
#include "tools/straddled/confine.h"
#include "tools/straddled/port.h"
#include "tools/straddled/steward.h"
#include "tools/straddled/worker_port.h"

static void put_text(struct json_object *object, const char *key,
		     const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static struct json_object *request(const char *verb)
{
	struct json_object *object = json_object_new_object();

	put_text(object, "do", verb);
	return object;
}

static int reply_error(struct json_object *reply, struct fail *fail)
{
	struct json_object *value;
	const char *text = json_text(reply, "error");
	int error = -EIO;

	if (json_object_object_get_ex(reply, "ok", &value) &&
	    json_object_get_boolean(value))
		return 0;
	if (json_object_object_get_ex(reply, "errno", &value) &&
	    json_object_get_int(value) > 0)
		error = -json_object_get_int(value);
	return fail_set(fail, error, "%s", text ? text : strerror(-error));
}

/* One request, one reply; frees @object. @reply is the caller's on success. */
static int call(struct json_object *object, struct json_object **reply,
		struct fail *fail)
{
	int passed = -1;
	int ret = packet_send(PORT_RPC_FD, object, -1);

	json_object_put(object);
	if (!ret)
		ret = packet_receive(PORT_RPC_FD, reply, &passed);
	if (passed >= 0)
		close(passed);
	if (ret < 0)
		return fail_set(fail, ret,
				"the agent of this host does not answer its "
				"worker (%s); is straddled still running?",
				strerror(-ret));
	return 0;
}

static int call_simple(struct json_object *object, struct fail *fail)
{
	struct json_object *reply;
	int ret = call(object, &reply, fail);

	if (ret < 0)
		return ret;
	ret = reply_error(reply, fail);
	json_object_put(reply);
	return ret;
}

static int port_begin(void *port, struct journal_row *row, struct fail *fail)
{
	struct worker_port *self = port;
	struct json_object *object = request("begin");
	struct json_object *said = json_object_new_object();
	struct fail why = { 0 }, claimed = { 0 };
	struct json_object *reply, *epoch;
	int ret;

	if (row->side == SIDE_DEST)
		(void)steward_claim(row->guest, &claimed);
	put_text(said, "id", self->id);
	put_text(said, "side", side_name(row->side));
	put_text(said, "guest", row->guest);
	put_text(said, "uuid", row->uuid);
	put_text(said, "peer", row->peer);
	put_text(said, "peer_digest", row->peer_digest);
	json_object_object_add(said, "epoch",
			       json_object_new_uint64(row->epoch));
	json_object_object_add(said, "guest_pid",
			       json_object_new_int64(row->guest_pid));
	json_object_object_add(said, "paused",
			       json_object_new_boolean(row->paused));
	json_object_object_add(object, "row", said);
	ret = call(object, &reply, fail);
	if (ret < 0)
		return ret;
	ret = reply_error(reply, &why);
	if (!ret && json_object_object_get_ex(reply, "epoch", &epoch))
		row->epoch = json_object_get_uint64(epoch);
	json_object_put(reply);
	/* Why the agent was not told of the guest is the better reason. */
	if (ret == -EACCES && claimed.err)
		why = claimed;
	return ret ? fail_set(fail, why.err, "%s", why.text) : 0;
}

/**
 * worker_port_listed() - tell the agent of a guest
 * @guest: an object; freed
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int worker_port_listed(struct json_object *guest, struct fail *fail)
{
	struct json_object *object = request("listed");
	struct json_object *reply;
	int ret;

	json_object_object_add(object, "guest", guest);
	ret = call(object, &reply, fail);
	if (ret < 0)
		return ret;
	ret = reply_error(reply, fail);
	json_object_put(reply);
	return ret;
}

static int port_move(void *port, enum owner_state to, enum owner_state *now,
		     struct fail *fail)
{
	struct json_object *object = request("move");
	struct json_object *reply;
	const char *name;
	int ret;

	(void)port;
	put_text(object, "to", owner_state_name(to));
	ret = call(object, &reply, fail);
	if (ret < 0)
		return ret;
	ret = reply_error(reply, fail);
	name = json_text(reply, "now");
	if (ret == -ESTALE && name)
		*now = owner_state_named(name);
	json_object_put(reply);
	return ret;
}

static int port_note(void *port, const char *error, const char *summary,
		     const char *proof, struct fail *fail)
{
	struct json_object *object = request("note");
	const struct worker_port *self = port;

	if (self && self->proven)
		json_object_object_add(object, "proven", json_object_new_boolean(true));
	if (error)
		put_text(object, "error", error);
	if (summary)
		json_object_object_add(object, "summary",
				       json_tokener_parse(summary));
	if (proof)
		put_text(object, "proof", proof);
	return call_simple(object, fail);
}

static int port_paused(void *port, bool paused, struct fail *fail)
{
	struct json_object *object = request("paused");

	(void)port;
	json_object_object_add(object, "paused", json_object_new_boolean(paused));
	return call_simple(object, fail);
}

static int port_process(void *port, pid_t pid, struct fail *fail)
{
	(void)port;
	(void)pid;		/* its steward has said which it is */
	return call_simple(request("process"), fail);
}

static int port_acknowledge(void *port, struct fail *fail)
{
	(void)port;
	return call_simple(request("acknowledge"), fail);
}

/* Who ends what a dead worker left has to know of its userfaultfd. */
static int tell_attached(const char *verb, int remote_fd, struct fail *fail)
{
	struct json_object *object = request(verb);

	json_object_object_add(object, "remote_fd",
			       json_object_new_int(remote_fd));
	return call_simple(object, fail);
}

static int port_attach(void *port, pid_t pid, struct uffd_attachment *made,
		       struct fail *fail)
{
	int ret;

	(void)port;
	ret = broker_attach(PORT_BROKER_FD, pid, made, fail);
	if (ret < 0)
		return ret;
	ret = tell_attached("attached", made->remote_fd, fail);
	if (ret < 0)
		broker_detach(PORT_BROKER_FD, made, NULL);
	return ret;
}

/* More ranges than fit into one request go in several. */
static int port_zap(void *port, const struct uffd_attachment *attachment,
		    const struct range *ranges, size_t count,
		    struct fail *fail)
{
	int ret = 0;

	(void)port;
	(void)attachment;
	while (count && !ret) {
		size_t part = count < BROKER_RANGES_MAX ? count
							: BROKER_RANGES_MAX;

		ret = broker_zap(PORT_BROKER_FD, ranges, part, fail);
		ranges += part;
		count -= part;
	}
	return ret;
}

static int port_detach(void *port, struct uffd_attachment *attachment,
		       struct fail *fail)
{
	int remote_fd = attachment->remote_fd, ret;

	(void)port;
	ret = broker_detach(PORT_BROKER_FD, attachment, fail);
	/* Without an agent there is nobody who would look. */
	if (!ret)
		(void)tell_attached("detached", remote_fd, NULL);
	return ret;
}

/* The agent knows of it: the predecessor had told. */
static int port_adopt(void *port, pid_t pid, int remote_fd,
		      struct uffd_attachment *made, struct fail *fail)
{
	(void)port;
	return broker_adopt(PORT_BROKER_FD, pid, remote_fd, made, fail);
}

/**
 * worker_confine() - give up all rights, for good
 * @port: of the worker. Twice is once
 * @fail: says what failed
 *
 * Return: 0 or -errno; then the worker is to end.
 */
int worker_confine(struct worker_port *port, struct fail *fail)
{
	int ret = port->confined ? 0 : confine_rights(fail);

	if (!ret && !port->confined)
		ret = confine_calls(port->injects, fail);
	port->confined = !ret;
	return ret;
}

static int port_decided(void *port, struct fail *fail)
{
	return worker_confine(port, fail);
}

static void port_progress(void *port, const struct progress *progress)
{
	struct json_object *object = progress_to_json(progress);

	(void)port;
	put_text(object, "do", "progress");
	/* An agent that is gone misses it, and nothing depends on it. */
	(void)packet_send(PORT_RPC_FD, object, -1);
	json_object_put(object);
	log_left_out(now_ns());		/* here, since it comes round now and then */
}

static int port_command_fd(void *port)
{
	(void)port;
	return PORT_COMMAND_FD;
}

/**
 * worker_packet() - the next packet that the agent sent
 * @timeout_ms: how long to wait for it; -1: for ever
 * @object: receives it, the caller's
 * @passed: receives the descriptor that came with it, or -1
 *
 * Return: 0, -ETIMEDOUT, -EPIPE (the agent is gone) or -errno.
 */
int worker_packet(int timeout_ms, struct json_object **object, int *passed)
{
	int ret = sys_wait_fd(PORT_COMMAND_FD, POLLIN, timeout_ms);

	*passed = -1;
	if (!ret)
		ret = packet_receive(PORT_COMMAND_FD, object, passed);
	return ret;
}

static uint16_t number16(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value))
		return 0;
	return (uint16_t)json_object_get_int(value);
}

static void port_peer(void *port, const char *from, const char *name)
{
	struct json_object *object = request("peer");
	struct fail ignored = { 0 };

	(void)port;
	put_text(object, "from", from);
	put_text(object, "name", name);
	(void)call_simple(object, &ignored);
}

static void port_refused(void *port, bool proven, const char *text)
{
	const struct worker_port *self = port;

	log_refusal(proven ? REFUSED_PEER : REFUSED_STRANGER, "migration %s: %s", self->id, text);
}

static void connection_command(struct worker_port *self,
			       struct json_object *object, int passed,
			       struct command_data *data)
{
	const char *from = json_text(object, "from");
	uint8_t id[MIGRATION_ID_SIZE];

	if (passed < 0 || migration_id_from_text(self->id, id) < 0)
		return;
	preamble_init(&data->preamble, number16(object, "role"),
		      number16(object, "index"), id);
	snprintf(data->from, sizeof(data->from), "%s", from ? from : "");
	data->command = COMMAND_CONNECTION;
	data->fd = passed;
}

static void bandwidth_command(struct json_object *object,
			      struct command_data *data)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, "bytes", &value))
		return;
	data->command = COMMAND_BANDWIDTH;
	data->bandwidth = json_object_get_uint64(value);
}

static bool json_true(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) &&
	       json_object_get_boolean(value);
}

static void resolve_command(struct json_object *object, int passed,
			    struct command_data *data)
{
	data->resolution = resolution_named(json_text(object, "resolution"));
	if (data->resolution == RESOLVE_NONE)
		return;
	data->command = COMMAND_RESOLVE;
	data->fd = passed;
}

static int port_command(void *port, struct command_data *data)
{
	struct json_object *object;
	const char *verb;
	int passed, ret = worker_packet(0, &object, &passed);

	if (ret < 0)
		return ret == -ETIMEDOUT ? -EAGAIN : ret;
	verb = json_text(object, "do");
	data->command = COMMAND_NONE;
	if (verb && !strcmp(verb, "abort"))
		data->command = COMMAND_ABORT;
	else if (verb && !strcmp(verb, "postcopy"))
		data->command = COMMAND_POSTCOPY;
	else if (verb && !strcmp(verb, "recover"))
		data->command = COMMAND_RECOVER;
	else if (verb && !strcmp(verb, "bandwidth"))
		bandwidth_command(object, data);
	else if (verb && !strcmp(verb, "connection"))
		connection_command(port, object, passed, data);
	else if (verb && !strcmp(verb, "link"))
		data->command = json_true(object, "up") ? COMMAND_LINK_UP
						       : COMMAND_LINK_DOWN;
	else if (verb && !strcmp(verb, "resolve"))
		resolve_command(object, passed, data);
	if (passed >= 0 && data->command != COMMAND_CONNECTION &&
	    data->command != COMMAND_RESOLVE)
		close(passed);
	json_object_put(object);
	return 0;
}

const struct port_ops worker_port_ops = {
	.begin = port_begin,
	.move = port_move,
	.note = port_note,
	.paused = port_paused,
	.attach = port_attach,
	.zap = port_zap,
	.detach = port_detach,
	.adopt = port_adopt,
	.files = steward_files,
	.process = port_process,
	.acknowledge = port_acknowledge,
	.decided = port_decided,
	.process_open = steward_process_open,
	.process_signal = steward_process_signal,
	.process_started = steward_process_started,
	.process_of = steward_process_of,
	.storage = &steward_storage,
	.peer = port_peer,
	.refused = port_refused,
	.progress = port_progress,
	.command_fd = port_command_fd,
	.command = port_command,
};
