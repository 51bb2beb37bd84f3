/* vehicle/settings.c - see settings.h. */
#include "settings.h"

#include <stdio.h>
#include <string.h>

#include "config.h"
#include "gps.h"
#include "lib/text.h"
#include "lib/brokers.h"
#include "lib/address.h"
#include "lib/log.h"
#include "obd/address.h"
#include "proto/vin.h"

#define AT(member) SETTING_AT(struct vehicle_settings, member)

const struct program vehicle_program = {
    "vigie-vehicle",
    "the agent in the car: GPS and OBD-II in, an outbox that forgets nothing, MQTT out", NULL};

const struct setting vehicle_table[] = {
    {"vin", SET_TEXT, "", AT(vin),
     "17 characters; absent: the certificate's, else asked of the car"},
    {"brokers", SET_TEXT, "", AT(brokers),
     "mqtts://host:port,... in order; absent: as enrolment or config/1 said"},
    {"ca", SET_TEXT, "", AT(ca), "file with the roots that brokers and API are verified with"},
    {"cert", SET_TEXT, "", AT(cert),
     "file of the certificate chain; absent: vehicle.pem in the outbox folder"},
    {"key", SET_TEXT, "", AT(key),
     "file of the private key; absent: vehicle.key in the outbox folder"},
    {"api", SET_TEXT, "", AT(api),
     "https://host:port,... where to enrol, renew the certificate, fetch the configuration"},
    {"token-file", SET_TEXT, "", AT(token_file),
     "file with the one-time token; enrols when there is no certificate"},
    {"obd", SET_TEXT, "auto", AT(obd),
     "elm327:/dev/ttyUSB0?baud=38400, elm327+tcp:host:port, slcan:/dev/ttyACM0, socketcan:can0, "
     "auto or none"},
    {"makes", SET_TEXT, "", AT(makes),
     "folder of per-make tables (CSV), see vehicle/makes/README.md; absent: none"},
    {"gps", SET_TEXT, "gpsd:localhost:2947", AT(gps), "gpsd:host:port or none"},
    {"outbox", SET_TEXT, "/var/lib/vigie-vehicle", AT(outbox), "folder of the outbox"},
    {"outbox-limit", SET_COUNT, "512M", AT(outbox_limit),
     "bytes; beyond, the oldest telemetry goes, announced"},
    {"outbox-keep", SET_MILLIS, "1d", AT(outbox_keep_ms),
     "acknowledged records are kept so long (ms, s, m, h, d)"},
    {"send-rate", SET_COUNT, "50", AT(send_rate),
     "records a second at most, twice as many at once; 0: as many as are acknowledged"},
    {"private-file", SET_TEXT, "", AT(private_file),
     "private mode while this file is there: the button in the car; absent: no button"},
    {"obd-period", SET_MILLIS, "1s", AT(obd_period_ms),
     "length of a polling round; 0: as fast as the adapter answers"},
    {"obd-codes", SET_MILLIS, "5m", AT(obd_codes_ms),
     "trouble codes and readiness are read again this often, 1s .. 1d"},
    {"record", SET_MILLIS, "1s", AT(record_ms),
     "age of a record, 250ms .. 30s: what a power cut may cost"},
    {"encoding", SET_TEXT, "columnar", AT(encoding),
     "of telemetry: columnar, or json (some thirty times the bytes)"},
    {"config-trial", SET_MILLIS, "10m", AT(config_trial_ms),
     "so long brokers of a new config/1 are sought before the old ones are again, 1s .. 1d"},
    {"heartbeat", SET_MILLIS, "10m", AT(heartbeat_ms),
     "up/state is told again at least this often"},
    {"power-off", SET_TEXT, "", AT(power_off),
     "command that switches the machine off when the car's battery is empty; absent: only quiet"},
    {"power-file", SET_TEXT, "", AT(power_file),
     "file (a GPIO's value) that says that the supply is gone: what waits is written, then stop"},
    {"power-lost", SET_TEXT, "0", AT(power_lost), "what --power-file begins with then"},
    {"probe", SET_SWITCH, "off", AT(probe), "print what adapter and car answer, and exit"},
    {"status", SET_SWITCH, "off", AT(status), "print what the running agent is doing, and exit"},
    {"decode", SET_SWITCH, "off", AT(decode),
     "print what an adapter transcript on standard input says, as JSON, and exit"},
    SETTINGS_COMMON(struct vehicle_settings, common, "127.0.0.1:9110"),
    {0},
};

static enum status settings_files(struct vehicle_settings *set, struct fault *fault)
{
    if ((set->cert[0] == '\0') != (set->key[0] == '\0'))
        return fault_set(fault, ST_REJECT, "--cert and --key go together");
    if (set->cert[0] == '\0') {
        snprintf(set->cert, sizeof set->cert, "%.490s/vehicle.pem", set->outbox);
        snprintf(set->key, sizeof set->key, "%.490s/vehicle.key", set->outbox);
    }
    return ST_OK;
}

