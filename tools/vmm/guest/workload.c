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
#include "tools/vmm/guest/abi.h"

#define CHECK_PAGE	0x9e3779b97f4a7c15ull
#define CHECK_SEQUENCE	0xc2b2ae3d27d4eb4full
#define CHECK_MIDDLE	0x165667b19e3779f9ull

struct guest {
	uint64_t base;
	const struct guest_config *config;
	struct guest_vcpu *vcpu;
	uint32_t *table;
};

static inline uint64_t check_value(uint64_t page, uint64_t sequence)
{
	return page * CHECK_PAGE + sequence * CHECK_SEQUENCE;
}

static inline uint64_t *page_words(const struct guest *guest, uint64_t page)
{
	return (uint64_t *)(guest->base + (page << GUEST_PAGE_SHIFT));
}

/* All bits that differ from what was written there last; never visited: 0. */
static inline uint64_t page_differs(const uint64_t *words, uint64_t page,
				    uint64_t sequence)
{
	uint64_t check;

	if (!sequence)
		return words[GUEST_WORD_NUMBER] | words[GUEST_WORD_SEQUENCE] |
		       words[GUEST_WORD_CHECK] | words[GUEST_WORD_MIDDLE] |
		       words[GUEST_WORD_END];
	check = check_value(page, sequence);
	return (words[GUEST_WORD_NUMBER] ^ page) |
	       (words[GUEST_WORD_SEQUENCE] ^ sequence) |
	       (words[GUEST_WORD_CHECK] ^ check) |
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
		       uint64_t sequence)
{
	const uint64_t *words = page_words(guest, page);
	uint64_t check = sequence ? check_value(page, sequence) : 0;
	enum guest_place place = PLACE_END;

	if (words[GUEST_WORD_NUMBER] != (sequence ? page : 0) ||
	    words[GUEST_WORD_SEQUENCE] != sequence ||
	    words[GUEST_WORD_CHECK] != check)
		place = PLACE_START;
	else if (words[GUEST_WORD_MIDDLE] !=
		 (sequence ? check ^ CHECK_MIDDLE : 0))
		place = PLACE_MIDDLE;
	wrong_note(guest->vcpu, page, sequence, words[GUEST_WORD_SEQUENCE],
		   place);
}

static inline void page_write(const struct guest *guest, uint64_t page,
			      uint32_t old)
{
	uint64_t *words = page_words(guest, page);
	uint32_t sequence = old + 1 ? old + 1 : 1;
	uint64_t check = check_value(page, sequence);

	guest->vcpu->sequence_sum += sequence - old;
	guest->table[page] = sequence;
	words[GUEST_WORD_NUMBER] = page;
	words[GUEST_WORD_SEQUENCE] = sequence;
	words[GUEST_WORD_CHECK] = check;
	words[GUEST_WORD_MIDDLE] = check ^ CHECK_MIDDLE;
	words[GUEST_WORD_END] = ~check;
}

static inline uint64_t random_next(struct guest_vcpu *vcpu)
{
	uint64_t x = vcpu->rng;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	vcpu->rng = x;
	return x * 0x2545f4914f6cdd1dull;
}

/* A page of the working set as the workload likes them. */
static inline uint64_t page_pick(struct guest_vcpu *vcpu, uint32_t workload,
				 uint64_t number)
{
	uint64_t part = number >> 32;

	if (workload == WORKLOAD_SEQUENTIAL) {
		uint64_t position = vcpu->position;

		vcpu->position = position + 1 < vcpu->working_set ?
				 position + 1 : 0;
		return vcpu->first + position;
	}
	if (workload == WORKLOAD_ZIPF) {
		part = part * (number & 0xffffffff) >> 32;
		part = part * part >> 32;
	}
	return vcpu->first + (part * vcpu->working_set >> 32);
}

static inline void page_visit(const struct guest *guest, uint32_t workload)
{
	uint64_t number = random_next(guest->vcpu);
	uint64_t page = page_pick(guest->vcpu, workload, number);
	uint32_t sequence = guest->table[page];

	if (__builtin_expect(page_differs(page_words(guest, page), page,
					  sequence) != 0, 0))
		page_wrong(guest, page, sequence);
	if (workload != WORKLOAD_RANDOM || (number & 1))
		page_write(guest, page, sequence);
	guest->vcpu->ticks++;
}

static void visit_some(const struct guest *guest, uint64_t batch)
{
	uint32_t workload = guest->config->workload;

	if (workload == WORKLOAD_IDLE) {
		guest->vcpu->ticks++;
		return;
	}
	while (batch--)
		page_visit(guest, workload);
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
		if (!page_differs(page_words(guest, page), page, sequence))
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
