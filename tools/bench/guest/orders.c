// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * orders.c - what the guest is told to do, a line each; times are TSC ticks.
 *
 *   fill PAGES		fill so many pages: "filled PAGES"
 *   touch COUNT MIN LIMIT	read pages in an order that no neighbourhood
 *			explains, until COUNT of them took MIN ticks or longer,
 *			or LIMIT ticks have passed: "touched ALL SLOW", then the
 *			slow ones' ticks, in the order of time, on a line each
 *   write PAGES PERIOD	write random ones of the first PAGES pages until a
 *			line comes in; every PERIOD ticks "wrote COUNT" since
 *			the last time, in the end "stopped"
 *   sweep PAGES PERIOD	likewise, one after the other
 *   check		look at every word: "checked PAGES BAD"
 *
 * What is none of these: "error".
 */
#include "tools/bench/guest/guest.h"

#define LINE_MAX	80u
#define ARGS_MAX	3u
#define SLOW_MAX	65536u
#define STRIDE		40487u		/* a prime, and far from a neighbour */
#define LOOK_EVERY	64u		/* pages, then the time */

static uint64_t slow[SLOW_MAX];

static void fill(const uint64_t *args)
{
	if (!memory_take(args[0])) {
		serial_say("error");
	} else {
		serial_say("filled");
		serial_say_number(args[0]);
	}
	serial_say_end();
}

static uint64_t touch_one(uint64_t number)
{
	uint64_t began = ticks_now();

	(void)*memory_page(number);
	return ticks_now() - began;
}

static void touch(const uint64_t *args)
{
	uint64_t count = args[0] < SLOW_MAX ? args[0] : SLOW_MAX;
	uint64_t end = ticks_now() + args[2], page = 0, all = 0, found = 0, i;

	while (found < count && all < memory_pages() && ticks_now() < end) {
		uint64_t took;

		page = (page + STRIDE) % memory_pages();
		took = touch_one(page);
		all++;
		if (took >= args[1])
			slow[found++] = took;
	}
	serial_say("touched");
	serial_say_number(all);
	serial_say_number(found);
	serial_say_end();
	for (i = 0; i < found; i++) {
		serial_say_number(slow[i]);
		serial_say_end();
	}
}

static uint64_t next_random(uint64_t last, uint64_t pages)
{
	static uint64_t state = 1;

	(void)last;
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (state >> 33) % pages;
}

static uint64_t next_in_order(uint64_t last, uint64_t pages)
{
	return last + 1 < pages ? last + 1 : 0;
}

static void work(uint64_t pages, uint64_t period,
		 uint64_t (*next)(uint64_t last, uint64_t pages))
{
	uint64_t page = 0, wrote = 0, report = ticks_now() + period;

	while (!serial_heard()) {
		unsigned int i;

		for (i = 0; i < LOOK_EVERY; i++) {
			page = next(page, pages);
			memory_write(page);
		}
		wrote += LOOK_EVERY;
		if (ticks_now() < report)
			continue;
		serial_say("wrote");
		serial_say_number(wrote);
		serial_say_end();
		wrote = 0;
		report = ticks_now() + period;
	}
	serial_say("stopped");
	serial_say_end();
}

static void write_random(const uint64_t *args)
{
	work(args[0], args[1], next_random);
}

static void sweep(const uint64_t *args)
{
	work(args[0], args[1], next_in_order);
}

static void check(const uint64_t *args)
{
	(void)args;
	serial_say("checked");
	serial_say_number(memory_pages());
	serial_say_number(memory_bad());
	serial_say_end();
}

static const struct {
	const char *name;
	void (*run)(const uint64_t *args);
	bool works;			/* on the first args[0] pages */
} orders[] = {
	{ "fill", fill, false },
	{ "touch", touch, false },
	{ "write", write_random, true },
	{ "sweep", sweep, true },
	{ "check", check, false },
};

/* Is @name the line's first word? Behind it, then. */
static const char *word_skip(const char *line, const char *name)
{
	while (*name)
		if (*line++ != *name++)
			return 0;
	return *line == ' ' || !*line ? line : 0;
}

static void args_read(const char *text, uint64_t *args)
{
	unsigned int i;

	for (i = 0; i < ARGS_MAX; i++) {
		args[i] = 0;
		while (*text == ' ')
			text++;
		while (*text >= '0' && *text <= '9')
			args[i] = args[i] * 10 + (uint64_t)(*text++ - '0');
	}
}

static void order_run(const char *line)
{
	uint64_t args[ARGS_MAX];
	unsigned int i;

	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		const char *rest = word_skip(line, orders[i].name);

		if (!rest)
			continue;
		args_read(rest, args);
		if (orders[i].works && (!args[0] || args[0] > memory_pages()))
			break;
		orders[i].run(args);
		return;
	}
	serial_say("error");
	serial_say_end();
}

static void line_read(char *line)
{
	unsigned int used = 0;
	char byte;

	while ((byte = serial_get()) != '\n')
		if (used < LINE_MAX - 1)
			line[used++] = byte;
	line[used] = '\0';
}

/**
 * orders_take() - carry out what comes in, for ever
 */
void orders_take(void)
{
	char line[LINE_MAX];

	for (;;) {
		line_read(line);
		if (*line)
			order_run(line);
	}
}

/**
 * guest_main() - the guest, from its entry on
 * @multiboot: address of the loader's information
 */
void guest_main(uint32_t multiboot)
{
	memory_find(multiboot);
	serial_open();
	serial_say("ready");
	serial_say_end();
	orders_take();
}
