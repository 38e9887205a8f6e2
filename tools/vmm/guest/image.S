/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image.S - the flat guest image as data of the VMM. */
	.section .rodata
	.balign 16
	.globl guest_image, guest_image_end
guest_image:
	.incbin GUEST_BIN
guest_image_end:
	.section .note.GNU-stack, "", @progbits
