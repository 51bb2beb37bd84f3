/* vehicle/arduino/slcan_mcp2515/slcan_mcp2515.ino - an Arduino and an MCP2515 as a CAN adapter that speaks
 * SLCAN (Lawicel ASCII) at 115200 baud.  It moves frames; transport and flow control are the agent's.
 *     S4 S5 S6  125, 250, 500 kbit/s    O on the bus   L listen only   C off the bus
 *     tiiildd   Tiiiiiiiildd            send           F state         Z0 Z1 time stamps
 *     V version                         N serial number
 * CR = taken (z CR, Z CR for frames), BEL = refused. */
#include "mcp2515.h"

static const uint8_t SELECT_PIN = 10;
static const uint8_t CRYSTAL_MHZ = 8; /* the blue modules carry 8.000, most shields 16.000 */
static const uint8_t FRAMES_KEPT = 32;
static const uint8_t LINE_MAX = 32;
static const uint8_t LINE_OUT = 31; /* the longest line we write */

static Mcp2515 can(SELECT_PIN, CRYSTAL_MHZ);
static can_frame_t kept[FRAMES_KEPT]; /* received and not yet written: the serial line is the slower one */
static uint16_t stamps[FRAMES_KEPT];
static uint8_t first, count;
static bool is_open, listens, stamped, lost;
static uint16_t kbit;
static char line[LINE_MAX];
static uint8_t length;

static int8_t digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool number(const char *text, uint8_t digits, uint32_t &out)
{
    out = 0;
    for (uint8_t i = 0; i < digits; i++) {
        int8_t d = digit(text[i]);

        if (d < 0)
            return false;
        out = out << 4 | (uint8_t)d;
    }
    return true;
}

static void write_hex(uint32_t value, uint8_t digits)
{
    while (digits-- > 0)
        Serial.write("0123456789ABCDEF"[value >> (4 * digits) & 15]);
}

/* "tiiildd..." or "Tiiiiiiiildd...", to the digit. */
static bool read_frame(can_frame_t &frame)
{
    uint8_t digits = line[0] == 'T' ? 8 : 3;
    uint32_t value;

    if (length < digits + 2 || !number(line + 1, digits, frame.id) || !number(line + 1 + digits, 1, value) || value > 8)
        return false;
    frame.extended = line[0] == 'T';
    frame.len = (uint8_t)value;
    if (length != digits + 2 + 2 * frame.len || frame.id > (frame.extended ? 0x1FFFFFFFUL : 0x7FFUL))
        return false;
    for (uint8_t i = 0; i < frame.len; i++) {
        if (!number(line + digits + 2 + 2 * i, 2, value))
            return false;
        frame.data[i] = (uint8_t)value;
    }
    return true;
}

static bool send_frame()
{
    can_frame_t frame;
    uint32_t began = millis();

    if (!is_open || listens || !read_frame(frame))
        return false;
    while (!can.send(frame)) /* the one before it waits for the bus: not for ever */
        if (millis() - began > 20)
            return false;
    return true;
}

/* Lawicel's flags: 01 receive queue full, 04 error warning, 08 overrun, 20 error passive, 80 bus off. */
static uint8_t flags()
{
    uint8_t errors = can.errors(), out = 0;

    if (lost)
        out |= 0x01;
    if (errors & 0x01)
        out |= 0x04;
    if (errors & 0xC0)
        out |= 0x08;
    if (errors & 0x18)
        out |= 0x20;
    if (errors & 0x20)
        out |= 0x80;
    lost = false;
    return out;
}

static bool open_bus(bool listen_only)
{
    if (is_open || kbit == 0 || length != 1 || !can.open(kbit, listen_only))
        return false;
    first = count = 0;
    listens = listen_only;
    return is_open = true;
}

static bool set_speed()
{
    if (is_open || length != 2 || line[1] < '4' || line[1] > '6')
        return false;
    kbit = line[1] == '6' ? 500 : line[1] == '5' ? 250 : 125;
    return true;
}

/* The answer to the line: taken or refused; text before it is written here. */
static bool obey()
{
    switch (length == 0 ? '\r' : line[0]) {
    case '\r':
        return true;
    case 'S':
        return set_speed();
    case 'O':
        return open_bus(false);
    case 'L':
        return open_bus(true);
    case 'C':
        if (!is_open || length != 1)
            return false;
        can.close();
        is_open = false;
        return true;
    case 't':
    case 'T':
        if (!send_frame())
            return false;
        Serial.write(line[0] == 't' ? 'z' : 'Z');
        return true;
    case 'F':
        if (!is_open || length != 1)
            return false;
        Serial.write('F');
        write_hex(flags(), 2);
        return true;
    case 'V':
        Serial.print(F("V1010"));
        return true;
    case 'N':
        Serial.print(F("NVIGI"));
        return true;
    case 'Z':
        if (is_open || length != 2 || (line[1] != '0' && line[1] != '1'))
            return false;
        stamped = line[1] == '1';
        return true;
    default:
        return false;
    }
}

static void take(char c)
{
    if (c == '\r') {
        Serial.write(length <= LINE_MAX && obey() ? '\r' : '\a');
        length = 0;
    } else if (length < LINE_MAX) {
        line[length++] = c;
    } else {
        length = LINE_MAX + 1; /* too long to be anything: refused at its end */
    }
}

static void keep_what_came()
{
    can_frame_t frame;

    while (can.receive(frame)) {
        if (count == FRAMES_KEPT) {
            lost = true;
            continue;
        }
        uint8_t at = (first + count++) % FRAMES_KEPT;
        kept[at] = frame;
        stamps[at] = (uint16_t)(millis() % 60000);
    }
}

static void write_one()
{
    const can_frame_t &frame = kept[first];

    Serial.write(frame.extended ? 'T' : 't');
    write_hex(frame.id, frame.extended ? 8 : 3);
    write_hex(frame.len, 1);
    for (uint8_t i = 0; i < frame.len; i++)
        write_hex(frame.data[i], 2);
    if (stamped)
        write_hex(stamps[first], 4);
    Serial.write('\r');
    first = (first + 1) % FRAMES_KEPT;
    count--;
}

void setup()
{
    Serial.begin(115200);
    can.begin();
}

void loop()
{
    if (is_open)
        keep_what_came();
    if (count > 0 && Serial.availableForWrite() >= LINE_OUT) /* never wait for the line while frames come */
        write_one();
    if (Serial.available() > 0)
        take((char)Serial.read());
}
