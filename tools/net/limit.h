/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* limit.h - the limit that stands at a link's root. */
#ifndef STRADDLE_NET_LIMIT_H
#define STRADDLE_NET_LIMIT_H

#include <stdint.h>

struct net;

int limit_of_link(struct net *net, int index, uint64_t *rate);

#endif
