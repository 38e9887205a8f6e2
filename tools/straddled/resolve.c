// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * resolve.c - who owns a guest, why, and what an operator can do about it.
 *
 * What is safe to offer depends on the side and the state of the row, and on
 * nothing else: it is a table. Where a choice is only safe if the operator
 * knows something that no host can know, he has to type it.
 */
#include "resolve.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/address.h"
#include "recover.h"
#include "settle.h"
#include "sys.h"
#include "tools/lib/jsonline.h"
#include "workers.h"

/* What an operator has to type, so that it is he who says so. */
enum proof_of { NOTHING, DEST_IS_FENCED, GUEST_NAME };

struct choice {
	enum side side;
	enum owner_state state;
	enum resolution resolution;
	enum proof_of types;
	const char *does;		/* and what may be lost */
};

#define BACK	"the guest goes on here as of the stop. What it did at the dest is lost; its " \
		"disks and its peers may have seen it"
#define FENCED	"; only when the dest host is off or cut off, and stays so until it has heard of " \
		"this, or nothing is left of the guest there: else two copies run"
#define GIVE	"the held copy here is killed. Pages that the dest misses are lost with it"
#define TO_FILE	"the pages that the dest may lack are written to a file, for --rescue there"
#define POISON	"missing pages never come: what touches one gets an error (SIGBUS, machine " \
		"check). Only when the source is gone for good"
#define FROM_FILE "missing pages are taken from a file that --rescue wrote at the source"

static const struct choice choices[] = {
	{ SIDE_SOURCE, STATE_ASKED, RESOLVE_TAKE_BACK, DEST_IS_FENCED, BACK FENCED },
	{ SIDE_SOURCE, STATE_ASKED, RESOLVE_GIVE_UP, GUEST_NAME,
	  "the copy here is killed. If the dest never started its own, the guest is lost" },
	{ SIDE_SOURCE, STATE_ASKED, RESOLVE_RESCUE, NOTHING, TO_FILE },
	{ SIDE_SOURCE, STATE_HELD, RESOLVE_TAKE_BACK, DEST_IS_FENCED, BACK FENCED },
	{ SIDE_SOURCE, STATE_HELD, RESOLVE_GIVE_UP, GUEST_NAME, GIVE },
	{ SIDE_SOURCE, STATE_HELD, RESOLVE_RESCUE, NOTHING, TO_FILE },
	{ SIDE_SOURCE, STATE_CORRUPT, RESOLVE_TAKE_BACK, DEST_IS_FENCED, BACK FENCED },
	{ SIDE_SOURCE, STATE_CORRUPT, RESOLVE_GIVE_UP, GUEST_NAME, GIVE },
	{ SIDE_SOURCE, STATE_DIED_THERE, RESOLVE_TAKE_BACK, NOTHING, BACK },
	{ SIDE_SOURCE, STATE_DIED_THERE, RESOLVE_GIVE_UP, GUEST_NAME, GIVE },
	{ SIDE_DEST, STATE_GO, RESOLVE_POISON, GUEST_NAME, POISON
	  ". It is done once the guest has answered its start and the journal says so" },
	{ SIDE_DEST, STATE_GO, RESOLVE_RESCUE, NOTHING, FROM_FILE },
	{ SIDE_DEST, STATE_RUNNING, RESOLVE_POISON, GUEST_NAME, POISON },
	{ SIDE_DEST, STATE_RUNNING, RESOLVE_RESCUE, NOTHING, FROM_FILE },
	{ SIDE_DEST, STATE_SUPERSEDED, RESOLVE_GIVE_UP, GUEST_NAME,
	  "the stopped copy here is killed: the guest runs at its source" },
};

/* Who owns it, and why, in words. */
struct explanation {
	enum owner_state state;
	const char *words;
};

