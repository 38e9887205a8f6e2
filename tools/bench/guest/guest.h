/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest.h - the bench guest: what its files know of each other.
 *
 * It is the same program whoever moves it: QEMU or Straddle. It has one vCPU,
 * no kernel below it and takes orders on its serial line; orders.c has them.
 */
#ifndef STRADDLE_BENCH_GUEST_H
#define STRADDLE_BENCH_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE_WORDS	512u

void interrupt_entry(void);
void guest_main(uint32_t multiboot) __attribute__((noreturn));

/* serial.c */
void serial_open(void);
bool serial_heard(void);
char serial_get(void);
void serial_say(const char *text);
void serial_say_number(uint64_t number);
void serial_say_end(void);

/* memory.c */
void memory_find(uint32_t multiboot);
bool memory_take(uint64_t pages);
uint64_t memory_pages(void);
volatile uint64_t *memory_page(uint64_t number);
void memory_write(uint64_t number);
uint64_t memory_bad(void);

/* orders.c */
void orders_take(void) __attribute__((noreturn));

static inline uint64_t ticks_now(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

#endif
