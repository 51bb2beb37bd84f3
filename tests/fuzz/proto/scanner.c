/* Any bytes as telemetry/1, read twice: what the scanner takes the JSON tree takes too, with the
 * same head, samples, names and doubles to the bit; the head the scanner finds alone is the one the
 * tree finds.  What the scanner refuses nobody misses: telemetry_read then asks the tree. */
#include "tests/fuzz/require.h"

#include <string.h>

#include "proto/scanner.h"

static void check_head(const struct envelope *a, const struct envelope *b)
{
    REQUIRE(strcmp(a->schema, b->schema) == 0 && strcmp(a->stream, b->stream) == 0 &&
            a->seq == b->seq && a->clock == b->clock);
}

static void check_same(const struct telemetry *a, const struct telemetry *b)
{
    check_head(&a->head, &b->head);
    REQUIRE(a->sample_count == b->sample_count && a->reading_count == b->reading_count &&
            a->unknown_signals == b->unknown_signals);
    for (size_t i = 0; i < a->sample_count; i++) {
        const struct sample *s = &a->samples[i], *u = &b->samples[i];

        REQUIRE(s->t_ms == u->t_ms && s->first == u->first && s->count == u->count);
        for (uint32_t k = 0; k < s->count; k++) {
            const struct reading *x = &a->readings[s->first + k], *y = &b->readings[u->first + k];

            REQUIRE(x->signal == y->signal && memcmp(&x->value, &y->value, sizeof x->value) == 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct telemetry scanned, tree;
    const char *bytes = (const char *)data;
    struct envelope head;
    struct fault fault;
    enum status st = telemetry_read_tree(&tree, bytes, size, &fault);
    bool known = scanner_head(&head, bytes, size);

    if (known && st == ST_OK)
        check_head(&head, &tree.head);
    if (!scanner_read(&scanned, bytes, size))
        return 0;
    REQUIRE(known && st == ST_OK);
    check_same(&scanned, &tree);
    return 0;
}
