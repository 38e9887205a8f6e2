/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * steward_verbs.c - what a worker may have its steward do with a guest.
 *
 * Each takes its request apart first, and does nothing when that is not whole.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"
#include "port.h"
#include "proc.h"
#include "steward_own.h"
#include "sys.h"
#include "tools/lib/broker_client.h"
#include "tools/lib/packet.h"

/* Most have no arguments. */
static int nothing_more(struct wire *in)
{
	return wire_end(in);
}

/* What the agent does not hear it does not believe of the worker, either. */
static bool agent_tell(const char *verb, const char *guest, bool private, int pidfd)
{
	struct json_object *packet = json_object_new_object();
	int ret;

	json_object_object_add(packet, "do", json_object_new_string(verb));
	json_object_object_add(packet, "guest", json_object_new_string(guest));
	json_object_object_add(packet, "private", json_object_new_boolean(private));
	ret = packet_send(PORT_GUEST_FD, packet, pidfd);
	json_object_put(packet);
	return !ret;
}

static void guest_tell(struct steward *steward, const struct guest_driver *driver,
		       const char *name)
{
	steward->told = agent_tell("guest", name, steward->private,
				   driver->pidfd(steward->guest));
}

/* Its process is the one that the worker may have attached to, and no other. */
static void guest_taken(struct steward *steward, const struct guest_driver *driver,
			struct wire *out)
{
	int pidfd = driver->pidfd(steward->guest);
	pid_t pid = pidfd < 0 ? 0 : proc_of_pidfd(pidfd);
	struct fail fail = { 0 };

	if (pid > 0 && broker_bind(PORT_BINDER_FD, pidfd, &fail))
		log_warning("%s", fail.text);
	steward->driver = driver;
	steward->told = false;
	__atomic_store_n(&steward->pid, pid > 0 ? pid : 0, __ATOMIC_RELAXED);
	wire_fd(out, &pidfd);
}

/* Its name may be another one's by now. */
static int process_check(const struct steward_job *job, int pidfd, struct fail *fail)
{
	pid_t pid = pidfd < 0 ? -ESRCH : proc_of_pidfd(pidfd);

	if (!job->process || pid == job->process)
		return 0;
	return job->process < 0 ?
	       fail_set(fail, -ENOENT, "the process of guest '%s' has ended", job->guest) :
	       fail_set(fail, -ESTALE, "guest '%s' is another process than the one that was "
			"migrated (%d)", job->guest, (int)job->process);
}

static int verb_open(struct steward *steward, const struct guest_driver *driver,
		     struct wire *in, struct wire *out, struct fail *fail)
{
	char name[GUEST_NAME_MAX];
	struct guest *guest;
	int ret;

	wire_chars(in, name, sizeof(name));
	ret = wire_end(in);
	if (ret)
		return ret;
	if (steward->guest || strcmp(name, steward->job.guest))
		return fail_set(fail, -EACCES, "guest '%s' is not the one of this migration", name);
	ret = driver->open(&steward->job.host, name, &guest, fail);
	if (ret)
		return ret;
	ret = process_check(&steward->job, driver->pidfd(guest), fail);
	if (ret) {
		driver->close(guest);
		return ret;
	}
	steward->guest = guest;
	guest_taken(steward, driver, out);
	return 0;
}

static int name_is_free(const struct steward *steward, const char *name, struct fail *fail)
{
	const struct guest_driver *driver;
	struct fail why = { 0 };
	struct guest *guest;
	int ret;

	/* It is the path of a socket, which not everybody may have connected to. */
	if (!steward->job.host.allow_qmp && guest_name_fits(&qmp_driver, name))
		return qmp_driver.check(&steward->job.host,
					&(struct guest_incoming){ .name = name }, fail);
	ret = guest_find(guest_drivers, &steward->job.host, name, &driver, &guest, &why);
	if (!ret)
		driver->close(guest);
	if (ret == -ENOENT)
		return 0;
	return ret ? fail_set(fail, ret, "%s", why.text) :
		     fail_set(fail, -EEXIST, "guest '%s' cannot run here: one of that name runs "
			      "here already: end it, or migrate with --dname", name);
}

