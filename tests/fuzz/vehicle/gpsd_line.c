/* Any bytes as gpsd's side of a connection, cut in two places: what comes out of it is a fix within
 * its bounds, and the parts make no difference. */
#include "require.h"

#include <math.h>
#include <string.h>

#include "vehicle/gpsd_line.h"

static struct gpsd_lines lines;
static size_t count, bytes;

static void take(void *self, const char *line, size_t len)
{
    struct gpsd_report report;

    (void)self;
    REQUIRE(len < GPSD_LINE_MAX);
    count++;
    bytes += len;
    if (!gpsd_read(&report, line, len, 1) || !report.usable)
        return;
    REQUIRE(fabs(report.fix.lat) <= 90 && fabs(report.fix.lon) <= 180);
    REQUIRE(report.fix.t_ms >= 0 && report.fix.received_ms == 1);
}

static void come(const uint8_t *data, size_t size)
{
    while (size > 0) {
        size_t room, part;
        char *to = gpsd_lines_room(&lines, &room);

        REQUIRE(room > 0 && room <= GPSD_LINE_MAX);
        part = size < room ? size : room;
        memcpy(to, data, part);
        gpsd_lines_came(&lines, part, take, NULL);
        data += part;
        size -= part;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t cut = size > 0 ? data[0] % size : 0, once;

    memset(&lines, 0, sizeof lines);
    count = bytes = 0;
    come(data, size);
    once = count;
    memset(&lines, 0, sizeof lines);
    count = 0;
    come(data, cut);
    come(data + cut, size - cut);
    REQUIRE(size >= GPSD_LINE_MAX || count == once);
    return 0;
}
