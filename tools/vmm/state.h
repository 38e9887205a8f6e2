/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * state.h - device state as bytes: a header, then sections.
 *
 * Little-endian; sections are padded to 8 bytes. Payloads of KVM are the
 * kernel's own structures, whose layout is x86's ABI. Documented in
 * Documentation/vmm-control.rst.
 */
#ifndef STRADDLE_VMM_STATE_H
#define STRADDLE_VMM_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "fail.h"

#define STATE_MAGIC	"STRDLVMM"
#define STATE_VERSION	1
#define STATE_MACHINE	0xffffffffu	/* in place of a vCPU's number */
#define STATE_ABSENT	1u	/* flag: the source's KVM does not have it */

/* Numbers are never reused; 0 is invalid. */
enum state_type {
	STATE_CONSOLE = 1,	/* of the machine */
	STATE_COUNTERS = 2,	/* ticks and bad, le64 each */
	STATE_REGS = 10,
	STATE_SREGS = 11,
	STATE_FPU = 12,
	STATE_XSAVE = 13,
	STATE_XCRS = 14,
	STATE_MSRS = 15,	/* struct kvm_msr_entry each */
	STATE_DEBUGREGS = 16,
	STATE_EVENTS = 17,
	STATE_MP_STATE = 18,
	STATE_LAPIC = 19,
	STATE_TYPE_COUNT
};

struct state_header {		/* 40 bytes */
	uint8_t magic[8];
	uint32_t version;
	uint32_t engine;	/* 1: kvm, 2: threads */
	uint32_t vcpus;
	uint32_t sections;
	uint64_t memory;	/* bytes of guest memory */
	uint64_t length;	/* bytes of it all, header included */
};

struct state_section {		/* 16 bytes */
	uint32_t type;
	uint32_t vcpu;
	uint32_t flags;
	uint32_t length;	/* bytes of payload, padding not counted */
};

struct state_writer {
	uint8_t *bytes;
	size_t used, room;
	int err;		/* first failure; later calls do nothing */
};

void state_begin(struct state_writer *writer,
		 const struct state_header *header);
void state_add(struct state_writer *writer, enum state_type type,
	       uint32_t vcpu, const void *payload, size_t length);
void state_add_absent(struct state_writer *writer, enum state_type type,
		      uint32_t vcpu);
int state_finish(struct state_writer *writer, int *fd, struct fail *fail);

/* A state that was read and checked for form. */
struct state {
	struct state_header header;
	uint8_t *bytes;
	size_t size;
};

int state_read(int fd, struct state *state, struct fail *fail);
void state_free(struct state *state);
int state_find(const struct state *state, enum state_type type, uint32_t vcpu,
	       const void **payload, size_t *length);
const char *state_type_name(enum state_type type);

#endif
