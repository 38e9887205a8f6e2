// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * serial.c - the first serial line (a 16550), and sleep until it has something.
 *
 * Everything but its interrupt is masked, so that a guest that waits for an
 * order costs its host nothing.
 */
#include "tools/bench/guest/guest.h"

#define COM1		0x3f8u
#define COM1_IRQ	4u
#define LINE_ENABLE	(COM1 + 1)	/* 1: an interrupt for what comes in */
#define LINE_MODEM	(COM1 + 4)	/* 8: let interrupts out */
#define LINE_STATUS	(COM1 + 5)
#define HAS_INPUT	0x01u
#define MAY_SEND	0x20u

#define PIC1		0x20u
#define PIC2		0xa0u
#define VECTOR		32u		/* of interrupt request 0 */

struct gate {
	uint16_t low, selector, flags, middle;
	uint32_t high, unused;
} __attribute__((packed));

static struct gate gates[VECTOR + 8];

static void out(uint32_t port, uint32_t value)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(value), "Nd"(port));
}

static uint32_t in(uint32_t port)
{
	uint8_t value;

	__asm__ volatile("inb %w1, %b0" : "=a"(value) : "Nd"(port));
	return value;
}

/* Intel 8259A: four words each; then all are masked but one. */
static void interrupts_route(void)
{
	out(PIC1, 0x11);
	out(PIC2, 0x11);
	out(PIC1 + 1, VECTOR);
	out(PIC2 + 1, VECTOR + 8);
	out(PIC1 + 1, 4);
	out(PIC2 + 1, 2);
	out(PIC1 + 1, 1);
	out(PIC2 + 1, 1);
	out(PIC1 + 1, 0xffu & ~(1u << COM1_IRQ));
	out(PIC2 + 1, 0xff);
}

static void gates_load(void)
{
	struct {
		uint16_t limit;
		uint64_t where;
	} __attribute__((packed)) table = { sizeof(gates) - 1, (uintptr_t)gates };
	uintptr_t entry = (uintptr_t)interrupt_entry;
	struct gate *gate = &gates[VECTOR + COM1_IRQ];

	gate->low = (uint16_t)entry;
	gate->middle = (uint16_t)(entry >> 16);
	gate->high = (uint32_t)(entry >> 32);
	gate->selector = 8;
	gate->flags = 0x8e00;		/* present, an interrupt gate */
	__asm__ volatile("lidt %0" : : "m"(table));
}

/**
 * serial_open() - take the line into use
 */
void serial_open(void)
{
	gates_load();
	interrupts_route();
	out(LINE_ENABLE, 1);
	out(LINE_MODEM, 0xb);
}

/**
 * serial_heard() - has something come in?
 *
 * Return: true if serial_get() would not wait.
 */
bool serial_heard(void)
{
	return in(LINE_STATUS) & HAS_INPUT;
}

/**
 * serial_get() - wait for a byte
 *
 * Return: the byte.
 */
char serial_get(void)
{
	/* sti lets an interrupt in only after the instruction behind it. */
	while (!serial_heard())
		__asm__ volatile("sti; hlt; cli" : : : "memory");
	return (char)in(COM1);
}

static void put(char byte)
{
	while (!(in(LINE_STATUS) & MAY_SEND))
		;
	out(COM1, (uint8_t)byte);
}

/**
 * serial_say() - words, and a space behind them
 * @text: without a line feed
 */
void serial_say(const char *text)
{
	while (*text)
		put(*text++);
	put(' ');
}

/**
 * serial_say_number() - a decimal number, and a space behind it
 * @number: any
 */
void serial_say_number(uint64_t number)
{
	char digits[21];
	unsigned int at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	serial_say(digits + at);
}

/**
 * serial_say_end() - the line's end
 */
void serial_say_end(void)
{
	put('\n');
}
