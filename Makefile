# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Straddle's build. "make help" lists the targets and the variables.
#
# Nothing is listed by hand: every .c file of a layer goes into the layer's
# archive, every folder under tools/ that is named in PROGRAM_DIRS becomes a
# program, and selftests/lib.mk does the same for the tests.

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.SUFFIXES:
.SECONDARY:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# ---- what the caller may set -------------------------------------------------

# Not ?=: make has values of its own for these.
defaulted = $(if $(filter default undefined,$(origin $(1))),$(2),$($(1)))
CC	:= $(call defaulted,CC,gcc)
AR	:= $(call defaulted,AR,ar)
INSTALL	?= install
PREFIX	?= /usr/local
OPT	?= -O2 -g
SANITIZE ?=
V	?= 0
# Fault injection (straddled --inject): for developers; "make install" has none.
INJECT	?= $(if $(filter install,$(MAKECMDGOALS)),0,1)
# A build of another compiler, with sanitizers or for a release gets a directory
# of its own.
comma	:= ,
suffix_cc := $(if $(findstring clang,$(CC)),-clang)
suffix_sanitize := $(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
suffix_inject := $(if $(filter 0,$(INJECT)),-release)
O	?= build$(suffix_cc)$(suffix_sanitize)$(suffix_inject)

# ---- flags -------------------------------------------------------------------

PACKAGES := libprotobuf-c gnutls sqlite3 json-c libnl-3.0 libnl-route-3.0 \
	    libxxhash libzstd libsystemd libseccomp libcap-ng libvirt libvirt-qemu libxml-2.0 \
	    liburcu-memb liburcu-cds

# Asked for at the first use, so that "make help" needs no library.
pkg_config = $(or $(shell pkg-config $(1) $(PACKAGES)),$(error libraries are \
	     missing, see above: run tools/scripts/deps.sh as root))
pkg_cflags = $(eval pkg_cflags := $(call pkg_config,--cflags))$(pkg_cflags)
pkg_libs   = $(eval pkg_libs := $(call pkg_config,--libs))$(pkg_libs)

WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes \
	    -Wpointer-arith -Wundef -Werror
sanitize := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all \
	    -fno-omit-frame-pointer)

base_cflags = -std=gnu11 -DSTRADDLE_INJECT=$(INJECT) $(OPT) $(sanitize) -D_GNU_SOURCE -pthread -I. \
	      -Itools/include -isystem $(O) $(pkg_cflags) $(CFLAGS)
all_cflags  = $(base_cflags) $(WARNINGS)
all_ldflags = $(sanitize) -pthread -Wl,--as-needed $(LDFLAGS)

# ---- output like kbuild's ----------------------------------------------------

ifeq ($(V),1)
Q	:=
say	=
else
Q	:= @
say	= @printf '  %-7s %s\n' '$(1)' '$(patsubst $(O)/%,%,$(or $(2),$@))'
endif
export V

# ---- what there is to build --------------------------------------------------

