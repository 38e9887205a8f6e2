// SPDX-License-Identifier: LGPL-2.1-or-later
/* wants.c - what a fault thread has asked for, and how long ago. */
#include "copy/wants.h"

#include "sys.h"

/**
 * wants_note() - somebody waits for a page, which is asked for now
 * @wants: of the calling thread
 * @region: of the page
 * @page: its number
 * @began_ns: when the wait began
 */
void wants_note(struct wants *wants, struct region *region, uint64_t page,
		uint64_t began_ns)
{
	unsigned int i;

	for (i = 0; i < WANTS_TIMED; i++)
		if (!wants->list[i].region) {
			wants->list[i] = (struct timed_want){
				region, page, began_ns, began_ns,
			};
			wants->timed++;
			return;
		}
}

/**
 * wants_forget() - nobody waits for a page any more
 * @wants: of the calling thread
 * @want: one of them
 */
void wants_forget(struct wants *wants, struct timed_want *want)
{
	want->region = NULL;
	wants->timed--;
}

/**
 * wants_answered() - pages came: whoever waited for them has waited so long
 * @wants: of the calling thread
 * @frame: what came
 * @histogram: of the waits
 */
void wants_answered(struct wants *wants, const struct frame *frame,
		    struct histogram *histogram)
{
	unsigned int i;

	for (i = 0; i < WANTS_TIMED; i++) {
		struct timed_want *want = &wants->list[i];

		if (want->region != frame->region ||
		    want->page - frame->first >= frame->count)
			continue;
		histogram_add(histogram, now_ns() - want->began_ns);
		wants_forget(wants, want);
	}
}
