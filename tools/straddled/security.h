/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* security.h - what protects connections, and so where the agent listens. */
#ifndef STRADDLE_SECURITY_H
#define STRADDLE_SECURITY_H

#include "options.h"
#include "protocol/address.h"
#include "protocol/channel.h"

struct security_choice {
	enum security security;
	struct address listen;
	bool listen_any;	/* all addresses, by default: IPv6 or IPv4 */
};

int security_choose(const struct agent_options *options, struct security_choice *choice,
		    struct fail *fail);
const char *security_name(enum security security);

#endif
