/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control.h - the control socket and the loop that serves it. */
#ifndef STRADDLE_VMM_CONTROL_H
#define STRADDLE_VMM_CONTROL_H

#include "fail.h"
#include "tools/vmm/vmm.h"

struct control;

int control_open(const char *run_dir, const char *name,
		 struct control **control, struct fail *fail);
void control_close(struct control *control);
int control_serve(struct control *control, struct vmm *vmm,
		  struct fail *fail);

#endif
