# sysreach: which system calls a program can make, with evidence.
#
#   make            build into build/
#   make demo       install what is missing, build, a 60 s campaign on /usr/bin/diff, its report
#   make check      install what is missing, build, lint, all tests, sanitizers
#   make bench      ratios, measured side by side
#   make install    DESTDIR= PREFIX=/usr/local
#
# MUST_WORK=1 turns every "cannot run here" of the tests into a failure.

PREFIX  ?= /usr/local
DESTDIR ?=
B       ?= build
CC      ?= gcc
PKGS    := libseccomp libelf libdw jansson sqlite3
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
           -Wpointer-arith -Wwrite-strings
CPPF    := -Iinclude -Itracer -Iharness -D_GNU_SOURCE
CFLAGS  ?= -O2 -g
EXTRA   ?=
ALLC     = $(CFLAGS) $(EXTRA) -std=gnu11 $(WARN) $(CPPF)

# The core is shared by the hook, the mutator and the command line; libc is all that it needs.
CORE_C    := $(sort $(wildcard tracer/*.c))
HOOK_C    := $(sort $(wildcard tracer/hook/*.c))
HARNESS_C := $(sort $(wildcard harness/*.c))
MUT_C     := $(sort $(wildcard harness/mutator/*.c))
# What the mutator shares with the command line.
MUT_EXTRA_C := harness/target.c
UNIT_C    := $(sort $(wildcard tests/unit/test_*.c))
FUZZ_C    := $(sort $(wildcard tests/fuzz/fuzz_*.c))

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
CORE_O    := $(call obj,$(CORE_C))
HOOK_O    := $(call obj,$(HOOK_C))
HARNESS_O := $(call obj,$(HARNESS_C))
MUT_O     := $(call obj,$(MUT_C) $(MUT_EXTRA_C))
LIB_O     := $(filter-out $(B)/obj/harness/main.o,$(HARNESS_O))
UNIT_BIN  := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_C))
FUZZ_BIN  := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_C))

PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   = $(shell pkg-config --libs $(PKGS))

.PHONY: all deps demo check unit integration programs fuzz lint sanitize bench install clean tests-build FORCE

all: deps
	@$(MAKE) --no-print-directory build

.PHONY: build
build: $(B)/sysreach $(B)/libsysreach-hook.so $(B)/libsysreach-mutator.so

deps:
	@tests/../harness/deps.sh

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALLC) -fPIC -fvisibility=hidden $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

# The preloaded library: no libraries, no undefined symbols but libc's.
$(B)/libsysreach-hook.so: $(HOOK_O) $(CORE_O)
	$(CC) $(CFLAGS) -shared -Wl,-z,defs -Wl,-z,now -o $@ $^

$(B)/libsysreach-mutator.so: $(MUT_O) $(CORE_O)
	$(CC) $(CFLAGS) $(EXTRA) -shared -o $@ $^

$(B)/sysreach: $(HARNESS_O) $(CORE_O)
	$(CC) $(CFLAGS) $(EXTRA) -o $@ $^ $(PKG_LIBS)

$(B)/unit/%: tests/unit/%.c $(LIB_O) $(MUT_O) $(CORE_O)
	@mkdir -p $(@D)
	$(CC) $(ALLC) $(PKG_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(sort $(LIB_O) $(MUT_O) $(CORE_O)) $(PKG_LIBS) -lcmocka

$(B)/fuzz/%: tests/fuzz/%.c $(LIB_O) $(CORE_O)
	@mkdir -p $(@D)
	$(CC) $(ALLC) $(PKG_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(LIB_O) $(CORE_O) $(PKG_LIBS)

-include $(shell find $(B) -name '*.d' 2>/dev/null)

clean:
	rm -rf $(B) build-*
