/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_native_way.c - a migration's options, as libvirt takes them. */
#include "tools/guests/libvirt_native_way.h"

#include <errno.h>
#include <string.h>

#include "protocol/address.h"
#include "protocol/protocol.h"
#include "tools/guests/libvirt_error.h"

#define MIB	1048576u

static int add_text(struct native_way *way, const char *key, const char *value)
{
	if (!*value)
		return 0;
	return virTypedParamsAddString(&way->params, &way->param_count,
				       &way->param_room, key, value);
}

/**
 * native_mib() - bytes as libvirt counts rates
 * @bytes: a second
 *
 * Return: MiB, rounded up.
 */
unsigned long long native_mib(uint64_t bytes)
{
	return bytes / MIB + !!(bytes % MIB);
}

static int add_rate(struct native_way *way, const char *key, uint64_t bytes)
{
	if (!bytes)
		return 0;
	return virTypedParamsAddULLong(&way->params, &way->param_count,
				       &way->param_room, key, native_mib(bytes));
}

static int params_make(struct native_way *way,
		       const struct migration_options *options)
{
	if (add_text(way, VIR_MIGRATE_PARAM_URI, options->migrate_uri) < 0 ||
	    add_text(way, VIR_MIGRATE_PARAM_DEST_NAME, options->dest_name) < 0 ||
	    add_rate(way, VIR_MIGRATE_PARAM_BANDWIDTH, options->bandwidth) < 0 ||
	    add_rate(way, VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY,
		     options->postcopy_bandwidth) < 0)
		return -ENOMEM;
	return 0;
}

static unsigned int flags_of(const struct migration_options *options)
{
	return VIR_MIGRATE_PEER2PEER |
	       (options->live ? VIR_MIGRATE_LIVE : 0) |
	       (options->postcopy ? VIR_MIGRATE_POSTCOPY : 0) |
	       (options->persistent ? VIR_MIGRATE_PERSIST_DEST : 0) |
	       (options->undefine_source ? VIR_MIGRATE_UNDEFINE_SOURCE : 0) |
	       (options->tls ? VIR_MIGRATE_TLS : 0);
}

static int uri_make(const struct migration_options *options, char *uri,
		    size_t size, struct fail *fail)
{
	struct address address;
	bool v6;
	int ret;

	if (*options->dest_uri) {
		snprintf(uri, size, "%s", options->dest_uri);
		return 0;
	}
	ret = address_parse(options->host, &address, fail);
	if (ret)
		return ret;
	v6 = strchr(address.host, ':');
	snprintf(uri, size, "qemu+tls://%s%s%s/system", v6 ? "[" : "",
		 address.host, v6 ? "]" : "");
	return 0;
}

/**
 * native_way_make() - where to and how
 * @way: all zero; native_way_fini() frees what it holds, also on error
 * @options: what was asked for
 * @fail: says what is wrong
 *
 * Return: 0 or -errno.
 */
int native_way_make(struct native_way *way,
		    const struct migration_options *options, struct fail *fail)
{
	int ret = uri_make(options, way->uri, sizeof(way->uri), fail);

	way->is_ours = !*options->dest_uri;
	way->flags = flags_of(options);
	if (!ret && params_make(way, options))
		ret = libvirt_fail(fail, "cannot say how to migrate");
	return ret;
}

/**
 * native_way_fini() - free what a way holds
 * @way: all zero, or made
 */
void native_way_fini(struct native_way *way)
{
	virTypedParamsFree(way->params, way->param_count);
}
