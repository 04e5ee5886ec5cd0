# SPDX-License-Identifier: BSD-2-Clause
#
# GNU make. New source files are found by wildcard: nothing here needs an edit for them.
# `make help` lists the targets. Settings, on the command line or in the environment:
#
#   CC=gcc|clang-14      compiler                      SAN=address|thread   sanitizers, own tree
#   PREFIX=/usr/local    where install puts things     COVERAGE=1           gcov, own tree
#   DESTDIR=             staging root for packages     V=1                  show the commands
#   BUILD=build          where everything is built     CFLAGS, LDFLAGS      added to ours
#   FABRIC=yes|no        the transport by libfabric (yes where pkg-config finds it)

ifeq ($(filter 4.%,$(MAKE_VERSION)),)
$(error GNU make 4 is needed, this is $(MAKE_VERSION))
endif

# The header is where it is said.
VERSION := $(shell sed -n 's/^\#define SRDMA_VERSION_[A-Z]* //p' include/srdma.h | paste -sd.)

SAN ?=
COVERAGE ?=
ifeq ($(SAN),address)
BUILD ?= build-asan
else ifeq ($(SAN),thread)
BUILD ?= build-tsan
else ifneq ($(SAN),)
$(error SAN=$(SAN): use SAN=address or SAN=thread)
else ifeq ($(COVERAGE),1)
BUILD ?= build-cov
else
BUILD ?= build
PLAIN := 1
endif

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man

ifeq ($(origin CC),default)
CC := gcc
endif
AR ?= ar
OBJCOPY ?= objcopy
INSTALL ?= install
Q := $(if $(V),,@)
silent := $(findstring s,$(firstword -$(MAKEFLAGS)))
say = @$(if $(silent),:,printf '  %-7s %s\n' '$(1)' '$(2)')

# --- flags -------------------------------------------------------------------------------

# Defined as empty, so that a file which says `#define _GNU_SOURCE` itself agrees with us.
cppflags := -D_GNU_SOURCE= -DPROJECT_VERSION='"$(VERSION)"' -Iinclude -Imock -Isrc
cflags   := -std=gnu11 -g -fPIC -fvisibility=hidden -Wall -Wextra -Werror \
            -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla \
            -fstack-protector-strong -pthread
ldflags  := -pthread -Wl,-z,relro,-z,now -Wl,--as-needed
no_undef := -Wl,--no-undefined

is_clang := $(findstring clang,$(shell $(CC) --version 2>/dev/null))
ifneq ($(SAN),)
  san_address := -fsanitize=address,undefined -fno-sanitize-recover=all
  san_thread  := -fsanitize=thread
  cflags  += -O1 -fno-omit-frame-pointer $(san_$(SAN))
  ldflags += $(san_$(SAN))
  # gcc's flow analysis reports false positives in instrumented code.
  cflags  += $(if $(is_clang),,-Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-tsan)
  # clang keeps the sanitizer's runtime in the executable alone.
  no_undef := $(if $(is_clang),,$(no_undef))
else ifeq ($(COVERAGE),1)
  cflags  += -O0 --coverage -fprofile-update=atomic
  ldflags += --coverage
else
  cppflags += -D_FORTIFY_SOURCE=2
  cflags   += -O2
  # The mock's data path crosses several files for each message: link-time optimisation makes
  # it a seventh faster. The objects are ordinary ones besides, for unit tests that link them.
  lto      := $(if $(is_clang),,-flto=auto -ffat-lto-objects)
endif

# Makefile.mock sets these two, so that the programs link the mock in place of rdma-core.
RDMA_LIBS ?= -lrdmacm -libverbs
RDMA_DEP  ?=

comma      := ,
mock_libs  := -lisal -lpthread
srdma_libs  = $(RDMA_LIBS) -lssl -lcrypto -lpthread -ldl
event_libs := -levent -levent_pthreads
# libsrdma loads libfabric when it is asked for, and needs its headers only. FABRIC=no: without it.
FABRIC ?= $(if $(shell pkg-config --exists libfabric 2>/dev/null && echo yes),yes,no)
fabric := $(filter yes,$(FABRIC))
cppflags += $(if $(fabric),$(shell pkg-config --cflags libfabric))
# What the server alone needs.
server_libs := -lyaml -lseccomp

