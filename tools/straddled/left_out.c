/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * left_out.c - tell of refusals that the log left out when their minute is over.
 *
 * Else the last ones before it is quiet again would never be counted.
 */
#include "left_out.h"

#include <stdbool.h>

#include "log.h"
#include "sys.h"

/* It only wakes the loop: the post source does the rest. */
static int minute_over(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)source;
	(void)usec;
	(void)arg;
	return 0;
}

/* Whatever was done, the timer's end included: is there something to tell, or when? */
static int anything_done(sd_event_source *source, void *arg)
{
	uint64_t due = log_left_out(now_ns());
	sd_event_source *timer = arg;
	int ret;

	(void)source;
	if (!due)
		return 0;
	ret = sd_event_source_set_time(timer, due / 1000 + 1);
	return ret < 0 ? ret : sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

/**
 * left_out_watch() - have a loop tell what the log leaves out, each minute
 * @event: the loop; what it takes for that is freed with it
 *
 * Return: 0 or -errno.
 */
int left_out_watch(sd_event *event)
{
	sd_event_source *timer;
	int ret = sd_event_add_time(event, &timer, CLOCK_MONOTONIC, UINT64_MAX, 0, minute_over,
				    NULL);

	if (ret < 0)
		return ret;
	ret = sd_event_source_set_floating(timer, true);
	sd_event_source_unref(timer);
	if (ret >= 0)
		ret = sd_event_add_post(event, NULL, anything_done, timer);
	return ret < 0 ? ret : 0;
}
