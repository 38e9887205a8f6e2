/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt_error.h - libvirt's errors as -errno, its words kept. */
#ifndef STRADDLE_GUESTS_LIBVIRT_ERROR_H
#define STRADDLE_GUESTS_LIBVIRT_ERROR_H

#include "fail.h"

void libvirt_quiet(void);
int libvirt_errno(void);
int libvirt_fail(struct fail *fail, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
