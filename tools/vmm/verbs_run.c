// SPDX-License-Identifier: LGPL-2.1-or-later
/* verbs_run.c - requests that stop, start, save and end the guest. */
#include "tools/vmm/verbs.h"

#include "sys.h"
#include "tools/vmm/engine.h"
#include "tools/vmm/snapshot.h"

static bool stop_done(struct vmm *vmm, struct answer *answer)
{
	(void)answer;
	return machine_stopped(vmm->machine);
}

static int verb_pause(struct vmm *vmm, struct request *request,
		      struct answer *answer)
{
	(void)request;
	machine_stop(vmm->machine);
	return stop_done(vmm, answer) ? 0 : VERB_WAITS;
}

static int verb_resume(struct vmm *vmm, struct request *request,
		       struct answer *answer)
{
	(void)request;
	return machine_resume(vmm->machine, &answer->fail);
}

static int verb_save(struct vmm *vmm, struct request *request,
		     struct answer *answer)
{
	int ret = verb_need_stopped(vmm, answer);

	(void)request;
	if (!ret && vmm->machine->incoming)
		ret = fail_set(&answer->fail, -EINVAL,
			       "guest %s is incoming: it has no state to save",
			       vmm->machine->definition.name);
	return ret ? ret : snapshot_save(vmm->machine, &answer->fd,
					 &answer->fail);
}

static int verb_load(struct vmm *vmm, struct request *request,
		     struct answer *answer)
{
	if (!vmm->machine->incoming)
		return fail_set(&answer->fail, -EINVAL,
				"guest %s was not started with --incoming",
				vmm->machine->definition.name);
	if (request->fd < 0)
		return fail_set(&answer->fail, -EINVAL,
				"load needs the device state as a descriptor");
	return snapshot_load(vmm->machine, request->fd, &answer->fail);
}

static bool quit_done(struct vmm *vmm, struct answer *answer)
{
	(void)answer;
	return vmm->quit;
}

static int verb_quit(struct vmm *vmm, struct request *request,
		     struct answer *answer)
{
	(void)request;
	(void)answer;
	vmm->quit = true;
	machine_stop(vmm->machine);
	return VERB_WAITS;
}

const struct verb verbs_run[] = {
	{ "pause", verb_pause, stop_done, false },
	{ "resume", verb_resume, NULL, false },
	{ "save", verb_save, NULL, false },
	{ "load", verb_load, NULL, false },
	{ "quit", verb_quit, quit_done, false },
	{ NULL, NULL, NULL, false },
};
