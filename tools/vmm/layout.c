// SPDX-License-Identifier: LGPL-2.1-or-later
/* layout.c - guest memory as the guest finds it when it starts. */
#include "tools/vmm/layout.h"

#include <errno.h>
#include <string.h>

#include "tools/vmm/definition.h"
#include "tools/vmm/guest/abi.h"

#define PAGE_RIGHTS		0x07ull	/* present, writable, user */
#define PAGE_TOUCHED		0x60ull	/* accessed, dirty: the CPU need not */
#define PAGE_LARGE		0x80ull
#define LARGE_PAGE		(2ull << 20)
#define PER_TABLE		512

extern const uint8_t guest_image[], guest_image_end[];

static uint64_t pages_up(uint64_t bytes)
{
	return (bytes + GUEST_PAGE_SIZE - 1) & ~(uint64_t)(GUEST_PAGE_SIZE - 1);
}

static uint64_t divided_up(uint64_t number, uint64_t by)
{
	return (number + by - 1) / by;
}

/* One PML4, a PDPT for each 512 GiB, a page directory for each GiB. */
static uint64_t page_tables_size(uint64_t memory)
{
	return (1 + divided_up(memory, 512ull << 30) +
		divided_up(memory, 1ull << 30)) * GUEST_PAGE_SIZE;
}

/**
 * layout_compute() - where everything goes
 * @definition: says engine, memory and vCPUs
 * @layout: receives it
 * @fail: says when memory is too small or too large
 *
 * Return: 0 or -EINVAL.
 */
int layout_compute(const struct definition *definition, struct layout *layout,
		   struct fail *fail)
{
	uint64_t pages = definition->memory / GUEST_PAGE_SIZE;
	struct layout got = { .memory = definition->memory };

	if (definition->memory > 16ull << 40)
		return fail_set(fail, -EINVAL,
				"memory is %llu bytes; 16T is the most a guest can have",
				(unsigned long long)definition->memory);
	got.page_tables = GUEST_TABLES;
	if (definition->engine != ENGINE_THREADS)
		got.page_tables_size = page_tables_size(got.memory);
	got.table = got.page_tables + got.page_tables_size;
	got.first_page = pages_up(got.table + pages * sizeof(uint32_t)) /
			 GUEST_PAGE_SIZE;
	if (got.first_page + definition->vcpus > pages)
		return fail_set(fail, -EINVAL,
				"memory is %llu bytes, too little for the guest itself; give it "
				"4M or more",
				(unsigned long long)definition->memory);
	got.slice_pages = (pages - got.first_page) / definition->vcpus;
	*layout = got;
	return 0;
}

static void fill_page_tables(const struct layout *layout, uint8_t *memory)
{
	uint64_t *pml4 = (uint64_t *)(memory + layout->page_tables);
	uint64_t *pdpt = pml4 + PER_TABLE;
	uint64_t upper = divided_up(layout->memory, 512ull << 30);
	uint64_t directories = divided_up(layout->memory, 1ull << 30);
	uint64_t *directory = pdpt + upper * PER_TABLE;
	uint64_t at = layout->page_tables + GUEST_PAGE_SIZE;
	uint64_t flags = PAGE_RIGHTS | PAGE_TOUCHED;

	for (uint64_t i = 0; i < upper; i++, at += GUEST_PAGE_SIZE)
		pml4[i] = at | flags;
	for (uint64_t i = 0; i < directories; i++, at += GUEST_PAGE_SIZE)
		pdpt[i] = at | flags;
	for (uint64_t i = 0; i * LARGE_PAGE < layout->memory; i++)
		directory[i] = layout_physical(i * LARGE_PAGE) | flags |
			       PAGE_LARGE;
}

static void fill_vcpu(const struct definition *definition,
		      const struct layout *layout, uint64_t index,
		      struct guest_vcpu *vcpu)
{
	uint64_t pages = layout->memory / GUEST_PAGE_SIZE;
	uint64_t wanted = definition->working_set / GUEST_PAGE_SIZE /
			  definition->vcpus;

	vcpu->first = layout->first_page + index * layout->slice_pages;
	vcpu->pages = layout->slice_pages;
	if (index == definition->vcpus - 1)
		vcpu->pages = pages - vcpu->first;
	vcpu->working_set = wanted < vcpu->pages ? wanted : vcpu->pages;
	if (!vcpu->working_set)
		vcpu->working_set = 1;
	vcpu->rng = (index + 1) * 0x9e3779b97f4a7c15ull;
}

/**
 * layout_boot() - fill fresh, all-zero guest memory
 * @definition: the guest
 * @layout: from layout_compute()
 * @memory: guest memory as mapped here
 */
void layout_boot(const struct definition *definition,
		 const struct layout *layout, uint8_t *memory)
{
	struct guest_config *config = (struct guest_config *)(memory +
							      GUEST_CONFIG);

	if (layout->page_tables_size) {
		memcpy(memory + GUEST_IMAGE, guest_image,
		       (size_t)(guest_image_end - guest_image));
		fill_page_tables(layout, memory);
	}
	for (uint64_t i = 0; i < definition->vcpus; i++)
		fill_vcpu(definition, layout, i,
			  (struct guest_vcpu *)(memory + GUEST_VCPUS +
						i * GUEST_PAGE_SIZE));
	*config = (struct guest_config){
		.magic = GUEST_MAGIC,
		.memory = layout->memory,
		.table = layout->table,
		.first_page = layout->first_page,
		.fixed_start = GUEST_IMAGE,
		.fixed_end = layout->table,
		.workload = definition->workload,
		.vcpus = (uint32_t)definition->vcpus,
	};
	config->fixed_sum = guest_sum((uint64_t *)(memory + GUEST_IMAGE),
				      (config->fixed_end - GUEST_IMAGE) / 8);
}