/* Before it is made: whoever has that name then is the one that was made. */
static int verb_claim(struct steward *steward, const struct guest_driver *driver,
		      struct wire *in, struct wire *out, struct fail *fail)
{
	char name[GUEST_NAME_MAX];
	int ret;

	(void)driver;
	(void)out;
	wire_chars(in, name, sizeof(name));
	ret = wire_end(in);
	if (!ret && (steward->guest || *steward->claimed))
		ret = fail_set(fail, -EACCES, "this migration has named its guest already");
	if (!ret)
		ret = name_is_free(steward, name, fail);
	if (ret)
		return ret;
	strcpy(steward->claimed, name);
	agent_tell("claim", name, false, -1);
	return 0;
}

static int verb_create(struct steward *steward, const struct guest_driver *driver,
		       struct wire *in, struct wire *out, struct fail *fail)
{
	struct guest_incoming incoming;
	struct incoming_parts parts;
	int ret;

	wire_incoming(in, &incoming, &parts);
	ret = wire_end(in);
	if (!ret && (steward->guest || *steward->made))
		ret = fail_set(fail, -EACCES, "this migration has made its guest already");
	if (!ret && strcmp(incoming.name, steward->claimed))
		ret = fail_set(fail, -EACCES, "guest '%s' is not the one of this migration",
			       incoming.name);
	if (!ret) {
		snprintf(steward->made, sizeof(steward->made), "%s", incoming.name);
		ret = driver->create_incoming(&steward->job.host, &incoming, &steward->guest,
					      fail);
		if (ret)
			steward->guest = NULL;
	}
	if (!ret) {
		guest_taken(steward, driver, out);
		guest_tell(steward, driver, steward->made);
	}
	incoming_parts_free(&parts);
	return ret;
}

static int verb_close(struct steward *steward, const struct guest_driver *driver,
		      struct wire *in, struct wire *out, struct fail *fail)
{
	(void)in;
	(void)out;
	(void)fail;
	if (steward->guest)
		driver->close(steward->guest);
	steward->guest = NULL;
	return 0;
}

static int verb_describe(struct steward *steward, const struct guest_driver *driver,
			 struct wire *in, struct wire *out, struct fail *fail)
{
	struct guest_description description = { .pid = 0 };
	int ret = nothing_more(in);

	if (!ret)
		ret = driver->describe(steward->guest, &description, fail);
	if (!ret) {
		memcpy(steward->described, description.name, sizeof(steward->described));
		if (!steward->told)
			guest_tell(steward, driver, description.name);
		wire_description(out, &description);
	}
	guest_description_fini(&description);
	return ret;
}

static void regions_drop(struct guest_description *description)
{
	unsigned int i;

	for (i = 0; i < description->region_count; i++)
		if (description->regions[i].fd >= 0)
			close(description->regions[i].fd);
	description->region_count = 0;
}

/* For a successor's steward, too, which asks no guest: it may stand still. */
static void private_note(struct steward *steward, const struct guest_driver *driver,
			 const struct guest_description *description)
{
	const char *name = *steward->made ? steward->made : steward->described;
	bool private = false;
	unsigned int i;

	for (i = 0; i < description->region_count; i++)
		private |= !description->regions[i].shared;
	if (!private || steward->private)
		return;
	__atomic_store_n(&steward->private, true, __ATOMIC_RELAXED);
	if (*name)
		guest_tell(steward, driver, name);
}

/* What it adds goes to its copy, and comes back with it. */
static int verb_map(struct steward *steward, const struct guest_driver *driver,
		    struct wire *in, struct wire *out, struct fail *fail)
{
	struct guest_description description = { .pid = 0 };
	int ret;

	wire_description(in, &description);
	ret = wire_end(in);
	regions_drop(&description);	/* where its memory is the guest says */
	if (!ret)
		ret = driver->map(steward->guest, &description, fail);
	if (!ret) {
		private_note(steward, driver, &description);
		wire_description(out, &description);
	}
	guest_description_fini(&description);
	return ret;
}

static int verb_pause(struct steward *steward, const struct guest_driver *driver,
		      struct wire *in, struct wire *out, struct fail *fail)
{
	(void)out;
	return nothing_more(in) ?: driver->pause(steward->guest, fail);
}

