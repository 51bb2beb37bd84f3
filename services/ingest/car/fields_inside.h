/* services/ingest/car/fields_inside.h - what fields.c and fields_drive.c share; nobody else
 * includes it. */
#ifndef INGEST_FIELDS_INSIDE_H
#define INGEST_FIELDS_INSIDE_H

#include "fields.h"

/* clang-format off */
#define FIELD_KIND(x)                                                                             \
    _Generic((x), bool: 'b', int: 'i', long: 'i', long long: 'i', unsigned: 'u',                   \
             unsigned long: 'u', unsigned long long: 'u', float: 'f', double: 'f')
#define FIELD_OF(s, m) (((struct s *)0)->m)
#define FIELD_N(array) (sizeof(array) / sizeof *(array))
#define FIELD_MEMBER(s, m, kind, size, n, most, of)                                               \
    {#m, offsetof(struct s, m), size, n, of, most, kind}
#define END_OF_MEMBERS {NULL, 0, 0, 0, NULL, 0, 0}
/* clang-format on */

/* A number, or an array of them; an enum up to its greatest word; a double that may be unknown;
 * bytes; a struct, an array of them, and an array of arrays of them, one after the other. */
#define ONE(s, m) FIELD_MEMBER(s, m, FIELD_KIND(FIELD_OF(s, m)), sizeof FIELD_OF(s, m), 0, 0, NULL)
#define MANY(s, m)                                                                                 \
    FIELD_MEMBER(s, m, FIELD_KIND(*FIELD_OF(s, m)), sizeof *FIELD_OF(s, m),                        \
                 FIELD_N(FIELD_OF(s, m)), 0, NULL)
#define WORD(s, m, most) FIELD_MEMBER(s, m, 'e', sizeof FIELD_OF(s, m), 0, most, NULL)
#define MAYBE_ONE(s, m) FIELD_MEMBER(s, m, 'n', sizeof FIELD_OF(s, m), 0, 0, NULL)
#define BYTES(s, m) FIELD_MEMBER(s, m, 't', sizeof FIELD_OF(s, m), 0, 0, NULL)
#define IN(s, m, of) FIELD_MEMBER(s, m, 's', sizeof FIELD_OF(s, m), 0, 0, of)
#define EACH(s, m, of)                                                                             \
    FIELD_MEMBER(s, m, 's', sizeof *FIELD_OF(s, m), FIELD_N(FIELD_OF(s, m)), 0, of)
#define EACH_OF_ALL(s, m, of)                                                                      \
    FIELD_MEMBER(s, m, 's', sizeof **FIELD_OF(s, m),                                               \
                 sizeof FIELD_OF(s, m) / sizeof **FIELD_OF(s, m), 0, of)

extern const struct layout_member fields_of_fix[], fields_of_fix_filter[], fields_of_motion[],
    fields_of_engine[], fields_of_anchor[], fields_of_meter[], fields_of_idle[], fields_of_harsh[],
    fields_of_battery[], fields_of_heat[], fields_of_gps_lost[], fields_of_tow[], fields_of_crash[];

#endif
