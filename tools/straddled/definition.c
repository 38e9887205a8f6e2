/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* definition.c - a guest's stored definition, half replaced by who was killed. */
#include "definition.h"

#include "fail.h"
#include "log.h"

/**
 * definition_settle() - end what a worker began when it replaced a definition
 * @host: this one
 * @guest: whose
 * @keep: what was stored stays; else what it replaced is put back
 *
 * A worker has done so itself, unless it was killed.
 */
void definition_settle(const struct guest_host *host, const char *guest, bool keep)
{
	size_t i;

	for (i = 0; guest_drivers[i]; i++) {
		struct fail why = { 0 };

		if (!guest_name_fits(guest_drivers[i], guest))
			continue;
		if (guest_drivers[i]->define_end(host, guest, keep, &why))
			log_error("the definition that a migration of guest '%s' replaced is "
				  "not %s: %s", guest, keep ? "given up" : "restored",
				  why.text);
	}
}
