/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* summary.c - the block of numbers at the end of a migration. */
#include <inttypes.h>

#include "plain.h"
#include "summary.h"

#define PAGE_SIZE	4096

static void bytes_print(const char *what, uint64_t bytes)
{
	char words[QUANTITY_MAX];

	printf("  %-15s %s\n", what, bytes_words(bytes, words));
}

static void time_print(const char *what, uint64_t ns)
{
	char words[QUANTITY_MAX];

	printf("  %-15s %s\n", what, time_words(ns, words));
}

static void pages_print(const char *what, uint64_t pages)
{
	char words[QUANTITY_MAX];

	printf("  %-15s %" PRIu64 " pages (%s)\n", what, pages,
	       bytes_words(pages * PAGE_SIZE, words));
}

static void faults_print(const struct progress *summary)
{
	char p50[QUANTITY_MAX], p99[QUANTITY_MAX];

	printf("  %-15s %" PRIu64 "\n", "faults", summary->faults);
	printf("  %-15s %" PRIu64, "network faults", summary->network_faults);
	if (summary->network_faults)
		printf(" (p50 %s, p99 %s)", time_words(summary->fault_p50_ns, p50),
		       time_words(summary->fault_p99_ns, p99));
	putchar('\n');
}

/* What the guest stood still for; the rest was spent on the wire. */
static void downtime_print(const struct progress *summary)
{
	const struct {
		const char *what;
		uint64_t ns;
	} parts[] = {
		{ "pause", summary->downtime_pause_ns },
		{ "scan", summary->downtime_scan_ns },
		{ "save", summary->downtime_save_ns },
		{ "load", summary->downtime_load_ns },
		{ "arm", summary->downtime_arm_ns },
		{ "resume", summary->downtime_resume_ns },
	};
	uint64_t left = summary->downtime_ns;
	char words[QUANTITY_MAX];
	size_t i;

	if (!left)
		return;
	printf("  %-15s", "");
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		printf(" %s %s,", parts[i].what, time_words(parts[i].ns, words));
		left -= parts[i].ns < left ? parts[i].ns : left;
	}
	printf(" transfer %s\n", time_words(left, words));
}

static void pauses_print(const struct progress *summary)
{
	char words[QUANTITY_MAX];

	if (summary->pauses)
		printf("  %-15s %" PRIu64 ", the longest %s\n", "pauses before",
		       summary->pauses, time_words(summary->pause_max_ns, words));
}

/* What --compressed saved; of what is asked for nothing is packed. */
static void packed_print(const struct progress *summary)
{
	char from[QUANTITY_MAX], to[QUANTITY_MAX];

	if (summary->packed_bytes)
		printf("  %-15s %s to %s\n", "compressed",
		       bytes_words(summary->packed_bytes, from),
		       bytes_words(summary->packed_to_bytes, to));
}

/* libvirt counts less than we do, and what it does not count is not printed. */
static void native_print(const struct progress *summary)
{
	printf("  %-15s native (libvirt)\n", "engine");
	bytes_print("memory", summary->memory_bytes);
	bytes_print("pre-copy", summary->round_bytes);
	bytes_print("post-copy", summary->push_bytes);
	pages_print("zero pages", summary->zero_pages);
	printf("  %-15s %" PRIu64 "\n", "network faults", summary->network_faults);
}

/**
 * summary_print() - print the numbers of a migration that has ended
 * @summary: progress at its end
 */
void summary_print(const struct progress *summary)
{
	time_print("total", summary->total_ns);
	time_print("downtime", summary->downtime_ns);
	if (summary->engine == ENGINE_STRADDLE) {
		downtime_print(summary);
		pauses_print(summary);
	}
	if (summary->storage_bytes)
		bytes_print("disks", summary->storage_done_bytes);
	printf("  %-15s %" PRIu32 "%s\n", "rounds", summary->round,
	       summary->postcopy ? ", then post-copy" : "");
	if (summary->engine == ENGINE_NATIVE) {
		native_print(summary);
		return;
	}
	bytes_print("memory", summary->memory_bytes);
	bytes_print("pre-copy", summary->round_bytes);
	bytes_print("left out", summary->left_out_bytes);
	bytes_print("push", summary->push_bytes);
	bytes_print("fault replies", summary->fault_bytes);
	packed_print(summary);
	pages_print("zero pages", summary->zero_pages);
	faults_print(summary);
	pages_print("sent twice", summary->repeated_pages);
}
