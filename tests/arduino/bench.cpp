/* tests/arduino/bench.cpp - the sketch, an MCP2515 as its data sheet describes it, and a car on its bus:
 * to 01 0C it answers from 7E8 and 18DAF110, and with a frame of another id that the filters must stop. */
#include "Arduino.h"
#include "SPI.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

SerialPort Serial;
SpiBus SPI;

/* ---- the controller */

static uint8_t registers[128], shift[16], at, instruction, buffer;
static uint8_t received[2][13];
static bool full[2];

static uint32_t id_of(const uint8_t *b)
{
    uint32_t base = (uint32_t)b[0] << 3 | b[1] >> 5;

    return b[1] & 8 ? base << 18 | (uint32_t)(b[1] & 3) << 16 | (uint32_t)b[2] << 8 | b[3] : base;
}

static bool passes(const uint8_t *frame, uint8_t mask, uint8_t filter)
{
    bool extended = frame[1] & 8;

    return extended == ((registers[filter + 1] & 8) != 0) &&
           ((id_of(frame) ^ id_of(&registers[filter])) & (extended ? id_of(&registers[mask]) : id_of(&registers[mask]) & 0x7FF)) == 0;
}

static void arrive(const uint8_t *frame)
{
    bool zero = passes(frame, 0x20, 0x00) || passes(frame, 0x20, 0x04), one = passes(frame, 0x24, 0x08);
    int slot = zero && !full[0] ? 0 : (one || (zero && registers[0x60] & 4)) && !full[1] ? 1 : -1;

    if (slot < 0) {
        if (zero || one)
            registers[0x2D] |= 0x40;
        return;
    }
    memcpy(received[slot], frame, 13);
    full[slot] = true;
}

static void put_id(uint8_t *b, uint32_t id, bool extended)
{
    uint32_t base = extended ? id >> 18 : id;

    b[0] = (uint8_t)(base >> 3);
    b[1] = (uint8_t)((base & 7) << 5 | (extended ? 8 | (id >> 16 & 3) : 0));
    b[2] = extended ? (uint8_t)(id >> 8) : 0;
    b[3] = extended ? (uint8_t)id : 0;
}

static void on_the_bus(const uint8_t *frame)
{
    static const uint8_t asked[] = {0x02, 0x01, 0x0C}, said[] = {0x04, 0x41, 0x0C, 0x0C, 0x08};
    bool extended = frame[1] & 8;
    uint8_t answer[13] = {0};

    /* mode normal, and 500 kbit/s with an 8 MHz crystal */
    if (registers[0x0E] >> 5 != 0 || registers[0x2A] != 0 || registers[0x29] != 0x91 || registers[0x28] != 0x01)
        return;
    if (id_of(frame) != (extended ? 0x18DB33F1 : 0x7DF) || memcmp(frame + 5, asked, 3) != 0)
        return;
    answer[4] = 8;
    memcpy(answer + 5, said, 5);
    put_id(answer, 0x123, false);
    arrive(answer);
    put_id(answer, 0x18FEF100, true);
    arrive(answer);
    put_id(answer, extended ? 0x18DAF110 : 0x7E8, extended);
    arrive(answer);
}

static void set_register(uint8_t address, uint8_t value)
{
    registers[address] = value;
    if (address == 0x0F)
        registers[0x0E] = (registers[0x0E] & 0x1F) | (value & 0xE0);
}

uint8_t SpiBus::transfer(uint8_t byte)
{
    uint8_t n = at++;

    if (n == 0) {
        instruction = byte;
        buffer = byte == 0x94;
        if (byte == 0xC0) {
            memset(registers, 0, sizeof registers);
            registers[0x0E] = registers[0x0F] = 0x80;
            full[0] = full[1] = false;
        }
        return 0;
    }
    shift[n & 15] = byte;
    switch (instruction) {
    case 0x03:
        return n >= 2 ? registers[(shift[1] + n - 2) & 127] : 0;
    case 0x02:
        if (n == 2)
            set_register(shift[1] & 127, byte);
        return 0;
    case 0x05:
        if (n == 3)
            set_register(shift[1] & 127, (uint8_t)((registers[shift[1] & 127] & ~shift[2]) | (byte & shift[2])));
        return 0;
    case 0xA0:
        return (uint8_t)(full[0] | full[1] << 1);
    case 0x90:
    case 0x94:
        return n <= 13 ? received[buffer][n - 1] : 0;
    default:
        return 0;
    }
}

static uint8_t loaded[13];

void digitalWrite(uint8_t, uint8_t value)
{
    if (value == LOW) {
        at = 0;
        return;
    }
    if (instruction == 0x40 && at > 5) {
        memset(loaded, 0, sizeof loaded);
        memcpy(loaded, shift + 1, at - 1U < 13U ? at - 1U : 13U);
    } else if (instruction == 0x81 && at == 1) {
        on_the_bus(loaded);
    } else if (instruction == 0x90 || instruction == 0x94) {
        full[buffer] = false;
    }
    instruction = 0;
}

/* ---- the board */

uint32_t millis()
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint32_t)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

void delay(uint32_t ms) { usleep(ms * 1000); }
void pinMode(uint8_t, uint8_t) {}

void SerialPort::begin(uint32_t) {}

int SerialPort::available()
{
    struct pollfd p = {0, POLLIN, 0};

    return poll(&p, 1, 1) > 0;
}

int SerialPort::read()
{
    uint8_t byte;

    if (::read(0, &byte, 1) != 1)
        exit(0);
    return byte;
}

int SerialPort::availableForWrite() { return 63; }

void SerialPort::write(int byte)
{
    char c = (char)byte;

    if (::write(1, &c, 1) != 1)
        exit(1);
}

void SerialPort::print(const char *text)
{
    while (*text != '\0')
        write(*text++);
}

#include "../../vehicle/arduino/slcan_mcp2515/mcp2515.cpp"
#include "../../vehicle/arduino/slcan_mcp2515/slcan_mcp2515.ino"

int main()
{
    setup();
    for (;;)
        loop();
}
