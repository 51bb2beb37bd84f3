/* services/api/settings.c - flags, environment names and defaults. */
#include "settings.h"

#include <string.h>

#include "lib/address.h"
#include "lib/store/influx.h"
#include "lib/store/postgres.h"

#define AT(member) SETTING_AT(struct api_settings, member)

const struct program api_program = {
    "vigie-api",
    "REST API, sign-in, enrolment and administration",
    "[serve] [settings]\n"
    "       vigie-api migrate\n"
    "       vigie-api pki init [--hosts NAMES]\n"
    "       vigie-api customer add NAME | list | keep DAYS [--customer ID]\n"
    "       vigie-api user add NAME [--role ROLE] [--locale fr|en] [--customer ID] | passwd NAME | "
    "list\n"
    "       vigie-api vehicle add VIN... [--customer ID] | list | restore VIN\n"
    "       vigie-api enroll-token VIN [--hours N] | issue VIN... --out DIR | revoke VIN\n"
    "       vigie-api audit verify\n"
    "       vigie-api dead-letter list [--vin VIN] [--reason WORD] [--limit N] | show ID\n"
    "       vigie-api dead-letter replay ID... | --vin VIN | --reason WORD [--limit N] [--wait "
    "MS]\n"
    "       vigie-api purge [--dry-run]\n"
    "dead-letter show: a file or a pipe gets the bytes of the letter alone, stderr what is known "
    "of\n"
    "  it; a terminal shows both, control characters escaped\n"
    "dead-letter replay: exit 0 when all letters asked for are stored, 1 when one is refused or "
    "waits,\n"
    "  or none is there\n"
    "What is asked for and is not there, is there already, or is another customer's: exit 1",
};

const struct setting api_table[] = {
    SETTINGS_COMMON(struct api_settings, common, "127.0.0.1:9102"),
    {"pg", SET_SECRET, "", AT(pg), "PostgreSQL connection string"},
    {"pki-dir", SET_TEXT, "pki", AT(pki_dir),
     "folder of certificates, token keys and the deny file"},
    {"listen", SET_TEXT, "127.0.0.1:8080", AT(listen), "serve: address of dashboard and API, HTTP"},
    {"listen-vehicles", SET_TEXT, "127.0.0.1:8443", AT(listen_vehicles),
     "serve: address for cars, HTTPS; none: not offered"},
    {"influx", SET_TEXT, "http://127.0.0.1:8086", AT(influx),
     "serve, purge: InfluxDB, credentials in it if any"},
    {"assets", SET_TEXT, "dashboard/dist", AT(assets), "serve: folder of the built dashboard"},
    {"brokers", SET_TEXT, "mqtts://127.0.0.1:8883", AT(brokers),
     "serve: ordered brokers a car is told at enrolment"},
    {"required-sites", SET_TEXT, "illkirch", AT(required_sites),
     "serve: sites that must have stored a record before a car forgets it"},
    {"mqtt", SET_TEXT, "", AT(mqtt),
     "serve: broker that commands and configurations go to; empty: none are sent"},
    {"ca", SET_TEXT, "", AT(ca), "serve: file: what the broker's certificate is verified with"},
    {"cert", SET_TEXT, "", AT(cert), "serve: file: our certificate, CN svc-api"},
    {"key", SET_TEXT, "", AT(key), "serve: file: its key"},
    {"origins", SET_TEXT, "http://127.0.0.1:8080,http://localhost:8080", AT(origins),
     "serve: exact addresses the dashboard is opened at, the first one told to browsers"},
    {"trusted-proxies", SET_TEXT, "", AT(trusted_proxies),
     "serve: addresses or blocks (10.0.0.0/8) of the proxies whose X-Forwarded-For is believed"},
    {"ws-url", SET_TEXT, "ws://127.0.0.1:8081", AT(ws_url), "serve: address of the live feed"},
    {"media-url", SET_TEXT, "", AT(media_url),
     "serve: address of photos and clips; empty: there are none"},
    {"password", SET_SECRET, "", AT(password),
     "user add, passwd: the password; absent: read from stdin"},
    {"customer", SET_TEXT, "", AT(customer), "id of the customer; absent: the only one there is"},
    {"role", SET_TEXT, "dispatcher", AT(role),
     "owner, admin, dispatcher, mechanic, driver or auditor"},
    {"name", SET_TEXT, "", AT(name), "user add: the person's name; vehicle add: the car's"},
    {"locale", SET_TEXT, "", AT(locale),
     "user add: fr or en; absent: what the person's browser speaks"},
    {"hosts", SET_TEXT, "localhost,127.0.0.1,::1", AT(hosts),
     "pki init: names in the server's certificate"},
    {"out", SET_TEXT, "", AT(out), "issue: folder for VIN/{key,cert,ca}.pem"},
    {"hours", SET_COUNT, "24", AT(hours), "enroll-token: life in hours, at most 168"},
    {"limit", SET_COUNT, "100", AT(limit), "dead-letter list, replay: rows at most"},
    {"vin", SET_TEXT, "", AT(vin), "dead-letter list, replay: those of this vehicle"},
    {"reason", SET_TEXT, "", AT(reason), "dead-letter list, replay: those put aside for this"},
    {"wait", SET_MILLIS, "10s", AT(wait_ms),
     "dead-letter replay: how long to wait for what becomes of them"},
    {"dry-run", SET_SWITCH, "off", AT(dry_run), "purge: count what would go, and keep it"},
    {"json", SET_SWITCH, "off", AT(json), "administration: print JSON"},
    {0},
};

enum status settings_check(const struct api_settings *set, struct fault *fault)
{
    struct influx *influx = NULL;
    struct address listen;
    struct pg *pg = NULL;
    enum status st;

    if (!set->pg[0])
        return fault_set(fault, ST_REJECT, "VIGIE_PG or VIGIE_PG_FILE is needed");
    if ((st = address_read(&listen, set->listen, fault)) == ST_OK &&
        strcmp(set->listen_vehicles, "none") != 0)
        st = address_read(&listen, set->listen_vehicles, fault);
    if (st == ST_OK && strcmp(set->common.admin, "none") != 0)
        st = address_read(&listen, set->common.admin, fault);
    if (st == ST_OK && set->mqtt[0] && !(set->ca[0] && set->cert[0] && set->key[0]))
        st = fault_set(fault, ST_REJECT, "--mqtt needs --ca, --cert and --key");
    if (st == ST_OK && (st = address_list_check(set->trusted_proxies, fault)) == ST_OK)
        st = origin_list_check(set->origins, fault);
    if (st == ST_OK && (st = pg_open(&pg, set->pg, "vigie-api", fault)) == ST_OK)
        st = influx_open(&influx, set->influx, "fleet", fault);
    influx_close(influx);
    pg_close(pg);
    return st;
}