static const struct explanation explanations[] = {
	{ STATE_ASKED,
	  "The dest was asked to run the guest, and did not answer. It may run there or not: only "
	  "the dest knows. It stands still here, and the dest is asked again and again" },
	{ STATE_HELD,
	  "The guest runs at the dest, which said so; pages of it are missing there. They are here, "
	  "in the memory of the copy that stands still, and are sent whenever the dest can be "
	  "reached" },
	{ STATE_CORRUPT,
	  "The guest runs at the dest, and its memory did not arrive as it was here. Nothing was "
	  "torn down: the copy here is sound, as of the stop" },
	{ STATE_DIED_THERE,
	  "The guest ran at the dest, and its process ended there. Nobody owns it now. The copy "
	  "here is as of the stop" },
	{ STATE_TEARING_DOWN,
	  "The guest is at the dest, with every page. The copy here is being ended" },
	{ STATE_TAKING_BACK, "An operator takes the guest back: it is about to go on here" },
	{ STATE_GO,
	  "This host owns the guest, and starts it or has done so: it may run already. Its "
	  "hypervisor has not answered yet, or the journal could not be written since. Both are "
	  "tried again every second, and its pages come meanwhile" },
	{ STATE_RUNNING,
	  "The guest runs here, and pages of it are missing: it waits where it touches one. They "
	  "are in the memory of the copy that its source holds, and come whenever the source "
	  "connects" },
	{ STATE_COMPLETE,
	  "The guest runs here with every page. Its source has not confirmed yet" },
	{ STATE_SUPERSEDED,
	  "An operator at the source took the guest back: it runs there. The copy here was stopped "
	  "when that became known" },
};

static const char *explain(enum owner_state state)
{
	size_t i;

	for (i = 0; i < sizeof(explanations) / sizeof(explanations[0]); i++)
		if (explanations[i].state == state)
			return explanations[i].words;
	return "The guest runs at the source, or is about to go on there. Nothing needs a "
	       "decision: it can be aborted ('straddle abort')";
}

static const char poisoned_words[] =
	"The guest runs at the dest, where an operator had its missing pages poisoned: it goes on "
	"without them, and none is sent any more. The copy here stands still, and is of no use to "
	"it";

/* Did the dest say so? Its row here is HELD all the same. */
static bool is_poisoned(const struct journal_row *row, const struct worker *worker)
{
	return row->state == STATE_HELD &&
	       json_object_get_boolean(worker_progress_member(worker, "poisoned"));
}

static const char *typed_words(enum proof_of types)
{
	switch (types) {
	case DEST_IS_FENCED:
		return "--fenced";
	case GUEST_NAME:
		return "--guest";
	default:
		return NULL;
	}
}

/* A file with pages that were poisoned is taken in by nobody. */
static void choices_add(struct json_object *list, const struct journal_row *row,
			const struct worker *worker)
{
	bool poisoned = is_poisoned(row, worker);
	size_t i;

	for (i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		const struct choice *choice = &choices[i];
		struct json_object *object;

		if (choice->side != row->side || choice->state != row->state ||
		    (poisoned && choice->resolution == RESOLVE_RESCUE))
			continue;
		object = json_object_new_object();
		json_object_object_add(object, "resolution", json_object_new_string(
					resolution_name(choice->resolution)));
		json_object_object_add(object, "types", choice->types ? json_object_new_string(
					typed_words(choice->types)) : NULL);
		json_object_object_add(object, "does", json_object_new_string(choice->does));
		json_object_array_add(list, object);
	}
}

static const struct choice *choice_of(const struct journal_row *row,
				      enum resolution resolution)
{
	size_t i;

