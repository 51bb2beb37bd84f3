/* The compiled signal table against proto/signals.csv, row by row, and the decode rows against
 * obd_pids.csv. Reads the tables from the source tree: run from the project's folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/signals.h"

#include "vehicle/obd/pids_table.inc"

#define FIELDS_MAX 12

/* Cut one CSV line in place; quotes enclose a field. */
static int cut(char *line, char *fields[FIELDS_MAX])
{
    int n = 0;

    line[strcspn(line, "\r\n")] = '\0';
    while (n < FIELDS_MAX) {
        char stop = *line == '"' ? '"' : ',';

        fields[n++] = line += stop == '"';
        line += strcspn(line, stop == '"' ? "\"" : ",");
        if (*line == '\0')
            return n;
        *line++ = '\0';
        if (stop == '"' && *line++ != ',')
            return n;
    }
    return n;
}

static FILE *open_table(const char *path)
{
    FILE *file = fopen(path, "r");
    char head[256];

    if (!file)
        fail_msg("cannot open %s: run from the project's folder", path);
    assert_non_null(fgets(head, sizeof head, file));
    return file;
}

static void the_compiled_table_is_the_csv_row_by_row(void **state)
{
    FILE *file = open_table("proto/signals.csv");
    char line[512], *f[FIELDS_MAX];
    uint16_t id = 0;

    (void)state;
    while (fgets(line, sizeof line, file)) {
        const struct signal_row *row = signal_row(++id);

        assert_int_equal(cut(line, f), 6);
        assert_non_null(row);
        assert_int_equal(atoi(f[0]), id);
        assert_string_equal(row->path, f[1]);
        assert_string_equal(row->unit, f[2]);
        assert_int_equal(row->decimals, atoi(f[3]));
        assert_true(row->lowest == strtod(f[4], NULL) && row->highest == strtod(f[5], NULL));
        assert_true(row->lowest < row->highest);
        assert_int_equal(signal_find(f[1], strlen(f[1])), id);
        assert_int_equal(signal_path_len(id), strlen(f[1]));
    }
    assert_int_equal(id, signal_count());
    assert_null(signal_row(0));
    assert_int_equal(signal_path_len(0), 0);
    assert_null(signal_row((uint16_t)(id + 1)));
    fclose(file);
}

static void the_ids_the_code_names_are_those_of_the_table(void **state)
{
    static const struct {
        uint16_t id;
        const char *path;
    } named[] = {
        {SIGNAL_SPEED, "Vehicle.Speed"},
        {SIGNAL_LATITUDE, "Vehicle.CurrentLocation.Latitude"},
        {SIGNAL_LONGITUDE, "Vehicle.CurrentLocation.Longitude"},
        {SIGNAL_ALTITUDE, "Vehicle.CurrentLocation.Altitude"},
        {SIGNAL_HEADING, "Vehicle.CurrentLocation.Heading"},
        {SIGNAL_HORIZONTAL_ACCURACY, "Vehicle.CurrentLocation.HorizontalAccuracy"},
        {SIGNAL_VERTICAL_ACCURACY, "Vehicle.CurrentLocation.VerticalAccuracy"},
        {SIGNAL_LOW_VOLTAGE_STATE, "Vehicle.LowVoltageSystemState"},
        {SIGNAL_IS_MOVING, "Vehicle.IsMoving"},
        {SIGNAL_ENGINE_RUNNING, "Vehicle.Powertrain.CombustionEngine.IsRunning"},
        {SIGNAL_ACCELERATION_LONGITUDINAL, "Vehicle.Acceleration.Longitudinal"},
        {SIGNAL_ACCELERATION_LATERAL, "Vehicle.Acceleration.Lateral"},
        {SIGNAL_ACCELERATION_VERTICAL, "Vehicle.Acceleration.Vertical"},
        {SIGNAL_ENGINE_SPEED, "Vehicle.Powertrain.CombustionEngine.Speed"},
        {SIGNAL_BATTERY_VOLTAGE, "Vehicle.LowVoltageBattery.CurrentVoltage"},
    };

    (void)state;
    assert_int_equal(sizeof named / sizeof *named, SIGNAL_BATTERY_VOLTAGE);
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        assert_int_equal(named[i].id, i + 1);
        assert_string_equal(signal_row(named[i].id)->path, named[i].path);
    }
}

