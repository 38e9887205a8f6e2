/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inject.c - faults of --inject: counted in RUN-DIR/inject by the agent and its
 * workers together.
 *
 * An agent that was killed leaves the file; the next one with the same specs
 * goes on counting, so that it is not killed again by what killed this one. An
 * agent that ends by itself removes it.
 */
#include <json-c/json.h>
#include <string.h>
#include <sys/random.h>

#include "inject.h"
#include "log.h"
#include "protocol/inject.h"
#include "sys.h"
#include "tools/lib/jsonline.h"

static void file_path(const char *run_dir, char *path, size_t size)
{
	snprintf(path, size, "%s/inject", run_dir);
}

static void told(const char *text)
{
	log_warning("%s", text);
}

/**
 * agent_inject() - begin to inject what the command line says
 * @agent: with its directories made, and its journal open
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int agent_inject(struct agent *agent, struct fail *fail)
{
	const struct agent_options *options = agent->options;
	uint64_t seed = options->inject_seed;
	char path[256];
	size_t i;
	int ret;

	file_path(options->run_dir, path, sizeof(path));
	if (!inject_count(options->inject)) {
		(void)sys_ret(unlink(path));	/* of an agent that had some */
		return 0;
	}
	if (!options->inject_seeded &&
	    getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return fail_set(fail, -EIO, "no random numbers: give --inject-seed");
	inject_seed(options->inject, options->inject_seeded ? seed : seed >> 32);
	ret = inject_share(options->inject, path, true, options->inject_seeded, fail);
	if (ret)
		return ret;
	agent->inject = options->inject;
	inject_tell(agent->inject, told, NULL);
	journal_inject(agent->journal, agent->inject);
	for (i = 0; i < inject_count(agent->inject); i++)
		log_warning("faults are injected here: %s", inject_text(agent->inject, i));
	log_warning("their chance is that of --inject-seed %ju",
		    (uintmax_t)inject_seed_get(agent->inject));
	return 0;
}

/**
 * agent_inject_end() - the agent ends by itself: the next one counts anew
 * @agent: of this host; its workers go on with what they have
 */
void agent_inject_end(struct agent *agent)
{
	char path[256];

	if (!agent->inject)
		return;
	journal_inject(agent->journal, NULL);
	file_path(agent->options->run_dir, path, sizeof(path));
	(void)sys_ret(unlink(path));
}

/**
 * inject_to_job() - tell a worker what to inject
 * @agent: whose worker it is
 * @job: to add to; unchanged where nothing is injected
 */
void inject_to_job(const struct agent *agent, struct json_object *job)
{
	struct json_object *specs;
	size_t i;

	if (!agent->inject)
		return;
	specs = json_object_new_array();
	for (i = 0; i < inject_count(agent->inject); i++)
		json_object_array_add(specs,
				      json_object_new_string(inject_text(agent->inject, i)));
	json_object_object_add(job, "inject", specs);
}

/**
 * inject_from_job() - what a worker is to inject
 * @job: its job
 * @inject: receives it, or NULL where there is none; inject_destroy() frees it
 * @fail: says why not
 *
 * Return: 0 or -errno.
 */
int inject_from_job(struct json_object *job, struct inject **inject, struct fail *fail)
{
	const char *run_dir = json_text(job, "run_dir");
	struct json_object *specs;
	char path[256];
	size_t i;
	int ret;

	*inject = NULL;
	if (!json_object_object_get_ex(job, "inject", &specs) || !run_dir)
		return 0;
	ret = inject_create(inject, fail);
	for (i = 0; !ret && i < json_object_array_length(specs); i++)
		ret = inject_add(*inject, json_object_get_string(
					 json_object_array_get_idx(specs, i)), fail);
	if (!ret) {
		file_path(run_dir, path, sizeof(path));
		ret = inject_share(*inject, path, false, false, fail);
	}
	if (!ret)
		inject_tell(*inject, told, json_text(job, "id"));
	return ret;
}

/**
 * inject_to_json() - what is injected, and what came of it so far
 * @inject: of the agent, or NULL
 *
 * Return: {"seed":N,"faults":[{"spec":S,"reached":N,"struck":N}]}, or NULL.
 */
struct json_object *inject_to_json(const struct inject *inject)
{
	struct json_object *object, *faults;
	uint64_t reached, struck;
	size_t i;

	if (!inject)
		return NULL;
	object = json_object_new_object();
	faults = json_object_new_array();
	for (i = 0; i < inject_count(inject); i++) {
		struct json_object *fault = json_object_new_object();

		inject_counts(inject, i, &reached, &struck);
		json_object_object_add(fault, "spec",
				       json_object_new_string(inject_text(inject, i)));
		json_object_object_add(fault, "reached", json_object_new_uint64(reached));
		json_object_object_add(fault, "struck", json_object_new_uint64(struck));
		json_object_array_add(faults, fault);
	}
	json_object_object_add(object, "seed", json_object_new_uint64(inject_seed_get(inject)));
	json_object_object_add(object, "faults", faults);
	return object;
}