	for (i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		if (choices[i].side == row->side && choices[i].state == row->state &&
		    choices[i].resolution == resolution)
			return &choices[i];
	return NULL;
}

/**
 * resolve_is_open() - is something still to be decided, or to be carried out?
 * @worker: that has the migration in its hands
 * @resolution: what was decided
 *
 * Return: false if its row says that it is under way, or that it is too late.
 */
bool resolve_is_open(const struct worker *worker, enum resolution resolution)
{
	struct fail ignored = { 0 };
	struct journal_row row;
	bool open;

	if (journal_get(worker->agent->journal, worker->id, worker->side, &row, &ignored))
		return true;
	open = choice_of(&row, resolution);
	journal_row_fini(&row);
	return open;
}

/* The host without its port: "10.0.0.2" of "10.0.0.2:49300". */
static bool same_host(const char *typed, const char *peer)
{
	struct address a, b;

	return !address_parse(typed, &a, NULL) && !address_parse(peer, &b, NULL) &&
	       !strcmp(a.host, b.host);
}

static int typed_check(const struct choice *choice, const struct journal_row *row,
		       struct json_object *request, struct fail *fail)
{
	const char *fenced = json_text(request, "fenced"), *named = json_text(request, "named");
	const char *host = journal_row_host(row);

	if (choice->types == DEST_IS_FENCED && (!fenced || !same_host(fenced, host)))
		return fail_set(fail, -EPERM, "guest '%s' may run on %s%s: taking it back is only "
				"safe when that host is off, or cut off until it has heard of it. "
				"If you made sure of that, say so: --fenced %s", row->guest, host,
				*row->went_to ? " (what it was when the guest left, whatever it "
				"is now)" : "", host);
	if (choice->types == GUEST_NAME && (!named || strcmp(named, row->guest)))
		return fail_set(fail, -EPERM, "--%s cannot be undone: %s. If that is what you "
				"want, name the guest once more: --%s %s",
				resolution_name(choice->resolution), choice->does,
				resolution_name(choice->resolution), row->guest);
	return 0;
}

/* One that is none may have whoever opens or reads it wait for ever. */
static int regular_open(const char *path, int flags, struct fail *fail)
{
	__cleanup_fd int file = sys_ret(open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
					     0600));
	struct stat status;
	int ret = file < 0 ? file : sys_ret(fstat(file, &status));

	if (ret < 0)
		return fail_set(fail, ret, "cannot open %s: %s", path, strerror(-ret));
	if (!S_ISREG(status.st_mode))
		return fail_set(fail, -EINVAL, "%s is no regular file", path);
	return take_fd(&file);
}

static int file_open(const struct choice *choice, struct json_object *request, int *file,
		     struct fail *fail)
{
	const char *path = json_text(request, "file");
	bool writes = choice->side == SIDE_SOURCE;

	if (choice->resolution != RESOLVE_RESCUE)
		return 0;
	if (!path || *path != '/')
		return fail_set(fail, -EINVAL, "'rescue' needs the absolute path of a file");
	*file = regular_open(path, writes ? O_WRONLY | O_CREAT | O_EXCL : O_RDONLY, fail);
	return *file >= 0 ? 0 : *file;
}

static struct json_object *resolve_packet(enum resolution resolution)
{
	struct json_object *packet = json_object_new_object();

	json_object_object_add(packet, "do", json_object_new_string("resolve"));
	json_object_object_add(packet, "resolution",
			       json_object_new_string(resolution_name(resolution)));
	return packet;
}

static const char rests[] = "It is not tried any more, since --recover-timeout has passed. "
	"'straddle recover' tries again, with --to at another address";

static void answer_say(struct client *client, const struct journal_row *row,
		       struct json_object *list)
{
	const struct worker *worker = worker_find(client_agent(client), row->id, row->side);
	struct json_object *answer = answer_new("resolve");

	json_object_object_add(answer, "id", json_object_new_string(row->id));
	json_object_object_add(answer, "guest", json_object_new_string(row->guest));
	json_object_object_add(answer, "side", json_object_new_string(side_name(row->side)));
	json_object_object_add(answer, "peer", json_object_new_string(row->peer));
	json_object_object_add(answer, "went_to", *row->went_to ?
			       json_object_new_string(row->went_to) : NULL);
	json_object_object_add(answer, "state",
			       json_object_new_string(owner_state_name(row->state)));
	json_object_object_add(answer, "error", json_object_new_string(row->error));
	json_object_object_add(answer, "words", json_object_new_string(
				is_poisoned(row, worker) ? poisoned_words : explain(row->state)));
	json_object_object_add(answer, "broken", json_object_get(
				worker_progress_member(worker, "broken")));
	json_object_object_add(answer, "recover", recover_is_due(worker) ?
			       json_object_new_string(rests) : NULL);
	json_object_object_add(answer, "choices", list);
	client_say(client, answer);
}

