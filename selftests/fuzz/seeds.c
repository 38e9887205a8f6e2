/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * seeds.c - inputs to begin with, written by the code that writes the real ones.
 *
 *	seeds DIR
 *
 * puts them into DIR/TARGET/; "make fuzz-corpus" runs it, and merges what adds
 * coverage into the committed corpus.
 */
#include "seeds.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: seeds DIR\n");
		return EXIT_FAILURE;
	}
	seed_corpus(argv[1]);
	seeds_frame();
	seeds_message();
	seeds_page_set();
	seeds_handshake();
	seeds_nbd();
	seeds_packet();
	seeds_maps();
	seeds_definition();
	seeds_qmp();
	seeds_vmm();
	seeds_journal();
	seeds_states();
	seeds_testament();
	seeds_xml();
	return EXIT_SUCCESS;
}
