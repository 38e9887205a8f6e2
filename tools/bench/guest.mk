# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The guest that the benchmark has QEMU and straddle move: a multiboot kernel,
# carried by straddle-bench as data.

bench_guest_dir := $(O)/tools/bench/guest
bench_guest_cflags := -std=gnu11 -O2 -ffreestanding -mgeneral-regs-only -mno-red-zone \
	-fno-pic -fno-pie -fno-stack-protector -fno-delete-null-pointer-checks \
	-fno-asynchronous-unwind-tables -fcf-protection=none -Wall -Wextra -Werror -I.
bench_guest_objects := $(addprefix $(bench_guest_dir)/flat-,entry.o serial.o memory.o orders.o)

BENCH_GUEST_OBJS := $(bench_guest_dir)/image.o

$(bench_guest_dir)/flat-%.o: tools/bench/guest/%.c tools/bench/guest/guest.h
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(bench_guest_cflags) -c -o $@ $<

$(bench_guest_dir)/flat-%.o: tools/bench/guest/%.S
	$(call say,AS,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(bench_guest_cflags) -c -o $@ $<

# The loader takes 32-bit files only; what is in one is not its business.
$(bench_guest_dir)/guest.elf: tools/bench/guest/guest.lds $(bench_guest_objects)
	$(call say,LD,$@)
	$(Q)ld -nostdlib -static -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments \
		-T $< -o $@.64 $(filter %.o,$^)
	$(Q)objcopy -O elf32-i386 -S $@.64 $@

$(bench_guest_dir)/image.o: tools/bench/guest/image.S $(bench_guest_dir)/guest.elf
	$(call say,AS,$@)
	$(Q)$(CC) -DGUEST_ELF='"$(bench_guest_dir)/guest.elf"' -c -o $@ $<
