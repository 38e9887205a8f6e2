/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* operator.h - what people do in a course: a scenario's steps, and decisions. */
#ifndef STRADDLE_TEST_OPERATOR_H
#define STRADDLE_TEST_OPERATOR_H

#include "course.h"

/* The next step of the scenario, if it is time; or a decision, if one is due. */
void operator_step(struct course *course);

#endif
