/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image.S - the bench guest as data of the program. */
	.section .rodata
	.balign 16
	.globl bench_guest, bench_guest_end
bench_guest:
	.incbin GUEST_ELF
bench_guest_end:
	.section .note.GNU-stack, "", @progbits
