/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cookie.h - what a phase tells the next one on the other host, beside its job.
 *
 * Opaque bytes to the messages that carry it. A field that this version does
 * not know is skipped, and none is needed: a cookie informs, it never decides.
 */
#ifndef STRADDLE_COOKIE_H
#define STRADDLE_COOKIE_H

#include <stdint.h>

#include "fail.h"
#include "protocol/straddle.pb-c.h"

#define COOKIE_TEXT_MAX		65	/* bytes of a name, NUL included */

/* What is known of the other host; 0 and "" where it said nothing. */
struct cookie {
	char host[COOKIE_TEXT_MAX];
	char release[COOKIE_TEXT_MAX];
	uint32_t version;
	uint64_t stopped_ns;		/* CLOCK_REALTIME */
	uint64_t started_ns;		/* CLOCK_REALTIME */
	uint64_t downtime_ns;
	uint64_t total_ns;
	uint64_t load_ns;		/* the dest's parts of the downtime */
	uint64_t arm_ns;
	uint64_t resume_ns;
};

void cookie_init(struct cookie *cookie);
int cookie_bake(const struct cookie *cookie, ProtobufCBinaryData *bytes);
int cookie_eat(struct cookie *cookie, const ProtobufCBinaryData *bytes,
	       struct fail *fail);

#endif
