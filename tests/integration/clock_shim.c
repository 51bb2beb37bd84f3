/* tests/integration/clock_shim.c - preloaded into a program under test: its clocks lie.
 * A file named by VIGIE_TEST_CLOCK holds three 64-bit numbers: what is added to CLOCK_REALTIME
 * (ms), to CLOCK_BOOTTIME (ms), and who keeps the clock: 0 whoever does here, 1 nobody and none
 * runs on while the machine is off, 2 NTP.  Writing the first two together is time that passes; the
 * first alone, a clock that was set.  Waiting goes by CLOCK_MONOTONIC, which stays true.
 * VIGIE_TEST_BOOT names a file to read instead of the kernel's boot_id. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *lies;
static const int64_t none[3];

__attribute__((constructor)) static void open_lies(void)
{
    const char *path = getenv("VIGIE_TEST_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

    lies = map == MAP_FAILED ? none : map;
    if (fd >= 0)
        close(fd);
}

static void add_ms(struct timespec *t, int64_t ms)
{
    t->tv_sec += ms / 1000;
    t->tv_nsec += ms % 1000 * 1000000;
    if (t->tv_nsec < 0)
        t->tv_sec--, t->tv_nsec += 1000000000;
    if (t->tv_nsec >= 1000000000)
        t->tv_sec++, t->tv_nsec -= 1000000000;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    long done = syscall(SYS_clock_gettime, id, t);

    if (done == 0 && lies != NULL && id == CLOCK_REALTIME)
        add_ms(t, lies[0]);
    if (done == 0 && lies != NULL && id == CLOCK_BOOTTIME)
        add_ms(t, lies[1]);
    return (int)done;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}

int open(const char *path, int flags, ...)
{
    va_list more;
    int mode;

    va_start(more, flags);
    mode = va_arg(more, int);
    va_end(more);
    if (lies != NULL && lies[2] == 1 &&
        (strncmp(path, "/sys/class/rtc/", 15) == 0 ||
         strncmp(path, "/sys/devices/system/clocksource/", 32) == 0)) {
        errno = ENOENT;
        return -1;
    }
    if (strcmp(path, "/proc/sys/kernel/random/boot_id") == 0 && getenv("VIGIE_TEST_BOOT") != NULL)
        path = getenv("VIGIE_TEST_BOOT");
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int adjtimex(struct timex *t)
{
    int (*real)(struct timex *) = (int (*)(struct timex *))dlsym(RTLD_NEXT, "adjtimex");
    int done = real(t);

    if (lies != NULL && lies[2] == 1)
        t->status |= STA_UNSYNC;
    if (lies != NULL && lies[2] == 2)
        t->status &= ~STA_UNSYNC;
    return done;
}