/* Empty: they come with the enrolment. */
static enum status brokers_check(const char *list, struct fault *fault)
{
    char copy[SETTING_TEXT_MAX], *rest = copy, *url;
    int n = 0;

    text_copy(copy, sizeof copy, list);
    while ((url = strsep(&rest, ",")) != NULL) {
        if (list[0] && !broker_is_url(url))
            return fault_set(fault, ST_REJECT, "--brokers: \"%.80s\" is not mqtts://host:port",
                             url);
        n++;
    }
    return n > BROKERS_MAX ? fault_set(fault, ST_REJECT, "--brokers: at most %d", BROKERS_MAX)
                           : ST_OK;
}

/* "localhost", "127.x.x.x" or "[::1]", then a port, a path or nothing. */
static bool is_loopback(const char *host)
{
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");

    return (len == 9 && strncmp(host, "localhost", len) == 0) ||
           (len == 5 && strncmp(host, "[::1]", len) == 0) ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == len);
}

/* The one-time token goes there: in clear text nowhere but within the machine. */
static enum status api_check(const char *list, struct fault *fault)
{
    char copy[SETTING_TEXT_MAX], *rest = copy, *url;

    text_copy(copy, sizeof copy, list);
    while (list[0] && (url = strsep(&rest, ",")) != NULL) {
        bool tls = strncmp(url, "https://", 8) == 0, clear = strncmp(url, "http://", 7) == 0;
        const char *host = url + (tls ? 8 : 7);

        if ((!tls && !clear) || strcspn(host, ":/") == 0)
            return fault_set(fault, ST_REJECT, "--api: \"%.80s\" is not https://host:port", url);
        if (clear && !is_loopback(host))
            return fault_set(fault, ST_REJECT,
                             "--api: \"%.80s\" would tell the token to everybody: https://", url);
    }
    return ST_OK;
}

static enum status admin_check(const char *text, struct fault *fault)
{
    struct address listen;

    if (!text[0] || strcmp(text, "none") == 0)
        return ST_OK;
    return address_read(&listen, text, fault);
}

enum status vehicle_settings_check(struct vehicle_settings *set, struct fault *fault)
{
    struct obd_address address;
    enum log_level level;
    enum status st;

    if (set->vin[0] != '\0' && !vin_is_valid(set->vin, strlen(set->vin)))
        return fault_set(fault, ST_REJECT,
                         "--vin: 17 characters, capital letters without I O Q, and digits");
    if (set->outbox[0] == '\0' || strlen(set->outbox) > 480)
        return fault_set(fault, ST_REJECT, "--outbox: the folder is missing or its name too long");
    if (set->outbox_limit < 1024 * 1024)
        return fault_set(fault, ST_REJECT, "--outbox-limit: at least 1M");
    if (set->record_ms < CONFIG_RECORD_MS_LOWEST || set->record_ms > CONFIG_RECORD_MS_HIGHEST)
        return fault_set(fault, ST_REJECT, "--record: %dms .. %ds", CONFIG_RECORD_MS_LOWEST,
                         CONFIG_RECORD_MS_HIGHEST / 1000);
    if (strcmp(set->encoding, "json") != 0 && strcmp(set->encoding, "columnar") != 0)
        return fault_set(fault, ST_REJECT, "--encoding: json or columnar");
    if (set->heartbeat_ms < 1000 || set->heartbeat_ms > 600000)
        return fault_set(fault, ST_REJECT, "--heartbeat: 1s .. 10m");
    if (strlen(set->power_lost) != 1)
        return fault_set(fault, ST_REJECT, "--power-lost: one character");
    if (set->config_trial_ms < 1000 || set->config_trial_ms > 86400000)
        return fault_set(fault, ST_REJECT, "--config-trial: 1s .. 1d");
    if (set->obd_period_ms > 60000)
        return fault_set(fault, ST_REJECT, "--obd-period: at most 60s");
    if (set->obd_codes_ms < 1000 || set->obd_codes_ms > 86400000)
        return fault_set(fault, ST_REJECT, "--obd-codes: 1s .. 1d");
    if ((st = obd_address_read(&address, set->obd, fault)) != ST_OK ||
        (st = gps_check(set->gps, fault)) != ST_OK ||
        (st = brokers_check(set->brokers, fault)) != ST_OK ||
        (st = api_check(set->api, fault)) != ST_OK ||
        (st = admin_check(set->common.admin, fault)) != ST_OK ||
        (st = log_parse_level(set->common.log_level, &level, fault)) != ST_OK)
        return st;
    return settings_files(set, fault);
}
