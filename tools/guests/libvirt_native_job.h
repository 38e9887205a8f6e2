/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_native_job.h - numbers of a libvirt job; between the libvirt*.c. */
#ifndef STRADDLE_GUESTS_LIBVIRT_NATIVE_JOB_H
#define STRADDLE_GUESTS_LIBVIRT_NATIVE_JOB_H

#include <libvirt/libvirt.h>

#include "tools/guests/libvirt_native.h"

void native_job_from(virTypedParameterPtr params, int count, bool ended,
		     struct native_job *job);
int native_job_of(virDomainPtr domain, struct native_job *job);

#endif
