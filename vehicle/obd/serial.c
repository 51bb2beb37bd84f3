/* vehicle/obd/serial.c - see serial.h.  libserialport opens and sets up real ports; all reading and
 * writing is poll, read and write on the file descriptor, so the three backends behave the same. */
#include "serial.h"

#include <errno.h>
#include <fcntl.h>
#include <libserialport.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/stop.h"

#define SERIAL_FLUSH_READS 4096 /* 16 MiB */
#define SERIAL_CONNECT_MS 5000
#define SERIAL_SLICE_MS 200 /* how often a wait looks for stop */

struct serial {
    int fd;
    struct sp_port *port; /* owns fd when not NULL */
};

static enum status serial_errno(struct fault *fault, const char *name, const char *what)
{
    return fault_set(fault, ST_RETRY, "%s: %s: %s", name, what, strerror(errno));
}

/* Wait for `events`; ST_NONE at the deadline or on stop. */
static enum status serial_wait(int fd, short events, int64_t deadline_ms, struct fault *fault)
{
    struct pollfd p = {.fd = fd, .events = events};
    int64_t left;
    int n;

    for (;;) {
        left = deadline_ms - clock_boot_ms();
        if (left < 0)
            left = 0;
        n = poll(&p, 1, left > SERIAL_SLICE_MS ? SERIAL_SLICE_MS : (int)left);
        if (n > 0)
            return ST_OK;
        if (n < 0 && errno != EINTR)
            return fault_set(fault, ST_RETRY, "poll: %s", strerror(errno));
        if (!stop_pause(0) || clock_boot_ms() >= deadline_ms)
            return ST_NONE;
    }
}

/* ---- TCP */

