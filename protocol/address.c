/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* address.c - "HOST[:PORT]", and TCP sockets from and to it. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "cleanup.h"
#include "protocol/address.h"
#include "protocol/channel.h"
#include "protocol/deadline.h"

static int port_copy(const char *text, struct address *address)
{
	size_t length = strlen(text);

	if (!length || length > 5 || strspn(text, "0123456789") != length)
		return -EINVAL;
	if (strtoul(text, NULL, 10) > 65535)
		return -EINVAL;
	memcpy(address->port, text, length + 1);
	return 0;
}

static int host_copy(const char *text, size_t length, struct address *address)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%";

	if (!length || length >= sizeof(address->host))
		return -EINVAL;
	memcpy(address->host, text, length);
	address->host[length] = 0;
	return strspn(address->host, legal) == length ? 0 : -EINVAL;
}

static int address_split(const char *text, struct address *address)
{
	const char *colon = strchr(text, ':'), *end;
	size_t length = strlen(text);
	int ret;

	strcpy(address->port, STRADDLE_PORT);
	if (text[0] == '[') {
		end = strchr(text, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		ret = host_copy(text + 1, (size_t)(end - text) - 1, address);
		if (ret || !end[1])
			return ret;
		return port_copy(end + 2, address);
	}
	if (!colon || strchr(colon + 1, ':'))	/* a bare IPv6 address */
		return host_copy(text, length, address);
	ret = host_copy(text, (size_t)(colon - text), address);
	return ret ?: port_copy(colon + 1, address);
}

static int address_take(const char *text, unsigned long port_min, struct address *address,
			struct fail *fail)
{
	struct address split = { .host = "" };

	if (address_split(text, &split))
		return fail_set(fail, -EINVAL, "'%.100s' is no address: give HOST, HOST:PORT or "
				"[IPV6]:PORT with a port from %lu to 65535", text, port_min);
	if (strtoul(split.port, NULL, 10) < port_min)
		return fail_set(fail, -EINVAL, "'%.100s' is no address to connect to, as nobody "
				"listens on port 0: give a port from 1 to 65535, or none for "
				STRADDLE_PORT, text);
	*address = split;
	return 0;
}

/**
 * address_parse() - take "HOST[:PORT]" of another host apart
 * @text: "HOST", "HOST:PORT", a bare IPv6 address, or "[V6]:PORT"
 * @address: receives both parts; the port is STRADDLE_PORT where none is given
 * @fail: says what is wrong with @text
 *
 * Return: 0 or -EINVAL.
 */
int address_parse(const char *text, struct address *address, struct fail *fail)
{
	return address_take(text, 1, address, fail);
}

/**
 * address_parse_own() - likewise, of this host, to listen on
 * @text: as address_parse()'s; port 0: the kernel is to choose one
 * @address: receives both parts
 * @fail: says what is wrong with @text
 *
 * Return: 0 or -EINVAL.
 */
int address_parse_own(const char *text, struct address *address, struct fail *fail)
{
	return address_take(text, 0, address, fail);
}

static int address_resolve(const struct address *address, int flags,
			   struct addrinfo **list, struct fail *fail)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | flags,
	};
	int ret = getaddrinfo(address->host, address->port, &hints, list);

	if (!ret)
		return 0;
	if (strspn(address->host, "0123456789.") == strlen(address->host))
		return fail_set(fail, -EINVAL, "'%s' is no address: an IPv4 address is four "
				"numbers from 0 to 255", address->host);
	return fail_set(fail, -EHOSTUNREACH, "cannot look up host %s: %s; check the name, or give "
			"its IP address", address->host, gai_strerror(ret));
}

static int socket_connect(const struct addrinfo *info, const char *congestion,
			  int timeout_ms)
{
	__cleanup_fd int fd = sys_ret(socket(info->ai_family,
				SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	socklen_t size = sizeof(int);
	int ret, err = 0;

	if (fd < 0)
		return fd;
	if (congestion)		/* the host's own where it has no such module */
		(void)sys_ret(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION,
					 congestion,
					 (socklen_t)strlen(congestion)));
	ret = sys_ret(connect(fd, info->ai_addr, info->ai_addrlen));
	if (!ret)
		return take_fd(&fd);
	if (ret != -EINPROGRESS)
		return ret;
	ret = sys_wait_fd(fd, POLLOUT, timeout_ms);
	if (ret)
		return ret;
	ret = sys_ret(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size));
	if (ret || err)
		return ret ?: -err;
	return take_fd(&fd);
}

static int connect_explain(const struct address *address, int err,
			   int timeout_ms, struct fail *fail)
{
	const char *host = address->host, *port = address->port;

	switch (err) {
	case -ECONNREFUSED:
		return fail_set(fail, err, "%s refused the connection to port %s: is straddled "
				"running there, and listening on that address?", host, port);
	case -ETIMEDOUT:
		return fail_set(fail, err, "%s did not answer on port %s within %d ms: check the "
				"address, the link and firewalls in between",
				host, port, timeout_ms);
	case -EHOSTUNREACH:
	case -ENETUNREACH:
		return fail_set(fail, err, "no route to %s (port %s): %s; check the address, "
				"'ip route get %s' and the link",
				host, port, strerror(-err), host);
	default:
		return fail_set(fail, err, "cannot connect to %s port %s: %s",
				host, port, strerror(-err));
	}
}

