// SPDX-License-Identifier: LGPL-2.1-or-later
/* libvirt_error.c - the last error of this thread's libvirt call. */
#include "tools/guests/libvirt_error.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stddef.h>
#include <string.h>

static const struct {
	int code;
	int error;
} codes[] = {
	{ VIR_ERR_NO_DOMAIN, -ENOENT },
	{ VIR_ERR_DOM_EXIST, -EEXIST },
	{ VIR_ERR_NO_MEMORY, -ENOMEM },
	{ VIR_ERR_INVALID_ARG, -EINVAL },
	{ VIR_ERR_XML_ERROR, -EINVAL },
	{ VIR_ERR_XML_DETAIL, -EINVAL },
	{ VIR_ERR_CONFIG_UNSUPPORTED, -EINVAL },
	{ VIR_ERR_OPERATION_INVALID, -EBUSY },
	{ VIR_ERR_OPERATION_TIMEOUT, -ETIMEDOUT },
	{ VIR_ERR_OPERATION_ABORTED, -ECANCELED },
	{ VIR_ERR_NO_SUPPORT, -EOPNOTSUPP },
	{ VIR_ERR_AUTH_FAILED, -EACCES },
	{ VIR_ERR_SYSTEM_ERROR, -ECONNREFUSED },
};

static void say_nothing(void *data, virErrorPtr error)
{
	(void)data;
	(void)error;
}

/**
 * libvirt_quiet() - keep libvirt from printing errors by itself
 *
 * They are returned, and said by whoever decides what they mean.
 */
void libvirt_quiet(void)
{
	virInitialize();
	virSetErrorFunc(NULL, say_nothing);
}

/**
 * libvirt_errno() - the last error of this thread's libvirt call
 *
 * Return: -errno, never 0; -EREMOTEIO for what has no errno of its own.
 */
int libvirt_errno(void)
{
	virErrorPtr error = virGetLastError();
	size_t i;

	for (i = 0; error && i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == error->code)
			return codes[i].error;
	return -EREMOTEIO;
}

/**
 * libvirt_fail() - note the last error of this thread's libvirt call
 * @fail: receives what was being done and libvirt's words; NULL is fine
 * @fmt: what was being done
 *
 * Return: libvirt_errno(), so that "return libvirt_fail(...)" reads well.
 */
int libvirt_fail(struct fail *fail, const char *fmt, ...)
{
	const char *why = virGetLastErrorMessage();
	int error = libvirt_errno();
	char doing[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(doing, sizeof(doing), fmt, args);
	va_end(args);
	return fail_set(fail, error, "%s: libvirt says: %s", doing,
			why ? why : "nothing");
}
