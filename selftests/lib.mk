# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The test programs, included by the top Makefile.
#
# In a folder selftests/TARGET/ every .c file with a TEST_HARNESS_MAIN or a
# main() becomes a program O/selftests/TARGET/NAME; the other .c files there
# are linked into each of them. Only those with TEST_HARNESS_MAIN are run as
# tests; the others are programs that tests start, or the demos.
# A selftests/TARGET/target.mk may set extra-objs-TARGET: more objects to link,
# and extra-cflags-TARGET.

test_main = $(shell grep -lE '^(TEST_HARNESS_MAIN|int main\b)' $(1) /dev/null)
not_tests := lib

test_dirs    := $(filter-out $(not_tests),$(patsubst selftests/%/,%,\
		$(sort $(dir $(wildcard selftests/*/*.c)))))
test_mains   := $(call test_main,$(foreach d,$(test_dirs),$(wildcard selftests/$(d)/*.c)))
all_programs := $(patsubst %.c,$(O)/%,$(test_mains))

# The programs of TARGETS, or of every folder.
test_programs := $(if $(TARGETS),$(foreach t,$(TARGETS),$(or \
		$(filter $(O)/selftests/$(t)/%,$(all_programs)),$(error \
		there is no test in selftests/$(t)))),$(all_programs))

test_lib := $(O)/selftests/libtest.a
test_cflags := -Iselftests
-include $(wildcard selftests/*/target.mk)

$(foreach d,$(test_dirs) $(not_tests),$(eval cflags-selftests/$(d) := \
	$(test_cflags) $(extra-cflags-$(d))))

$(test_lib): $(call objects,selftests/lib) $(wildcard selftests/lib)
	$(call say,AR)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

link_test = $(CC) -o $@ $(filter %.o,$^) $(test_lib) $(archives) $(all_ldflags) $(pkg_libs)

# test_rule DIR: the folder's programs, each with the objects that have no main
define test_rule
$(filter $(O)/selftests/$(1)/%,$(all_programs)): %: %.o $(filter-out \
		$(patsubst %.c,$(O)/%.o,$(test_mains)),$(call objects,selftests/$(1))) \
		$(extra-objs-$(1)) $(test_lib) $(archives)
	$$(call say,LD)
	$(Q)$$(link_test)
endef
$(foreach d,$(test_dirs),$(eval $(call test_rule,$(d))))

# The guest of the libvirt tests: a kernel and an initramfs; and a newer QEMU.
# Both are fetched, so they are made when tests are run. Without them the tests
# are skipped, or fail where STRADDLE_REQUIRE_LIBVIRT=1.
include selftests/libvirt/guest/guest.mk

.PHONY: test-qemu libvirt-parts
test-qemu:
	$(Q)selftests/libvirt/fetch-qemu.sh

libvirt-parts:
	@$(if $(filter libvirt,$(or $(TARGETS),libvirt)), \
		$(MAKE) --no-print-directory -k test-guest test-qemu || \
		echo '  FETCH   parts of the libvirt tests are missing: see above')

.PHONY: tests
tests: $(test_programs)
