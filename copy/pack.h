/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pack.h - pages made smaller for a slow link, and what they were again.
 *
 * zstd, a run at a time: each is a zstd frame of its own, so that none depends
 * on what came before it.
 */
#ifndef STRADDLE_PACK_H
#define STRADDLE_PACK_H

#include <stddef.h>

struct packer;
struct unpacker;

int packer_create(size_t most, struct packer **packer);
void packer_destroy(struct packer *packer);
size_t packer_run(struct packer *packer, const void *bytes, size_t size,
		  const void **packed);

int unpacker_create(size_t most, struct unpacker **unpacker);
void unpacker_destroy(struct unpacker *unpacker);
int unpacker_run(struct unpacker *unpacker, const void *packed, size_t packed_size,
		 size_t size, const void **bytes);

#endif
