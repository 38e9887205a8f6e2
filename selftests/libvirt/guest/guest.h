/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest.h - the test guest: what its files know of each other.
 *
 * The guest is a Linux kernel and this program, its only process. It works on
 * memory, a disk and the network, checks all it finds there, and says twice a
 * second on the serial line what it saw. init.c has the whole interface.
 */
#ifndef STRADDLE_TEST_GUEST_H
#define STRADDLE_TEST_GUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define BLOCK_BYTES	4096u
#define BLOCK_WORDS	(BLOCK_BYTES / sizeof(uint64_t))
#define NS_PER_MS	1000000u
#define NS_PER_S	1000000000u
/* A fault that comes in thousands is told this many times, then counted only. */
#define DETAIL_LINES	20

/* The kernel command line; written by config_read() only. */
struct config {
	uint64_t mem_mib;
	uint64_t ws_mib;		/* what the writer writes to; 0: all of it */
	uint64_t rate_pages;		/* a second; 0: unlimited, here and below */
	uint64_t walk_pages;
	uint64_t disk_blocks;		/* written a second */
	uint64_t disk_mib;		/* of the disk that are used */
	uint64_t reader_blocks;		/* buffers that only the disk writes */
	char disk[64];
	char witness[64];
	char ip[64];			/* address/length; empty: none */
	bool disk_named;		/* on the command line: has to be there */
	bool witness_named;
};

/* What the report says. Each is added to by any thread, without a lock. */
struct counters {
	_Atomic uint64_t writes;
	_Atomic uint64_t bad;
	_Atomic uint64_t passes;
	_Atomic uint64_t disk_ok;
	_Atomic uint64_t disk_bad;
	_Atomic uint64_t disk_err;
	_Atomic uint64_t echo;
	_Atomic uint64_t clock_back;
	_Atomic uint64_t witness;
	_Atomic uint64_t twins;
	_Atomic uint64_t mem_mib;	/* what there is, not what was asked for */
};

/* A word that is not what was written. */
struct difference {
	unsigned int word;
	uint64_t expected;
	uint64_t found;
};

/* Hands out units of work at a rate. One thread uses it. */
struct pace {
	int timer;
	uint64_t last_ns;
	uint64_t credit_ns;
};

extern struct config config;
extern struct counters counters;
extern uint64_t boot_id;		/* written before any thread starts */

void config_read(void);
bool number_parse(const char *text, uint64_t *number);

void modules_load(void);
int device_open(const char *path, int flags, bool wait);
void thread_start(const char *name, void *(*run)(void *), void *arg);

int ticker_create(uint64_t period_ns);
void ticker_wait(int timer);
void pace_init(struct pace *pace);
uint64_t pace_grant(struct pace *pace, uint64_t rate);

uint64_t pattern_key(uint64_t number, uint32_t generation);
void pattern_fill(uint64_t *words, uint64_t key);
bool pattern_differs(const uint64_t *words, uint64_t key,
		     struct difference *difference);

void memory_create(void);
uint64_t memory_pages(void);
void memory_rewrite(uint64_t page);
uint64_t memory_verify(void);
void memory_walk_start(void);

void writer_start(void);
void writer_set_rate(uint64_t pages);
void writer_hold(void);
void writer_release(void);

void disk_start(void);
void reader_start(void);
void witness_start(void);
void net_start(void);

void clock_start(void);
uint64_t clock_take_gap_ns(void);

void report_open(void);
int report_fd(void);
void report_start(void);
void report_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void report_error(int error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool report_detail(_Atomic unsigned int *told);

void command_start(void);

void power_prepare(void);
void power_wait(void) __attribute__((noreturn));
void power_off(void) __attribute__((noreturn));

#endif