# --- sources -----------------------------------------------------------------------------

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

mock_src    := $(wildcard mock/*/*.c)
srdma_src   := $(filter-out $(if $(fabric),src/session/nofabric.c,src/session/fabric%),\
               $(wildcard src/session/*.c src/common/*.c))
program_src := $(wildcard src/program/*.c)
server_src  := $(wildcard src/server/*.c)
client_src  := $(wildcard src/client/*.c)
tool_src    := $(wildcard src/mockrdma/*.c)
example_src := $(wildcard examples/*.c)
bench_src   := $(wildcard bench/*.c)
unit_src    := $(filter-out $(if $(fabric),,tests/unit/test_in_srdma_fabric.c),$(wildcard tests/unit/test_*.c tests/sim/test_*.c))
# Whatever else lies there is offered to every unit test, as an archive.
support_src := $(filter-out $(unit_src) tests/unit/test_%,$(wildcard tests/unit/*.c tests/unit/*/*.c tests/sim/*.c))
# Programs that the test scripts run.
helper_src  := $(wildcard tests/integration/*.c tests/programs/*.c)
attack_src  := $(wildcard tests/attack/*.c)
soak_src    := $(wildcard tests/soak/*.c)
fuzz_src    := $(wildcard tests/fuzz/*.c)
fuzzers     := $(patsubst tests/fuzz/%.c,%,$(fuzz_src))
all_src     := $(mock_src) $(srdma_src) $(program_src) $(server_src) $(client_src) $(tool_src) $(example_src) \
               $(bench_src) $(unit_src) $(support_src) $(helper_src) $(soak_src) $(attack_src)

# Files named for a platform are for that one alone.
other_platforms := %_$(if $(filter Darwin,$(shell uname -s)),linux,darwin).c
srdma_src       := $(filter-out $(other_platforms),$(srdma_src))
all_src         := $(filter-out $(other_platforms),$(all_src))

# A target exists only where there are sources for it.
if_any = $(if $(strip $(1)),$(2))

lib_mock    := $(call if_any,$(mock_src),$(BUILD)/lib/libmockrdma.so)
lib_so      := $(call if_any,$(srdma_src),$(BUILD)/lib/libsrdma.so)
lib_a       := $(call if_any,$(srdma_src),$(BUILD)/lib/libsrdma.a)
# What both programs share, as an archive: each takes what it needs.
lib_program := $(call if_any,$(program_src),$(BUILD)/obj/libprogram.a)
server      := $(call if_any,$(server_src),$(BUILD)/bin/secure_server)
client      := $(call if_any,$(client_src),$(BUILD)/bin/secure_client)
tool        := $(call if_any,$(tool_src),$(BUILD)/bin/mockrdma)
examples    := $(patsubst %.c,$(BUILD)/%,$(example_src))
benches     := $(patsubst %.c,$(BUILD)/%,$(bench_src))
units       := $(patsubst %.c,$(BUILD)/%,$(unit_src))
helpers     := $(patsubst %.c,$(BUILD)/%,$(helper_src))
attacker    := $(BUILD)/tests/attack/attack
support     := $(call if_any,$(support_src),$(BUILD)/tests/libsupport.a)

libs     := $(lib_mock) $(lib_so) $(lib_a)
programs := $(server) $(client) $(tool)
links    := $(if $(PLAIN),$(notdir $(server) $(client)))

# --- all ---------------------------------------------------------------------------------

.PHONY: all tests links help
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

all: $(libs) $(programs) $(examples) links

tests: $(libs) $(programs) $(examples) $(units) $(helpers) $(benches) $(attacker)

links: $(programs)
	@for l in $(links); do \
		[ "$$(readlink $$l)" = "$(BUILD)/bin/$$l" ] || ln -sfn "$(BUILD)/bin/$$l" $$l; \
	done

# Rewritten only when the content changes: what depends on them is then built again.
.PHONY: FORCE
define stamp
@mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(1))' | cmp -s - $@ || \
	printf '%s\n' '$(subst ','\'',$(1))' >$@
endef
$(BUILD)/.flags: FORCE
	$(call stamp,$(CC) $(cppflags) $(cflags) $(CPPFLAGS) $(CFLAGS) $(ldflags) $(LDFLAGS) $(RDMA_LIBS))
$(BUILD)/.sources: FORCE
	$(call stamp,$(sort $(all_src)))
$(BUILD)/.libdir: FORCE
	$(call stamp,$(LIBDIR))

$(call obj,$(mock_src)): private cflags += $(lto)

$(BUILD)/obj/%.o: %.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(cppflags) $(CPPFLAGS) $(cflags) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(patsubst %.o,%.d,$(call obj,$(all_src)))

# A path relative to where the file itself lies, so that the tree runs in place.
rpath = '-Wl,-rpath,$$ORIGIN/$(1)'

# $(call link,OBJECTS AND ARCHIVES,LIBRARIES)
define link
@mkdir -p $(@D)
$(call say,LD,$@)
$(Q)$(CC) $(ldflags) $(LDFLAGS) -o $@ $(1) $(2)
endef

define archive
@mkdir -p $(@D)
$(call say,AR,$@)
$(Q)rm -f $@ && $(AR) rcs $@ $(1)
endef

# $(call shared,OBJECTS,LIBRARIES): NAME.so is a link to NAME.so.0, its soname.
define shared
@mkdir -p $(@D)
$(call say,LD,$@)
$(Q)$(CC) $(ldflags) $(LDFLAGS) -shared $(no_undef) -Wl,-Bsymbolic-functions \
	-Wl,-soname,$(@F).0 -o $@.0 $(1) $(2)
$(Q)ln -sfn $(@F).0 $@
@touch -h $@
endef

# The device takes the place of libibverbs and librdmacm, so it links neither, and its
# symbols carry no version nodes (docs/architecture.md).
$(lib_mock): $(call obj,$(mock_src)) $(BUILD)/.sources
	$(call shared,$(filter %.o,$^),$(mock_libs))

$(lib_so): $(call obj,$(srdma_src)) $(BUILD)/.sources $(RDMA_DEP)
	$(call shared,$(filter %.o,$^),$(if $(RDMA_DEP),$(call rpath,.)) $(srdma_libs))

$(lib_a): $(call obj,$(srdma_src)) $(BUILD)/.sources
	$(call archive,$(filter %.o,$^))

$(support): $(call obj,$(support_src)) $(BUILD)/.sources
	$(call archive,$(filter %.o,$^))

$(lib_program): $(call obj,$(program_src)) $(BUILD)/.sources
	$(call archive,$(filter %.o,$^))

$(server): $(call obj,$(server_src))
$(client): $(call obj,$(client_src))
$(server): private program_libs := $(server_libs)
$(server) $(client): $(lib_program) $(lib_a) $(BUILD)/.sources $(RDMA_DEP)
	$(call link,$(filter %.o,$^) $(filter %.a,$^),$(event_libs) $(program_libs) \
		$(if $(RDMA_DEP),$(call rpath,../lib)) $(srdma_libs))

# The launcher looks for the device in LIBDIR too.
$(call obj,$(tool_src)): private cppflags += -DLIBDIR='"$(LIBDIR)"'
$(call obj,$(tool_src)): $(BUILD)/.libdir

$(tool): $(call obj,$(tool_src)) $(lib_program) $(BUILD)/.sources
	$(call link,$(filter %.o,$^) $(filter %.a,$^),-ldl -lpthread)

# Examples are what a user of the shared library would build.
$(examples): $(BUILD)/%: $(BUILD)/obj/%.o $(lib_so) $(RDMA_DEP)
	$(call link,$(filter %.o,$^),$(call rpath,../lib) -L$(BUILD)/lib -lsrdma $(srdma_libs))

# --- test programs -----------------------------------------------------------------------
#
#   test_mock_*       libmockrdma.so in place of libibverbs and librdmacm
#   test_in_mock_*    the mock's objects, for what the library hides
#   test_in_NAME_*    the objects of src/NAME without its main.c (server, client, mockrdma)
#   any other         src/program, libsrdma.a and the system's libraries; test_in_srdma_* too, since an
#                     archive hides nothing

is_unit    = $(filter $(BUILD)/tests/unit/test_$(1)_% $(BUILD)/tests/sim/test_$(1)_%,$(units))
with_mock := $(call is_unit,mock)
in_mock   := $(call is_unit,in_mock) $(filter $(BUILD)/tests/sim/%,$(call is_unit,sim))
in_server := $(call is_unit,in_server)
in_client := $(call is_unit,in_client)
in_tool   := $(call is_unit,in_mockrdma)
with_libs := $(filter-out $(with_mock) $(in_mock) $(in_tool),$(units))
no_main    = $(call obj,$(filter-out %/main.c,$(1)))

$(units): $(BUILD)/.sources $(support)

$(with_mock): $(BUILD)/%: $(BUILD)/obj/%.o $(lib_mock)
	$(call link,$(filter %.o,$^) $(filter %.a,$^),$(call rpath,../../lib) -L$(BUILD)/lib -lmockrdma -lcmocka)

# Optimising the whole mock once more for each of these would take longer than they run: they
# get it as one object without what link-time optimisation would need.
mock_plain := $(BUILD)/obj/mock-plain.o
$(mock_plain): $(call obj,$(mock_src)) $(BUILD)/.sources
	@mkdir -p $(BUILD)/obj/plain
	$(call say,LD,$@)
	$(Q)rm -f $(BUILD)/obj/plain/*.o
	$(Q)for o in $(patsubst $(BUILD)/obj/%,%,$(filter %.o,$^)); do \
		$(OBJCOPY) -R '.gnu.lto_*' -R '.gnu.debuglto_*' -N __gnu_lto_v1 \
			$(BUILD)/obj/$$o $(BUILD)/obj/plain/$$(echo $$o | tr / -) || exit 1; \
	done
	$(Q)$(LD) -r -o $@ $(BUILD)/obj/plain/*.o

$(in_mock): $(BUILD)/%: $(BUILD)/obj/%.o $(mock_plain)
	$(call link,$(filter %.o,$^) $(filter %.a,$^),$(mock_libs) -lcmocka -Wl$(comma)--as-needed -lpcap)

$(in_tool): $(BUILD)/%: $(BUILD)/obj/%.o $(call no_main,$(tool_src)) $(lib_program)
	$(call link,$(filter %.o,$^) $(filter %.a,$^),-ldl -lpthread -lcmocka)

$(in_server): $(call no_main,$(server_src))
$(in_server): private program_libs := $(server_libs)
$(in_client): $(call no_main,$(client_src))
$(with_libs): $(BUILD)/%: $(BUILD)/obj/%.o $(lib_program) $(lib_a) $(RDMA_DEP)
	$(call link,$(filter %.o,$^) $(support) $(lib_program) $(lib_a),$(event_libs) $(program_libs) $(call rpath,../../lib) \
		$(srdma_libs) -lcmocka -lm)

$(helpers): $(BUILD)/%: $(BUILD)/obj/%.o $(lib_program) $(lib_a) $(RDMA_DEP)
	$(call link,$(filter %.o,$^) $(filter %.a,$^),$(event_libs) $(call rpath,../../lib) $(srdma_libs))

# The codec is a part of the mock that needs nothing else of it.
$(attacker): $(call obj,$(attack_src) $(wildcard mock/wire/*.c)) $(support) $(lib_program) $(lib_a) $(RDMA_DEP)
	$(call link,$(filter %.o,$^) $(support) $(lib_program) $(lib_a),$(event_libs) $(call rpath,../../lib) \
		$(srdma_libs) $(mock_libs) -lcmocka -lm)

$(benches): $(BUILD)/%: $(BUILD)/obj/%.o $(lib_program) $(lib_a) $(RDMA_DEP)
	$(call link,$(filter %.o,$^) $(filter %.a,$^),$(event_libs) $(call rpath,../lib) $(srdma_libs))

# --- running -----------------------------------------------------------------------------

.PHONY: demo test test-plain test-asan test-tsan test-valgrind tests-asan tests-tsan
.PHONY: attack bench soak interop coverage check check-clang docs lint

demo: all
	scripts/demo.sh

# The sanitizers' trees are built first, so that one run of the runner sums up everything.
tests-asan:
	+@$(MAKE) --no-print-directory SAN=address BUILD=$(BUILD)-asan tests
tests-tsan:
	+@$(MAKE) --no-print-directory SAN=thread BUILD=$(BUILD)-tsan tests

run_tests = BUILD='$(BUILD)' CC='$(CC)' tests/run-tests $(foreach v,$(1),-v $(v)) $(TESTS)

test: all tests tests-asan tests-tsan
	$(call run_tests,plain asan tsan valgrind)
test-plain: all tests
	$(call run_tests,plain)
test-asan: tests-asan
	$(call run_tests,asan)
test-tsan: tests-tsan
	$(call run_tests,tsan)
test-valgrind: tests
	$(call run_tests,valgrind)

# Every attack, and MILLIONS of forged packets: docs/threat-model.md.
MILLIONS ?= 20
attack: all $(attacker)
	BUILD='$(abspath $(BUILD))' ATTACK_MILLIONS=$(MILLIONS) tests/integration/attack.sh

# Bad clients and a failing system, for as long as SECONDS says: docs/operations.md.
SECONDS ?= 600
faults  := $(BUILD)/tests/soak/faults.so
soak: all $(faults)
	BUILD='$(abspath $(BUILD))' tests/soak/soak $(SECONDS)
$(faults): $(soak_src)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(cppflags) $(cflags) -fPIC -shared -o $@ $< -ldl

# Packages, images, the cloud's script: minutes each.
ship: all
	BUILD='$(BUILD)' CC='$(CC)' tests/run-tests -d ship $(TESTS)

bench: tests
	bench/run
	bench/hosts
	bench/sessions
	bench/fairness
	bench/transfers

# With the kernel's own Soft-RoCE, in a virtual machine: docs/soft-roce.md.
interop: all
	BUILD='$(abspath $(BUILD))' tests/vm/interop

# What is made of the code; a test says when it is stale. And of a run of the demo.
docs: all
	@scripts/verbs-table write
	scripts/demo-svg >$(BUILD)/demo.svg && mv $(BUILD)/demo.svg docs/demo.svg

# Without the tests' own code; a failed test fails this too, after the report.
coverage:
	+@$(MAKE) --no-print-directory COVERAGE=1 BUILD=$(BUILD)-cov tests
	@find $(BUILD)-cov -name '*.gcda' -delete
	@rc=0; $(call run_tests,cov) || rc=1; \
	mkdir -p $(BUILD)-cov/coverage && \
	gcovr --root . --object-directory $(BUILD)-cov/obj --filter 'src/' --filter 'mock/' \
		--exclude-throw-branches --gcov-ignore-parse-errors \
		--html-details $(BUILD)-cov/coverage/index.html --txt --print-summary \
		--fail-under-line 85 $(BUILD)-cov/obj && [ $$rc = 0 ]

check: lint check-clang
	@scripts/check

# The other compiler builds it too, tests included, in a tree of its own.
check-clang:
	+@$(MAKE) --no-print-directory CC=clang BUILD=$(BUILD)-clang tests

# clang's warnings and clang-tidy, for what changed since the last time: an object is newer
# than its lint when its source, a header or the flags changed. Tests are spared the analyzer,
# which takes the longest: they run under the sanitizers anyway.
TIDY ?= clang-tidy
tidied := $(patsubst %.c,$(BUILD)/tidy/%,$(all_src))
lint: $(tidied)
$(tidied): $(BUILD)/tidy/%: $(BUILD)/obj/%.o .clang-tidy
	@mkdir -p $(@D)
	$(call say,TIDY,$*.c)
	$(Q)$(TIDY) --quiet $(if $(filter tests/%,$*),--checks=-clang-analyzer-*) $*.c -- $(filter-out -O2,$(cppflags) $(CPPFLAGS) $(cflags)) 2>$@.log || \
		{ cat $@.log; exit 1; }
	@touch $@

# --- fuzz --------------------------------------------------------------------------------

# One fuzzer for each parser, for the verbs, the connection manager, and what a network may send: libFuzzer, with clang. What it finds worth
# keeping joins the corpus in $(BUILD)-fuzz; `make fuzz-keep` brings the least set that covers as much into tests/fuzz.
FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 60
.PHONY: fuzz fuzz-keep $(addprefix fuzz-,$(fuzzers))
fuzz_of_frame  := $(srdma_src)
fuzz_of_seal   := $(srdma_src)
fuzz_of_app    := $(srdma_src) $(program_src)
fuzz_of_config := $(srdma_src) $(program_src) $(filter-out %/main.c,$(server_src))
fuzz_of_policy := $(fuzz_of_config)
fuzz_of_roce   := $(wildcard mock/wire/*.c)
fuzz_of_mad    := $(wildcard mock/wire/*.c)
fuzz_of_api    := $(mock_src) $(wildcard tests/fuzz/verbs/*.c) tests/fuzz/lib/processes.c
fuzz_of_wire   := $(mock_src) tests/fuzz/lib/packets.c
fuzz_of_forged := $(mock_src) tests/fuzz/lib/packets.c
fuzz_of_relay  := $(mock_src)
fuzz_of_dump   := $(mock_src)
fuzz_of_cm     := $(mock_src) tests/fuzz/lib/processes.c
fuzz_dir       := $(BUILD)-fuzz

fuzz_flags     := -std=gnu11 -g -O1 -w -fno-sanitize-recover=all
fuzz_obj        = $(patsubst %.c,$(fuzz_dir)/obj/%.o,$(1))

$(fuzz_dir)/obj/%.o: %.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(FUZZ_CC) $(cppflags) -Itests/fuzz $(fuzz_flags) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c -o $@ $<

-include $(patsubst %.o,%.d,$(call fuzz_obj,$(fuzz_src) $(fuzz_of_config) $(fuzz_of_api) $(fuzz_of_cm) $(fuzz_of_forged)))

define fuzzer
$(fuzz_dir)/$(1): $(call fuzz_obj,tests/fuzz/$(1).c $(fuzz_of_$(1)))
	$$(call say,LD,$$@)
	$$(Q)$(FUZZ_CC) $(fuzz_flags) -fsanitize=fuzzer,address,undefined -o $$@ $$^ $(srdma_libs) $(event_libs) $(server_libs) $(mock_libs)
endef
$(foreach f,$(fuzzers),$(eval $(call fuzzer,$(f))))

fuzz: $(addprefix fuzz-,$(fuzzers))

$(addprefix fuzz-,$(fuzzers)): fuzz-%: $(fuzz_dir)/%
	@mkdir -p $(fuzz_dir)/corpus-$* tests/fuzz/corpus/$*
	$< -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -artifact_prefix=$(fuzz_dir)/$*- \
		$(fuzz_dir)/corpus-$* tests/fuzz/corpus/$*

fuzz-keep: $(addprefix $(fuzz_dir)/,$(fuzzers))
	for f in $(fuzzers); do \
		mkdir -p tests/fuzz/corpus/$$f; \
		$(fuzz_dir)/$$f -merge=1 tests/fuzz/corpus/$$f $(fuzz_dir)/corpus-$$f || exit 1; \
	done

# --- install -----------------------------------------------------------------------------

.PHONY: install uninstall
soname_libs := $(lib_mock) $(lib_so)
headers     := $(wildcard include/*.h)
man_pages   := $(wildcard man/*.[1-8])
man_dir      = $(MANDIR)/man$(subst .,,$(suffix $(1)))
# Each function has a page: its own, or a link to the one whose NAME section has it, too.
man_links    = $(addprefix $(MANDIR)/man3/,$(shell scripts/man-links man/*.3 | sed 's/ .*/.3/'))
# secure_server's is a link: one file for both.
completions := secure_client mockrdma
completion_dir ?= $(PREFIX)/share/bash-completion/completions
installed    = $(addprefix $(BINDIR)/,$(notdir $(programs))) \
               $(addprefix $(LIBDIR)/,$(notdir $(soname_libs:=.0) $(libs))) \
               $(addprefix $(INCLUDEDIR)/,$(notdir $(headers))) \
               $(foreach m,$(man_pages),$(call man_dir,$(m))/$(notdir $(m))) $(man_links) \
               $(addprefix $(completion_dir)/,$(completions) secure_server) \
               $(LIBDIR)/pkgconfig/srdma.pc

install: all
	$(INSTALL) -d $(foreach d,$(sort $(dir $(installed))),'$(DESTDIR)$(d)')
	$(INSTALL) -m 755 $(programs) '$(DESTDIR)$(BINDIR)'
	$(INSTALL) -m 644 $(soname_libs:=.0) $(lib_a) '$(DESTDIR)$(LIBDIR)'
	for l in $(notdir $(soname_libs)); do ln -sfn $$l.0 '$(DESTDIR)$(LIBDIR)'/$$l; done
	$(INSTALL) -m 644 $(headers) '$(DESTDIR)$(INCLUDEDIR)'
	$(foreach m,$(man_pages),$(INSTALL) -m 644 $(m) '$(DESTDIR)$(call man_dir,$(m))' &&) :
	scripts/man-links man/*.3 | while read -r name page; do \
		echo ".so man3/$$page.3" >'$(DESTDIR)$(MANDIR)/man3'/$$name.3 && \
		chmod 644 '$(DESTDIR)$(MANDIR)/man3'/$$name.3 || exit 1; \
	done
	for c in $(completions); do \
		$(INSTALL) -m 644 packaging/completion/$$c '$(DESTDIR)$(completion_dir)' || exit 1; \
	done
	ln -sfn secure_client '$(DESTDIR)$(completion_dir)/secure_server'
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@INCLUDEDIR@|$(INCLUDEDIR)|' \
		-e 's|@VERSION@|$(VERSION)|' packaging/srdma.pc.in >'$(DESTDIR)$(LIBDIR)/pkgconfig/srdma.pc'

uninstall:
	rm -f $(foreach f,$(installed),'$(DESTDIR)$(f)')

# --- clean -------------------------------------------------------------------------------

.PHONY: clean
clean:
	@for l in secure_server secure_client; do \
		case "$$(readlink $$l)" in $(BUILD)/*) rm -f $$l ;; esac; \
	done
	rm -rf $(addprefix $(BUILD),/ -asan/ -tsan/ -cov/ -clang/ -fuzz/)

define help_text
  all             programs and libraries, in $(BUILD)/bin and $(BUILD)/lib
  demo            ten clients and a server on the mock, files moved and checked
  test            every test: plain, under ASan+UBSan, TSan and valgrind; TESTS=PATTERN
  test-plain, test-asan, test-tsan, test-valgrind     one of these alone
  check           format, lint, layers, sizes, licences
  fuzz            each parser's fuzzer for FUZZ_SECONDS (60); fuzz-NAME one of them
  bench           speed, beside UCX and TCP
  interop         with the kernel's Soft-RoCE in a virtual machine (docs/soft-roce.md)
  ship            tests of the packages, the image, scripts/deploy_aws.sh and deploy/
  docs            docs/verbs.md, of the list of verbs; docs/demo.svg, of a run
  coverage        lines that the tests reach, in $(BUILD)-cov/coverage/index.html
  install         into $(DESTDIR)$(PREFIX); uninstall takes it away again
  clean           removes what was built
With `-f Makefile.mock`, programs are linked with the mock and built in build-mock/.
endef
help:
	$(info $(help_text))@:
