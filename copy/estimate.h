/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* estimate.h - will another pre-copy round get us there? */
#ifndef STRADDLE_ESTIMATE_H
#define STRADDLE_ESTIMATE_H

#include <stdint.h>

/* What one round measured. */
struct round_result {
	uint32_t number;	/* from 0 */
	uint64_t bytes;		/* that left on the lanes */
	uint64_t ns;		/* that it took */
	uint64_t pages;		/* of memory that they stood for, in bytes */
	uint64_t data;		/* of these, what was not zero */
	uint64_t left_out;	/* of memory, in bytes: written again before
				 * its turn, so not sent; part of @dirty */
	uint64_t dirty;		/* bytes of memory dirtied meanwhile */
};

enum outlook {
	OUTLOOK_CONVERGED,	/* what is left fits the downtime: stop */
	OUTLOOK_CONVERGING,	/* another round brings us nearer */
	OUTLOOK_HOPELESS,	/* no further round can reach the target */
};

/* Bytes of guest memory that a second carries across, by this round. */
uint64_t estimate_rate(const struct round_result *round);
/* Bytes a second that the guest dirtied while the round ran. */
uint64_t estimate_dirty_rate(const struct round_result *round);
enum outlook estimate_outlook(const struct round_result *round,
			      uint64_t downtime_ns, uint64_t memory_bytes);

#endif
