/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * definition.c - fuzz the definitions that a source sends of other guests than
 * libvirt's: that of a straddle-vmm, and the command line of a QEMU.
 */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "fuzz.h"
#include "tools/guests/qmp_command.h"
#include "tools/vmm/definition.h"

static void vmm_look(const char *text)
{
	struct fail fail = { .err = 0 };
	__cleanup_free char *again = NULL;
	struct definition definition;
	int ret;

	definition_init(&definition);
	ret = definition_parse(&definition, text, "there", &fail);
	FUZZ_CHECK(ret == fail.err);
	if (ret || definition_complete(&definition, &fail) ||
	    definition_check(&definition, &fail))
		return;
	FUZZ_CHECK(definition.vcpus && definition.vcpus <= GUEST_VCPUS_MAX);
	again = definition_text(&definition);
	definition_init(&definition);
	FUZZ_CHECK(!definition_parse(&definition, again, "here", NULL));
}

static void command_look(const char *text)
{
	struct fail fail = { .err = 0 };
	struct qmp_command command;
	int ret = qmp_command_make(text, "/run/db1.qmp", &command, &fail);

	FUZZ_CHECK(ret == fail.err);
	if (ret)
		return;
	FUZZ_CHECK(*command.program == '/' && *command.cwd == '/');
	FUZZ_CHECK(command.argv[0] && command.group_count <= QMP_GROUPS_MAX);
	qmp_command_fini(&command);
}

/**
 * LLVMFuzzerTestOneInput() - read a definition as either
 * @data: the definition
 * @size: bytes of it
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__cleanup_free char *text = strndup((const char *)data, size);

	vmm_look(text);
	command_look(text);
	return 0;
}

FUZZ_TARGET(definition)

TEST_HARNESS_MAIN
