/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spin.h - look a little longer before going to sleep, where that pays.
 *
 * What is waited for often comes sooner than a sleeping thread can be woken.
 * So a thread looks again and again, for SPIN_NS at the most. Whether that pays
 * is learned: after it was in vain the thread sleeps at once the next times,
 * twice as many after each such try, so that a processor that others need, or a
 * peer that is slow, costs next to nothing.
 */
#ifndef STRADDLE_SPIN_H
#define STRADDLE_SPIN_H

#define SPIN_NS		50000
#define SPIN_REST_MAX	1024		/* waits without, after many in vain */

/* Of one thread and one thing to wait for; zeroes to begin with. */
struct spin {
	unsigned int in_vain;		/* how long the next rest is */
	unsigned int rest;		/* waits of this one that are left */
};

/* Return: 0: nothing yet; else what is to be returned. */
typedef int spin_look_fn(void *arg);

int spin(struct spin *spin, spin_look_fn *look, void *arg);

#endif
