/* A CAN interface of the kernel as a link, without one: a pair of sockets carries the frames, and
 * at the other end is a car that does ISO 15765-2 with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/can.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vehicle/obd/address.h"
#include "vehicle/obd/can_link.h"
#include "vehicle/obd/socketcan.h"

static const char vin[] = "WVWZZZ1KZAW000001";

struct car {
    int fd;
    bool extended;
    bool noisy; /* other traffic, error frames and remote requests between its answers */
    atomic_uint flows;
    pthread_t thread;
};

static void car_say(struct car *c, uint32_t id, const uint8_t *data, uint8_t len)
{
    struct can_frame f = {.can_id = id, .can_dlc = len};

    memcpy(f.data, data, len);
    assert_int_equal(write(c->fd, &f, sizeof f), (ssize_t)sizeof f);
}

static void car_noise(struct car *c)
{
    static const uint8_t other[8] = {0x04, 0x41, 0x0C, 0xFF, 0xFF};
    static const char half[5] = "oops";

    car_say(c, CAN_ERR_FLAG | 4, other, 8);
    car_say(c, 0x7E8 | CAN_RTR_FLAG, other, 0);
    car_say(c, 0x3E5, other, 8);
    car_say(c, (c->extended ? 0x7E8 : 0x18DAF110U | CAN_EFF_FLAG), other, 8);
    assert_int_equal(write(c->fd, half, sizeof half), (ssize_t)sizeof half);
}

static void car_vin(struct car *c, uint32_t id)
{
    uint8_t first[8] = {0x10, 20, 0x49, 0x02, 0x01}, next[8] = {0x21}, last[8] = {0x22};
    struct can_frame flow;

    memcpy(first + 5, vin, 3);
    memcpy(next + 1, vin + 3, 7);
    memcpy(last + 1, vin + 10, 7);
    car_say(c, id, first, 8);
    if (read(c->fd, &flow, sizeof flow) != (ssize_t)sizeof flow)
        return;
    if ((flow.data[0] & 0xF0) == 0x30)
        atomic_fetch_add(&c->flows, 1);
    car_say(c, id, next, 8);
    if (c->noisy)
        car_noise(c);
    car_say(c, id, last, 8);
}

static void *car_run(void *self)
{
    struct car *c = self;
    struct can_frame f;
    const uint8_t bitmap[8] = {0x06, 0x41, 0x00, 0x88, 0x3B, 0x80, 0x10},
                  rpm[8] = {0x04, 0x41, 0x0C, 0x0C, 0x08};
    uint32_t all = c->extended ? 0x18DB33F1U | CAN_EFF_FLAG : 0x7DF,
             one = c->extended ? 0x18DA10F1U | CAN_EFF_FLAG : 0x7E0,
             me = c->extended ? 0x18DAF110U | CAN_EFF_FLAG : 0x7E8;

    while (read(c->fd, &f, sizeof f) == (ssize_t)sizeof f) {
        if (f.can_id != all && f.can_id != one)
            continue;
        if (c->noisy)
            car_noise(c);
        if (f.data[1] == 0x01 && f.data[2] == 0x00)
            car_say(c, me, bitmap, 8);
        else if (f.data[1] == 0x01 && f.data[2] == 0x0C)
            car_say(c, me, rpm, 8);
        else if (f.data[1] == 0x09 && f.data[2] == 0x02)
            car_vin(c, me);
    }
    return NULL;
}

static struct link *plug(struct car *c)
{
    struct can_port *port = NULL;
    struct link *link = NULL;
    struct fault fault;
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    c->fd = ends[1];
    assert_int_equal(pthread_create(&c->thread, NULL, car_run, c), 0);
    assert_int_equal(socketcan_port(&port, ends[0], 500000, &fault), ST_OK);
    assert_int_equal(can_link_open(&link, port, "test", '0', &fault), ST_OK);
    return link;
}

static void unplug(struct car *c, struct link *link)
{
    link->close(link);
    pthread_join(c->thread, NULL);
    close(c->fd);
}

static struct link_answer ask(struct link *link, uint8_t service, uint8_t pid)
{
    struct link_request request = {.bytes = {service, pid}, .len = 2};
    struct link_answer answer;
    struct fault fault;

    assert_int_equal(link->request(link, &request, &answer, &fault), ST_OK);
    return answer;
}

