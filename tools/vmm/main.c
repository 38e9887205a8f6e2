// SPDX-License-Identifier: LGPL-2.1-or-later
/* main.c - straddle-vmm: one guest, its socket, and who waits for it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"
#include "sys.h"
#include "tools/vmm/control.h"
#include "tools/vmm/options.h"
#include "tools/vmm/persistent.h"
#include "tools/vmm/witness.h"

static void tell_ready(int *ready_fd, const char *text)
{
	char line[600];
	int length = snprintf(line, sizeof(line), "%s\n", text);

	if (*ready_fd < 0)
		return;
	sys_write_all(*ready_fd, line, (size_t)length);
	close(*ready_fd);
	*ready_fd = -1;
}

/* A guest started with a place for one has a persistent definition. */
static int make_persistent(const struct options *options, struct fail *fail)
{
	__cleanup_free char *before = NULL;
	__cleanup_free char *text = NULL;
	int ret;

	if (!options->persistent || options->incoming)
		return 0;
	ret = persistent_read(options->persistent, &before, fail);
	if (ret || before)
		return ret;
	text = definition_text(&options->definition);
	if (!text)
		return fail_set(fail, -ENOMEM, "no memory");
	return persistent_write(options->persistent, text, fail);
}

static int start(const struct options *options, struct vmm *vmm,
		 struct fail *fail)
{
	int ret = machine_create(&options->definition, options->incoming,
				 &vmm->machine, fail);

	if (!ret && options->witness)
		ret = witness_open(options->witness, &vmm->machine->witness,
				   fail);
	if (!ret)
		ret = make_persistent(options, fail);
	if (!ret && !options->incoming && !options->paused)
		ret = machine_resume(vmm->machine, fail);
	return ret;
}

static int run(struct options *options, struct fail *fail)
{
	struct vmm vmm = {
		.persistent = options->persistent,
		.uffd = -1,
		.started_ns = now_ns(),
		.verbose = options->verbose,
	};
	struct control *control;
	int ret = control_open(options->run_dir, options->definition.name,
			       &control, fail);

	if (ret)
		return ret;
	ret = start(options, &vmm, fail);
	if (!ret) {
		tell_ready(&options->ready_fd, "ready");
		ret = control_serve(control, &vmm, fail);
	}
	control_close(control);
	/* A vCPU that waits for a page can only end with the process. */
	if (vmm.machine && (!machine_stopped(vmm.machine) ||
			    !balloon_done(vmm.machine)))
		_exit(ret ? EXIT_FAILURE : EXIT_SUCCESS);
	machine_destroy(vmm.machine);
	return ret;
}

int main(int argc, char **argv)
{
	struct fail fail = { 0 };
	struct options options;
	int ret;

	signal(SIGPIPE, SIG_IGN);
	ret = options_parse(argc, argv, &options, &fail);
	if (!ret && options.help) {
		options_help();
		return EXIT_SUCCESS;
	}
	if (!ret)
		ret = run(&options, &fail);
	if (ret) {
		tell_ready(&options.ready_fd, fail.text);
		log_error("%s", fail.text);
	}
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
