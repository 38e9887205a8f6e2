# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The guest of straddle-vmm, twice: a flat image that KVM runs, carried as
# data, and the same source as a function for the threads engine.

guest_dir := $(O)/tools/vmm/guest
guest_cflags := -std=gnu11 -O2 -ffreestanding -fno-builtin -mgeneral-regs-only \
	-mno-red-zone -fno-pic -fno-pie -fno-stack-protector \
	-fno-delete-null-pointer-checks -fno-asynchronous-unwind-tables \
	-fcf-protection=none -Wall -Wextra -Werror -I.
guest_headers := tools/vmm/guest/abi.h

GUEST_OBJS := $(guest_dir)/image.o $(guest_dir)/workload.o

$(guest_dir)/flat-%.o: tools/vmm/guest/%.c $(guest_headers)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(guest_cflags) -c -o $@ $<

$(guest_dir)/flat-%.o: tools/vmm/guest/%.S $(guest_headers)
	$(call say,AS,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(guest_cflags) -c -o $@ $<

$(guest_dir)/guest.bin: tools/vmm/guest/guest.lds \
		$(guest_dir)/flat-entry.o $(guest_dir)/flat-workload.o
	$(call say,LD,$@)
	$(Q)ld -nostdlib -static -N --oformat binary -T $< -o $@ $(filter %.o,$^)

$(guest_dir)/image.o: tools/vmm/guest/image.S $(guest_dir)/guest.bin
	$(call say,AS,$@)
	$(Q)$(CC) -DGUEST_BIN='"$(guest_dir)/guest.bin"' -c -o $@ $<
