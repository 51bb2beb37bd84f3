/* services/ingest/facts/dtc_life.h - the life of trouble codes: new, gone, back, erased.  Pure but
 * for its memory; {0} starts.  A code is the triple (code, ecu, state).  What is seen is there;
 * what is not seen is gone only if its list was read in full, from every known ECU: silence is
 * never "cleared".  A report is taken whole, however many codes it has. */
#ifndef INGEST_DTC_LIFE_H
#define INGEST_DTC_LIFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DTC_THERE_MAX 4096 /* codes of one car that are there at once; more are not believed */
#define DTC_CASES_MAX 64   /* codes that one report brings, or takes, with a case each: the worst */
#define DTC_CODE_MAX 11    /* "P0123-1A" and some */
#define DTC_ECU_MAX 8

enum dtc_list { DTC_STORED = 0, DTC_PENDING, DTC_PERMANENT };
#define DTC_LISTS 3
enum dtc_extent { DTC_ABSENT = 0, DTC_PARTIAL, DTC_FULL };
enum dtc_severity { DTC_INFO = 0, DTC_WARNING, DTC_MINOR, DTC_MAJOR };

struct dtc {
    char code[DTC_CODE_MAX + 1];
    char ecu[DTC_ECU_MAX + 1];
    enum dtc_list list;
};

struct dtc_report {
    int64_t t_ms;
    enum dtc_extent extent[DTC_LISTS];
    const struct dtc *codes;
    size_t n;
    int mil; /* 1 on, 0 off, -1 not read */
    bool readiness_known;
    uint32_t supported, incomplete; /* monitors, a bit each, in the order of obd.md 6 */
    double cleared_km;              /* since codes were cleared, PID 31; NaN: not read */
    bool fell;                      /* ... had fallen, when this was stepped before */
};

struct dtc_known {
    struct dtc dtc;
    bool there;
    int64_t first_ms, last_ms; /* seen */
    int64_t gone_ms;           /* 0: there */
    int count;                 /* times it came */
    bool listed;               /* by the report that is stepped */
};

enum dtc_kind { DTC_NEW = 0, DTC_BACK, DTC_GONE, DTC_ERASED, DTC_MIL_ON, DTC_MIL_OFF };
struct dtc_fact {
    enum dtc_kind kind;
    struct dtc dtc;   /* DTC_NEW, DTC_BACK, DTC_GONE */
    bool erased;      /* DTC_GONE: somebody cleared it; DTC_ERASED: so, and no code went */
    bool fell;        /* erased: the distance since then tells it */
    int64_t first_ms; /* when it was first seen */
    int count;
    bool crowded; /* no case of its own: DTC_CASES_MAX that are as bad or worse turned with it */
};

struct dtc_life {
    struct dtc_known *known;
    size_t n, room;
    uint32_t *places; /* a hash table of known[]: index + 1, 0 is free */
    size_t slots;
    size_t there_n; /* of known */
    int64_t t_ms;
    int mil; /* 1 on; 0 off or never read */
    bool readiness_known;
    uint32_t supported, incomplete;
    bool cleared_known;
    double cleared_km;
    size_t forgotten;       /* codes that were not believed */
    struct dtc_fact *facts; /* of the last step */
    size_t facts_n, facts_room;
    size_t caseless; /* of them, crowded */
    bool failed;     /* no memory: what is in here is not all */
};

void dtc_life_clear(struct dtc_life *d); /* as {0}, but keeps its memory */
void dtc_life_done(struct dtc_life *d);

/* One more code, as it was; one that is known already stays as it is. */
void dtc_life_add(struct dtc_life *d, const struct dtc_known *known);
/* How often it came; of one that is not known nothing. */
void dtc_life_recount(struct dtc_life *d, const struct dtc *dtc, int count);
/* NULL: never seen.  Good until the next is added. */
const struct dtc_known *dtc_life_find(const struct dtc_life *d, const struct dtc *dtc);

/* One report; one that is before the last changes nothing.  Of one time there may be several (a
 * gateway that tells of each control unit by itself), in an order that is yours: what one of them
 * has, no other takes away, a lamp one of them saw lit is lit, and nothing falls between them.
 * DTC_BACK is a new alert like DTC_NEW: the code had been gone.  Returns how many facts there are
 * in d->facts. */
size_t dtc_life_step(struct dtc_life *d, const struct dtc_report *report);

/* Reports that come late are stepped in order of time, from the first one kept.  Where older ones
 * are kept no more, {0} but for the codes of then (first_ms, count, there), that one tells how the
 * others stood: a list that it has in full, all of it; of another, what is in it. */
void dtc_life_ground(struct dtc_life *d, const struct dtc_report *first);
/* Once all are stepped: is this of a code how things stand in the end, and not passed since? */
bool dtc_life_is_last(const struct dtc_life *end, const struct dtc_fact *fact);

/* Of the alert: by the family of the code, a pending one lower. */
enum dtc_severity dtc_severity(const struct dtc *dtc);
const char *dtc_severity_word(enum dtc_severity s);
const char *dtc_list_word(enum dtc_list list);   /* "stored" "pending" "permanent" */
int dtc_list_of(const char *word);               /* -1: none of them */
enum dtc_extent dtc_extent_of(const char *word); /* anything but "full" and "partial" is absent */

#endif
