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
ifeq ($(origin CC),default)
CC      := gcc
endif
PKGS    := libseccomp libelf libdw jansson sqlite3
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
           -Wpointer-arith -Wwrite-strings
CPPF    := -Iinclude -Itracer -Iharness -D_GNU_SOURCE
CFLAGS  ?= -O2 -g
DEMO_TIME ?= 60s
DEMO_DIR  ?= results/local/demo-$(shell date +%Y%m%d-%H%M%S)
EXTRA   ?=
ALLC     = $(CFLAGS) $(EXTRA) -std=gnu11 $(WARN) $(CPPF)

# The core is shared by the hook, the mutator and the command line; libc is all that it needs.
CORE_C    := $(sort $(wildcard tracer/*.c))
HOOK_C    := $(sort $(wildcard tracer/hook/*.c))
HARNESS_C := $(sort $(wildcard harness/*.c harness/bound/*.c))
MUT_C     := $(sort $(wildcard harness/mutator/*.c))
# What the mutator shares with the command line.
MUT_EXTRA_C := harness/target.c harness/target_model.c
PEER_C    := $(sort $(wildcard harness/peer/*.c))
# Set-up and grammar scripts of targets.
TARGET_SCRIPTS := $(wildcard harness/targets/openssh-*)
UNIT_C    := $(sort $(wildcard tests/unit/test_*.c))
FUZZ_C    := $(sort $(wildcard tests/fuzz/fuzz_*.c))

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
CORE_O    := $(call obj,$(CORE_C))
HOOK_O    := $(call obj,$(HOOK_C))
HARNESS_O := $(call obj,$(HARNESS_C))
MUT_O     := $(call obj,$(MUT_C) $(MUT_EXTRA_C))
PEER_O    := $(call obj,$(PEER_C))
LIB_O     := $(filter-out $(B)/obj/harness/main.o,$(HARNESS_O))
UNIT_BIN  := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_C))
FUZZ_BIN  := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_C))

PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
# Debian 12's Zydis comes without a .pc file.
PKG_LIBS   = $(shell pkg-config --libs $(PKGS)) -lZydis

.PHONY: all build deps demo check lint unit sanitize bench install clean

all: deps
	@$(MAKE) --no-print-directory build

build: $(B)/sysreach $(B)/libsysreach-hook.so $(B)/libsysreach-mutator.so $(B)/sysreach-peer

# Debian packages that are missing are installed, through sudo where that is needed.
deps:
	@harness/deps.sh build

# The main job, short: a campaign on the machine's own diff, and its report.
demo: all
	$(B)/sysreach fuzz -t $(DEMO_TIME) -o $(DEMO_DIR) diff
	$(B)/sysreach report $(DEMO_DIR)

check: all
	@harness/deps.sh test
	@B=$(B) MAKE="$(MAKE)" tests/run.sh

lint:
	@harness/deps.sh test
	@B=$(B) tests/lint.sh

unit: $(UNIT_BIN)
	@for t in $(UNIT_BIN); do \
		out=$$($$t 2>&1); status=$$?; printf '%s\n' "$$out"; \
		[ $$status -eq 0 ] || exit 1; \
		case "$$MUST_WORK:$$out" in \
		[!:]*SKIPPED*) echo "$$t: tests were skipped, and MUST_WORK is set"; exit 1 ;; \
		esac; \
	done

# Everything that is not preloaded, under ASan and UBSan: the unit tests and the parsers' fuzzers.
sanitize:
	@harness/deps.sh test
	@MAKE="$(MAKE)" tests/sanitize.sh

# Ratios, side by side and interleaved; never part of a test.
bench: all $(B)/drive $(B)/decode_floor $(B)/trap_floor
	@harness/deps.sh test
	@B=$(B) tests/bench/bench.py
	@B=$(B) tests/bench/bound_bench.py
	@B=$(B) tests/bench/depths.py

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

# Started very often, in scenarios: without a loader's work.
$(B)/sysreach-peer: $(PEER_O)
	$(CC) $(CFLAGS) $(EXTRA) -static -o $@ $^

$(B)/unit/%: tests/unit/%.c $(LIB_O) $(MUT_O) $(CORE_O)
	@mkdir -p $(@D)
	$(CC) $(ALLC) $(PKG_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(sort $(LIB_O) $(MUT_O) $(CORE_O)) $(PKG_LIBS) -lcmocka

$(B)/fuzz/%: tests/fuzz/%.c $(LIB_O) $(CORE_O)
	@mkdir -p $(@D)
	$(CC) $(ALLC) $(PKG_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(LIB_O) $(CORE_O) $(PKG_LIBS)

$(B)/drive: tests/bench/drive.c
	@mkdir -p $(@D)
	$(CC) $(ALLC) -o $@ $<

$(B)/trap_floor: tests/bench/trap_floor.c
	@mkdir -p $(@D)
	$(CC) $(ALLC) -o $@ $<

$(B)/config_mutate: tests/bench/config_mutate.c $(MUT_O) $(CORE_O)
	@mkdir -p $(@D)
	$(CC) $(ALLC) -o $@ $^

$(B)/decode_floor: tests/bench/decode_floor.c
	@mkdir -p $(@D)
	$(CC) $(ALLC) -o $@ $< -lelf -lZydis

install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/sysreach
	install -d $(DESTDIR)$(PREFIX)/share/sysreach/targets $(DESTDIR)$(PREFIX)/share/sysreach/seeds
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5
	install -d $(DESTDIR)$(PREFIX)/share/doc/sysreach
	install -m 755 $(B)/sysreach $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(B)/libsysreach-hook.so $(B)/libsysreach-mutator.so \
		$(DESTDIR)$(PREFIX)/lib/sysreach/
	install -m 755 $(B)/sysreach-peer $(DESTDIR)$(PREFIX)/lib/sysreach/
	install -m 644 $(filter-out $(TARGET_SCRIPTS),$(wildcard harness/targets/*)) \
		$(DESTDIR)$(PREFIX)/share/sysreach/targets/
	install -m 755 $(TARGET_SCRIPTS) $(DESTDIR)$(PREFIX)/share/sysreach/targets/
	cp -R seeds/. $(DESTDIR)$(PREFIX)/share/sysreach/seeds/
	install -m 755 harness/build-instrumented.sh harness/deps.sh $(DESTDIR)$(PREFIX)/lib/sysreach/
	install -m 644 docs/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 docs/man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 README.md NEWS LICENSE docs/*.md $(DESTDIR)$(PREFIX)/share/doc/sysreach/

-include $(shell find $(B) -name '*.d' 2>/dev/null)

clean:
	rm -rf $(B) build-*
