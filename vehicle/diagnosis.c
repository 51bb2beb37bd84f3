/* vehicle/diagnosis.c - see diagnosis.h. */
#include "diagnosis.h"

#include <jansson.h>
#include <stdio.h>

#include "proto/signals.h"

static json_t *diagnosis_codes(const struct diagnosis *d)
{
    json_t *list = json_array();
    char ecu[LINK_ECU_TEXT];

    for (size_t i = 0; i < d->dtcs.count; i++) {
        const struct dtc *code = &d->dtcs.codes[i];
        json_t *item =
            json_pack("{s:s, s:s}", "code", code->code, "state", dtc_state_name(code->state));

        link_print_ecu(ecu, code->ecu);
        if (ecu[0] != '\0')
            json_object_set_new(item, "ecu", json_string(ecu));
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *diagnosis_lists(const struct diagnosis *d)
{
    json_t *lists = json_object();

    for (int state = DTC_STORED; state < DTC_STATES; state++)
        json_object_set_new(lists, dtc_state_name((enum dtc_state)state),
                            json_string(dtc_list_name(d->dtcs.lists[state])));
    return lists;
}

static json_t *diagnosis_readiness(const struct readiness *r)
{
    json_t *object = json_object();

    for (unsigned i = 0; i < MONITORS; i++)
        if (r->supported[i])
            json_object_set_new(object, readiness_monitor(i),
                                json_string(r->complete[i] ? "complete" : "incomplete"));
    return object;
}

static json_t *diagnosis_supported(const struct diagnosis *d)
{
    json_t *list = json_array();
    char text[3];

    for (unsigned pid = 0; pid < 256; pid++)
        if (d->supported[pid]) {
            snprintf(text, sizeof text, "%02X", pid);
            json_array_append_new(list, json_string(text));
        }
    return list;
}

static json_t *diagnosis_frame(const struct frozen *f)
{
    json_t *frame = json_pack("{s:s}", "dtc", f->code), *values = json_object();
    char ecu[LINK_ECU_TEXT];

    link_print_ecu(ecu, f->ecu);
    if (ecu[0] != '\0')
        json_object_set_new(frame, "ecu", json_string(ecu));
    for (size_t i = 0; i < f->count; i++) {
        const struct signal_row *row = signal_row(f->readings[i].signal);

        if (row != NULL)
            json_object_set_new(
                values, row->path,
                json_real(signal_round(f->readings[i].signal, f->readings[i].value)));
    }
    json_object_set_new(frame, "s", values);
    return frame;
}

/* The first as everybody knows it; where several ECUs keep one, all of them besides. */
static void diagnosis_frames(json_t *message, const struct frozen_set *set)
{
    json_t *all = json_array();

    for (size_t i = 0; i < set->count; i++)
        json_array_append_new(all, diagnosis_frame(&set->frames[i]));
    if (set->count > 0)
        json_object_set(message, "freeze_frame", json_array_get(all, 0));
    if (set->count > 1)
        json_object_set(message, "freeze_frames", all);
    json_decref(all);
}

static json_t *diagnosis_calibrations(const struct calibrations *c)
{
    json_t *list = json_array();
    char ecu[LINK_ECU_TEXT];

    for (size_t i = 0; i < c->count; i++) {
        json_t *item = json_pack("{s:s}", "id", c->list[i].id);

        link_print_ecu(ecu, c->list[i].ecu);
        if (ecu[0] != '\0')
            json_object_set_new(item, "ecu", json_string(ecu));
        if (c->list[i].cvn[0] != '\0')
            json_object_set_new(item, "cvn", json_string(c->list[i].cvn));
        json_array_append_new(list, item);
    }
    return list;
}

static void diagnosis_fill(json_t *message, const struct diagnosis *d)
{
    char protocol[2] = {d->protocol, '\0'};

    if (d->vin[0] != '\0')
        json_object_set_new(message, "vin", json_string(d->vin));
    if (d->protocol > '0')
        json_object_set_new(message, "protocol", json_string(protocol));
    if (d->readiness.known) {
        json_object_set_new(message, "mil", json_boolean(d->readiness.mil_on));
        json_object_set_new(message, "readiness", diagnosis_readiness(&d->readiness));
    }
    json_object_set_new(message, "dtcs", diagnosis_codes(d));
    json_object_set_new(message, "lists", diagnosis_lists(d));
    diagnosis_frames(message, &d->frozen);
    if (d->calibrations.count > 0)
        json_object_set_new(message, "calibrations", diagnosis_calibrations(&d->calibrations));
}

static enum status diagnosis_print(json_t *message, char *out, size_t size, size_t *len,
                                   struct fault *fault)
{
    size_t written = json_dumpb(message, out, size, JSON_COMPACT);

    json_decref(message);
    if (written == 0 || written > size)
        return fault_set(fault, ST_REJECT, "a diagnosis does not fit into %zu bytes", size);
    *len = written;
    return ST_OK;
}

enum status diagnosis_write(const struct diagnosis *d, const struct envelope *head, char *out,
                            size_t size, size_t *len, struct fault *fault)
{
    json_t *message = json_pack("{s:s, s:s, s:I, s:s, s:I}", "schema", "diagnostics/1", "stream",
                                head->stream, "seq", (json_int_t)head->seq, "clock",
                                clock_name(head->clock), "t", (json_int_t)d->t_ms);

    diagnosis_fill(message, d);
    json_object_set_new(message, "supported", diagnosis_supported(d));
    return diagnosis_print(message, out, size, len, fault);
}
