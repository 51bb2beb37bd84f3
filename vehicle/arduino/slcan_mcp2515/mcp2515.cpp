/* vehicle/arduino/slcan_mcp2515/mcp2515.cpp - see mcp2515.h. */
#include "mcp2515.h"

#include <SPI.h>

/* instructions, table 12-1 */
static const uint8_t DO_RESET = 0xC0, DO_READ = 0x03, DO_WRITE = 0x02, DO_CHANGE = 0x05, DO_STATUS = 0xA0,
                     DO_READ_RX0 = 0x90, DO_READ_RX1 = 0x94, DO_LOAD_TX0 = 0x40, DO_SEND_TX0 = 0x81;
/* registers, table 11-1 */
static const uint8_t RXF0 = 0x00, RXF1 = 0x04, RXF2 = 0x08, CANSTAT = 0x0E, CANCTRL = 0x0F, RXF3 = 0x10, RXF4 = 0x14,
                     RXF5 = 0x18, RXM0 = 0x20, RXM1 = 0x24, CNF3 = 0x28, CNF2 = 0x29, CNF1 = 0x2A, EFLG = 0x2D,
                     RXB0CTRL = 0x60, RXB1CTRL = 0x70;
static const uint8_t MODE_NORMAL = 0x00, MODE_LISTEN = 0x60, MODE_CONFIGURE = 0x80, MODE_MASK = 0xE0;
static const uint8_t STATUS_RX0 = 0x01, STATUS_RX1 = 0x02, STATUS_TX0 = 0x04;
static const uint8_t EXTENDED = 0x08, ROLL_OVER = 0x04, OVERFLOWS = 0xC0;

static const SPISettings bus(8000000, MSBFIRST, SPI_MODE0);

void Mcp2515::begin()
{
    pinMode(select_, OUTPUT);
    digitalWrite(select_, HIGH);
    SPI.begin();
    command(DO_RESET);
    delay(10);
}

void Mcp2515::command(uint8_t byte)
{
    SPI.beginTransaction(bus);
    digitalWrite(select_, LOW);
    SPI.transfer(byte);
    digitalWrite(select_, HIGH);
    SPI.endTransaction();
}

uint8_t Mcp2515::read(uint8_t address)
{
    SPI.beginTransaction(bus);
    digitalWrite(select_, LOW);
    SPI.transfer(DO_READ);
    SPI.transfer(address);
    uint8_t value = SPI.transfer(0);
    digitalWrite(select_, HIGH);
    SPI.endTransaction();
    return value;
}

void Mcp2515::write(uint8_t address, uint8_t value)
{
    SPI.beginTransaction(bus);
    digitalWrite(select_, LOW);
    SPI.transfer(DO_WRITE);
    SPI.transfer(address);
    SPI.transfer(value);
    digitalWrite(select_, HIGH);
    SPI.endTransaction();
}

void Mcp2515::change(uint8_t address, uint8_t mask, uint8_t value)
{
    SPI.beginTransaction(bus);
    digitalWrite(select_, LOW);
    SPI.transfer(DO_CHANGE);
    SPI.transfer(address);
    SPI.transfer(mask);
    SPI.transfer(value);
    digitalWrite(select_, HIGH);
    SPI.endTransaction();
}

static void id_bytes(uint8_t out[4], uint32_t id, bool extended)
{
    uint32_t base = extended ? id >> 18 : id;

    out[0] = (uint8_t)(base >> 3);
    out[1] = (uint8_t)((base & 7) << 5);
    out[2] = out[3] = 0;
    if (extended) {
        out[1] |= EXTENDED | (uint8_t)(id >> 16 & 3);
        out[2] = (uint8_t)(id >> 8);
        out[3] = (uint8_t)id;
    }
}

void Mcp2515::write_id(uint8_t address, uint32_t id, bool extended)
{
    uint8_t bytes[4];

    id_bytes(bytes, id, extended);
    for (uint8_t i = 0; i < 4; i++)
        write(address + i, bytes[i]);
}

/* Only answers to a tester pass: 7E8 .. 7EF, and 18DAF1xx.  A busy bus carries ten times what the serial
 * line can. */
