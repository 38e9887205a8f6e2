/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seeds.h - between the files that write the inputs to begin with. */
#ifndef STRADDLE_TEST_FUZZ_SEEDS_H
#define STRADDLE_TEST_FUZZ_SEEDS_H

#include "fuzz.h"

struct seed {
	size_t size;
	uint8_t bytes[256 << 10];
};

void seed_corpus(const char *dir);
void seed_write(const char *target, const char *name, const void *bytes, size_t size);
void seed_start(struct seed *seed);
void seed_add(struct seed *seed, const void *bytes, size_t size);
void seed_add_byte(struct seed *seed, unsigned int byte);
void seed_take(struct seed *seed, int fd);

/* seeds_wire.c: what hosts say to each other */
void seeds_frame(void);
void seeds_message(void);
void seeds_page_set(void);
void seeds_handshake(void);
void seeds_nbd(void);

/* seeds_local.c: what processes of one host do */
void seeds_packet(void);
void seeds_maps(void);
void seeds_definition(void);

/* seeds_qmp.c: QEMU */
void seeds_qmp(void);

/* seeds_vmm.c: straddle-vmm */
void seeds_vmm(void);

/* seeds_file.c: what lies on disks */
void seeds_journal(void);
void seeds_states(void);
void seeds_testament(void);
void seeds_xml(void);

#endif
