# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The test guest of the libvirt tests: Debian's cloud kernel, and an initramfs
# whose only program is ours. It is linked statically and never sanitized.

test_guest_dir := $(O)/selftests/libvirt/guest
test_guest_src := selftests/libvirt/guest
test_guest_cflags := -std=gnu11 -O2 -g -D_GNU_SOURCE -pthread -I. -Itools/include

# What these depend on comes along; what the kernel has built in does not.
TEST_GUEST_MODULES := virtio_pci virtio_blk virtio_net virtio_scsi sd_mod \
		      virtio-rng virtio_balloon virtio_console evdev button

.PHONY: test-guest
test-guest: $(test_guest_dir)/vmlinuz $(test_guest_dir)/initrd.img

$(test_guest_dir)/%.o: $(test_guest_src)/%.c $(O)/.flags
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(test_guest_cflags) $(WARNINGS) -MMD -MP -c -o $@ $<

$(test_guest_dir)/init: $(call objects,$(test_guest_src)) $(wildcard $(test_guest_src))
	$(call say,LD)
	$(Q)$(CC) -static -pthread -o $@ $(filter %.o,$^)

$(test_guest_dir)/vmlinuz: $(test_guest_src)/fetch-kernel.sh
	$(call say,FETCH)
	@mkdir -p $(@D)
	$(Q)$< $(@D)/kernel
	$(Q)cp $(@D)/kernel/boot/vmlinuz-* $@

$(test_guest_dir)/initrd.img: $(test_guest_src)/make-initrd.sh $(test_guest_dir)/init \
		$(test_guest_dir)/vmlinuz $(test_guest_src)/guest.mk
	$(call say,CPIO)
	$(Q)$< $(@D)/kernel $(@D)/init $@ $(TEST_GUEST_MODULES)
