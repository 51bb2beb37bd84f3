/* Stand-in for the SPI library. */
#ifndef SPI_STAND_IN_H
#define SPI_STAND_IN_H

#include <stdint.h>

#define MSBFIRST 1
#define SPI_MODE0 0

struct SPISettings {
    SPISettings(uint32_t, int, int)
    {
    }
};

struct SpiBus {
    void begin()
    {
    }
    void beginTransaction(const SPISettings &)
    {
    }
    void endTransaction()
    {
    }
    uint8_t transfer(uint8_t byte);
};

extern SpiBus SPI;

#endif
