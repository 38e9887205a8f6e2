// SPDX-License-Identifier: LGPL-2.1-or-later
/* source_lanes.c - the threads of the source: one for each lane. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "copy/source.h"
#include "thread.h"

/* Wait for an order newer than *@number. Return: what to do. */
static enum source_job job_wait(struct source *source, uint64_t *number,
				uint32_t *generation)
{
	enum source_job job;

	pthread_mutex_lock(&source->lock);
	while (source->job_number == *number || source->job == SOURCE_IDLE)
		pthread_cond_wait(&source->changed, &source->lock);
	*number = source->job_number;
	*generation = source->generation;
	job = source->job;
	pthread_mutex_unlock(&source->lock);
	return job;
}

static void job_done(struct source *source)
{
	bool last;

	pthread_mutex_lock(&source->lock);
	last = !--source->busy;
	pthread_mutex_unlock(&source->lock);
	if (last)
		source_signal(source);
}

static void *push_main(void *arg)
{
	struct source_lane *self = arg;
	struct source *source = self->source;
	uint32_t generation;
	uint64_t number = 0;

	for (;;) {
		enum source_job job = job_wait(source, &number, &generation);
		int ret;

		if (job == SOURCE_STOP)
			return NULL;
		ret = job == SOURCE_ROUND ? push_round(self, generation)
					  : push_rest(self, generation);
		if (ret < 0)
			source_fail(source, ret);
		job_done(source);
	}
}

static void *serve_main(void *arg)
{
	struct source_lane *self = arg;
	int ret = serve_wants(self);

	if (ret < 0)
		source_fail(self->source, ret);
	return NULL;
}

static int lane_start(struct source_lane *self)
{
	bool push = self->lane->role == LANE_PUSH;
	char name[16];

	snprintf(name, sizeof(name), "copy-%s/%u", push ? "push" : "serve",
		 self->lane->index % 1000);
	return thread_create(&self->thread, name, push ? push_main : serve_main,
			     self);
}

/**
 * source_add_lane() - start the thread of a lane
 * @source: no round or push runs yet
 * @lane: owned by the source from success on
 *
 * Return: 0, -ENOSPC (SOURCE_LANES_MAX) or -errno.
 */
int source_add_lane(struct source *source, struct lane *lane)
{
	struct source_lane *self;
	int ret = -ENOMEM;

	if (source->lane_count == SOURCE_LANES_MAX)
		return -ENOSPC;
	self = calloc(1, sizeof(*self));
	if (!self)
		return -ENOMEM;
	self->source = source;
	self->lane = lane;
	self->buffer = aligned_alloc(4096, frame_payload_max(source->map));
	if (self->buffer)
		ret = lane_start(self);
	if (ret < 0) {
		free(self->buffer);
		free(self);
		return ret;
	}
	source->lanes[source->lane_count++] = self;
	if (lane->role == LANE_PUSH)
		source->push_lanes++;
	return 0;
}

/**
 * source_order() - tell all push lanes what to do
 * @source: with its lanes
 * @job: what
 * @generation: of the frames of that
 */
void source_order(struct source *source, enum source_job job,
		  uint32_t generation)
{
	pthread_mutex_lock(&source->lock);
	order_reset(&source->order);
	source->job = job;
	source->job_number++;
	source->busy = job == SOURCE_STOP ? 0 : source->push_lanes;
	source->generation = generation;
	pthread_cond_broadcast(&source->changed);
	pthread_mutex_unlock(&source->lock);
}

/**
 * source_lanes_destroy() - stop the threads of all lanes, and close them
 * @source: orders given to them are forgotten
 */
void source_lanes_destroy(struct source *source)
{
	unsigned int i;

	__atomic_store_n(&source->stopping, true, __ATOMIC_RELAXED);
	source_order(source, SOURCE_STOP, 0);
	limit_pass(&source->limit, true);
	for (i = 0; i < source->lane_count; i++)
		lane_shutdown(source->lanes[i]->lane);
	for (i = 0; i < source->lane_count; i++) {
		pthread_join(source->lanes[i]->thread, NULL);
		lane_destroy(source->lanes[i]->lane);
		free(source->lanes[i]->buffer);
		free(source->lanes[i]);
	}
	source->lane_count = source->push_lanes = 0;
}

/**
 * source_lanes_end() - let go of lanes that broke
 * @source: held. source_has() says then what is to be sent on new ones
 *
 * What of it was counted on its way out cannot be told from what was not: from
 * here on the sweep counts every page, and nobody else does.
 */
void source_lanes_end(struct source *source)
{
	int ret;

	source_lanes_destroy(source);
	source_sweep_all(source);
	limit_pass(&source->limit, false);
	/* The threads of new lanes are not to find the order that ended these. */
	source->job = SOURCE_IDLE;
	source->error = 0;
	__atomic_store_n(&source->stopping, false, __ATOMIC_RELAXED);
	/* No lane may be needed any more: everything may be there. */
	ret = source_sweep_start(source);
	if (ret < 0)
		source->sweep_error = ret;
}
