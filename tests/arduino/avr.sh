#!/bin/sh
# `make sketch`: vehicle/arduino/slcan_mcp2515 for an Uno or Nano and for a Leonardo, as the Arduino IDE would build it, with
# Debian's gcc-avr, avr-libc and arduino-core-avr.  sh tests/arduino/avr.sh [BUILD]; writes BUILD/sketch/BOARD.hex
set -eu
cd "$(dirname "$0")/../.."
core=${ARDUINO_AVR:-/usr/share/arduino/hardware/arduino/avr}
sketch=vehicle/arduino/slcan_mcp2515
out=${1:-build}/sketch
command -v avr-g++ >/dev/null && [ -d "$core" ] ||
    { echo "not here: apt-get install gcc-avr avr-libc arduino-core-avr"; exit 3; }

# board NAME CPU VARIANT FLASH RAM DEFINES: what fits beside the boot loader, and a quarter of the RAM is the stack's
board() {
    name=$1 flash=$4 ram=$5
    to=$out/$name
    rm -rf "$to"; mkdir -p "$to/core"
    flags="-Os -mmcu=$2 -DF_CPU=16000000UL -DARDUINO=10819 -DARDUINO_ARCH_AVR $6 -ffunction-sections -fdata-sections -flto
        -I$core/cores/arduino -I$core/variants/$3 -I$core/libraries/SPI/src"
    cxx="-std=gnu++11 -fno-exceptions -fno-threadsafe-statics"
    for f in "$core"/cores/arduino/*.c "$core"/cores/arduino/*.cpp "$core"/cores/arduino/*.S "$core"/libraries/SPI/src/SPI.cpp; do
        # shellcheck disable=SC2086
        case $f in # Debian's compiler lacks the name DECIMAL_DIG
        *.cpp) avr-g++ $flags $cxx -fpermissive -DDECIMAL_DIG=__DECIMAL_DIG__ -w -c -o "$to/core/${f##*/}.o" "$f" ;;
        *.c) avr-gcc $flags -std=gnu11 -w -c -o "$to/core/${f##*/}.o" "$f" ;;
        *.S) avr-gcc -mmcu="$2" -x assembler-with-cpp -c -o "$to/core/${f##*/}.o" "$f" ;;
        esac
    done
    # the IDE puts this line in front of an .ino; ours has its declarations
    printf '#include <Arduino.h>\n#line 1 "%s/slcan_mcp2515.ino"\n' "$sketch" | cat - $sketch/slcan_mcp2515.ino >"$to/sketch.cpp"
    for f in "$to/sketch.cpp" $sketch/mcp2515.cpp; do
        # shellcheck disable=SC2086
        avr-g++ $flags $cxx -Wall -Wextra -Werror -I$sketch -c -o "$to/$(basename "$f" .cpp).o" "$f"
    done
    # shellcheck disable=SC2086
    avr-gcc $flags -Wl,--gc-sections -o "$to/sketch.elf" "$to/sketch.o" "$to/mcp2515.o" "$to"/core/*.o -lm
    avr-objcopy -O ihex -R .eeprom "$to/sketch.elf" "$out/$name.hex"
    avr-size "$to/sketch.elf" | awk -v name="$name" -v flash="$flash" -v ram="$ram" 'NR == 2 {
        printf "%s: %d of %d bytes flash, %d of %d RAM\n", name, $1 + $2, flash, $2 + $3, ram
        exit $1 + $2 > flash || $2 + $3 > ram * 3 / 4 }'
}

board uno atmega328p standard 32256 2048 -DARDUINO_AVR_UNO
board leonardo atmega32u4 leonardo 28672 2560 '-DARDUINO_AVR_LEONARDO -DUSB_VID=0x2341 -DUSB_PID=0x8036 -DUSB_MANUFACTURER="Unknown" -DUSB_PRODUCT="Leonardo"'
echo "wrote $out/uno.hex $out/leonardo.hex"
