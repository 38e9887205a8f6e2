// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * workload.c - the guest: dirties pages and checks every one it visits.
 *
 * Freestanding, general registers only. The same source is the guest's
 * image under KVM (base 0) and a function of the VMM in the threads engine
 * (base: where guest memory is mapped). It keeps no state outside of guest
 * memory between two reports, so the threads engine may leave workload_run()
 * and enter it again, on another host too.
 */
#include <stdbool.h>

#include "tools/vmm/guest/abi.h"

#define CHECK_FACTOR	0x9e3779b97f4a7c15ull
#define CHECK_MIDDLE	0x165667b19e3779f9ull

struct guest {
	uint64_t base;
	const struct guest_config *config;
	struct guest_vcpu *vcpu;
	uint32_t *table;
};

/* The first word of a page, as it was written last; never visited: 0. */
static inline uint64_t start_value(uint64_t page, uint32_t sequence)
{
	return sequence ? page << 32 | sequence : 0;
}

/* What the other two words are made of. */
static inline uint64_t check_value(uint64_t start)
{
	return start * CHECK_FACTOR;
}

static inline uint64_t *page_words(const struct guest *guest, uint64_t page)
{
	return (uint64_t *)(guest->base + (page << GUEST_PAGE_SHIFT));
}

/* All bits that differ from what was written there last. */
static inline uint64_t page_differs(const uint64_t *words, uint64_t start)
{
	uint64_t check = check_value(start);

	if (!start)
		return words[GUEST_WORD_START] | words[GUEST_WORD_MIDDLE] |
		       words[GUEST_WORD_END];
	return (words[GUEST_WORD_START] ^ start) |
	       (words[GUEST_WORD_MIDDLE] ^ check ^ CHECK_MIDDLE) |
	       (words[GUEST_WORD_END] ^ ~check);
}

static void wrong_note(struct guest_vcpu *vcpu, uint64_t page,
		       uint64_t expected, uint64_t found,
		       enum guest_place place)
{
	struct guest_wrong *wrong;

	vcpu->bad++;
	if (vcpu->wrong_count >= GUEST_WRONG_MAX)
		return;
	wrong = &vcpu->wrong[vcpu->wrong_count];
	wrong->page = page;
	wrong->expected = expected;
	wrong->found = found;
	wrong->place = place;
	vcpu->wrong_count++;
}

static void page_wrong(const struct guest *guest, uint64_t page,
		       uint32_t sequence)
{
	const uint64_t *words = page_words(guest, page);
	uint64_t start = start_value(page, sequence);
	uint64_t middle = start ? check_value(start) ^ CHECK_MIDDLE : 0;
	enum guest_place place = PLACE_END;

	if (words[GUEST_WORD_START] != start)
		place = PLACE_START;
	else if (words[GUEST_WORD_MIDDLE] != middle)
		place = PLACE_MIDDLE;
	wrong_note(guest->vcpu, page, start, words[GUEST_WORD_START], place);
}

static inline uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x * 0x2545f4914f6cdd1dull;
}

/* A place in the working set, for a random number. */
static inline uint64_t place_of(uint64_t number, uint64_t working_set,
				enum guest_workload workload)
{
	uint64_t part = number >> 32;

	if (workload == WORKLOAD_ZIPF) {
		part = part * (number & 0xffffffff) >> 32;
		part = part * part >> 32;
	}
	return part * working_set >> 32;
}

/* Check a page, and write it unless @keep. Return: what that adds up to. */
static inline uint32_t page_visit(const struct guest *guest, uint64_t page,
				  bool keep)
{
	uint32_t old = guest->table[page];
	uint32_t sequence = old + 1 ? old + 1 : 1;
	uint64_t *words = page_words(guest, page);
	uint64_t start, check;

	if (__builtin_expect(page_differs(words, start_value(page, old)) != 0,
			     0))
		page_wrong(guest, page, old);
	if (keep)
		return 0;
	start = start_value(page, sequence);
	check = check_value(start);
	guest->table[page] = sequence;
	words[GUEST_WORD_START] = start;
	words[GUEST_WORD_MIDDLE] = check ^ CHECK_MIDDLE;
	words[GUEST_WORD_END] = ~check;
	return sequence - old;
}

/*
 * Inlined once for each workload. State lives in registers for the length
 * of a batch: where KVM emulates, a memory access is what costs.
 */
static inline __attribute__((always_inline))
void visit_batch(const struct guest *guest, uint64_t batch,
		 enum guest_workload workload)
{
	struct guest_vcpu *vcpu = guest->vcpu;
	uint64_t rng = vcpu->rng, position = vcpu->position;
	uint64_t first = vcpu->first, working_set = vcpu->working_set;
	uint64_t sum = vcpu->sequence_sum;