/* It may have been killed a moment ago, with its end not yet seen. */
static int tell(struct worker *worker, const struct decision *decision, struct fail *fail)
{
	int ret = worker_tell(worker, resolve_packet(decision->resolution), decision->file);

	if (!ret)
		return 0;
	return fail_set(fail, ret, "the worker of migration %s cannot be told (%s), so that "
			"nothing was done. 'straddle resolve' says how it stands: decide once "
			"more", worker->id, strerror(-ret));
}

/* A worker carries it out, and tells. */
static int decide(struct client *client, const struct journal_row *row,
		  const struct decision *decision, struct fail *fail)
{
	struct agent *agent = client_agent(client);
	struct worker *worker = worker_find(agent, row->id, row->side);
	int ret;

	if (worker && worker->kind == WORKER_SETTLE)
		return fail_set(fail, -EBUSY, "what a worker left of guest '%s' is being seen to: "
				"try again", row->guest);
	if (worker)
		ret = tell(worker, decision, fail);
	else
		ret = settle_resolve(agent, row, decision, &worker, fail);
	if (!ret)
		client_decide(client, worker, decision->resolution);
	return ret;
}

static int choose(struct client *client, struct json_object *request,
		  const struct journal_row *row, struct fail *fail)
{
	struct decision decision = {
		.resolution = resolution_named(json_text(request, "resolution")),
		.file = -1,
	};
	const struct choice *choice = choice_of(row, decision.resolution);
	__cleanup_fd int file = -1;
	int ret;

	if (!choice)
		return fail_set(fail, -EPERM, "guest '%s' is %s here: '%s' is no safe choice "
				"now. 'straddle resolve %s' says which there are", row->guest,
				owner_state_name(row->state), json_text(request, "resolution"),
				row->guest);
	ret = typed_check(choice, row, request, fail);
	if (!ret)
		ret = file_open(choice, request, &file, fail);
	decision.file = file;
	if (!ret)
		ret = decide(client, row, &decision, fail);
	/* Else the name is taken when it is tried again. */
	if (ret && file >= 0 && choice->side == SIDE_SOURCE)
		(void)sys_ret(unlink(json_text(request, "file")));
	if (ret)
		return ret;
	answer_say(client, row, NULL);
	return 0;
}

struct find {
	const char *guest;
	struct journal_row row;
	unsigned int found;
};

/* Where the guest comes home both sides may be here; the newest is met first. */
static int row_find(const struct journal_row *row, void *arg)
{
	struct find *find = arg;

	if (strcmp(row->guest, find->guest))
		return 0;
	if (!find->found++) {
		find->row = *row;
		find->row.summary = find->row.proof = NULL;
	}
	return 0;
}

/**
 * verb_resolve() - explain a migration's row, or carry out a decision
 * @client: who asks
 * @request: "guest"; "resolution", "fenced", "named", "file" for a decision
 * @fail: says why not, and what to do
 *
 * Return: 0 or -errno.
 */
int verb_resolve(struct client *client, struct json_object *request, struct fail *fail)
{
	const char *guest = json_text(request, "guest");
	struct find find = { .guest = guest ? guest : "" };
	struct agent *agent = client_agent(client);
	struct json_object *list;
	int ret = journal_each_open(agent->journal, row_find, &find, fail);

	if (!ret && !find.found)
		ret = fail_set(fail, -ENOENT, "guest '%s' has no migration on this host that "
			       "has not ended: there is nothing to resolve", find.guest);
	if (ret)
		return ret;
	if (json_text(request, "resolution"))
		return choose(client, request, &find.row, fail);
	list = json_object_new_array();
	choices_add(list, &find.row, worker_find(agent, find.row.id, find.row.side));
	answer_say(client, &find.row, list);
	return 0;
}
