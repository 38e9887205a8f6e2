/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmm_define.h - persistent definitions, one file for each guest's name. */
#ifndef STRADDLE_GUESTS_VMM_DEFINE_H
#define STRADDLE_GUESTS_VMM_DEFINE_H

#include <stdbool.h>
#include <stddef.h>

#include "fail.h"
#include "protocol/guest.h"

int vmm_definition_path(const struct guest_host *host, const char *name,
			char *path, size_t size, struct fail *fail);
int vmm_definition_free(const struct guest_host *host, const char *name,
			const char *uuid, struct fail *fail);
int vmm_define(const struct guest_host *host, const char *name,
	       const char *text, char **previous, struct fail *fail);
int vmm_define_end(const struct guest_host *host, const char *name, bool keep,
		   struct fail *fail);

#endif
