/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cookie.c - fuzz what the other host says of itself. */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "protocol/cookie.h"

/**
 * LLVMFuzzerTestOneInput() - eat a cookie, bake it again, eat that
 * @data: the cookie
 * @size: bytes of it
 *
 * Return: 0.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ProtobufCBinaryData bytes = { .len = size, .data = (uint8_t *)data };
	struct cookie cookie, again;
	struct fail fail = { .err = 0 };
	int ret;

	memset(&cookie, 0, sizeof(cookie));
	memset(&again, 0, sizeof(again));
	ret = cookie_eat(&cookie, &bytes, &fail);
	FUZZ_CHECK(ret == fail.err && (ret == 0 || ret == -EPROTO));
	if (ret)
		return 0;
	FUZZ_CHECK(!cookie_bake(&cookie, &bytes));
	FUZZ_CHECK(!cookie_eat(&again, &bytes, NULL));
	FUZZ_CHECK(!strcmp(cookie.host, again.host) &&
		   !strcmp(cookie.release, again.release) &&
		   cookie.stopped_ns == again.stopped_ns &&
		   cookie.resume_ns == again.resume_ns);
	free(bytes.data);
	return 0;
}

FUZZ_TARGET(cookie)

TEST_HARNESS_MAIN
