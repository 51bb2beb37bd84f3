# Vigie: one Makefile, no recursion.  A program is its folder; libraries come from pkg-config; objects go to build/.
#   make            all programs into build/bin/          make PROGRAMS=vehicle   the agent alone, no server library
#   make run        the whole system on this machine      make test               everything, closes with "N passed, N failed"
#   make SAN=address,undefined | SAN=thread               the same programs under a sanitizer, in build-address,undefined/ ...
#   make help       every command

.DEFAULT_GOAL := all
PROGRAMS  ?= ingest api notify vehicle
PLUGINS   ?= $(if $(filter-out vehicle,$(PROGRAMS)),guard)
CC        ?= cc
PYTHON    ?= /usr/bin/python3
PREFIX    ?= /usr/local
SAN       ?=
B         ?= build$(if $(SAN),-$(SAN))
VERSION   := 1.0.0
# Read once: what was built is told by --version and vigie_build_info.
REVISION  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo none)

# ---- flags: each is tried on the compiler at hand, once, and remembered in $(B)/flags.mk
WANTED := -Wall -Wextra -Wformat=2 -Werror=format-security -Werror=implicit -Werror=incompatible-pointer-types \
  -Werror=int-conversion -Wconversion -Wsign-conversion -Wimplicit-fallthrough -Wtrampolines -Wbidi-chars=any,ucn \
  -Warray-bounds=2 -Wstringop-overflow=4 -Wuse-after-free=3 -Wvla -Walloca -Wnull-dereference -Wduplicated-cond \
  -Wlogical-op -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-format-zero-length \
  -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -mbranch-protection=standard \
  -ftrivial-auto-var-init=zero -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing -fPIC
HARD_LD := -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed -Wl,--no-copy-dt-needed-entries
ifeq ($(SAN),)
OPT := -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
else
OPT := -O1 -fno-omit-frame-pointer -fsanitize=$(SAN) $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=undefined)
HARD_LD += -fsanitize=$(SAN)
endif
# What needs no compiler must not ask for one: `make run` installs it first.
ifneq ($(filter-out clean clean-run run test lint format fuzz bench soak fresh dashboard help tables sketch packages-%,$(or $(MAKECMDGOALS),all)),)
-include $(B)/flags.mk
endif
CPPFLAGS += -I. -D_GNU_SOURCE -DVIGIE_VERSION='"$(VERSION)"'
CFLAGS   ?= -g
ALL_CFLAGS = -std=c17 $(OPT) $(CFLAGS) $(PROBED)

# Another compiler knows other flags; this file changes with it, and only then.
$(B)/compiler: FORCE
	@mkdir -p $(@D); echo '$(CC)' | cmp -s - $@ || echo '$(CC)' > $@
$(B)/flags.mk: Makefile $(B)/compiler
	@mkdir -p $(@D)
	@printf 'int main(void){return 0;}\n' > $(B)/probe.c; ok=; \
	for f in $(WANTED); do $(CC) -Werror -Wall -Wformat=2 $$f -c $(B)/probe.c -o $(B)/probe.o 2>/dev/null && ok="$$ok $$f"; done; \
	printf 'PROBED :=%s\n' "$$ok" > $@

# ---- libraries (Paho has no .pc file)
pc = $(shell pkg-config --cflags --libs $(1) 2>/dev/null)
# libcurl is loaded by lib/curl_late.c, by those who use it
LIBS_ground  := -lpaho-mqtt3as -lssl -lcrypto -ljansson -lz -lm -lpthread
LIBS_store   := -lpq
LIBS_ingest  := -lmosquitto $(LIBS_store) $(LIBS_ground)
LIBS_api     := -lwebsockets -ljwt -lcrypt $(LIBS_store) $(LIBS_ground)
LIBS_notify  := -lwebsockets $(LIBS_store) $(LIBS_ground)
# The archive of libgps, without its D-Bus: the end of vehicle/gps.c says how.  Where there is none, the library.
LIBS_gps     = $(if $(wildcard $(shell $(CC) -print-file-name=libgps.a)),-l:libgps.a -lm,-lgps)
LIBS_vehicle = $(LIBS_gps) -lserialport -lsqlite3 $(LIBS_ground)
CPPFLAGS_store := -I$(shell pg_config --includedir 2>/dev/null || echo /usr/include/postgresql)