objects = $(patsubst %.c,$(O)/%.o,$(sort $(wildcard $(1)/*.c)))

# Upper layers first: an archive may only need what stands to its right.
ARCHIVE_DIRS := tools/guests tools/net tools/lib protocol copy uffd
archives     := $(foreach d,$(ARCHIVE_DIRS),$(O)/lib$(notdir $(d)).a)

# folder:program
PROGRAM_DIRS := straddle:straddle straddled:straddled vmm:straddle-vmm \
		bench:straddle-bench
dir_of	     = $(firstword $(subst :, ,$(1)))
name_of	     = $(lastword $(subst :, ,$(1)))
programs     := $(foreach p,$(PROGRAM_DIRS),$(if $(wildcard \
		tools/$(call dir_of,$(p))/*.c),$(O)/$(call name_of,$(p))))

proto_c	:= $(O)/protocol/straddle.pb-c.c
proto_h	:= $(proto_c:.c=.h)

.PHONY: all
all: $(archives) $(programs)

# The fragments of the guests that straddle-vmm and straddle-bench carry: they
# read O, CC, Q and say, and set what to link into the program.
GUEST_OBJS :=
BENCH_GUEST_OBJS :=
-include tools/vmm/guest.mk
-include tools/bench/guest.mk

include selftests/lib.mk

# ---- rules -------------------------------------------------------------------

# Objects depend on this file, which changes when the command line would.
flags_file := $(O)/.flags
$(flags_file): FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(all_cflags) $(all_ldflags)' | cmp -s - $@ || \
		printf '%s\n' '$(CC) $(all_cflags) $(all_ldflags)' > $@

.PHONY: FORCE
FORCE:

$(proto_c) $(proto_h) &: protocol/straddle.proto
	$(call say,PROTOC,protocol/straddle.pb-c.c)
	@mkdir -p $(O)
	$(Q)protoc-c --c_out=$(O) $<

$(proto_c:.c=.o): $(proto_c) $(flags_file)
	$(call say,CC)
	$(Q)$(CC) $(base_cflags) -c -o $@ $<

$(O)/%.o: %.c $(flags_file) | $(proto_h)
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(all_cflags) $(cflags-$(*D)) -MD -MP -c -o $@ $<

define archive_rule
$(O)/lib$(notdir $(1)).a: $(call objects,$(1)) $(2)
	$$(call say,AR)
	@mkdir -p $$(@D)
	@rm -f $$@
	$(Q)$(AR) rcs $$@ $$(filter %.o,$$^)
endef
$(foreach d,$(filter-out protocol,$(ARCHIVE_DIRS)),$(eval $(call archive_rule,$(d))))
$(eval $(call archive_rule,protocol,$(proto_c:.c=.o)))

# An archive is rebuilt when a source file went away, too.
$(foreach d,$(ARCHIVE_DIRS),$(eval $(O)/lib$(notdir $(d)).a: $(wildcard $(d))))

define program_rule
$(O)/$(2): $(call objects,tools/$(1)) $(if $(filter vmm,$(1)),$(GUEST_OBJS)) \
		$(if $(filter bench,$(1)),$(BENCH_GUEST_OBJS)) $(archives)
	$$(call say,LD)
	$(Q)$(CC) -o $$@ $$(filter %.o,$$^) $(archives) $$(all_ldflags) $$(pkg_libs)
endef
$(foreach p,$(PROGRAM_DIRS),$(eval $(call \
	program_rule,$(call dir_of,$(p)),$(call name_of,$(p)))))

# ---- targets people call -----------------------------------------------------

# These install what is missing first, then start over with all of it there.
.PHONY: check check-libvirt demo demo-libvirt bench bench-libvirt deps deps-tests
check demo-libvirt: deps-tests
demo: deps
check demo demo-libvirt:
	@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$$(nproc)) run-$@

# The long grid of libvirt domains: all cells.
check-libvirt: deps-tests
	@TEST_LONG=1 $(MAKE) --no-print-directory -j$$(nproc) TARGETS=libvirt run-check

# The matrix of faults: all cells. A line for each that does not hold, and the sum.
check-matrix: deps-tests
	@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$$(nproc)) \
		run-check-matrix

matrix := $(addprefix $(O)/selftests/,faults/matrix libvirt/writes)

.PHONY: check-matrix run-check-matrix
run-check-matrix: all $(matrix) libvirt-parts
	@code=0; for part in $(matrix); do \
		MATRIX_PART=all TEST_LONG=1 $$part >$$part.log 2>&1 </dev/null || \
			{ code=1; echo "all of it: $$part.log"; }; \
		sed -n '/^not ok/p; s/^# NOTE //p; s,^# Totals:,'$${part#$(O)/selftests/}':,p' \
			$$part.log; \
	done; exit $$code

# N migrations with faults by chance; SEED=... for the same again.
soak: deps-tests
	@$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$$(nproc)) run-soak

.PHONY: soak run-soak
run-soak: all $(O)/selftests/faults/soak
	@N=$(N) SEED=$(SEED) $(O)/selftests/faults/soak

# What make bench finds out is kept with the documents.
bench bench-quick: deps-bench
	@$(MAKE) --no-print-directory run-$@

.PHONY: bench-quick run-bench run-bench-quick deps-bench
run-bench: bench_dir := Documentation/bench
run-bench-quick: bench_dir := $(O)/bench
run-bench-quick: BENCH_ARGS += --quick
run-bench run-bench-quick: all test-qemu
	@mkdir -p $(bench_dir)
	$(Q)$(O)/straddle-bench --json $(bench_dir)/bench.json \
		--markdown $(bench_dir)/bench.md --plots $(bench_dir) $(BENCH_ARGS)

bench-libvirt: deps-tests
	@$(MAKE) --no-print-directory run-bench-libvirt

.PHONY: run-bench-libvirt
run-bench-libvirt: all $(O)/selftests/demo/bench_libvirt test-guest test-qemu
	@mkdir -p $(O)/bench
	$(Q)$(O)/selftests/demo/bench_libvirt --json $(O)/bench/libvirt.json \
		--rst $(O)/bench/libvirt.rst $(BENCH_ARGS)

deps:
	@tools/scripts/deps.sh

deps-bench:
	@tools/scripts/deps.sh bench

deps-tests:
	@tools/scripts/deps.sh tests

# Fuzzing is a build of its own: clang, libFuzzer, ASan and UBSan.
TIME	?= 60
fuzz_build = @$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$$(nproc)) \
	     CC=clang SANITIZE=fuzzer-no-link,address,undefined OPT='-O1 -g' O=$(O)-fuzz

.PHONY: fuzz fuzz-corpus deps-fuzz run-fuzz run-fuzz-merge
fuzz: deps-fuzz
	$(fuzz_build) run-fuzz

fuzz-corpus: deps-fuzz $(O)/selftests/fuzz/seeds
	@mkdir -p $(O)-fuzz/fuzz/corpus
	$(Q)$(O)/selftests/fuzz/seeds $(O)-fuzz/fuzz/corpus
	$(fuzz_build) run-fuzz-merge

run-fuzz: $(fuzz_programs)
	@selftests/fuzz/run.sh $(O) $(TIME) $(FUZZ)

run-fuzz-merge: $(fuzz_programs)
	@selftests/fuzz/run.sh $(O) merge $(FUZZ)

deps-fuzz:
	@tools/scripts/deps.sh fuzz

.PHONY: run-check run-demo run-demo-libvirt
run-check: all tests libvirt-parts
	@selftests/runner.sh $(O) $(TARGETS)

run-demo: all $(O)/selftests/demo/demo
	@$(O)/selftests/demo/demo

run-demo-libvirt: all $(O)/selftests/demo/libvirt test-guest
	@$(O)/selftests/demo/libvirt

.PHONY: check-style check-layers check-docs
check-style check-layers check-docs:
	@tools/scripts/$@.pl

.PHONY: clean
clean:
	$(call say,CLEAN,$(O))
	$(Q)rm -rf $(O)

.PHONY: install
install: all
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)$(INSTALL) -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin \
		$(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man7 \
		$(DESTDIR)$(PREFIX)/share/man/man8 \
		$(DESTDIR)$(PREFIX)/lib/systemd/system
	$(Q)sed 's|/usr/local|$(PREFIX)|' tools/straddled/straddled.service \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/straddled.service
	$(Q)for program in $(programs); do \
		case $$program in */straddled) dir=sbin ;; *) dir=bin ;; esac; \
		$(INSTALL) -m 755 $$program $(DESTDIR)$(PREFIX)/$$dir/ || exit 1; \
	done
	$(Q)for page in $(wildcard Documentation/man/*.[178]); do \
		$(INSTALL) -m 644 $$page \
			$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/ || exit 1; \
	done

.PHONY: help
help:
	@echo 'make [TARGET] [VARIABLE=value]...'
	@echo
	@echo '  all           libraries and programs (the default)'
	@echo '  check         build, then run the selftests (TARGETS="uffd copy": only these)'
	@echo '  check-libvirt the long grid of libvirt domains; about an hour'
	@echo '  check-matrix  every cell of the matrix of faults; a quarter of an hour'
	@echo '  soak          migrations to and fro with faults by chance (N=100, SEED=)'
	@echo '  demo          two hosts, one guest, pre-copy and post-copy; under two minutes'
	@echo '  demo-libvirt  the same with libvirt hosts and a domain; under four minutes'
	@echo '  fuzz          libFuzzer on all that parses (TIME=60 seconds each, FUZZ="frame")'
	@echo '  fuzz-corpus   real traffic and what fuzzing found, to selftests/fuzz/corpus'
	@echo '  bench         the benchmark, written to Documentation/bench/ (BENCH_ARGS=)'
	@echo '  bench-quick   the same with little memory, written to O/bench/: does it work?'
	@echo '  bench-libvirt straddle and virsh migrate the same domain, in turn; about 7 minutes'
	@echo '  tests         build the test programs only'
	@echo '  check-style   rules of the code that a script can check'
	@echo '  check-layers  no include points up'
	@echo '  check-docs    programs, options and documents agree'
	@echo '  install       programs, man pages and the unit, to DESTDIR/PREFIX (/usr/local)'
	@echo '  clean         remove O'
	@echo
	@echo '  O=dir         where the output goes (build, with a suffix for other builds)'
	@echo '  CC=gcc|clang  SANITIZE=address,undefined|thread  OPT="-O2 -g"  V=1'
	@echo '  INJECT=0|1    fault injection by straddled --inject; install: 0, else 1'
	@echo '  DEPS=skip     check and the demos install no packages'

# Header dependencies of every object of earlier builds.
-include $(shell find $(O) -name '*.d' 2>/dev/null)
