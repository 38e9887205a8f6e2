/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arrival.c - take connections also where descriptors have run out.
 *
 * A connection that is not taken leaves its listener readable, and the loop
 * would run round it for ever. So one descriptor is kept for that: whoever
 * comes then is told, and closed.
 */
#include "arrival.h"

#include <errno.h>
#include <string.h>

#include "log.h"
#include "sys.h"

/**
 * arrival_spare() - keep a descriptor, if there is one
 * @agent: of this host; has one afterwards, or not
 */
void arrival_spare(struct agent *agent)
{
	if (agent->spare_fd < 0)
		agent->spare_fd = sys_ret(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

/**
 * arrival_take() - take the next connection
 * @agent: of this host
 * @listen_fd: readable
 * @from: receives its address, or NULL
 * @length: of @from
 * @last: receives whether it is to be told that there is no room, and closed;
 *	arrival_spare() then
 *
 * Return: the connection, O_NONBLOCK and O_CLOEXEC; or -errno: there is none.
 */
int arrival_take(struct agent *agent, int listen_fd, struct sockaddr *from, socklen_t *length,
		 bool *last)
{
	socklen_t room = length ? *length : 0;
	int flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
	int fd = sys_retry(accept4(listen_fd, from, length, flags));

	*last = fd == -EMFILE || fd == -ENFILE;
	if (!*last || agent->spare_fd < 0)
		return fd;
	log_refusal(REFUSED_SCARCE, "no descriptor is left (%s): a connection is turned away; "
		    "raise the limit (LimitNOFILE)", strerror(-fd));
	close(agent->spare_fd);
	agent->spare_fd = -1;
	if (length)
		*length = room;
	return sys_retry(accept4(listen_fd, from, length, flags));
}