# ---- rooms
FOLDER_ingest := services/ingest
FOLDER_api    := services/api
FOLDER_notify := services/notify
FOLDER_vehicle := vehicle
srcs = $(wildcard $(addsuffix /*.c,$(1)))
objs = $(patsubst %.c,$(B)/obj/%.o,$(1))
PROTO_O  := $(call objs,$(call srcs,proto))
GROUND_O := $(call objs,$(call srcs,lib lib/drive))
STORE_O  := $(call objs,$(call srcs,lib/store))
ROOM_vehicle := vehicle vehicle/obd vehicle/camera
ROOM_ingest := services/ingest $(addprefix services/ingest/,facts car record commit again wire)

all: $(PROGRAMS:%=$(B)/bin/vigie-%) $(PLUGINS:%=$(B)/lib/vigie_%.so)

$(B)/libproto.a:  $(PROTO_O)
$(B)/libground.a: $(GROUND_O)
$(B)/libstore.a:  $(STORE_O)
%.a:
	@rm -f $@; ar rcs $@ $^

define program
OBJS_$(1) := $$(call objs,$$(filter-out %/main.c,$$(call srcs,$$(or $$(ROOM_$(1)),$$(FOLDER_$(1))))))
$(B)/lib$(1).a: $$(OBJS_$(1))
$(B)/bin/vigie-$(1): $(B)/obj/$$(FOLDER_$(1))/main.o $(B)/lib$(1).a $(if $(filter vehicle,$(1)),,$(B)/libstore.a) $(B)/libground.a $(B)/libproto.a
	@mkdir -p $$(@D); echo "  LD    $$@"
	@$$(CC) $$(ALL_CFLAGS) $$(LDFLAGS) $$(HARD_LD) -o $$@ $$^ $$(LIBS_$(1))
endef
$(foreach p,ingest api notify vehicle,$(eval $(call program,$(p))))

$(B)/lib/vigie_guard.so: $(call objs,$(call srcs,services/broker)) $(B)/libproto.a
	@mkdir -p $(@D); echo "  LD    $@"
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,-z,relro,-z,now -Wl,--as-needed $(if $(SAN),-fsanitize=$(SAN)) -o $@ $^ -lcrypto -lz

$(B)/obj/%.o: %.c $(B)/flags.mk
	@mkdir -p $(@D); echo "  CC    $<"
	@$(CC) $(CPPFLAGS) $(CPPFLAGS_store) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# One object is told the revision; this file changes when HEAD or the version does, and only then.
$(B)/revision: FORCE
	@mkdir -p $(@D); echo '$(VERSION) $(REVISION)' | cmp -s - $@ || echo '$(VERSION) $(REVISION)' > $@
$(B)/obj/lib/version.o: $(B)/revision
$(B)/obj/lib/version.o: CPPFLAGS += -DVIGIE_REVISION='"$(REVISION)"'

# ---- proto/sql as bytes in vigie-api: what `migrate` applies is what was compiled
SQL := $(sort $(wildcard proto/sql/*.sql))
$(B)/gen/migrations.inc: $(SQL)
	@mkdir -p $(@D); i=0; for f in $^; do i=$$((i+1)); printf 'static const unsigned char sql_%d[] = {\n' $$i; \
	od -An -v -tu1 $$f | sed 's/ \{1,\}/,/g; s/^,//; s/$$/,/'; printf '0};\n'; done > $@
	@{ printf 'const struct migration migrations[] = {\n'; i=0; for f in $^; do i=$$((i+1)); \
	printf '    {"%s", sql_%d, sizeof sql_%d - 1},\n' $$(basename $$f .sql) $$i $$i; done; \
	printf '};\nconst size_t migration_count = sizeof migrations / sizeof *migrations;\n'; } >> $@
$(B)/obj/services/api/migrations.o: $(B)/gen/migrations.inc
$(B)/obj/services/api/migrations.o: CPPFLAGS += -I$(B)/gen

# ---- generated tables: committed, so that a build needs no Python; `make lint` holds them fresh
tables:
	$(PYTHON) proto/tables.py

# ---- unit tests: tests/unit/ROOM/test_FILE.c, one program each
UNIT_SRC := $(wildcard tests/unit/$(or $(ROOM),*)/test_*.c)
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_SRC))
unit: $(UNIT_BIN)
define unit_room
$(B)/unit/$(1)/%: $(B)/obj/tests/unit/$(1)/%.o $(2)
	@mkdir -p $$(@D); echo "  LD    $$@"
	@$$(CC) $$(ALL_CFLAGS) $$(LDFLAGS) $$(HARD_LD) -o $$@ $$^ $(3) -lcmocka
endef
GP := $(B)/libground.a $(B)/libproto.a
$(eval $(call unit_room,proto,$(B)/libproto.a,-ljansson -lz -lm))
$(eval $(call unit_room,lib,$(GP),$(LIBS_ground)))
$(eval $(call unit_room,drive,$(GP),-ljansson -lm))
$(eval $(call unit_room,store,$(B)/libstore.a $(GP),$(LIBS_store) $(LIBS_ground)))
$(foreach p,ingest api notify,$(eval $(call unit_room,$(p),$(B)/lib$(p).a $(B)/libstore.a $(GP),$(LIBS_$(p)))))
# guard.c calls the broker it is loaded by; the rest of the room stands alone
BROKER_O := $(filter-out %/guard.o,$(call objs,$(call srcs,services/broker)))
$(eval $(call unit_room,broker,$(BROKER_O) $(B)/libproto.a,-lcrypto -lz))
$(eval $(call unit_room,vehicle,$(B)/libvehicle.a $(GP),$(LIBS_vehicle)))
$(B)/unit/ingest/test_deadband: $(B)/obj/vehicle/deadband.o # what a car tells, seen by ingest

# ---- the system on this machine, and its tests
packages-%:
	@sh tests/stack/packages.sh $*

dashboard:
	@sh tests/stack/dashboard.sh

# As many compilers as there are processors, unless -j was given.
JOBS = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
run: packages-run
	@$(MAKE) --no-print-directory $(JOBS) all dashboard
	@exec $(PYTHON) tests/stack/run.py

clean-run:
	@$(PYTHON) tests/stack/run.py --forget

# VIGIE_TEST_LOGS=folder keeps the logs there; ONLY=unit|python|dashboard and WORD=text run a part.
test: packages-test
	$(if $(SAN),@$(MAKE) --no-print-directory SAN= B=build build/lib/vigie_guard.so)
	@$(MAKE) --no-print-directory $(JOBS) all unit dashboard
	@PATH="$$(sh tests/stack/dashboard.sh node):$$PATH" VIGIE_BUILD=$(B) $(PYTHON) tests/run.py $(if $(ONLY),--only $(ONLY)) $(WORD)

# The two README commands in a bare Debian 12 and a bare Debian 13, as root and as a user who may sudo.
fresh:
	@sh tests/stack/fresh.sh

# ---- style and rooms; CHECK="house tidy" runs a part, FILES="vehicle/*.c" limits format and tidy
lint: packages-lint
	@CHECK='$(CHECK)' FILES='$(FILES)' sh tests/lint.sh

format: packages-lint
	@git ls-files -co --exclude-standard '*.[ch]' | xargs clang-format -i

# ---- fuzz: tests/fuzz/ROOM/TARGET.c, each for FUZZ_SECONDS, with the room's archives built the same way; WORD=target runs a part
FUZZ_SECONDS ?= 60
FUZZ_B   := build-fuzz
FUZZ_SRC := $(wildcard tests/fuzz/*/*.c)
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_SRC))
fuzz: packages-lint
	@$(MAKE) --no-print-directory fuzzers CC=clang B=$(FUZZ_B) SAN=fuzzer-no-link,address,undefined
	@FUZZ_SECONDS=$(FUZZ_SECONDS) sh tests/fuzz/run.sh $(FUZZ_B) $(WORD)
