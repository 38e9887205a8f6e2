// SPDX-License-Identifier: LGPL-2.1-or-later
/* spin.c - look a little longer before going to sleep, where that pays. */
#include "copy/spin.h"

#include <stdbool.h>

#include "sys.h"

static void learn(struct spin *spin, bool paid)
{
	if (paid) {
		spin->in_vain /= 2;
		return;
	}
	spin->in_vain = spin->in_vain ? spin->in_vain * 2 : 1;
	if (spin->in_vain > SPIN_REST_MAX)
		spin->in_vain = SPIN_REST_MAX;
	spin->rest = spin->in_vain;
}

/**
 * spin() - look for something, if that has paid of late
 * @spin: what was learned
 * @look: does not sleep; is called again while it returns 0
 * @arg: for @look
 *
 * Return: what @look returned at last; 0: it is time to sleep.
 */
int spin(struct spin *spin, spin_look_fn *look, void *arg)
{
	uint64_t now, until;
	int found;

	if (spin->rest) {
		spin->rest--;
		return 0;
	}
	until = now_ns() + SPIN_NS;
	do {
		found = look(arg);
		now = now_ns();
	} while (!found && now < until);
	/* What was found late was found by somebody who had lost his processor. */
	learn(spin, found && now < until);
	return found;
}
