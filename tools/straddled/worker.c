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
#include "protocol/particulars.h"
#include "tools/straddled/confine.h"
#include "tools/straddled/engine.h"
#include "tools/straddled/guests.h"
#include "tools/straddled/inject.h"
#include "tools/straddled/port.h"
#include "tools/straddled/steward.h"
#include "tools/straddled/worker_answer.h"
#include "tools/straddled/worker_port.h"
#include "tools/straddled/worker_settle.h"

#define JOB_TIMEOUT_MS	10000

/* None of them: every peer whose certificate or key is good. */
static int peers_allow(struct json_object *job, struct credentials *credentials,
		       struct fail *fail)
{
	struct json_object *names;
	size_t i, count = 0;
	int ret = 0;

	if (json_object_object_get_ex(job, "allow_peers", &names))
		count = json_object_array_length(names);
	for (i = 0; i < count && !ret; i++)
		ret = credentials_allow(credentials, json_object_get_string(
						json_object_array_get_idx(names, i)), fail);
	return ret;
}

static int credentials_of(struct json_object *job,
			  struct credentials **credentials, struct fail *fail)
{
	struct credentials_paths paths = {
		.pki_dir = json_text(job, "pki_dir"),
		.psk_file = json_text(job, "psk_file"),
	};
	const char *name = json_text(job, "security");
	enum security security = SECURITY_NONE;
	int ret;

	if (name && strcmp(name, "none"))
		security = strcmp(name, "psk") ? SECURITY_X509 : SECURITY_PSK;
	ret = credentials_load(security, &paths, credentials, fail);
	return ret ? ret : peers_allow(job, *credentials, fail);
}

/* The packet that follows some jobs, with a descriptor in it. */
static int file_take(int *fd, struct fail *fail)
{
	struct json_object *object;
	int ret = worker_packet(JOB_TIMEOUT_MS, &object, fd);

	if (!ret)
		json_object_put(object);
	if (!ret && *fd < 0)
		ret = -EPROTO;
	if (ret < 0)
		return fail_set(fail, ret,
				"the agent handed over no descriptor: %s",
				strerror(-ret));
	return 0;
}

static int control_accept(struct migration *m)
{
	struct worker_port *port = m->port;
	int fd;
	int ret = file_take(&fd, &m->fail);

	if (ret < 0)
		return ret;
	ret = channel_accept(fd, m->credentials, JOB_TIMEOUT_MS, &m->channel,
			     &m->fail);
	port->proven = channel_accept_proved(m->credentials, ret);
	return ret < 0 ? ret : channel_tune(m->channel, ROLE_CONTROL);
}

static int definition_read(const char *path, char **text, struct fail *fail)
{
	int ret = *path ? textfile_read(path, GUEST_DEFINITION_MAX, text, fail) : 0;

	if (!ret && *path && !*text)
		ret = fail_set(fail, -ENOENT, "there is no file %s", path);
	return ret;
}

static bool is_successor(struct json_object *job)
{
	struct json_object *successor;

	return json_object_object_get_ex(job, "successor", &successor);
}

/* Before anything can fail: where it stands says whether it may be undone. */
static int row_take(struct json_object *job, struct migration *m)
{
	struct json_object *row = NULL, *epoch, *process;
	const char *state, *guest;

	json_object_object_get_ex(job, "row", &row);
	state = row ? json_text(row, "state") : NULL;
	guest = row ? json_text(row, "guest") : NULL;
	m->state = state ? owner_state_named(state) : STATE_NONE;
	snprintf(m->description.name, sizeof(m->description.name), "%s", guest ? guest : "?");
	if (m->state == STATE_NONE)
		return fail_set(&m->fail, -EPROTO, "the agent gave no row to go on from");
	if (json_object_object_get_ex(row, "epoch", &epoch))
		m->epoch = json_object_get_uint64(epoch);
	if (json_object_object_get_ex(row, "process_pid", &process))
		m->process = json_object_get_int(process);
	if (m->process == -EAGAIN)
		return fail_set(&m->fail, -EIO, "whether guest '%s' lives cannot be found out",
				m->description.name);
	if (m->side == SIDE_DEST)
		worker_peer_of(row, m->peer_digest);
	return 0;
}

