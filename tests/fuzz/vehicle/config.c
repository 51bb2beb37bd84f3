/* Any bytes as config/1 or as the answer to an enrolment: what is accepted stays within its bounds.
 */
#include "tests/fuzz/require.h"

#include <string.h>

#include "vehicle/config.h"
#include "vehicle/enroll.h"

static void check(const struct config *c)
{
    REQUIRE(c->revision >= 1 && c->site_count <= LEDGER_SITES_MAX);
    for (size_t i = 0; i < c->site_count; i++)
        REQUIRE(c->sites[i][0] != '\0' && memchr(c->sites[i], '\0', LEDGER_SITE_TEXT) != NULL);
    REQUIRE(memchr(c->brokers, '\0', sizeof c->brokers) != NULL);
    REQUIRE(c->record_ms == 0 ||
            (c->record_ms >= CONFIG_RECORD_MS_LOWEST && c->record_ms <= CONFIG_RECORD_MS_HIGHEST));
}

/* What was read answers at any time, and one minute is like the next only within a span. */
static void check_privacy(const struct config *c)
{
    static const int64_t times[] = {0, -1, 1795431600000, 1774746000000, JSON_INTEGER_MAX};
    struct privacy p = {.rules = c->privacy};
    int weekday, minute;

    REQUIRE(c->privacy.span_count <= PRIVACY_SPANS_MAX);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        bool work = privacy_is_work(&c->privacy, times[i]);

        REQUIRE(work || c->privacy.has_hours);
        zone_local(&c->privacy.zone, times[i], &weekday, &minute);
        REQUIRE(weekday >= 1 && weekday <= 7 && minute >= 0 && minute < PRIVACY_DAY_MINUTES);
        (void)privacy_step(&p, times[i], true);
        REQUIRE((p.cause == PRIVACY_HOURS) == !work);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config;
    struct text chain, made;

    if (config_read(&config, (const char *)data, size, NULL) == ST_OK) {
        check(&config);
        check_privacy(&config);
    }
    text_init(&chain);
    text_init(&made);
    if (enroll_read_answer((const char *)data, size, &chain, &made, NULL) == ST_OK) {
        REQUIRE(chain.len > 0);
        if (made.len > 0 && config_read(&config, made.bytes, made.len, NULL) == ST_OK)
            check(&config);
    }
    text_done(&chain);
    text_done(&made);
    return 0;
}