static int verb_resume(struct steward *steward, const struct guest_driver *driver,
		       struct wire *in, struct wire *out, struct fail *fail)
{
	(void)out;
	return nothing_more(in) ?: driver->resume(steward->guest, fail);
}

static int verb_watch(struct steward *steward, const struct guest_driver *driver,
		      struct wire *in, struct wire *out, struct fail *fail)
{
	int fd = -1, ret = nothing_more(in);

	if (!ret)
		ret = driver->watch ? driver->watch(steward->guest, &fd, fail) : -EOPNOTSUPP;
	if (!ret)
		wire_fd(out, &fd);
	return ret;
}

static int verb_runs(struct steward *steward, const struct guest_driver *driver,
		     struct wire *in, struct wire *out, struct fail *fail)
{
	(void)out;
	(void)fail;
	if (!driver->runs)
		return -EOPNOTSUPP;
	return nothing_more(in) ?: (int)driver->runs(steward->guest);
}

/* ---- device state ------------------------------------------------------- */

static int state_out(struct wire *out, int ret, int fd)
{
	if (!ret)
		wire_fd(out, &fd);
	if (fd >= 0)
		close(fd);
	return ret;
}

static int verb_save_ahead(struct steward *steward, const struct guest_driver *driver,
			   struct wire *in, struct wire *out, struct fail *fail)
{
	int fd = -1, ret = nothing_more(in);

	if (!ret)
		ret = driver->save_ahead ? driver->save_ahead(steward->guest, &fd, fail) :
					   -EOPNOTSUPP;
	return state_out(out, ret, fd);
}

static int verb_save(struct steward *steward, const struct guest_driver *driver,
		     struct wire *in, struct wire *out, struct fail *fail)
{
	int fd = -1, ret = nothing_more(in);

	if (!ret)
		ret = driver->save(steward->guest, &fd, fail);
	return state_out(out, ret, fd);
}

static int state_in(struct steward *steward, struct wire *in, struct fail *fail,
		    int (*load)(struct guest *guest, int fd, struct fail *fail))
{
	int fd = -1, ret;

	wire_fd(in, &fd);
	ret = wire_end(in);
	if (!ret && fd < 0)
		ret = -EPROTO;
	if (!ret)
		ret = load ? load(steward->guest, fd, fail) : -EOPNOTSUPP;
	if (fd >= 0)
		close(fd);
	return ret;
}

static int verb_load_ahead(struct steward *steward, const struct guest_driver *driver,
			   struct wire *in, struct wire *out, struct fail *fail)
{
	(void)out;
	return state_in(steward, in, fail, driver->load_ahead);
}

static int verb_load(struct steward *steward, const struct guest_driver *driver,
		     struct wire *in, struct wire *out, struct fail *fail)
{
	(void)out;
	return state_in(steward, in, fail, driver->load);
}

static int verb_loads(struct steward *steward, const struct guest_driver *driver,
		      struct wire *in, struct wire *out, struct fail *fail)
{
	uint32_t thread;
	int ret;

	(void)out;
	(void)fail;
	wire_value(in, &thread);
	ret = wire_end(in);
	if (!ret)
		ret = driver->loads ? driver->loads(steward->guest, thread) : -EOPNOTSUPP;
	return ret;
}

static int verb_hold(struct steward *steward, const struct guest_driver *driver,
		     struct wire *in, struct wire *out, struct fail *fail)
{
	uint8_t hold;
	int ret;

	(void)out;
	wire_value(in, &hold);
	ret = wire_end(in);
	if (!ret)
		ret = driver->hold ? driver->hold(steward->guest, hold, fail) : -EOPNOTSUPP;
	return ret;
}

/* ---- may it, and where to ----------------------------------------------- */

static int verb_check_leaving(struct steward *steward, const struct guest_driver *driver,
			      struct wire *in, struct wire *out, struct fail *fail)
{
	struct guest_description description = { .pid = 0 };
	struct guest_leaving leaving = { .live = NULL };
	struct obstacles all = { .err = 0 };
	int ret;

	(void)fail;
	wire_description(in, &description);
	wire_leaving(in, &leaving);
	wire_obstacles(in, &all);
	ret = wire_end(in);
	if (!ret && (!driver->check_leaving || !description.live))
		ret = -EOPNOTSUPP;
	if (!ret) {
		free(take_ptr(description.disks));
		description.disk_count = 0;
		driver->check_leaving(steward->guest, &description, &leaving, &all);
		wire_description(out, &description);
		wire_leaving(out, &leaving);
		wire_obstacles(out, &all);
	}
	free(leaving.live);
	free(leaving.persistent);
	guest_description_fini(&description);
	return ret;
}