void Mcp2515::accept_answers_only()
{
    static const uint8_t long_filters[] = {RXF2, RXF3, RXF4, RXF5};

    write_id(RXM0, 0x7F8, false);
    write_id(RXF0, 0x7E8, false);
    write_id(RXF1, 0x7E8, false);
    write_id(RXM1, 0x1FFFFF00, true);
    for (uint8_t i = 0; i < sizeof long_filters; i++)
        write_id(long_filters[i], 0x18DAF100, true);
    write(RXB0CTRL, ROLL_OVER); /* a second 11-bit frame goes to buffer 1 */
    write(RXB1CTRL, 0);
}

bool Mcp2515::mode(uint8_t value)
{
    change(CANCTRL, MODE_MASK, value);
    for (uint8_t i = 0; i < 100; i++) {
        if ((read(CANSTAT) & MODE_MASK) == value)
            return true;
        delay(1); /* normal mode waits for eleven recessive bits */
    }
    return false;
}

bool Mcp2515::open(uint16_t kbit, bool listen_only)
{
    uint8_t divide = kbit == 500 ? 0 : kbit == 250 ? 1 : 3;

    command(DO_RESET);
    delay(5);
    if (!mode(MODE_CONFIGURE))
        return false;
    if (mhz_ == 16) { /* 16 quanta: 1 + 5 + 7 | 3, sampled at 81 % */
        write(CNF1, 0x40 | divide);
        write(CNF2, 0xB4);
        write(CNF3, 0x02);
    } else { /* 8 MHz, 8 quanta: 1 + 2 + 3 | 2, sampled at 75 % */
        write(CNF1, divide);
        write(CNF2, 0x91);
        write(CNF3, 0x01);
    }
    accept_answers_only();
    return mode(listen_only ? MODE_LISTEN : MODE_NORMAL);
}

void Mcp2515::close()
{
    mode(MODE_CONFIGURE);
}

static uint8_t status_of(uint8_t select)
{
    SPI.beginTransaction(bus);
    digitalWrite(select, LOW);
    SPI.transfer(DO_STATUS);
    uint8_t status = SPI.transfer(0);
    digitalWrite(select, HIGH);
    SPI.endTransaction();
    return status;
}

/* One transmit buffer, so that frames leave in the order they came. */
bool Mcp2515::send(const can_frame_t &frame)
{
    uint8_t id[4];

    if (status_of(select_) & STATUS_TX0)
        return false;
    id_bytes(id, frame.id, frame.extended);
    SPI.beginTransaction(bus);
    digitalWrite(select_, LOW);
    SPI.transfer(DO_LOAD_TX0);
    for (uint8_t i = 0; i < 4; i++)
        SPI.transfer(id[i]);
    SPI.transfer(frame.len);
    for (uint8_t i = 0; i < frame.len; i++)
        SPI.transfer(frame.data[i]);
    digitalWrite(select_, HIGH);
    SPI.endTransaction();
    command(DO_SEND_TX0);
    return true;
}

bool Mcp2515::receive(can_frame_t &frame)
{
    uint8_t status = status_of(select_), head[5];

    if ((status & (STATUS_RX0 | STATUS_RX1)) == 0)
        return false;
    SPI.beginTransaction(bus);
    digitalWrite(select_, LOW);
    SPI.transfer(status & STATUS_RX0 ? DO_READ_RX0 : DO_READ_RX1);
    for (uint8_t i = 0; i < 5; i++)
        head[i] = SPI.transfer(0);
    frame.len = head[4] & 15;
    if (frame.len > 8)
        frame.len = 8;
    for (uint8_t i = 0; i < frame.len; i++)
        frame.data[i] = SPI.transfer(0);
    digitalWrite(select_, HIGH); /* frees the buffer */
    SPI.endTransaction();
    frame.extended = head[1] & EXTENDED;
    frame.id = (uint32_t)head[0] << 3 | head[1] >> 5;
    if (frame.extended)
        frame.id = frame.id << 18 | (uint32_t)(head[1] & 3) << 16 | (uint32_t)head[2] << 8 | head[3];
    return true;
}

uint8_t Mcp2515::errors()
{
    uint8_t flags = read(EFLG);

    change(EFLG, OVERFLOWS, 0);
    return flags;
}
