/* What is small does not wait in the kernel for the answer to what went before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/mqtt_inside.h"

/* A listener on a free port of the loopback. */
static int listen_on(struct sockaddr_in *at)
{
    socklen_t len = sizeof *at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)at, sizeof *at), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
    return fd;
}

static int connect_to(const struct sockaddr_in *at)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)at, sizeof *at), 0);
    return fd;
}

static bool sends_at_once(int fd)
{
    int on = 0;
    socklen_t len = sizeof on;

    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    return on != 0;
}

static void only_what_leads_to_the_broker_sends_at_once(void **state)
{
    struct sockaddr_in broker, other;
    int listeners[] = {listen_on(&broker), listen_on(&other)};
    int ours = connect_to(&broker), else_where = connect_to(&other);
    char url[64];

    (void)state;
    snprintf(url, sizeof url, "mqtts://localhost:%d", ntohs(broker.sin_port));
    assert_false(sends_at_once(ours));
    mqtt_send_at_once(url);
    assert_true(sends_at_once(ours));
    assert_false(sends_at_once(else_where));
    close(ours);
    close(else_where);
    close(listeners[0]);
    close(listeners[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_leads_to_the_broker_sends_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
