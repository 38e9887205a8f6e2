// SPDX-License-Identifier: LGPL-2.1-or-later
/* worker.c - one process a migration and side: runs the phases. */
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "log.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "tools/lib/migration_json.h"
#include "tools/lib/textfile.h"
#include "tools/straddled/engine.h"
#include "tools/straddled/port.h"
#include "tools/straddled/worker_answer.h"
#include "tools/straddled/worker_port.h"

#define JOB_TIMEOUT_MS	10000

static int credentials_of(struct json_object *job,
			  struct credentials **credentials, struct fail *fail)
{
	struct credentials_paths paths = {
		.pki_dir = json_text(job, "pki_dir"),
		.psk_file = json_text(job, "psk_file"),
	};
	const char *security = json_text(job, "security");

	if (!security || !strcmp(security, "none"))
		return credentials_load(SECURITY_NONE, &paths, credentials,
					fail);
	return credentials_load(strcmp(security, "psk") ? SECURITY_X509
							: SECURITY_PSK,
				&paths, credentials, fail);
}

/* The connection packet that follows a job of the dest, its fd in @fd. */
static int connection_take(int *fd, struct fail *fail)
{
	struct json_object *object;
	int ret = worker_packet(JOB_TIMEOUT_MS, &object, fd);

	if (!ret)
		json_object_put(object);
	if (!ret && *fd < 0)
		ret = -EPROTO;
	if (ret < 0)
		return fail_set(fail, ret,
				"the agent handed over no connection: %s",
				strerror(-ret));
	return 0;
}

static int control_accept(struct migration *m)
{
	int fd;
	int ret = connection_take(&fd, &m->fail);

	if (ret < 0)
		return ret;
	ret = channel_accept(fd, m->credentials, JOB_TIMEOUT_MS, &m->channel,
			     &m->fail);
	return ret < 0 ? ret : channel_tune(m->channel, ROLE_CONTROL);
}

static int definition_read(const char *path, char **text, struct fail *fail)
{
	int ret = *path ? textfile_read(path, GUEST_DEFINITION_MAX, text, fail) : 0;

	if (!ret && *path && !*text)
		ret = fail_set(fail, -ENOENT, "there is no file %s", path);
	return ret;
}

static int migration_of(struct json_object *job, struct worker_port *port,
			struct migration *m)
{
	const char *side = json_text(job, "side");
	const char *id = json_text(job, "id");
	struct json_object *options, *allow;
	int ret;

	migration_init(m, side && !strcmp(side, "source") ? SIDE_SOURCE
							  : SIDE_DEST);
	if (!side || !id || migration_id_from_text(id, m->id) < 0)
		return -EPROTO;
	snprintf(port->id, sizeof(port->id), "%s", id);
	port->side = m->side;
	m->drivers = guest_drivers;
	m->run_dir = json_text(job, "run_dir");
	m->host.run_dir = m->run_dir;
	m->host.definitions_dir = json_text(job, "definitions_dir");
	if (json_object_object_get_ex(job, "allow_qmp", &allow))
		m->host.allow_qmp = json_object_get_boolean(allow);
	m->port_ops = &worker_port_ops;
	m->port = port;
	if (!m->run_dir || !m->host.definitions_dir)
		return -EPROTO;
	if (m->side == SIDE_DEST)
		return 0;
	if (!json_object_object_get_ex(job, "options", &options))
		return -EPROTO;
	ret = migration_options_from_json(options, &m->options, &m->fail);
	if (!ret)
		ret = definition_read(m->options.xml, &m->leaving.live, &m->fail);
	if (!ret)
		ret = definition_read(m->options.persistent_xml, &m->leaving.persistent, &m->fail);
	return ret;
}

/* The last word: what the history, the log and the waiting command are told. */
static void conclude(struct migration *m, int ret)
{
	const char *why = ret >= 0 ? NULL : m->fail.err ? m->fail.text : strerror(-ret);
	struct fail ignored = { 0 };
	struct json_object *summary;
	int told = -EPROTO;

	if (m->began_ns)
		m->progress.total_ns = now_ns() - m->began_ns;
	summary = progress_to_json(&m->progress);
	/* Before it has a row, too: the agent tells the user. */
	if (m->port_ops)
		told = m->port_ops->note(m->port, why, json_object_to_json_string(summary),
					 NULL, &ignored);
	json_object_put(summary);
	if (why && told)
		log_error("worker of guest '%s', whose agent does not listen: %s",
			  m->description.name, why);
}

static int migrate(struct json_object *job)
{
	struct worker_port port = { .id = "" };
	struct migration *m = calloc(1, sizeof(*m));
	int ret = m ? migration_of(job, &port, m) : -ENOMEM;

	if (!ret)
		ret = credentials_of(job, &m->credentials, &m->fail);
	if (!ret && m->side == SIDE_DEST)
		ret = control_accept(m);
	if (!ret)
		ret = engine_run(m);
	if (m) {
		struct credentials *credentials = m->credentials;

		conclude(m, ret);
		migration_fini(m);
		credentials_free(credentials);
	}
	free(m);
	return ret;
}

/* The row is the migration's: what fails here is only logged. */
static int answer(struct json_object *job)
{
	struct credentials *credentials = NULL;
	struct fail fail = { 0 };
	struct channel *channel;
	int fd, ret = credentials_of(job, &credentials, &fail);

	if (!ret)
		ret = connection_take(&fd, &fail);
	if (!ret)
		ret = channel_accept(fd, credentials, JOB_TIMEOUT_MS, &channel,
				     &fail);
	if (!ret) {
		ret = worker_answer(channel, job, &fail);
		channel_close(channel);
	}
	credentials_free(credentials);
	if (ret < 0)
		log_error("migration %s, a question about it: %s", json_text(job, "id"),
			  fail.err ? fail.text : strerror(-ret));
	return ret;
}

/**
 * worker_main() - take a job from the agent and do it
 *
 * A worker outlives its agent: signals of the agent's terminal are not for it.
 *
 * Return: the exit status, 0 or 1.
 */
int worker_main(void)
{
	struct json_object *job;
	const char *side;
	int passed, ret;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	ret = worker_packet(JOB_TIMEOUT_MS, &job, &passed);
	if (ret < 0) {
		log_error("worker: the agent gave no job: %s", strerror(-ret));
		return 1;
	}
	if (passed >= 0)
		close(passed);
	side = json_text(job, "side");
	prctl(PR_SET_NAME, side ? side : "worker");
	ret = side && !strcmp(side, "answer") ? answer(job) : migrate(job);
	json_object_put(job);
	return ret < 0;
}
