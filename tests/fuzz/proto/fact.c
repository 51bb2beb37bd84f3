/* Any bytes as one of the five facts (the first byte chooses): what is accepted, printed by jansson
 * and read again, is the same fact; an event's data survives event_write; the salvaged head never
 * contradicts the parsed one. */
#include "tests/fuzz/require.h"

#include <stdlib.h>
#include <string.h>

#include "proto/fact.h"
#include "proto/wild.h"

#define VIN "WVWZZZ1KZAW000001"

static void check_same(const struct fact *a, const struct fact *b)
{
    REQUIRE(strcmp(a->head.schema, b->head.schema) == 0 &&
            strcmp(a->head.stream, b->head.stream) == 0);
    REQUIRE(a->head.seq == b->head.seq && a->head.clock == b->head.clock);
    REQUIRE(strcmp(a->id, b->id) == 0 && strcmp(a->type, b->type) == 0 && a->t_ms == b->t_ms);
}

static void read_again(const struct fact *f, enum leaf leaf, const char *text)
{
    struct fault fault;
    struct fact again;

    if (strlen(text) > JSON_MAX_BYTES)
        return;
    REQUIRE(fact_read(&again, VIN, leaf, text, strlen(text), &fault) == ST_OK);
    check_same(f, &again);
}

static void write_event(const struct fact *f, const json_t *message)
{
    json_t *data = json_object_get(message, "data");
    char *text = data ? json_dumps(data, JSON_COMPACT) : NULL;
    static char out[JSON_MAX_BYTES];
    struct fault fault;
    struct fact again;
    size_t len;

    if (event_write(f, text ? text : "{}", out, sizeof out, &len, &fault) == ST_OK) {
        REQUIRE(fact_read(&again, VIN, LEAF_EVENT, out, len, &fault) == ST_OK);
        check_same(f, &again);
    }
    free(text);
}

/* As the database gets it. */
static void tame(const struct fact *f, enum leaf leaf, const char *bytes, size_t len)
{
    char *copy = malloc(len + 1);
    size_t tamed;

    REQUIRE(copy);
    memcpy(copy, bytes, len);
    tamed = wild_tame(copy, len);
    REQUIRE(tamed <= len);
    copy[tamed] = '\0';
    read_again(f, leaf, copy);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;
    struct envelope salvaged;
    struct fault fault;
    struct fact f;
    json_t *message;
    enum leaf leaf;
    char *printed;

    if (size == 0)
        return 0;
    leaf = (enum leaf)(data[0] % LEAF_COUNT);
    envelope_salvage(&salvaged, text, size - 1);
    if (fact_read(&f, VIN, leaf, text, size - 1, &fault) != ST_OK) {
        REQUIRE(!f.id[0] && f.t_ms == 0);
        return 0;
    }
    REQUIRE(leaf >= LEAF_EVENT && leaf <= LEAF_RESULT);
    REQUIRE(uuid_is_valid(f.id, strlen(f.id)) && f.t_ms >= 0 && f.head.seq >= 1);
    REQUIRE(!salvaged.stream[0] || strcmp(salvaged.stream, f.head.stream) == 0);
    REQUIRE(!salvaged.seq || salvaged.seq == f.head.seq);
    REQUIRE(json_read(&message, text, size - 1, JSON_MAX_BYTES, &fault) == ST_OK);
    printed = json_dumps(message, JSON_COMPACT);
    REQUIRE(printed);
    read_again(&f, leaf, printed);
    free(printed);
    tame(&f, leaf, text, size - 1);
    if (leaf == LEAF_EVENT)
        write_event(&f, message);
    json_decref(message);
    return 0;
}