static void read_car(struct car *c, char protocol, uint32_t ecu)
{
    struct link *link = plug(c);
    struct link_answer answer;
    struct fault fault;

    assert_int_equal(link->search(link, &answer, &fault), ST_OK);
    assert_int_equal(link->protocol, protocol);
    answer = ask(link, 0x01, 0x0C);
    assert_int_equal(answer.outcome, LINK_ANSWERED);
    assert_int_equal(answer.messages[0].ecu, ecu);
    assert_memory_equal(answer.bytes + answer.messages[0].at, "\x41\x0C\x0C\x08", 4);
    answer = ask(link, 0x09, 0x02);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.messages[0].len, 20);
    assert_memory_equal(answer.bytes + answer.messages[0].at + 3, vin, 17);
    assert_true(atomic_load(&c->flows) >= 1);
    assert_int_equal(ask(link, 0x01, 0x05).outcome, LINK_NO_DATA);
    unplug(c, link);
}

static void a_car_with_short_ids_is_read(void **state)
{
    struct car car = {.extended = false};

    (void)state;
    read_car(&car, '6', 0x7E8);
}

static void a_car_with_long_ids_is_read(void **state)
{
    struct car car = {.extended = true};

    (void)state;
    read_car(&car, '7', 0x18DAF110);
}

static void other_traffic_is_not_taken_for_an_answer(void **state)
{
    struct car car = {.noisy = true};
    struct link *link = plug(&car);
    struct link_answer answer;
    struct fault fault;

    (void)state;
    assert_int_equal(link->search(link, &answer, &fault), ST_OK);
    assert_int_equal(link->protocol, '6');
    for (int i = 0; i < 5; i++) {
        answer = ask(link, 0x01, 0x0C);
        assert_int_equal(answer.count, 1);
        assert_memory_equal(answer.bytes + answer.messages[0].at, "\x41\x0C\x0C\x08", 4);
    }
    unplug(&car, link);
}

static void an_interface_that_goes_away_is_told(void **state)
{
    struct can_port *port = NULL;
    struct can_packet packet = {.id = 0x7DF, .len = 8};
    struct fault fault;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    assert_int_equal(socketcan_port(&port, ends[0], 250000, &fault), ST_OK);
    assert_int_equal(port->tune(port, 500, &fault), ST_REJECT); /* it has one speed */
    assert_int_equal(port->tune(port, 250, &fault), ST_OK);
    assert_int_equal(port->alive(port, &fault), ST_OK);
    assert_int_equal(port->receive(port, &packet, 0, &fault), ST_NONE);
    close(ends[1]);
    assert_int_equal(port->send(port, &packet, &fault), ST_RETRY);
    assert_int_equal(port->receive(port, &packet, 0, &fault), ST_RETRY);
    assert_int_equal(port->alive(port, &fault), ST_RETRY);
    port->close(port);
}

static void a_missing_interface_is_told_in_words(void **state)
{
    struct link *link = NULL;
    struct fault fault = {""};

    (void)state;
    assert_int_equal(socketcan_open(&link, "nocan9", 0, '0', &fault), ST_RETRY);
    assert_non_null(strstr(fault.text, "nocan9: "));
    assert_null(link);
}

static void the_setting_names_an_interface_and_its_speed(void **state)
{
    struct obd_address a;
    struct fault fault;

    (void)state;
    assert_int_equal(obd_address_read(&a, "socketcan:can0", &fault), ST_OK);
    assert_true(a.kind == OBD_SOCKETCAN && a.baud == 0);
    assert_string_equal(a.name, "can0");
    assert_int_equal(obd_address_read(&a, "socketcan:can1?baud=250000", &fault), ST_OK);
    assert_int_equal(a.baud, 250000);
    assert_int_equal(obd_address_read(&a, "socketcan:", &fault), ST_REJECT);
    assert_int_equal(obd_address_read(&a, "socketcan:/dev/can0", &fault), ST_REJECT);
    assert_int_equal(obd_address_read(&a, "socketcan:can0?baud=38400", &fault), ST_REJECT);
    assert_int_equal(obd_address_read(&a, "socketcan:averylonginterface", &fault), ST_REJECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_car_with_short_ids_is_read),
        cmocka_unit_test(a_car_with_long_ids_is_read),
        cmocka_unit_test(other_traffic_is_not_taken_for_an_answer),
        cmocka_unit_test(an_interface_that_goes_away_is_told),
        cmocka_unit_test(a_missing_interface_is_told_in_words),
        cmocka_unit_test(the_setting_names_an_interface_and_its_speed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
