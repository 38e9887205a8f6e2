// SPDX-License-Identifier: LGPL-2.1-or-later
/* host_memory.c - how much memory this host has for a guest. */
#include "tools/guests/host_memory.h"

#include "cleanup.h"

/**
 * memory_available() - what programs may still take
 *
 * Return: bytes; UINT64_MAX where nobody knows: let it be tried.
 */
uint64_t memory_available(void)
{
	__cleanup_file FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long kib;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
			return kib * 1024;
	return UINT64_MAX;
}