/* Which of its disks have to be copied is what it finds. */
static int verb_check(struct steward *steward, const struct guest_driver *driver,
		      struct wire *in, struct wire *out, struct fail *fail)
{
	struct guest_incoming incoming;
	struct incoming_parts parts;
	unsigned int i;
	int ret;

	wire_incoming(in, &incoming, &parts);
	ret = wire_end(in);
	if (!ret && !steward->guest)
		steward->driver = driver;
	if (!ret)
		ret = driver->check(&steward->job.host, &incoming, fail);
	for (i = 0; i < incoming.disk_count && ret >= 0; i++)
		wire_disk(out, &incoming.disks[i]);
	incoming_parts_free(&parts);
	return ret;
}

static int verb_destroy(struct steward *steward, const struct guest_driver *driver,
			struct wire *in, struct wire *out, struct fail *fail)
{
	(void)out;
	return nothing_more(in) ?: driver->destroy(steward->guest, fail);
}

static int verb_forget(struct steward *steward, const struct guest_driver *driver,
		       struct wire *in, struct wire *out, struct fail *fail)
{
	(void)out;
	(void)fail;
	if (driver->forget && !nothing_more(in))
		driver->forget(steward->guest);
	return 0;
}

/* The source may remove its guest's, the dest store that of what came in. */
static bool may_define(const struct steward *steward, const char *name, const char *text)
{
	if (steward->job.side == SIDE_SOURCE)
		return !text && (!strcmp(name, steward->described) ||
				 !strcmp(name, steward->job.guest));
	return !strcmp(name, *steward->made ? steward->made : steward->job.guest);
}

static int verb_define(struct steward *steward, const struct guest_driver *driver,
		       struct wire *in, struct wire *out, struct fail *fail)
{
	char name[GUEST_NAME_MAX], *text = NULL, *previous = NULL;
	int ret;

	wire_chars(in, name, sizeof(name));
	wire_text(in, &text, DEFINITION_MAX);
	ret = wire_end(in);
	if (!ret && !may_define(steward, name, text))
		ret = fail_set(fail, -EACCES, "no definition of '%s' is of this migration", name);
	if (!ret)
		ret = driver->define(&steward->job.host, name, text, &previous, fail);
	if (!ret)
		wire_text(out, &previous, DEFINITION_MAX);
	free(previous);
	free(text);
	return ret;
}

static int verb_define_end(struct steward *steward, const struct guest_driver *driver,
			   struct wire *in, struct wire *out, struct fail *fail)
{
	char name[GUEST_NAME_MAX];
	uint8_t keep;
	int ret;

	(void)out;
	wire_chars(in, name, sizeof(name));
	wire_value(in, &keep);
	ret = wire_end(in);
	if (!ret && !may_define(steward, name, NULL))
		ret = -EACCES;
	return ret ? ret : driver->define_end(&steward->job.host, name, keep, fail);
}

static int verb_userfaultfd(struct steward *steward, const struct guest_driver *driver,
			    struct wire *in, struct wire *out, struct fail *fail)
{
	int fd = -1, ret = nothing_more(in);

	if (!ret)
		ret = driver->userfaultfd(steward->guest, &fd, fail);
	return state_out(out, ret, fd);
}

static int verb_userfaultfd_close(struct steward *steward, const struct guest_driver *driver,
				  struct wire *in, struct wire *out, struct fail *fail)
{
	(void)out;
	return nothing_more(in) ?: driver->userfaultfd_close(steward->guest, fail);
}

