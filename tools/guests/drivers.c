/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* drivers.c - whose guests can be moved. The first that knows a name has it. */
#include <stddef.h>

#include "protocol/guest.h"

const struct guest_driver *const guest_drivers[] = {
	&vmm_driver,
	&libvirt_driver,
	&qmp_driver,
	NULL
};
