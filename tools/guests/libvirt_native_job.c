/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_native_job.c - what libvirt says of a migration and its domain. */
#include "tools/guests/libvirt_native_job.h"

#include <errno.h>

#include "tools/guests/libvirt_error.h"
#include "tools/guests/libvirt_guest.h"

#define NS_PER_MS	1000000u

static uint64_t number(virTypedParameterPtr params, int count, const char *key)
{
	unsigned long long value = 0;

	if (virTypedParamsGetULLong(params, count, key, &value) <= 0)
		return 0;
	return value;
}

/**
 * native_job_from() - a job's numbers out of libvirt's list
 * @params: the list
 * @count: of it
 * @ended: the job is over: before, a downtime is only expected
 * @job: receives them
 */
void native_job_from(virTypedParameterPtr params, int count, bool ended,
		     struct native_job *job)
{
	uint64_t page = number(params, count, VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE);

	*job = (struct native_job){
		.looks = (uint32_t)number(params, count,
					  VIR_DOMAIN_JOB_MEMORY_ITERATION),
		.memory_bytes = number(params, count, VIR_DOMAIN_JOB_MEMORY_TOTAL),
		.left_bytes = number(params, count, VIR_DOMAIN_JOB_MEMORY_REMAINING),
		.wire_bytes = number(params, count, VIR_DOMAIN_JOB_MEMORY_PROCESSED),
		.data_bytes = number(params, count,
				     VIR_DOMAIN_JOB_MEMORY_NORMAL_BYTES),
		.zero_pages = number(params, count, VIR_DOMAIN_JOB_MEMORY_CONSTANT) *
			      (page ? page : 4096) / 4096,
		.requests = number(params, count,
				   VIR_DOMAIN_JOB_MEMORY_POSTCOPY_REQS),
		.downtime_ns = ended ? number(params, count, VIR_DOMAIN_JOB_DOWNTIME) *
				       NS_PER_MS : 0,
	};
}

static bool is_migration(virTypedParameterPtr params, int count)
{
	int operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;

	virTypedParamsGetInt(params, count, VIR_DOMAIN_JOB_OPERATION, &operation);
	return operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT;
}

/**
 * native_job_of() - the numbers of a domain's migration
 * @domain: that is to go
 * @job: receives them
 *
 * Return: 0; -ENODATA: no migration is under way; or -errno.
 */
int native_job_of(virDomainPtr domain, struct native_job *job)
{
	virTypedParameterPtr params = NULL;
	int type, count = 0, ret = -ENODATA;

	if (virDomainGetJobStats(domain, &type, &params, &count, 0) < 0)
		return libvirt_errno();
	if (type != VIR_DOMAIN_JOB_NONE && is_migration(params, count)) {
		native_job_from(params, count, false, job);
		ret = 0;
	}
	virTypedParamsFree(params, count);
	return ret;
}

/* A source that is not rid of its guest, though it does not run it. */
static bool stands_between(int state, int reason)
{
	return state == VIR_DOMAIN_PAUSED &&
	       (reason == VIR_DOMAIN_PAUSED_MIGRATION ||
		reason == VIR_DOMAIN_PAUSED_POSTCOPY ||
		reason == VIR_DOMAIN_PAUSED_POSTCOPY_FAILED);
}

static enum native_place off_place(int reason)
{
	switch (reason) {
	case VIR_DOMAIN_SHUTOFF_MIGRATED:
		return NATIVE_MOVED;
	case VIR_DOMAIN_SHUTOFF_UNKNOWN:	/* libvirtd was restarted */
		return NATIVE_GONE;
	default:
		return NATIVE_HERE;
	}
}

static int place_of(virDomainPtr domain, enum native_place *place,
		    struct fail *fail)
{
	struct native_job job;
	int state, reason;

	if (virDomainGetState(domain, &state, &reason, 0) < 0)
		return libvirt_fail(fail, "cannot ask where a domain is");
	if (state == VIR_DOMAIN_SHUTOFF)
		*place = off_place(reason);
	else if (stands_between(state, reason) || !native_job_of(domain, &job))
		*place = NATIVE_MOVING;
	else
		*place = NATIVE_HERE;
	return 0;
}

/**
 * native_where() - is a domain that libvirt was to move still here?
 * @uuid: of the domain
 * @place: receives what libvirt of this host knows
 * @fail: says why it cannot be asked
 *
 * Return: 0 or -errno.
 */
int native_where(const char *uuid, enum native_place *place, struct fail *fail)
{
	virConnectPtr connection;
	virDomainPtr domain;
	int ret = libvirt_connect(&connection, fail);

	if (ret)
		return ret;
	domain = virDomainLookupByUUIDString(connection, uuid);
	if (domain) {
		ret = place_of(domain, place, fail);
		virDomainFree(domain);
	} else if (libvirt_errno() == -ENOENT) {
		*place = NATIVE_GONE;
	} else {
		ret = libvirt_fail(fail, "cannot look for domain %s", uuid);
	}
	virConnectClose(connection);
	return ret;
}