fuzzers: $(FUZZ_BIN)
define fuzz_room
$(B)/fuzz/$(1)/%: $(B)/obj/tests/fuzz/$(1)/%.o $(2)
	@mkdir -p $$(@D); echo "  LD    $$@"
	@$$(CC) $$(ALL_CFLAGS) $$(LDFLAGS) -fsanitize=fuzzer,address,undefined -o $$@ $$^ $(3)
endef
$(eval $(call fuzz_room,proto,$(B)/libproto.a,-ljansson -lz -lm))
$(eval $(call fuzz_room,lib,$(GP),$(LIBS_ground)))
$(eval $(call fuzz_room,store,$(B)/libstore.a $(GP),$(LIBS_store) $(LIBS_ground)))
$(foreach p,ingest api notify,$(eval $(call fuzz_room,$(p),$(B)/lib$(p).a $(B)/libstore.a $(GP),$(LIBS_$(p)))))
$(eval $(call fuzz_room,broker,$(BROKER_O) $(B)/libproto.a,-lcrypto -lz))
$(eval $(call fuzz_room,vehicle,$(B)/libvehicle.a $(GP),$(LIBS_vehicle)))

# ---- bench: tests/bench/NAME/main.c prints one row per figure; what each is measured against runs beside it
BENCH_SRC := $(wildcard tests/bench/*/main.c)
BENCH_BIN := $(patsubst tests/bench/%/main.c,$(B)/bench/%,$(BENCH_SRC))
bench: packages-build
	@$(MAKE) --no-print-directory all benches tools
	@sh tests/bench/run.sh $(B) $(WORD)
benches: $(BENCH_BIN)
$(B)/bench/%: $(B)/obj/tests/bench/%/main.o $(B)/libstore.a $(GP)
	@mkdir -p $(@D); echo "  LD    $@"
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(HARD_LD) -o $@ $^ $(LIBS_store) $(LIBS_ground)

# ---- load: thousands of cars in one process, and what ingest is measured beside
TOOLS := $(B)/sim/fleet $(B)/sim/ledger $(B)/sim/plain $(B)/sim/drain $(B)/sim/speak
tools: $(TOOLS)
$(B)/sim/fleet: $(call objs,$(call srcs,tests/sim/fleet)) $(GP)
$(B)/sim/ledger: $(call objs,tests/sim/ledger/main.c tests/sim/fleet/drive.c) $(GP)
$(B)/sim/plain: $(call objs,tests/bench/ingest/plain.c) $(GP)
$(B)/sim/drain: $(call objs,tests/bench/drain/tool.c) $(B)/libvehicle.a $(GP)
$(B)/sim/speak: $(call objs,tests/bench/speak/tool.c $(call srcs,services/ingest/wire)) $(GP)
$(B)/sim/speak: LIBS_tool := $(LIBS_ingest)
$(B)/sim/drain: LIBS_tool := $(LIBS_vehicle)
$(B)/sim/ledger $(B)/sim/plain: LIBS_tool := -lcurl $(LIBS_ground)
$(TOOLS):
	@mkdir -p $(@D); echo "  LD    $@"
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(HARD_LD) -o $@ $^ $(or $(LIBS_tool),$(LIBS_ground))

# ---- soak: a fault a round under load, then every acknowledged value is looked for; SOAK_SEED= repeats one
SOAK_ROUNDS ?= 500
soak: packages-test
	@$(MAKE) --no-print-directory $(JOBS) all tools dashboard
	@VIGIE_BUILD=$(B) $(PYTHON) tests/soak/run.py --rounds $(SOAK_ROUNDS) $(if $(SOAK_SEED),--seed $(SOAK_SEED))

# ---- the Arduino's sketch for the boards it is meant for; needs gcc-avr, avr-libc, arduino-core-avr
sketch:
	@sh tests/arduino/avr.sh $(B)

# ---- install: what is there is replaced, except in SYSCONFDIR, where a file somebody may have changed is left alone
SYSCONFDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),,$(PREFIX))/etc
STATEDIR   ?= /var/lib
UNITDIR    ?= $(PREFIX)/lib/systemd/system
INSTALLED  := $(PROGRAMS) $(if $(PLUGINS),broker)
SERVER     := $(filter api,$(PROGRAMS))
ROOMS      := $(patsubst %,services/%,$(filter-out vehicle,$(INSTALLED))) $(filter vehicle,$(INSTALLED))
UNITS      := $(wildcard $(foreach kind,service timer path,$(addsuffix /*.$(kind),$(ROOMS))))
ENVS       := $(wildcard $(addsuffix /*.env,$(ROOMS)))
FILL = sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIB@|$(PREFIX)/lib/vigie|g' -e 's|@STATE@|$(STATEDIR)|g' -e 's|@PKI@|$(STATEDIR)/vigie/pki|g'
DOC  = $(DESTDIR)$(PREFIX)/share/doc/vigie
SHARE = $(DESTDIR)$(PREFIX)/share/vigie
WEB  = $(SHARE)/dashboard
ETC  = $(DESTDIR)$(SYSCONFDIR)/vigie
install: all $(if $(SERVER),dashboard)
	@install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(UNITDIR) $(DOC) $(ETC)
	@install -m 755 $(PROGRAMS:%=$(B)/bin/vigie-%) $(DESTDIR)$(PREFIX)/bin
	@install -m 644 README.md LICENSE NOTICE docs/*.md $(DOC)
	@for f in $(UNITS); do $(FILL) -e 's|@ETC@|$(SYSCONFDIR)|g' $$f > $(DESTDIR)$(UNITDIR)/$${f##*/} || exit 1; done
	@for f in $(ENVS); do to=$(ETC)/$${f##*/}; [ -e $$to ] || { $(FILL) -e 's|@ETC@|$(SYSCONFDIR)|g' $$f > $$to && chmod 640 $$to; } || exit 1; done
ifneq ($(filter vehicle,$(PROGRAMS)),)
	@install -d $(SHARE)/makes && install -m 644 vehicle/makes/*.csv vehicle/makes/README.md $(SHARE)/makes
	@install -d $(SHARE)/arduino/slcan_mcp2515 && install -m 644 vehicle/arduino/README.md $(SHARE)/arduino && \
	  install -m 644 vehicle/arduino/slcan_mcp2515/* $(SHARE)/arduino/slcan_mcp2515
endif
ifneq ($(PLUGINS),)
	@install -D -m 755 -t $(DESTDIR)$(PREFIX)/lib/vigie $(PLUGINS:%=$(B)/lib/vigie_%.so)
	@[ -e $(ETC)/fleet.acl ] || install -m 644 services/broker/fleet.acl $(ETC)
	@[ -e $(ETC)/mosquitto.conf ] || sed -e '/^# A template/,/^# Keep/{/^# Keep/!d}' -e 's|@PKI@/server.key|/run/vigie-broker/server.key|' \
	  -e 's|@DATA@|$(STATEDIR)/vigie-broker|' -e 's|@PORT_SERVICES@ @BIND@|8884 127.0.0.1|' -e 's|@PORT_VEHICLES@ @BIND@|8883 0.0.0.0|' \
	  services/broker/mosquitto.conf.in | $(FILL) -e 's|@ETC@|$(SYSCONFDIR)/vigie|g' > $(ETC)/mosquitto.conf
endif
ifneq ($(SERVER),)
	@install -D -m 755 tests/stack/influx_wal.py $(DESTDIR)$(PREFIX)/lib/vigie/influx-wal
	@install -D -m 644 services/api/vigie.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/vigie.conf
	@rm -rf $(WEB); install -d $(WEB) && cp -R dashboard/dist/. $(WEB) && chmod -R u+w,a+rX $(WEB)
endif
	@echo "installed $(INSTALLED): programs in $(DESTDIR)$(PREFIX)/bin, settings in $(ETC); docs/OPERATIONS.md says what comes next"

help:
	@sed -n 's/^#?//p' Makefile
#?make                builds every program into build/bin/; PROGRAMS=vehicle: the agent alone
#?make run            the whole system on this machine until Ctrl-C; VEHICLES=3 PORT_BASE=0 RUN_DIR=run
#?make clean-run      forgets what it has stored
#?make test           every test; ONLY=unit|python|dashboard WORD=text a part; VIGIE_TEST_LOGS=folder keeps the logs
#?make fresh          both of them in a bare Debian 12 and 13
#?make lint           style, rooms, warnings of both compilers, clang-tidy; CHECK="house format" a part
#?make format         lays out every C file as .clang-format says
#?make fuzz           every fuzz target for FUZZ_SECONDS=60; WORD=text a part
#?make bench          benchmarks, with a table; WORD=ingest a part
#?make soak           SOAK_ROUNDS=500: kill -9, hanging and full stores, partitions under load, and a ledger; SOAK_SEED=
#?make tools          build/sim/fleet: thousands of cars in one process
#?make sketch         the Arduino's sketch for Uno, Nano and Leonardo, with Debian's gcc-avr and arduino-core-avr
#?make tables         the generated signal and PID tables, from their CSV files
#?make install        DESTDIR= PREFIX=/usr/local SYSCONFDIR=/etc; PROGRAMS=vehicle: the agent alone
#?make clean          removes build/ and build-*/

clean:
	rm -rf build build-*

FORCE:

.PHONY: all unit clean tables run clean-run test fresh dashboard lint format fuzz fuzzers bench soak benches tools sketch install help FORCE
.SECONDARY:
.DELETE_ON_ERROR:
-include $(wildcard $(B)/obj/*/*.d $(B)/obj/*/*/*.d $(B)/obj/*/*/*/*.d)
