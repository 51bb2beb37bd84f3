/* lib/mqtt.c - opening and closing of the MQTT client: settings checked and copied.  Then read
 * mqtt_link.c. */
#include "lib/mqtt_inside.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Paho's threads are detached, and still let go of what OpenSSL keeps for each when
 * MQTTAsync_destroy takes them for ended: a program that ended then would crash, OpenSSL having
 * freed it all.  So it frees nothing at the end.  Whoever uses OpenSSL first decides that, thus
 * before main. */
__attribute__((constructor)) static void keep_openssl(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

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

static void release(struct mqtt *m)
{
    brokers_free(&m->brokers);
    for (size_t i = 0; i < m->filter_room; i++)
        free(m->filters[i].text);
    free(m->filters);
    mqtt_options_free(&m->options);
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
    rc = MQTTAsync_createWithOptions(&m->client, brokers_now(&m->brokers), m->options.client_id,
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

    m = allocate();
    if (!m)
        return fault_set(fault, ST_FATAL, "MQTT client: out of memory");
    st = mqtt_options_copy(&m->options, options, fault);
    if (st == ST_OK)
        st = brokers_take(&m->brokers, options->brokers ? options->brokers : "", fault);
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
