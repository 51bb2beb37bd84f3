/* lib/stop.c - signals as a file descriptor, and one flag the whole process can read.
 * An eventfd that is written once and never read wakes every waiter, now and later. */
#include "lib/stop.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/clock.h"

static int stop_fd = -1, reload_fd = -1, wake_fd = -1, nudge_fd = -1;
static atomic_bool asked;
static bool reload;            /* main thread */
static atomic_int stop_signal; /* the first that asked, until its second coming was let through */

/* Block the signals and open a descriptor that reads them. */
static enum status watch(int *out, const int *signals, size_t n, struct fault *fault)
{
    sigset_t set;
    int error;

    sigemptyset(&set);
    for (size_t i = 0; i < n; i++)
        sigaddset(&set, signals[i]);
    error = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (error)
        return fault_set(fault, ST_FATAL, "pthread_sigmask: %s", strerror(error));
    *out = signalfd(*out, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *out < 0 ? fault_set(fault, ST_FATAL, "signalfd: %s", strerror(errno)) : ST_OK;
}

enum status stop_open(struct fault *fault)
{
    static const int stops[] = {SIGTERM, SIGINT}, reloads[] = {SIGHUP};
    enum status st;

    signal(SIGPIPE, SIG_IGN);
    if ((wake_fd < 0 && (wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) ||
        (nudge_fd < 0 && (nudge_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0))
        return fault_set(fault, ST_FATAL, "eventfd: %s", strerror(errno));
    st = watch(&stop_fd, stops, 2, fault);
    return st == ST_OK ? watch(&reload_fd, reloads, 1, fault) : st;
}

static void wake(int fd)
{
    const uint64_t one = 1;

    while (fd >= 0 && write(fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

void stop_ask(void)
{
    if (!atomic_exchange(&asked, true))
        wake(wake_fd);
}

void stop_nudge(void)
{
    wake(nudge_fd);
}

bool stop_asked(void)
{
    return atomic_load(&asked);
}

bool stop_take_reload(void)
{
    bool taken = reload;

    reload = false;
    return taken;
}

static void take_stops(void)
{
    struct signalfd_siginfo info;

    while (stop_fd >= 0 && read(stop_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        int none = 0;

        atomic_compare_exchange_strong(&stop_signal, &none, (int)info.ssi_signo);
        stop_ask();
    }
}

static bool take_reloads(void)
{
    struct signalfd_siginfo info;
    bool any = false;

    while (reload_fd >= 0 && read(reload_fd, &info, sizeof info) == (ssize_t)sizeof info)
        any = reload = true;
    return any;
}

static bool take_nudges(void)
{
    uint64_t count;

    return nudge_fd >= 0 && read(nudge_fd, &count, sizeof count) == (ssize_t)sizeof count;
}

/* Wait until there is something to look at, at most `wait_ms` (-1 for ever).  Only main watches for
 * reloads and is nudged. */
static void wait_once(int64_t wait_ms, bool main_thread)
{
    struct pollfd fds[] = {{wake_fd, POLLIN, 0},
                           {stop_fd, POLLIN, 0},
                           {main_thread ? reload_fd : -1, POLLIN, 0},
                           {main_thread ? nudge_fd : -1, POLLIN, 0}};

    if (poll(fds, 4, wait_ms > 3600000 ? 3600000 : (int)wait_ms) < 0)
        return; /* interrupted: the caller looks at the clock */
}

/* Who asks a second time in the same way does not want to wait for the drain. */
static void let_second_through(void)
{
    int number = atomic_exchange(&stop_signal, 0);
    sigset_t set;

    if (!number)
        return;
    sigemptyset(&set);
    sigaddset(&set, number);
    signal(number, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

bool stop_wait(int wait_ms)
{
    int64_t end_ms = clock_boot_ms() + wait_ms;
    int64_t left_ms = wait_ms;

    for (;;) {
        bool reloads = take_reloads(), nudged = take_nudges();

        take_stops();
        if (stop_asked())
            break;
        if (reloads || nudged || (wait_ms >= 0 && left_ms <= 0))
            return false;
        wait_once(wait_ms < 0 ? -1 : left_ms, true);
        left_ms = end_ms - clock_boot_ms();
    }
    let_second_through();
    return true;
}

bool stop_pause(int64_t wait_ms)
{
    int64_t end_ms = clock_boot_ms() + wait_ms;
    int64_t left_ms = wait_ms;

    for (;;) {
        take_stops();
        if (stop_asked())
            return false;
        if (left_ms <= 0)
            return true;
        wait_once(left_ms, false);
        left_ms = end_ms - clock_boot_ms();
    }
}