static void a_path_that_is_not_ours_is_not_found(void **state)
{
    char path[300];

    (void)state;
    assert_int_equal(signal_find("", 0), SIGNAL_NONE);
    assert_int_equal(signal_find("Vehicle.Speed", 12), SIGNAL_NONE);
    assert_int_equal(signal_find("Vehicle.Speed", 14), SIGNAL_NONE); /* the NUL counts */
    assert_int_equal(signal_find("vehicle.speed", 13), SIGNAL_NONE);
    memset(path, 'V', sizeof path);
    assert_int_equal(signal_find(path, sizeof path), SIGNAL_NONE);
    for (uint16_t id = 1; id <= signal_count(); id++) {
        size_t len = strlen(signal_row(id)->path);

        for (size_t at = 0; at < len; at++) {
            memcpy(path, signal_row(id)->path, len);
            path[at] ^= 1;
            assert_int_not_equal(signal_find(path, len), id);
        }
    }
}

static void rounding_keeps_the_decimals_of_the_table(void **state)
{
    uint16_t load = signal_find("Vehicle.OBD.EngineLoad", 22);
    uint16_t coolant =
        signal_find("Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature", 61);

    (void)state;
    assert_true(signal_round(load, 212 * 100.0 / 255) == 83.1);
    assert_true(signal_round(SIGNAL_LATITUDE, 48.52861234567) == 48.528612);
    assert_true(signal_round(SIGNAL_LATITUDE, -0.0000004) == 0);
    assert_false(signbit(signal_round(SIGNAL_LATITUDE, -0.0000004)));
    assert_false(signbit(signal_round(SIGNAL_SPEED, -0.0)));
    assert_true(signal_round(SIGNAL_ENGINE_SPEED, 812.25) == 812.25);
    assert_true(signal_round(coolant, 88.6) == 89);
    assert_true(signal_round(SIGNAL_SPEED, 1e300) == 1e300);
}

static void a_rounded_value_never_prints_more_digits_than_its_decimals(void **state)
{
    (void)state;
    for (uint16_t id = 1; id <= signal_count(); id++) {
        const struct signal_row *row = signal_row(id);

        for (int i = 0; i <= 1000; i++) {
            double value = row->lowest + (row->highest - row->lowest) * i / 1000;
            char text[32], *point;

            text[json_print_double(text, signal_round(id, value))] = '\0';
            point = strchr(text, '.');
            assert_true(!strchr(text, 'e'));
            assert_true(!point || strlen(point + 1) <= (size_t)row->decimals);
        }
    }
}

/* ---- the decode rows ---- */

/* A tiny evaluator of the formulas as they stand in the CSV: + - * / ( ) numbers, A..M, s16(). */
struct formula {
    const char *at;
    const unsigned char *bytes;
};

static long double sum(struct formula *f);

static long double factor(struct formula *f)
{
    long double value;

    if (strncmp(f->at, "s16", 3) == 0) {
        f->at += 3;
        value = factor(f);
        return value >= 32768 ? value - 65536 : value;
    }
    if (*f->at == '(') {
        f->at++;
        value = sum(f);
        assert_int_equal(*f->at++, ')');
        return value;
    }
    if (*f->at >= 'A' && *f->at <= 'M')
        return f->bytes[*f->at++ - 'A'];
    value = 0;
    for (; *f->at >= '0' && *f->at <= '9'; f->at++)
        value = value * 10 + (*f->at - '0');
    if (*f->at == '.') {
        long double scale = 1;

        for (f->at++; *f->at >= '0' && *f->at <= '9'; f->at++)
            value = value * 10 + (*f->at - '0'), scale *= 10;
        value /= scale;
    }
    return value;
}

static long double product(struct formula *f)
{
    long double value = factor(f);

    while (*f->at == '*' || *f->at == '/')
        value = *f->at++ == '*' ? value * factor(f) : value / factor(f);
    return value;
}

static long double sum(struct formula *f)
{
    long double value = product(f);

    while (*f->at == '+' || *f->at == '-')
        value = *f->at++ == '+' ? value + product(f) : value - product(f);
    return value;
}

static long double evaluate(const char *text, const unsigned char *bytes)
{
    struct formula f = {text, bytes};
    long double value;
    int shift, mask;
    char letter;

    if (strncmp(text, "enum(A)", 7) == 0)
        return bytes[0];
    if (sscanf(text, "(%c>>%d)&%i", &letter, &shift, &mask) == 3)
        return (bytes[letter - 'A'] >> shift) & mask;
    if (sscanf(text, "%c&%i", &letter, &mask) == 2)
        return bytes[letter - 'A'] & mask;
    value = sum(&f);
    assert_int_equal(*f.at, '\0');
    return value;
}

