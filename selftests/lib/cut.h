/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cut.h - break connections of a process, and links, from outside. */
#ifndef STRADDLE_TEST_CUT_H
#define STRADDLE_TEST_CUT_H

#include <stdint.h>
#include <sys/types.h>

#include "fail.h"
#include "selftests/lib/topology.h"

/* What a connection of a worker carries; told by how its packets are marked. */
enum cut_what { CUT_CONTROL, CUT_FAULT, CUT_PUSH };

/* Break one by RST. Return: 0; -ENOENT: it has none; or -errno. */
int cut_connection(pid_t pid, enum cut_what what);
/* Nothing passes on it, both ways, and nobody is told. */
int cut_silently(pid_t source, pid_t dest, enum cut_what what);
/* us, as TCP knows it, or -errno. */
int64_t cut_round_trip(pid_t pid, enum cut_what what);
/* Nothing passes, and nobody is told: too slow for a packet in seconds. */
int cut_rate(struct two_hosts *hosts, struct fail *fail);

#endif
