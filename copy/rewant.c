// SPDX-License-Identifier: LGPL-2.1-or-later
/* rewant.c - runs that did not match their digest wait to be asked for again. */
#include "copy/dest.h"
#include "sys.h"

/**
 * dest_rewant() - a run did not match its digest: have it asked for again
 * @dest: switched
 * @run: region, first and count
 *
 * The answer comes on a fault lane; who wins the claim places.
 */
void dest_rewant(struct dest *dest, const struct frame *run)
{
	uint64_t one = 1;

	pthread_mutex_lock(&dest->lock);
	if (dest->rewants == DEST_LANES_MAX) {
		if (!dest->error)
			dest->error = -EBADMSG;
	} else {
		dest->rewant[dest->rewants].region = run->region;
		dest->rewant[dest->rewants].first = run->first;
		dest->rewant[dest->rewants++].count = run->count;
	}
	pthread_mutex_unlock(&dest->lock);
	(void)sys_retry(write(dest->rewant_fd, &one, sizeof(one)));
	dest_signal(dest);
}

/**
 * dest_rewant_next() - take a run that is to be asked for again
 * @dest: switched
 * @want: receives region, first and count; at most run_pages() at a time
 *
 * Return: false when there is none.
 */
bool dest_rewant_next(struct dest *dest, struct frame *want)
{
	bool found;

	pthread_mutex_lock(&dest->lock);
	found = dest->rewants;
	if (found) {
		unsigned int last = dest->rewants - 1;
		uint64_t most = run_pages(dest->rewant[last].region);

		want->region = dest->rewant[last].region;
		want->first = dest->rewant[last].first;
		want->count = dest->rewant[last].count;
		if (want->count > most) {
			want->count = most;
			dest->rewant[last].first += most;
			dest->rewant[last].count -= most;
		} else {
			dest->rewants--;
		}
	} else {
		uint64_t value;

		(void)sys_retry(read(dest->rewant_fd, &value, sizeof(value)));
	}
	pthread_mutex_unlock(&dest->lock);
	return found;
}
