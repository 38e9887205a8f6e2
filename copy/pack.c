// SPDX-License-Identifier: LGPL-2.1-or-later
/* pack.c - pages made smaller for a slow link, and what they were again. */
#include "copy/pack.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* The fastest that pays: see Documentation/performance.rst. */
#define LEVEL		(-1)
#define SAVED_PARTS	8	/* one of so many is to be saved, at least */

struct packer {
	ZSTD_CCtx *context;
	uint8_t room[];		/* of the largest run */
};

struct unpacker {
	ZSTD_DCtx *context;
	size_t most;
	uint8_t *room;
};

/**
 * packer_create() - make what packs runs
 * @most: bytes of the largest of them
 * @packer: receives it; packer_destroy() frees it
 *
 * Return: 0 or -ENOMEM.
 */
int packer_create(size_t most, struct packer **packer)
{
	struct packer *made = malloc(sizeof(*made) + most);

	if (!made)
		return -ENOMEM;
	made->context = ZSTD_createCCtx();
	if (!made->context ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(made->context, ZSTD_c_compressionLevel,
						LEVEL))) {
		packer_destroy(made);
		return -ENOMEM;
	}
	*packer = made;
	return 0;
}

/**
 * packer_destroy() - free a packer
 * @packer: NULL is fine
 */
void packer_destroy(struct packer *packer)
{
	if (packer)
		ZSTD_freeCCtx(packer->context);
	free(packer);
}

/**
 * packer_run() - pack a run, if that makes it smaller by an eighth
 * @packer: of the calling thread
 * @bytes: the run's; nobody changes them meanwhile
 * @size: how many, at most what the packer was made for
 * @packed: receives where they are, good until the next call; or unchanged
 *
 * Return: bytes, 0: it is to travel as it is.
 */
size_t packer_run(struct packer *packer, const void *bytes, size_t size,
		  const void **packed)
{
	size_t made = ZSTD_compress2(packer->context, packer->room, size - size / SAVED_PARTS,
				     bytes, size);

	if (ZSTD_isError(made))
		return 0;	/* too large, or no memory: neither is an error */
	*packed = packer->room;
	return made;
}

/**
 * unpacker_create() - make what unpacks runs
 * @most: bytes of the largest of them
 * @unpacker: receives it; unpacker_destroy() frees it
 *
 * Return: 0 or -ENOMEM.
 */
int unpacker_create(size_t most, struct unpacker **unpacker)
{
	struct unpacker *made = calloc(1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	made->most = most;
	made->room = aligned_alloc(64, (most + 63) / 64 * 64);
	made->context = ZSTD_createDCtx();
	if (!made->room || !made->context) {
		unpacker_destroy(made);
		return -ENOMEM;
	}
	*unpacker = made;
	return 0;
}

/**
 * unpacker_destroy() - free an unpacker
 * @unpacker: NULL is fine
 */
void unpacker_destroy(struct unpacker *unpacker)
{
	if (!unpacker)
		return;
	ZSTD_freeDCtx(unpacker->context);
	free(unpacker->room);
	free(unpacker);
}

/*
 * libzstd would also take a skippable frame, several frames, one with a
 * dictionary or one of a format before 1.0.
 */
static bool is_one_frame(const void *packed, size_t size)
{
	uint32_t magic;

	if (size < sizeof(magic))
		return false;
	memcpy(&magic, packed, sizeof(magic));
	return le32toh(magic) == ZSTD_MAGICNUMBER &&
	       !ZSTD_getDictID_fromFrame(packed, size) &&
	       ZSTD_findFrameCompressedSize(packed, size) == size;
}

/**
 * unpacker_run() - what a run was before it was packed
 * @unpacker: of the calling thread
 * @packed: from a peer: anything
 * @packed_size: bytes of it
 * @size: what it has to come to, at most what the unpacker was made for
 * @bytes: receives where they are, good until the next call
 *
 * Takes no memory for what the peer says: in one pass into a room that is large
 * enough zstd needs no window, whatever the frame's header asks for
 * (ZSTD_decompressDCtx() in zstd.h).
 *
 * Return: 0; -EBADMSG: it is not one zstd frame, or comes to another size.
 */
int unpacker_run(struct unpacker *unpacker, const void *packed, size_t packed_size,
		 size_t size, const void **bytes)
{
	if (size > unpacker->most || !is_one_frame(packed, packed_size) ||
	    ZSTD_decompressDCtx(unpacker->context, unpacker->room, size, packed,
				packed_size) != size)
		return -EBADMSG;
	*bytes = unpacker->room;
	return 0;
}
