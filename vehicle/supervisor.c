/* vehicle/supervisor.c - see supervisor.h. */
#include "supervisor.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SUPERVISOR_WORD_MAX 256

struct supervisor {
    int fd;
    struct sockaddr_un address;
    socklen_t len;
    uint64_t watchdog_us; /* 0: none */
    int64_t told_ms;      /* boot time of the last word to the watchdog; 0 never */
};

static enum status supervisor_address(struct supervisor *s, const char *name, struct fault *fault)
{
    size_t len = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof s->address.sun_path)
        return fault_set(fault, ST_REJECT, "NOTIFY_SOCKET is no address of a socket");
    s->address.sun_family = AF_UNIX;
    memcpy(s->address.sun_path, name, len + 1);
    if (name[0] == '@') /* of the abstract name space */
        s->address.sun_path[0] = '\0';
    s->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return ST_OK;
}

/* WATCHDOG_USEC, unless WATCHDOG_PID says that another is meant. */
static enum status supervisor_watchdog(struct supervisor *s, struct fault *fault)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    char *end;

    if (usec == NULL || (pid != NULL && strtoll(pid, NULL, 10) != getpid()))
        return ST_OK;
    errno = 0;
    s->watchdog_us = strtoull(usec, &end, 10);
    if (errno != 0 || end == usec || *end != '\0' || usec[0] == '-' || s->watchdog_us == 0)
        return fault_set(fault, ST_REJECT, "WATCHDOG_USEC is no number of microseconds");
    return ST_OK;
}

static void supervisor_forget_environment(void)
{
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

enum status supervisor_open(struct supervisor **out, struct fault *fault)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct supervisor *s;
    enum status st;

    *out = NULL;
    if (name == NULL)
        return ST_OK;
    if ((s = calloc(1, sizeof *s)) == NULL)
        return fault_set(fault, ST_FATAL, "out of memory");
    s->fd = -1;
    if ((st = supervisor_address(s, name, fault)) == ST_OK &&
        (st = supervisor_watchdog(s, fault)) == ST_OK &&
        (s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
        st = fault_set(fault, ST_FATAL, "a socket for NOTIFY_SOCKET: %s", strerror(errno));
    supervisor_forget_environment();
    if (st != ST_OK) {
        supervisor_close(s);
        return st;
    }
    *out = s;
    return ST_OK;
}

void supervisor_close(struct supervisor *s)
{
    if (s == NULL)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}

/* One that cannot be said is lost: it must not hold anybody up. */
static void supervisor_say(struct supervisor *s, const char *words)
{
    if (s != NULL)
        (void)!sendto(s->fd, words, strlen(words), MSG_NOSIGNAL,
                      (const struct sockaddr *)&s->address, s->len);
}

void supervisor_ready(struct supervisor *s, const char *status)
{
    char words[SUPERVISOR_WORD_MAX];

    snprintf(words, sizeof words, "READY=1\nSTATUS=%s", status);
    supervisor_say(s, words);
}

void supervisor_status(struct supervisor *s, const char *status)
{
    char words[SUPERVISOR_WORD_MAX];

    snprintf(words, sizeof words, "STATUS=%s", status);
    supervisor_say(s, words);
}

void supervisor_stopping(struct supervisor *s)
{
    supervisor_say(s, "STOPPING=1\nSTATUS=stopping");
}

int64_t supervisor_due_ms(uint64_t usec, int64_t told_ms)
{
    if (usec == 0)
        return INT64_MAX;
    return told_ms == 0 ? 0 : told_ms + (int64_t)(usec / 2000);
}

void supervisor_turn(struct supervisor *s, int64_t boot_ms)
{
    if (s == NULL || boot_ms < supervisor_due_ms(s->watchdog_us, s->told_ms))
        return;
    supervisor_say(s, "WATCHDOG=1");
    s->told_ms = boot_ms;
}
