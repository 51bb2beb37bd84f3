/* Any text as a make's table: refused or read, and what was read decodes any bytes to finite
 * numbers. */
#include "tests/fuzz/require.h"

#include <math.h>
#include <string.h>

#include "proto/signals.h"
#include "vehicle/obd/makes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct makes m;
    struct reading readings[8];
    struct fault fault = {""};

    m.count = 0;
    if (makes_read(&m, "fuzz", (const char *)data, size, &fault) != ST_OK)
        REQUIRE(fault.text[0] != '\0');
    REQUIRE(m.count <= MAKES_ROWS_MAX);
    for (size_t i = 0; i < m.count; i++) {
        const struct make_row *row = &m.rows[i];
        size_t n = makes_decode(&m, "", row->ecu, row->did, data, size, readings, 8);

        REQUIRE(n <= 8 && row->formula.needs <= row->bytes && signal_row(row->signal) != NULL);
        for (size_t k = 0; k < n; k++)
            REQUIRE(isfinite(readings[k].value));
        (void)makes_row_is_for(row, "WVWZZZ1KZAW000001");
    }
    return 0;
}