const struct steward_row steward_table[STEWARD_VERBS] = {
	[STEWARD_OPEN] = { FOR_BOTH, LOCK_OPENS, verb_open },
	[STEWARD_CLOSE] = { FOR_BOTH, LOCK_OPENS, verb_close },
	[STEWARD_DESCRIBE] = { FOR_BOTH, LOCK_TURN, verb_describe },
	[STEWARD_MAP] = { FOR_BOTH, LOCK_TURN, verb_map },
	[STEWARD_PAUSE] = { FOR_BOTH, LOCK_TURN, verb_pause },
	[STEWARD_RESUME] = { FOR_BOTH, LOCK_TURN, verb_resume },
	[STEWARD_WATCH] = { FOR_BOTH, LOCK_TURN, verb_watch },
	[STEWARD_RUNS] = { FOR_BOTH, LOCK_TURN, verb_runs },
	[STEWARD_SAVE_AHEAD] = { FOR_SOURCE, LOCK_TURN, verb_save_ahead },
	[STEWARD_SAVE] = { FOR_SOURCE, LOCK_TURN, verb_save },
	[STEWARD_LOAD_AHEAD] = { FOR_DEST, LOCK_TURN, verb_load_ahead },
	[STEWARD_LOAD] = { FOR_DEST, LOCK_TURN, verb_load },
	[STEWARD_LOADS] = { FOR_DEST, LOCK_GUEST, verb_loads },
	[STEWARD_HOLD] = { FOR_BOTH, LOCK_TURN, verb_hold },
	[STEWARD_CHECK_LEAVING] = { FOR_SOURCE, LOCK_TURN, verb_check_leaving },
	[STEWARD_CHECK] = { FOR_DEST, LOCK_HOST, verb_check },
	[STEWARD_CLAIM] = { FOR_DEST, LOCK_HOST, verb_claim },
	[STEWARD_CREATE] = { FOR_DEST, LOCK_OPENS, verb_create },
	[STEWARD_DESTROY] = { FOR_BOTH, LOCK_TURN, verb_destroy },
	[STEWARD_FORGET] = { FOR_SOURCE, LOCK_TURN, verb_forget },
	[STEWARD_DEFINE] = { FOR_BOTH, LOCK_HOST, verb_define },
	[STEWARD_DEFINE_END] = { FOR_DEST, LOCK_HOST, verb_define_end },
	[STEWARD_USERFAULTFD] = { FOR_BOTH, LOCK_TURN, verb_userfaultfd },
	[STEWARD_USERFAULTFD_CLOSE] = { FOR_BOTH, LOCK_TURN, verb_userfaultfd_close },
	[STEWARD_COPY_START] = { FOR_SOURCE, LOCK_TURN, verb_copy_start },
	[STEWARD_COPY_LOOK] = { FOR_SOURCE, LOCK_TURN, verb_copy_look },
	[STEWARD_COPY_LIMIT] = { FOR_SOURCE, LOCK_TURN, verb_copy_limit },
	[STEWARD_COPY_END] = { FOR_SOURCE, LOCK_TURN, verb_copy_end },
	[STEWARD_IMAGE_MAKE] = { FOR_DEST, LOCK_HOST, verb_image_make },
	[STEWARD_IMAGE_SERVE] = { FOR_DEST, LOCK_TURN, verb_image_serve },
	[STEWARD_IMAGE_END] = { FOR_DEST, LOCK_HOST, verb_image_end },
	[STEWARD_DISK_LISTEN] = { FOR_SOURCE, LOCK_TURN, verb_disk_listen },
	[STEWARD_DISKS_OVER] = { FOR_BOTH, LOCK_HOST, verb_disks_over },
	[STEWARD_PROCESS_OPEN] = { FOR_BOTH, LOCK_GUEST, verb_process_open },
	[STEWARD_PROCESS_SIGNAL] = { FOR_BOTH, LOCK_GUEST, verb_process_signal },
	[STEWARD_PROCESS_STARTED] = { FOR_BOTH, LOCK_NONE, verb_process_started },
	[STEWARD_PROCESS_OF] = { FOR_BOTH, LOCK_GUEST, verb_process_of },
	[STEWARD_FILES] = { FOR_BOTH, LOCK_TURN, verb_files },
	[STEWARD_DIAL] = { FOR_SOURCE, LOCK_NONE, verb_dial },
	[STEWARD_FILE_OPEN] = { FOR_BOTH, LOCK_NONE, verb_file_open },
	[STEWARD_FILE_RENAME] = { FOR_BOTH, LOCK_NONE, verb_file_rename },
	[STEWARD_FILE_REMOVE] = { FOR_BOTH, LOCK_NONE, verb_file_remove },
};