	vcpu->ticks += batch;
	while (batch--) {
		uint64_t number = 0;

		if (workload == WORKLOAD_SEQUENTIAL) {
			if (++position >= working_set)
				position = 0;
		} else {
			number = random_next(&rng);
			position = place_of(number, working_set, workload);
		}
		sum += page_visit(guest, first + position,
				  workload == WORKLOAD_RANDOM && (number & 1));
	}
	vcpu->rng = rng;
	vcpu->position = position;
	vcpu->sequence_sum = sum;
}

static void visit_some(const struct guest *guest, uint64_t batch)
{
	switch (guest->config->workload) {
	case WORKLOAD_HOT:
		visit_batch(guest, batch, WORKLOAD_HOT);
		break;
	case WORKLOAD_RANDOM:
		visit_batch(guest, batch, WORKLOAD_RANDOM);
		break;
	case WORKLOAD_SEQUENTIAL:
		visit_batch(guest, batch, WORKLOAD_SEQUENTIAL);
		break;
	case WORKLOAD_ZIPF:
		visit_batch(guest, batch, WORKLOAD_ZIPF);
		break;
	default:
		guest->vcpu->ticks++;	/* idle: a sign of life */
	}
}

static void walk_begin(struct guest_vcpu *vcpu, uint64_t walk)
{
	vcpu->walk = walk;
	vcpu->walk_pages = 0;
	vcpu->walk_sum = 0;
	vcpu->walk_bad = 0;
}

/* What is left when all pages were seen: the table, and what never changes. */
static void walk_finish(const struct guest *guest)
{
	const struct guest_config *config = guest->config;
	struct guest_vcpu *vcpu = guest->vcpu;
	uint64_t before = vcpu->bad;
	uint64_t sum;

	if ((uint32_t)vcpu->walk_sum != (uint32_t)vcpu->sequence_sum)
		wrong_note(vcpu, vcpu->first, vcpu->sequence_sum,
			   vcpu->walk_sum, PLACE_TABLE);
	sum = guest_sum((const uint64_t *)(guest->base + config->fixed_start),
			(config->fixed_end - config->fixed_start) / 8);
	if (sum != config->fixed_sum)
		wrong_note(vcpu, config->fixed_start >> GUEST_PAGE_SHIFT,
			   config->fixed_sum, sum, PLACE_FIXED);
	vcpu->walk_bad += vcpu->bad - before;
	vcpu->walk_done = vcpu->walk;
}

static void walk_some(const struct guest *guest, uint64_t batch)
{
	struct guest_vcpu *vcpu = guest->vcpu;

	for (; batch && vcpu->walk_pages < vcpu->pages; batch--) {
		uint64_t page = vcpu->first + vcpu->walk_pages++;
		uint32_t sequence = guest->table[page];

		vcpu->walk_sum += sequence;
		if (!page_differs(page_words(guest, page),
				  start_value(page, sequence)))
			continue;
		page_wrong(guest, page, sequence);
		vcpu->walk_bad++;
	}
	if (vcpu->walk_pages == vcpu->pages)
		walk_finish(guest);
}

static void say(const char *text)
{
	while (*text)
		guest_putc((uint64_t)*text++);
}

/**
 * workload_run() - the life of one vCPU
 * @base: where guest memory starts, as this code sees it
 * @index: number of the vCPU
 *
 * Returns when the VMM orders GUEST_STOP, which the KVM engine never does.
 * To be entered again it needs nothing but guest memory.
 */
void workload_run(uint64_t base, uint64_t index)
{
	struct guest guest = {
		.base = base,
		.config = (const struct guest_config *)(base + GUEST_CONFIG),
		.vcpu = (struct guest_vcpu *)(base + GUEST_VCPUS +
					      index * GUEST_PAGE_SIZE),
	};
	struct guest_vcpu *vcpu = guest.vcpu;

	guest.table = (uint32_t *)(base + guest.config->table);
	if (!index && !vcpu->ticks)
		say("guest: up\n");
	for (;;) {
		struct guest_order order;

		order = guest_report(vcpu->ticks, vcpu->bad, vcpu->walk_done,
				     vcpu->walk_pages, vcpu->walk_bad);
		if (order.batch == GUEST_STOP)
			return;
		if (order.walk && order.walk != vcpu->walk)
			walk_begin(vcpu, order.walk);
		if (vcpu->walk != vcpu->walk_done)
			walk_some(&guest, order.batch);
		else
			visit_some(&guest, order.batch);
	}
}
