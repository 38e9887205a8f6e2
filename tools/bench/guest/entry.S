/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * entry.S - from a multiboot loader's 32-bit mode to guest_main().
 *
 * QEMU's -kernel is such a loader (Multiboot specification 0.6.96, 3.1 and 3.2):
 * flat 32-bit segments, no paging, ebx points to the multiboot information. All
 * of the first 16 GiB is mapped where it is, in pages of 2 MiB.
 */
#define MAGIC		0x1BADB002
#define FLAGS		2		/* tell where memory is */
#define GIB_MAPPED	16

#define CR0_PG		(1 << 31)
#define CR0_PE		1
#define CR4_PAE		(1 << 5)
#define MSR_EFER	0xc0000080
#define EFER_LME	(1 << 8)
#define PAGE_HERE	3		/* present, writable */
#define PAGE_2M		0x83		/* likewise, and no table below */

	.section .text.entry, "ax"
	.align	4
	.long	MAGIC, FLAGS, -(MAGIC + FLAGS)

	.code32
	.globl	_start
_start:
	cli
	cld
	mov	%ebx, %ebp

	mov	$directory_pointers + PAGE_HERE, %eax
	mov	%eax, root
	mov	$directories + PAGE_HERE, %eax
	xor	%ecx, %ecx
1:	mov	%eax, directory_pointers(, %ecx, 8)
	add	$4096, %eax
	inc	%ecx
	cmp	$GIB_MAPPED, %ecx
	jne	1b

	/* Entry n maps n * 2 MiB: edx has what is above 4 GiB. */
	mov	$PAGE_2M, %eax
	xor	%edx, %edx
	xor	%ecx, %ecx
2:	mov	%eax, directories(, %ecx, 8)
	mov	%edx, directories + 4(, %ecx, 8)
	add	$0x200000, %eax
	adc	$0, %edx
	inc	%ecx
	cmp	$GIB_MAPPED * 512, %ecx
	jne	2b

	mov	%cr4, %eax
	or	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$root, %eax
	mov	%eax, %cr3
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$EFER_LME, %eax
	wrmsr
	mov	%cr0, %eax
	or	$(CR0_PG | CR0_PE), %eax
	mov	%eax, %cr0
	lgdt	descriptors_where
	ljmp	$8, $long_mode

	.code64
long_mode:
	xor	%eax, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$stack_top, %esp
	mov	%ebp, %edi
	call	guest_main
	ud2			/* it never returns */

	/* The serial line's interrupt has to end a hlt, and nothing else. */
	.globl	interrupt_entry
interrupt_entry:
	push	%rax
	mov	$0x20, %al
	out	%al, $0x20
	pop	%rax
	iretq

	.section .rodata
	.align	8
descriptors:
	.quad	0
	.quad	0x00209b0000000000	/* code, 64 bits */
descriptors_where:
	.word	. - descriptors - 1
	.long	descriptors

	.bss
	.align	4096
root:			.skip 4096
directory_pointers:	.skip 4096
directories:		.skip GIB_MAPPED * 4096
stack:			.skip 16384
stack_top:

	.section .note.GNU-stack, "", @progbits
