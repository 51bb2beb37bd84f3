/* Any bytes as the texts the outbox keeps of commands and of private mode: what is accepted is
 * written and read again the same, and judges the same. */
#include "tests/fuzz/require.h"

#include <string.h>

#include "vehicle/commands.h"
#include "vehicle/privacy.h"

static void check_commands(const char *bytes, size_t size)
{
    static struct commands all, again;
    struct commands_car car = {.time_known = true};
    struct commands_verdict verdict;
    struct text text;

    if (commands_load(&all, bytes, size, NULL) != ST_OK) {
        REQUIRE(all.count == 0);
        return;
    }
    REQUIRE(all.count <= COMMANDS_KEPT);
    text_init(&text);
    commands_write(&all, &text);
    REQUIRE(commands_load(&again, text.bytes, text.len, NULL) == ST_OK);
    REQUIRE(again.count == all.count);
    for (size_t i = 0; i < all.count; i++) {
        struct command c = {.type = COMMAND_AGENT_RESTART, .expires_ms = 5};

        REQUIRE(strcmp(all.answers[i].reason, again.answers[i].reason) == 0);
        memcpy(c.id, all.answers[i].id, sizeof c.id);
        commands_judge(&verdict, &again, &c, ST_OK, "", &car, 1);
        REQUIRE(verdict.seen && !verdict.begin && verdict.answer.state == all.answers[i].state);
    }
    text_done(&text);
}

static void check_privacy(const char *bytes, size_t size)
{
    struct privacy p, again;
    struct text text;

    memset(&p, 0, sizeof p);
    memset(&again, 0, sizeof again);
    if (privacy_load(&p, bytes, size, NULL) != ST_OK)
        return;
    text_init(&text);
    privacy_write(&p, &text);
    REQUIRE(privacy_load(&again, text.bytes, text.len, NULL) == ST_OK);
    REQUIRE(again.cause == p.cause && again.since_ms == p.since_ms &&
            again.commanded == p.commanded && again.until_ms == p.until_ms);
    (void)privacy_step(&p, 1795431600000, true);
    REQUIRE((p.since_ms == 0) == (p.cause == PRIVACY_NONE));
    text_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_commands((const char *)data, size);
    check_privacy((const char *)data, size);
    return 0;
}
