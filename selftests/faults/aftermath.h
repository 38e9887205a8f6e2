/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* aftermath.h - what has to be true once a course is over, and what is. */
#ifndef STRADDLE_TEST_AFTERMATH_H
#define STRADDLE_TEST_AFTERMATH_H

#include "course.h"

enum outcome {
	OUTCOME_COMPLETED,		/* arrived as if nothing had been */
	OUTCOME_ABORTED,		/* goes on at the source */
	OUTCOME_RECOVERED,		/* arrived, after something was made again */
	OUTCOME_RESOLVED,		/* an operator decided what no host could */
	OUTCOME_FAILED,			/* what must not be */
};

struct aftermath {
	enum outcome outcome;
	enum side owner;		/* where the guest is, if it is anywhere */
	bool lost;			/* nobody has the guest */
	bool doubled;			/* two have, or had at one time */
	bool wrong;			/* its memory is not what it left there */
	char text[1024];		/* all that is not as it has to be; or "" */
};

/* @owners: that the witness may tell of; 2 where an operator's word allows it. */
void aftermath(const struct course *course, int owners, struct aftermath *found);

#endif
