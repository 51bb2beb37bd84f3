/* lib/mqtt.c - opening and closing of the MQTT client: settings checked and copied.  Then read
 * mqtt_link.c. */
#include "lib/mqtt_inside.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KEEPALIVE_S 30

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare_paho(void)
{
    MQTTAsync_init_options init = MQTTAsync_init_options_initializer;

    init.do_openssl_init = 0; /* OpenSSL 3 does it itself, and others in this process use it too */
    MQTTAsync_global_init(&init);
    /* Nobody reads its trace.  ERROR is the highest level that is heeded where it is written down:
     * above that it goes on writing what each function does, only nothing of it comes out. */
    MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);
}

bool mqtt_is_broker(const char *url)
{
    const char *host, *port;
    char *end;
    long n;

    if (strncmp(url, "mqtts://", 8) != 0)
        return false;
    host = url + 8;
    port = strrchr(host, ':');
    if (!port || port == host || strpbrk(host, "/?#@ \t"))
        return false;
    n = strtol(port + 1, &end, 10);
    return port[1] >= '0' && port[1] <= '9' && *end == '\0' && n >= 1 && n <= 65535;
}

static enum status take_brokers(struct mqtt *m, const char *list, struct fault *fault)
{
    while (*list) {
        size_t n = strcspn(list, ",");
        char *url;

        if (m->broker_count == MQTT_BROKERS_MAX)
            return fault_set(fault, ST_REJECT, "more than %d brokers", MQTT_BROKERS_MAX);
        url = strndup(list, n);
        if (!url)
            return fault_set(fault, ST_FATAL, "MQTT client: out of memory");
        m->brokers[m->broker_count++] = url;
        if (!mqtt_is_broker(url))
            return fault_set(fault, ST_REJECT, "broker \"%s\" is not mqtts://host:port", url);
        list += n + (list[n] == ',');
    }
    if (m->broker_count == 0)
        return fault_set(fault, ST_REJECT, "no broker given");
    return ST_OK;
}

static enum status check_file(const char *what, const char *path, struct fault *fault)
{
    if (!path || !*path)
        return fault_set(fault, ST_REJECT, "MQTT %s file: none given", what);
    if (access(path, R_OK) != 0)
        return fault_set(fault, ST_REJECT, "MQTT %s file %s: %m", what, path);
    return ST_OK;
}

static bool copy_text(const char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

static bool copy_options(struct mqtt *m, const struct mqtt_options *from)
{
    struct mqtt_options *to = &m->options;

    to->keepalive_s = from->keepalive_s > 0 ? from->keepalive_s : KEEPALIVE_S;
    to->on_message = from->on_message;
    to->on_connection = from->on_connection;
    to->on_refused = from->on_refused;
    to->self = from->self;
    if (from->will_topic) {
        char *payload = malloc(from->will_len + 1);

        if (!payload)
            return false;
        if (from->will_len > 0)
            memcpy(payload, from->will_payload, from->will_len);
        to->will_payload = payload;
        to->will_len = from->will_len;
    }
    return copy_text(&to->will_topic, from->will_topic) &&
           copy_text(&to->client_id, from->client_id) && copy_text(&to->ca, from->ca) &&
           copy_text(&to->cert, from->cert) && copy_text(&to->key, from->key);
}

static void release(struct mqtt *m)
{
    for (size_t i = 0; i < m->broker_count; i++)
        free(m->brokers[i]);
    for (size_t i = 0; i < m->filter_room; i++)
        free(m->filters[i].text);
    free(m->filters);
    free((char *)m->options.will_topic);
    free((char *)m->options.will_payload);
    free((char *)m->options.client_id);
    free((char *)m->options.ca);
    free((char *)m->options.cert);
    free((char *)m->options.key);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static struct mqtt *allocate(void)
{
    struct mqtt *m = calloc(1, sizeof *m);
    pthread_condattr_t clock;

    if (!m)
        return NULL;
    m->backoff = (struct backoff)BACKOFF_START;
    m->told_broker = SIZE_MAX;
    STAILQ_INIT(&m->waiting);
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&m->changed, &clock);
    pthread_condattr_destroy(&clock);
    return m;
}

static enum status start_client(struct mqtt *m, struct fault *fault)
{
    MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer5;
    int rc;

    pthread_once(&once, prepare_paho);
    create.sendWhileDisconnected = 0;
    create.maxBufferedMessages = MQTT_UNSENT_MESSAGES_MAX;
    rc = MQTTAsync_createWithOptions(&m->client, m->brokers[0], m->options.client_id,
                                     MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
    if (rc != MQTTASYNC_SUCCESS)
        return fault_set(fault, rc == MQTTASYNC_BAD_UTF8_STRING ? ST_REJECT : ST_FATAL,
                         "MQTT client: %s", MQTTAsync_strerror(rc));
    if (mqtt_link_start(m) != 0) {
        MQTTAsync_destroy(&m->client);
        return fault_set(fault, ST_FATAL, "MQTT client: cannot start");
    }
    return ST_OK;
}

enum status mqtt_open(struct mqtt **out, const struct mqtt_options *options, struct fault *fault)
{
    struct mqtt *m;
    enum status st;

    if (!options->client_id || !*options->client_id)
        return fault_set(fault, ST_REJECT, "MQTT client id: none given");
    if (options->will_len > 65535)
        return fault_set(fault, ST_REJECT, "last will of %zu bytes", options->will_len);
    if ((st = check_file("CA", options->ca, fault)) != ST_OK ||
        (st = check_file("certificate", options->cert, fault)) != ST_OK ||
        (st = check_file("key", options->key, fault)) != ST_OK)
        return st;
    m = allocate();
    if (!m)
        return fault_set(fault, ST_FATAL, "MQTT client: out of memory");
    st = take_brokers(m, options->brokers ? options->brokers : "", fault);
    if (st == ST_OK && !copy_options(m, options))
        st = fault_set(fault, ST_FATAL, "MQTT client: out of memory");
    if (st == ST_OK)
        st = start_client(m, fault);
    if (st != ST_OK) {
        release(m);
        return st;
    }
    *out = m;
    return ST_OK;
}

void mqtt_close(struct mqtt *m)
{
    if (!m)
        return;
    mqtt_link_stop(m);
    atomic_store(&m->connected, false);
    MQTTAsync_destroy(&m->client); /* fails what is still under way, so every errand is settled */
    mqtt_forget_waiting(m);
    release(m);
}