static int serial_dial(const struct addrinfo *ai, struct fault *fault)
{
    int on = 1, error = 0,
        fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof error;

    if (fd < 0) {
        fault_set(fault, ST_RETRY, "socket: %s", strerror(errno));
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (connect(fd, ai->ai_addr, ai->ai_addrlen) == 0)
        return fd;
    if (errno == EINPROGRESS &&
        serial_wait(fd, POLLOUT, clock_boot_ms() + SERIAL_CONNECT_MS, fault) == ST_OK &&
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
        return fd;
    fault_set(fault, ST_RETRY, "connect: %s", error != 0 ? strerror(error) : "no answer");
    close(fd);
    return -1;
}

static enum status serial_open_tcp(struct serial *s, const char *name, struct fault *fault)
{
    const char *colon = strrchr(name, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char host[256];
    size_t n = (size_t)(colon - name);
    int rc;

    if (n >= 2 && name[0] == '[' && name[n - 1] == ']')
        name++, n -= 2;
    if (n == 0 || n >= sizeof host)
        return fault_set(fault, ST_REJECT, "%s: not host:port", name);
    memcpy(host, name, n);
    host[n] = '\0';
    rc = getaddrinfo(host, colon + 1, &hints, &found);
    if (rc != 0)
        return fault_set(fault, ST_RETRY, "%s: %s", name, gai_strerror(rc));
    for (struct addrinfo *ai = found; ai != NULL && s->fd < 0; ai = ai->ai_next)
        s->fd = serial_dial(ai, fault);
    freeaddrinfo(found);
    return s->fd < 0 ? ST_RETRY : ST_OK;
}

/* ---- devices */

static const struct {
    int baud;
    speed_t speed;
} serial_speeds[] = {{9600, B9600},     {19200, B19200},    {38400, B38400},   {57600, B57600},
                     {115200, B115200}, {230400, B230400},  {460800, B460800}, {500000, B500000},
                     {921600, B921600}, {1000000, B1000000}};

/* It holds against root too, whom TIOCEXCL does not keep out. */
static bool serial_is_in_use(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

static enum status serial_in_use(const char *name, struct fault *fault)
{
    return fault_set(fault, ST_RETRY,
                     "%s is in use by another program (a running agent? systemctl stop "
                     "vigie-vehicle)",
                     name);
}

static enum status serial_set_up(int fd, const char *name, int baud, struct fault *fault)
{
    struct termios tio;
    speed_t speed = 0;

    if (serial_is_in_use(fd))
        return serial_in_use(name, fault);
    if (tcgetattr(fd, &tio) != 0)
        return serial_errno(fault, name, "not a terminal");
    cfmakeraw(&tio);
    tio.c_cflag |= CLOCAL | CREAD;
    tio.c_cflag &= ~(tcflag_t)HUPCL; /* dropping DTR resets adapters */
    tio.c_cc[VMIN] = 1;
    tio.c_cc[VTIME] = 0;
    for (size_t i = 0; i < sizeof serial_speeds / sizeof serial_speeds[0]; i++)
        if (serial_speeds[i].baud == baud)
            speed = serial_speeds[i].speed;
    if (baud != 0 && speed == 0)
        return fault_set(fault, ST_REJECT, "%s: %d baud is not a speed we can set", name, baud);
    if (speed != 0 && (cfsetispeed(&tio, speed) != 0 || cfsetospeed(&tio, speed) != 0))
        return serial_errno(fault, name, "speed");
    if (tcsetattr(fd, TCSANOW, &tio) != 0)
        return serial_errno(fault, name, "tcsetattr");
    if (strncmp(name, "/dev/pts/", 9) !=
        0) /* there it would outlive us while the other side holds it open */
        (void)ioctl(fd, TIOCEXCL);
    return ST_OK;
}

static enum status serial_open_posix(struct serial *s, const char *path, int baud,
                                     struct fault *fault)
{
    enum status st;
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return errno == EBUSY ? serial_in_use(path, fault) : serial_errno(fault, path, "open");
    if ((st = serial_set_up(fd, path, baud, fault)) != ST_OK) {
        close(fd);
        return st;
    }
    s->fd = fd;
    return ST_OK;
}

/* True when libserialport took it. */
static bool serial_open_port(struct serial *s, const char *path, int baud, struct fault *fault)
{
    struct sp_port *port = NULL;
    int fd = -1;

    if (sp_get_port_by_name(path, &port) != SP_OK)
        return false;
    if (sp_open(port, SP_MODE_READ_WRITE) == SP_OK) {
        if (sp_get_port_handle(port, &fd) == SP_OK && !serial_is_in_use(fd) &&
            sp_set_bits(port, 8) == SP_OK && sp_set_parity(port, SP_PARITY_NONE) == SP_OK &&
            sp_set_stopbits(port, 1) == SP_OK &&
            sp_set_flowcontrol(port, SP_FLOWCONTROL_NONE) == SP_OK &&
            (baud == 0 || sp_set_baudrate(port, baud) == SP_OK) &&
            serial_set_up(fd, path, 0, fault) == ST_OK) {
            s->port = port;
            s->fd = fd;
            return true;
        }
        sp_close(port);
    }
    sp_free_port(port);
    return false;
}

enum status serial_open(struct serial **out, const char *name, int baud, struct fault *fault)
{
    struct serial *s = calloc(1, sizeof *s);
    char path[PATH_MAX];
    enum status st;

    if (s == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    s->fd = -1;
    if (name[0] != '/' && strrchr(name, ':') != NULL)
        st = serial_open_tcp(s, name, fault);
    else if (realpath(name, path) == NULL)
        st = serial_errno(fault, name, "open");
    else if (serial_open_port(s, path, baud, fault))
        st = ST_OK;
    else
        st = serial_open_posix(s, path, baud, fault);
    if (st != ST_OK) {
        free(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

enum status serial_read(struct serial *s, char *out, size_t size, int64_t deadline_ms, size_t *n,
                        struct fault *fault)
{
    enum status st;
    ssize_t got;

    for (;;) {
        if ((st = serial_wait(s->fd, POLLIN, deadline_ms, fault)) != ST_OK)
            return st;
        got = read(s->fd, out, size);
        if (got > 0) {
            *n = (size_t)got;
            return ST_OK;
        }
        if (got == 0)
            return fault_set(fault, ST_RETRY, "the adapter was unplugged");
        if (errno != EAGAIN && errno != EINTR)
            return fault_set(fault, ST_RETRY, "the adapter was unplugged: %s", strerror(errno));
    }
}

enum status serial_write(struct serial *s, const char *bytes, size_t len, int64_t deadline_ms,
                         struct fault *fault)
{
    enum status st;
    ssize_t put;

    while (len > 0) {
        if ((st = serial_wait(s->fd, POLLOUT, deadline_ms, fault)) != ST_OK)
            return st == ST_NONE ? fault_set(fault, ST_RETRY, "the adapter takes no bytes") : st;
        put = s->port == NULL ? send(s->fd, bytes, len, MSG_NOSIGNAL) : -1;
        if (s->port != NULL || (put < 0 && errno == ENOTSOCK))
            put = write(s->fd, bytes, len);
        if (put > 0) {
            bytes += put;
            len -= (size_t)put;
        } else if (errno != EAGAIN && errno != EINTR) {
            return fault_set(fault, ST_RETRY, "the adapter was unplugged: %s", strerror(errno));
        }
    }
    return ST_OK;
}

void serial_flush(struct serial *s)
{
    char waste[4096];

    /* all of it: what is left would be taken for answers from now on.  Bounded, should it come
     * without end. */
    for (int i = 0; i < SERIAL_FLUSH_READS && read(s->fd, waste, sizeof waste) > 0; i++)
        continue;
}

void serial_close(struct serial *s)
{
    if (s == NULL)
        return;
    if (s->port != NULL) {
        sp_close(s->port);
        sp_free_port(s->port);
    } else if (s->fd >= 0) {
        close(s->fd);
    }
    free(s);
}
