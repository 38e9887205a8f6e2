// SPDX-License-Identifier: LGPL-2.1-or-later
/* cookie.c - what a phase tells the next one on the other host. */
#include "protocol/cookie.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "protocol/channel.h"
#include "protocol/codec.h"

static const struct message_rule cookie_rule = {
	.name = "cookie",
	.limit = 4096,
	.body = &straddle__cookie__descriptor,
};

/**
 * cookie_init() - what this host says of itself
 * @cookie: receives its name, kernel and version; the rest is zero
 */
void cookie_init(struct cookie *cookie)
{
	struct utsname name;

	memset(cookie, 0, sizeof(*cookie));
	cookie->version = STRADDLE_VERSION;
	if (uname(&name))
		return;
	snprintf(cookie->host, sizeof(cookie->host), "%.64s", name.nodename);
	snprintf(cookie->release, sizeof(cookie->release), "%.64s",
		 name.release);
}

/**
 * cookie_bake() - a cookie as bytes
 * @cookie: what to say; what is zero is left out
 * @bytes: receives them; the caller frees @bytes->data
 *
 * Return: 0 or -ENOMEM.
 */
int cookie_bake(const struct cookie *cookie, ProtobufCBinaryData *bytes)
{
	Straddle__Cookie said = STRADDLE__COOKIE__INIT;

	said.host = cookie->host[0] ? (char *)cookie->host : NULL;
	said.release = cookie->release[0] ? (char *)cookie->release : NULL;
	said.has_version = cookie->version;
	said.version = cookie->version;
	said.has_stopped_ns = cookie->stopped_ns;
	said.stopped_ns = cookie->stopped_ns;
	said.has_started_ns = cookie->started_ns;
	said.started_ns = cookie->started_ns;
	said.has_downtime_ns = cookie->downtime_ns;
	said.downtime_ns = cookie->downtime_ns;
	said.has_total_ns = cookie->total_ns;
	said.total_ns = cookie->total_ns;
	said.has_load_ns = cookie->load_ns;
	said.load_ns = cookie->load_ns;
	said.has_arm_ns = cookie->arm_ns;
	said.arm_ns = cookie->arm_ns;
	said.has_resume_ns = cookie->resume_ns;
	said.resume_ns = cookie->resume_ns;
	bytes->len = straddle__cookie__get_packed_size(&said);
	bytes->data = malloc(bytes->len + 1);
	if (!bytes->data)
		return -ENOMEM;
	straddle__cookie__pack(&said, bytes->data);
	return 0;
}

static void text_take(char *text, const char *said)
{
	if (said)
		snprintf(text, COOKIE_TEXT_MAX, "%s", said);
}

static void number_take(uint64_t *number, int has, uint64_t said)
{
	if (has)
		*number = said;
}

/**
 * cookie_eat() - take in what the other host says
 * @cookie: what it has said so far; what it says now is added
 * @bytes: from the peer; empty: it says nothing
 * @fail: says what is wrong with it
 *
 * Return: 0; -EPROTO: no cookie, too long, or text that is none.
 */
int cookie_eat(struct cookie *cookie, const ProtobufCBinaryData *bytes,
	       struct fail *fail)
{
	ProtobufCMessage *body;
	const Straddle__Cookie *said;
	int ret;

	if (!bytes->len)
		return 0;
	if (bytes->len > cookie_rule.limit)
		return fail_set(fail, -EPROTO,
				"the peer's cookie has %zu bytes, %u are allowed",
				bytes->len, cookie_rule.limit);
	ret = codec_decode(&cookie_rule, bytes->data, bytes->len, &body, fail);
	if (ret < 0)
		return ret;
	said = (const Straddle__Cookie *)body;
	text_take(cookie->host, said->host);
	text_take(cookie->release, said->release);
	if (said->has_version)
		cookie->version = said->version;
	number_take(&cookie->stopped_ns, said->has_stopped_ns,
		    said->stopped_ns);
	number_take(&cookie->started_ns, said->has_started_ns,
		    said->started_ns);
	number_take(&cookie->downtime_ns, said->has_downtime_ns,
		    said->downtime_ns);
	number_take(&cookie->total_ns, said->has_total_ns, said->total_ns);
	number_take(&cookie->load_ns, said->has_load_ns, said->load_ns);
	number_take(&cookie->arm_ns, said->has_arm_ns, said->arm_ns);
	number_take(&cookie->resume_ns, said->has_resume_ns, said->resume_ns);
	codec_free(body);
	return 0;
}
