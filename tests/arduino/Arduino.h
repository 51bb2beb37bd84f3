/* Stand-in for the Arduino core: time, pins and a serial line on standard input and output. */
#ifndef ARDUINO_STAND_IN_H
#define ARDUINO_STAND_IN_H

#include <stddef.h>
#include <stdint.h>

#define HIGH 1
#define LOW 0
#define OUTPUT 1
#define F(text) text

uint32_t millis();
void delay(uint32_t ms);
void pinMode(uint8_t pin, uint8_t mode);
void digitalWrite(uint8_t pin, uint8_t value);

struct SerialPort {
    void begin(uint32_t baud);
    int available();
    int read();
    int availableForWrite();
    void write(int byte);
    void print(const char *text);
};

extern SerialPort Serial;

#endif