/* As the head of pids_table.inc says. */
static double decode(const struct pid_row *row, const unsigned char *bytes)
{
    uint32_t raw = 0;
    double number;

    for (int i = 0; i < row->width; i++)
        raw = raw << 8 | bytes[row->first + i];
    if (row->mask)
        raw = (raw >> row->shift) & row->mask;
    number = row->is_signed ? (double)(int16_t)raw : (double)raw;
    return (number * row->multiply + row->add) / row->divide;
}

static double converted(long double value, const char *unit, const char *vss_unit)
{
    if (strcmp(unit, "mA") == 0 && strcmp(vss_unit, "A") == 0)
        value /= 1000;
    if (strcmp(unit, "km") == 0 && strcmp(vss_unit, "m") == 0)
        value *= 1000;
    if (strcmp(unit, "s") == 0 && strcmp(vss_unit, "h") == 0)
        value /= 3600;
    return (double)value;
}

static void check_row(const struct pid_row *row, char *f[FIELDS_MAX])
{
    static const unsigned char fills[] = {0x00, 0x01, 0x80, 0x7f, 0xff, 0x40};
    const struct signal_row *signal = signal_row(row->signal);
    unsigned char bytes[16];
    unsigned valid = 0;
    const char *condition = strstr(f[1], "(if A&");

    assert_int_equal(row->pid, strtol(f[0], NULL, 16));
    assert_int_equal(pid_bytes[row->pid], atoi(f[2]));
    assert_true(row->first + row->width <= row->needs && row->needs <= atoi(f[2]));
    if (f[7][0])
        assert_string_equal(signal->path, f[7]);
    if (condition)
        valid = (unsigned)atoi(condition + 6);
    assert_int_equal(row->valid_mask, valid);
    assert_int_equal(row->ff_is_absent, strstr(f[1], "0xFF=not used") != NULL);
    for (int i = 0; i < 4096; i++) {
        double wanted, got;

        for (int k = 0; k < 16; k++)
            bytes[k] = (unsigned char)(i < 6 ? fills[i] : (unsigned)i * 2654435761u >> (k + i % 7));
        wanted = converted(evaluate(f[3], bytes), f[4], f[8]);
        got = decode(row, bytes);
        assert_true(fabs(got - wanted) <= fabs(wanted) * 1e-15);
        got = signal_round(row->signal, got);
        assert_true(got >= signal->lowest && got <= signal->highest);
    }
}

static void every_decode_row_is_the_formula_of_the_pid_table(void **state)
{
    FILE *file = open_table("proto/obd_pids.csv");
    char line[1024], *f[FIELDS_MAX];
    size_t at = 0;

    (void)state;
    while (fgets(line, sizeof line, file)) {
        assert_int_equal(cut(line, f), 9);
        if (strncmp(f[3], "bitmap", 6) == 0 || strncmp(f[3], "DTC", 3) == 0)
            continue; /* structures, not numbers */
        assert_in_range(at, 0, PID_ROWS - 1);
        check_row(&pid_rows[at++], f);
    }
    assert_int_equal(at, PID_ROWS);
    fclose(file);
}

static void neighbouring_raw_values_stay_apart_after_rounding(void **state)
{
    (void)state;
    for (size_t i = 0; i < PID_ROWS; i++) {
        const struct pid_row *row = &pid_rows[i];
        double before = NAN;

        if (row->mask || row->width > 2)
            continue;
        if (strcmp(signal_row(row->signal)->path, "Vehicle.TraveledDistance") == 0)
            continue;
        for (unsigned raw = 0; raw < 1u << 8 * row->width; raw++) {
            unsigned char bytes[16] = {0};
            double value;

            bytes[row->first] = (unsigned char)(row->width == 2 ? raw >> 8 : raw);
            bytes[row->first + row->width - 1] = (unsigned char)raw;
            value = signal_round(row->signal, decode(row, bytes));
            assert_true(value != before);
            before = value;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_compiled_table_is_the_csv_row_by_row),
        cmocka_unit_test(the_ids_the_code_names_are_those_of_the_table),
        cmocka_unit_test(a_path_that_is_not_ours_is_not_found),
        cmocka_unit_test(rounding_keeps_the_decimals_of_the_table),
        cmocka_unit_test(a_rounded_value_never_prints_more_digits_than_its_decimals),
        cmocka_unit_test(every_decode_row_is_the_formula_of_the_pid_table),
        cmocka_unit_test(neighbouring_raw_values_stay_apart_after_rounding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
