/* vehicle/obd/support.h - which ECU offers which PID, and which of them we ask.  SAE J1979 support
 * bitmaps.  Pure. */
#ifndef VEHICLE_OBD_SUPPORT_H
#define VEHICLE_OBD_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SUPPORT_ECUS_MAX 8
#define SUPPORT_PIDS 256

struct support {
    size_t count;
    struct support_ecu {
        uint32_t ecu;
        bool has[SUPPORT_PIDS];
    } ecus[SUPPORT_ECUS_MAX];
};

void support_init(struct support *s);

/* Take the bitmap an ECU gave for `base` (00, 20 .. E0): bit 31 = base + 1.  More than eight ECUs
 * are not kept. */
void support_add(struct support *s, uint32_t ecu, uint8_t base, const uint8_t bits[4]);

bool support_has(const struct support *s, uint8_t pid); /* any ECU */

/* Is this ECU the one whose value counts: 7E8 or else the one with engine speed, if it offers the
 * PID; else the lowest id that does.  Never averaged, never the last answer. */
bool support_is_owner(const struct support *s, uint32_t ecu, uint8_t pid);

/* That ECU; 0 when nobody offers the PID or its answers do not tell who gave them. */
uint32_t support_owner(const struct support *s, uint8_t pid);

/* The PIDs worth asking for telemetry: offered, in our table, filling a signal no better PID fills
 * already, and no structure.  05 goes before 67, 0F before 68, 10 before 66, 24-2B before 34-3B. */
void support_choose(const struct support *s, bool ask[SUPPORT_PIDS]);

#endif
