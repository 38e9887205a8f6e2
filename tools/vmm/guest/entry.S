/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * entry.S - first instruction of the flat image, and its hypercalls.
 *
 * A vCPU starts here in 64-bit mode with rsp at the top of its stack, base
 * (0) in rdi and its number in rsi, as the VMM sets them. A hypercall is an
 * OUT whose arguments are in the registers of the C calling convention; the
 * VMM puts its answer into rax and rdx.
 */
#include "tools/vmm/guest/abi.h"

	.section .text.entry, "ax"
	.globl _start
_start:
	call	workload_run
	ud2			/* it never returns */

	.text
	.globl guest_report
guest_report:
	out	%eax, $GUEST_PORT_REPORT
	ret

	.globl guest_putc
guest_putc:
	mov	%edi, %eax
	out	%al, $GUEST_PORT_CONSOLE
	ret

	.section .note.GNU-stack, "", @progbits
