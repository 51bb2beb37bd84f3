# Vigie: one Makefile, no recursion.  A program is its folder; libraries come from pkg-config; objects go to build/.
#   make            all programs into build/bin/          make PROGRAMS=vehicle   the agent alone, no server library
#   make run        the whole system on this machine      make test               everything, closes with "N passed, N failed"
#   make SAN=address,undefined | SAN=thread               the same programs under a sanitizer, in build-address,undefined/ ...

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
ifneq ($(filter-out clean clean-run run test lint format fresh dashboard packages-%,$(or $(MAKECMDGOALS),all)),)
-include $(B)/flags.mk
endif
CPPFLAGS += -I. -D_GNU_SOURCE -DVIGIE_VERSION='"$(VERSION)"' -DVIGIE_REVISION='"$(REVISION)"'
CFLAGS   ?= -g
ALL_CFLAGS = -std=c17 $(OPT) $(CFLAGS) $(PROBED)

$(B)/flags.mk: Makefile
	@mkdir -p $(@D)
	@printf 'int main(void){return 0;}\n' > $(B)/probe.c; ok=; \
	for f in $(WANTED); do $(CC) -Werror -Wall -Wformat=2 $$f -c $(B)/probe.c -o $(B)/probe.o 2>/dev/null && ok="$$ok $$f"; done; \
	printf 'PROBED :=%s\n' "$$ok" > $@

# ---- libraries (Paho has no .pc file)
pc = $(shell pkg-config --cflags --libs $(1) 2>/dev/null)
LIBS_ground  := -lpaho-mqtt3as -lssl -lcrypto -ljansson -lcurl -lz -lm -lpthread
LIBS_store   := -lpq -lcurl
LIBS_ingest  := $(LIBS_store) $(LIBS_ground)
LIBS_api     := -lwebsockets -ljwt -lcrypt $(LIBS_store) $(LIBS_ground)
LIBS_notify  := -lwebsockets $(LIBS_store) $(LIBS_ground)
LIBS_vehicle := -lgps -lserialport -lsqlite3 $(LIBS_ground)
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
UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
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
$(eval $(call unit_room,store,$(B)/libstore.a $(GP),$(LIBS_store) $(LIBS_ground)))
$(foreach p,ingest api notify,$(eval $(call unit_room,$(p),$(B)/lib$(p).a $(B)/libstore.a $(GP),$(LIBS_$(p)))))
# guard.c calls the broker it is loaded by; the rest of the room stands alone
BROKER_O := $(filter-out %/guard.o,$(call objs,$(call srcs,services/broker)))
$(eval $(call unit_room,broker,$(BROKER_O) $(B)/libproto.a,-lcrypto -lz))
$(eval $(call unit_room,vehicle,$(B)/libvehicle.a $(GP),$(LIBS_vehicle)))

# ---- the system on this machine, and its tests
packages-%:
	@sh tests/stack/packages.sh $*

dashboard:
	@sh tests/stack/dashboard.sh

run: packages-run
	@$(MAKE) --no-print-directory all dashboard
	@exec $(PYTHON) tests/stack/run.py

clean-run:
	rm -rf "$${RUN_DIR:-run}"

# VIGIE_TEST_LOGS=folder keeps the logs there; ONLY=unit|python|dashboard and WORD=text run a part.
test: packages-test
	@$(MAKE) --no-print-directory all unit dashboard
	@PATH="$$(sh tests/stack/dashboard.sh node):$$PATH" VIGIE_BUILD=$(B) $(PYTHON) tests/run.py $(if $(ONLY),--only $(ONLY)) $(WORD)

# The two README commands in a bare Debian 12 and a bare Debian 13, as root and as a user who may sudo.
fresh:
	@sh tests/stack/fresh.sh

clean:
	rm -rf build build-*

.PHONY: all unit clean tables run clean-run test fresh dashboard lint format fuzz install
.SECONDARY:
.DELETE_ON_ERROR:
-include $(wildcard $(B)/obj/*/*.d $(B)/obj/*/*/*.d $(B)/obj/*/*/*/*.d)
