# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Targets of libFuzzer are tests of the ordinary build, see fuzz.h. "make fuzz"
# builds them once more, in a directory of its own, as O/fuzz/NAME.

# The VMM is a program, of which a target takes all but main().
vmm_objs := $(filter-out %/main.o,$(call objects,tools/vmm)) $(GUEST_OBJS)
extra-objs-fuzz := $(vmm_objs)
extra-cflags-fuzz := -DFUZZ_CORPUS='"$(CURDIR)/selftests/fuzz/corpus"' \
	$(if $(findstring fuzzer,$(SANITIZE)),-DFUZZER)

fuzz_targets  := $(patsubst selftests/fuzz/%.c,%,$(shell \
	grep -l '^FUZZ_TARGET' selftests/fuzz/*.c))
fuzz_programs := $(addprefix $(O)/fuzz/,$(fuzz_targets))

$(fuzz_programs): $(O)/fuzz/%: $(O)/selftests/fuzz/%.o \
		$(addprefix $(O)/selftests/fuzz/,fuzz.o talker.o) \
		$(extra-objs-fuzz) $(test_lib) $(archives)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(link_test) -fsanitize=fuzzer
