/* A program that ends right after its MQTT client, against Mosquitto
 * (tests/integration/test_edges.py).  Paho detaches its threads and takes them for ended before
 * they are: OpenSSL's part of their end, which begins with a lock of OpenSSL's own, is held up here
 * until the program has done everything else. */
#include "tests/unit/lib/heard.h"

#include <dlfcn.h>
#include <openssl/rand.h>
#include <signal.h>
#include <unistd.h>

#define THREADS_MAX 8

static int (*take_lock)(pthread_rwlock_t *);
static pthread_key_t key; /* older than OpenSSL's, so that a thread lets go of it first */
static pthread_t first;
static atomic_bool armed, over;
static atomic_int met, held; /* threads that used OpenSSL, and those of them that are ending */
static pid_t thread[THREADS_MAX];
static _Thread_local bool known, ending;

static void on_end(void *value)
{
    (void)value;
    ending = true;
}

static int alive(void)
{
    int count = 0;

    for (int i = 0; i < met && i < THREADS_MAX; i++)
        count += tgkill(getpid(), thread[i], 0) == 0;
    return count;
}

/* The last that is done in this process: what was registered first comes last. */
static void see_them_end(void)
{
    atomic_store(&over, true);
    for (int i = 0; i < 1000 && alive() > 0; i++)
        nap_ms(10);
}

__attribute__((constructor(101))) static void before_openssl(void)
{
    *(void **)&take_lock = dlsym(RTLD_NEXT, "pthread_rwlock_wrlock");
    first = pthread_self();
    if (pthread_key_create(&key, on_end) != 0 || atexit(see_them_end) != 0)
        abort();
}

static void meet(void)
{
    int i = atomic_fetch_add(&met, 1);

    known = true;
    if (i < THREADS_MAX)
        thread[i] = gettid();
    pthread_setspecific(key, &key);
}

/* In the place of the C library's, for OpenSSL as well. */
int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    if (atomic_load(&armed) && !known && !pthread_equal(pthread_self(), first))
        meet();
    if (ending && !atomic_load(&over)) {
        atomic_fetch_add(&held, 1);
        for (int i = 0; i < 1000 && !atomic_load(&over); i++)
            nap_ms(10);
    }
    return take_lock(lock);
}

/* They end with the program, whose exit status is the test's other half. */
static void all_are_held(void)
{
    WAIT_FOR(held > 0 && held == met);
}

static void a_program_may_end_before_pahos_threads_have(void **state)
{
    struct heard h;
    struct mqtt *m;

    (void)state;
    m = open_connected(&h, "leaver");
    assert_int_equal(send_text(m, "test/leaver", "x", 1), ST_OK);
    WAIT_FOR(mqtt_unsent_bytes(m) == 0);
    mqtt_close(m);
    all_are_held();
}

static void *use_openssl(void *unused)
{
    unsigned char byte;

    (void)unused;
    return RAND_bytes(&byte, 1) == 1 ? NULL : &key;
}

static void a_program_may_end_before_a_thread_that_used_openssl_has(void **state)
{
    pthread_t one;

    (void)state;
    mqtt_close(NULL); /* this program has a client, only not now */
    assert_int_equal(pthread_create(&one, NULL, use_openssl, NULL), 0);
    assert_int_equal(pthread_detach(one), 0);
    all_are_held();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest with_server[] = {
        cmocka_unit_test(a_program_may_end_before_pahos_threads_have),
    };
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(a_program_may_end_before_a_thread_that_used_openssl_has),
    };

    atomic_store(&armed, true);
    return RUN_SERVED(argc, argv, "VIGIE_TEST_BROKER", with_server, alone);
}