/* Of a guest that is to leave: a successor has no use for them. */
static int definitions_read(struct migration *m)
{
	int ret = definition_read(m->options.xml, &m->leaving.live, &m->fail);

	return ret ? ret : definition_read(m->options.persistent_xml, &m->leaving.persistent,
					   &m->fail);
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
	ret = is_successor(job) ? row_take(job, m) : 0;
	if (ret)
		return ret;
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
	return ret || is_successor(job) ? ret : definitions_read(m);
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

/* In the place of one that died, from where its row stands. */
static int succeed(struct json_object *job, struct migration *m)
{
	int ret = 0;

	m->resolution = resolution_named(json_text(job, "resolution"));
	if (m->resolution == RESOLVE_RESCUE)
		ret = file_take(&m->resolve_fd, &m->fail);
	return ret ? ret : migration_continue(m);
}

static int carry_out(struct json_object *job, struct migration *m)
{
	int ret;

	if (is_successor(job))
		return succeed(job, m);
	ret = m->side == SIDE_DEST ? control_accept(m) : 0;
	return ret ? ret : engine_run(m);
}

/* Which process its predecessor's guest is; for steward_job. */
static pid_t process_of(struct json_object *row)
{
	struct json_object *process;
	pid_t pid;

	if (!row || !json_object_object_get_ex(row, "process_pid", &process))
		return 0;
	pid = json_object_get_int(process);
	return pid < 0 ? 0 : pid ? pid : -1;
}

/* Found out by its predecessor's steward; where that is not known, it may be so. */
static bool is_private(struct json_object *job)
{
	struct json_object *private;

	return !json_object_object_get_ex(job, "private_memory", &private) ||
	       json_object_get_boolean(private);
}

static int steward_make(struct json_object *job, struct migration *m)
{
	struct json_object *row = NULL;
	const char *guest = NULL, *went_to;
	struct steward_job what = { .side = m->side, .host = m->host };

	/* In the place of one that died: the guest that is here already. */
	if (json_object_object_get_ex(job, "row", &row))
		guest = json_text(row, "guest");
	what.process = process_of(row);
	what.private = is_private(job);
	migration_id_to_text(m->id, what.id);
	snprintf(what.guest, sizeof(what.guest), "%s", guest ? guest : m->options.guest);
	snprintf(what.peer, sizeof(what.peer), "%s", m->options.host);
	went_to = row ? json_text(row, "went_to") : NULL;
	snprintf(what.went_to, sizeof(what.went_to), "%s", went_to ? went_to : "");
	snprintf(m->went_to, sizeof(m->went_to), "%s", what.went_to);
	m->drivers = steward_drivers();
	steward_states();
	return steward_start(&what, &m->fail);
}

/*
 * The steward has the rights, and nothing of the keys; this process the keys,
 * and from here on no rights. Another engine, libvirt's, parses nothing of the
 * other host's, and works in this process: it, and whoever may yet need it,
 * keeps them.
 */
static int rights_share(struct json_object *job, struct worker_port *port,
			struct migration *m)
{
	uint64_t features;
	char boot_id[64];
	int ret = confine_descriptors(STEWARD_FD, &m->fail);

	if (!ret && m->options.engine != ENGINE_NATIVE)
		ret = steward_make(job, m);
	if (!ret)
		ret = credentials_of(job, &m->credentials, &m->fail);
	if (ret || m->options.engine == ENGINE_NATIVE)
		return ret;
	port->injects = m->inject;
	credentials_dial_by(m->credentials, steward_dial);
	/* What takes a right, and stays as it is. */
	boot_id_read(boot_id, sizeof(boot_id));
	(void)uffd_supported(&features);
	uffd_content_prepare();
	/* A successor's engine was decided upon long ago. */
	if (m->options.engine == ENGINE_AUTO && !is_successor(job))
		return 0;
	return worker_confine(port, &m->fail);
}

static int migrate(struct json_object *job)
{
	struct worker_port port = { .id = "" };
	struct migration *m = calloc(1, sizeof(*m));
	int ret = m ? migration_of(job, &port, m) : -ENOMEM;

	if (!ret)
		ret = inject_from_job(job, &m->inject, &m->fail);
	if (!ret)
		ret = rights_share(job, &port, m);
	if (!ret)
		ret = carry_out(job, m);
	if (m) {
		struct credentials *credentials = m->credentials;
		struct inject *inject = m->inject;

		conclude(m, ret);
		migration_fini(m);
		credentials_free(credentials);
		inject_destroy(inject);
		steward_end();
	}
	free(m);
	return ret;
}

/* To the agent, which keeps it for its log: who asks may do so without end. */
static void answer_failed(struct worker_port *port, struct json_object *job, const char *why)
{
	struct fail ignored = { 0 };

	if (worker_port_ops.note(port, why, NULL, NULL, &ignored))
		log_error("migration %s, a question about it: %s", json_text(job, "id"), why);
}

/* The row is the migration's: what fails here is only logged. */
static int answer(struct json_object *job)
{
	struct worker_port port = { .side = SIDE_DEST };
	struct credentials *credentials = NULL;
	struct inject *inject = NULL;
	struct fail fail = { 0 };
	struct channel *channel;
	/* It has no steward, and does not say which guest it is, either. */
	int fd, ret = confine_descriptors(PORT_BINDER_FD, &fail);

	if (!ret)
		ret = inject_from_job(job, &inject, &fail);
	if (!ret)
		ret = credentials_of(job, &credentials, &fail);
	port.injects = inject;
	if (!ret)
		ret = worker_confine(&port, &fail);
	if (!ret)
		ret = file_take(&fd, &fail);
	if (!ret) {
		ret = channel_accept(fd, credentials, JOB_TIMEOUT_MS, &channel,
				     &fail);
		port.proven = channel_accept_proved(credentials, ret);
	}
	if (!ret) {
		ret = worker_answer(channel, job, inject, &fail);
		channel_close(channel);
	}
	credentials_free(credentials);
	inject_destroy(inject);
	if (ret < 0 && ret != -EAGAIN)
		answer_failed(&port, job, fail.err ? fail.text : strerror(-ret));
	return ret;
}

static int list(struct json_object *job)
{
	struct fail fail = { 0 };
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);	/* nobody else is to hear it */
	ret = guests_list(job, &fail);

	if (ret)
		(void)worker_port_ops.note(NULL, fail.err ? fail.text : strerror(-ret), NULL,
					   NULL, &fail);
	return ret;
}

static int job_run(struct json_object *job, const char *side)
{
	if (!strcmp(side, "settle"))
		return worker_settle_run(job);
	if (!strcmp(side, "answer"))
		return answer(job);
	return !strcmp(side, "list") ? list(job) : migrate(job);
}

/**
 * worker_main() - take a job from the agent and do it
 *
 * A worker outlives its agent: signals of the agent's terminal are not for it.
 *
 * Return: the exit status: 0, 1, or WORKER_OPERATOR.
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
	ret = job_run(job, side ? side : "");
	json_object_put(job);
	log_left_out(UINT64_MAX);
	/* It died there, arrived damaged, was taken back: there is no more to do. */
	if (ret == -EOWNERDEAD || ret == -EBADMSG || ret == -ESTALE)
		return WORKER_OPERATOR;
	return ret < 0;
}
