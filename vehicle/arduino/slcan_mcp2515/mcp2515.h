/* vehicle/arduino/slcan_mcp2515/mcp2515.h - the CAN controller Microchip MCP2515 over SPI, as much
 * of it as a bridge needs.  Data sheet DS20001801. */
#ifndef MCP2515_H
#define MCP2515_H

#include <Arduino.h>

struct can_frame_t {
    uint32_t id;
    bool extended;
    uint8_t len;
    uint8_t data[8];
};

class Mcp2515
{
  public:
    /* `mhz`: what is printed on the module's crystal, 8 or 16. */
    Mcp2515(uint8_t select_pin, uint8_t mhz) : select_(select_pin), mhz_(mhz)
    {
    }

    void begin();
    /* Go on the bus at 125, 250 or 500 kbit/s; false: the controller does not answer. */
    bool open(uint16_t kbit, bool listen_only);
    void close();                        /* configuration mode: off the bus */
    bool send(const can_frame_t &frame); /* false: the frame before it is still waiting */
    bool receive(can_frame_t &frame);
    uint8_t errors(); /* EFLG and whether frames were lost; cleared by reading */

  private:
    uint8_t select_, mhz_;

    void command(uint8_t byte);
    uint8_t read(uint8_t address);
    void write(uint8_t address, uint8_t value);
    void change(uint8_t address, uint8_t mask, uint8_t value);
    void write_id(uint8_t address, uint32_t id, bool extended);
    bool mode(uint8_t value);
    void accept_answers_only();
};

#endif