/**
 * address_connect() - connect to an address, trying all it resolves to
 * @address: where to
 * @congestion: name of TCP's congestion control, or NULL: the host's
 * @timeout_ms: limit over all attempts together (-1: none)
 * @fail: says why, and what to look at
 *
 * Looking up a name (not a numeric address) may take the resolver's own time
 * on top.
 *
 * Return: a non-blocking socket, or -errno of the last attempt.
 */
int address_connect(const struct address *address, const char *congestion,
		    int timeout_ms, struct fail *fail)
{
	uint64_t deadline = deadline_after(timeout_ms);
	struct addrinfo *list, *info;
	int ret;

	ret = address_resolve(address, 0, &list, fail);
	if (ret)
		return ret;
	for (info = list; info; info = info->ai_next) {
		ret = socket_connect(info, congestion,
				     deadline_left_ms(deadline));
		if (ret >= 0)
			break;
	}
	freeaddrinfo(list);
	if (ret < 0)
		return connect_explain(address, ret, timeout_ms, fail);
	return ret;
}

static int socket_listen(const struct addrinfo *info)
{
	__cleanup_fd int fd = sys_ret(socket(info->ai_family,
				SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	int on = 1, ret;

	if (fd < 0)
		return fd;
	ret = sys_ret(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	if (ret)
		return ret;
	ret = sys_ret(bind(fd, info->ai_addr, info->ai_addrlen));
	if (ret)
		return ret;
	ret = sys_ret(listen(fd, 64));
	return ret ?: take_fd(&fd);
}

/**
 * address_listen() - a listening socket
 * @address: of this host; port 0 lets the kernel choose one
 * @fail: says why it cannot be
 *
 * Return: a non-blocking socket, or -errno.
 */
int address_listen(const struct address *address, struct fail *fail)
{
	struct addrinfo *list;
	int ret;

	ret = address_resolve(address, AI_PASSIVE, &list, fail);
	if (ret)
		return ret;
	ret = socket_listen(list);
	freeaddrinfo(list);
	if (ret == -EADDRINUSE)
		return fail_set(fail, ret, "cannot listen on %s port %s: another process does; "
				"stop it, or choose another port with --listen",
				address->host, address->port);
	if (ret == -EADDRNOTAVAIL)
		return fail_set(fail, ret, "cannot listen on %s port %s: it is no address of this "
				"host; give one that 'ip address' shows to --listen",
				address->host, address->port);
	if (ret < 0)
		return fail_set(fail, ret, "cannot listen on %s port %s: %s",
				address->host, address->port, strerror(-ret));
	return ret;
}

/**
 * address_is_loopback() - can only this host reach that address?
 * @address: what to look at; a name other than localhost is not looked up
 *
 * Return: true for 127.0.0.0/8, ::1 and localhost.
 */
bool address_is_loopback(const struct address *address)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, address->host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, address->host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return !strcmp(address->host, "localhost");
}

/* ::ffff:a.b.c.d is how a socket for both families names a.b.c.d. */
static bool v4_print(const struct sockaddr_storage *storage, char *text, size_t size)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)storage;
	char host[INET_ADDRSTRLEN];

	if (storage->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) ||
	    !inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], host, sizeof(host)))
		return false;
	snprintf(text, size, "%s:%u", host, ntohs(in6->sin6_port));
	return true;
}

/**
 * address_print() - an address, for messages
 * @storage: of whatever family
 * @length: bytes of it that there are
 * @text: receives "HOST:PORT", numeric; ADDRESS_TEXT is room enough
 * @size: bytes at @text
 */
void address_print(const struct sockaddr_storage *storage, socklen_t length, char *text,
		   size_t size)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (storage->ss_family != AF_INET && storage->ss_family != AF_INET6) {
		snprintf(text, size, "local socket");
		return;
	}
	if (v4_print(storage, text, size))
		return;
	if (getnameinfo((const struct sockaddr *)storage, length, host,
			sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV)) {
		snprintf(text, size, "unknown address");
		return;
	}
	snprintf(text, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s",
		 host, port);
}

/**
 * address_of_peer() - where the other end of a socket is, for messages
 * @fd: a connected socket
 * @text: receives "HOST:PORT", numeric
 * @size: bytes at @text
 */
void address_of_peer(int fd, char *text, size_t size)
{
	struct sockaddr_storage storage = { .ss_family = AF_UNSPEC };
	socklen_t length = sizeof(storage);

	if (sys_ret(getpeername(fd, (struct sockaddr *)&storage, &length)))
		storage.ss_family = AF_UNSPEC;
	address_print(&storage, length, text, size);
}

/**
 * address_of_socket() - where this end of a socket is
 * @fd: a bound socket
 * @text: receives "HOST:PORT", numeric
 * @size: bytes at @text
 */
void address_of_socket(int fd, char *text, size_t size)
{
	struct sockaddr_storage storage = { .ss_family = AF_UNSPEC };
	socklen_t length = sizeof(storage);

	if (sys_ret(getsockname(fd, (struct sockaddr *)&storage, &length)))
		storage.ss_family = AF_UNSPEC;
	address_print(&storage, length, text, size);
}
