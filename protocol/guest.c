/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest.c - what a guest driver answered, and who frees it. */
#include "protocol/guest.h"

#include <stdlib.h>
#include <unistd.h>

/**
 * guest_description_fini() - close and free what a description holds
 * @description: of a driver's describe(), or all zero; all zero afterwards
 */
void guest_description_fini(struct guest_description *description)
{
	for (unsigned int i = 0; i < description->region_count; i++)
		if (description->regions[i].fd >= 0)
			close(description->regions[i].fd);
	free(description->live);
	free(description->persistent);
	*description = (struct guest_description){ 0 };
}
