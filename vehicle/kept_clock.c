/* vehicle/kept_clock.c - see kept_clock.h.
 *
 * time() is ours in this program: OpenSSL asks it whether a certificate is valid, and on a machine
 * that starts in 1970 every certificate is "not yet valid", so that no broker could ever be reached
 * to learn better.  It tells what clock_now_ms tells: the kernel's time and what the timekeeper
 * adds to it, never less than the kernel's.  Nothing of the verification itself is changed. */
#include "kept_clock.h"

#include <fcntl.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"

#define RTC "/sys/class/rtc/rtc0/time"
#define CLOCKSOURCES "/sys/devices/system/clocksource/clocksource0/available_clocksource"

time_t time(time_t *out)
{
    time_t now = (time_t)(clock_now_ms() / 1000);

    if (out != NULL)
        *out = now;
    return now;
}

static bool kept_clock_read(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

bool kept_clock_there(void)
{
    static const char *const guests[] = {"kvm-clock", "hyperv", "xen"};
    char text[256];

    if (kept_clock_read(RTC, text, sizeof text))
        return true;
    if (!kept_clock_read(CLOCKSOURCES, text, sizeof text))
        return false;
    for (size_t i = 0; i < sizeof guests / sizeof guests[0]; i++)
        if (strstr(text, guests[i]) != NULL)
            return true;
    return false;
}

bool kept_clock_by_ntp(void)
{
    struct timex t = {.modes = 0};

    return adjtimex(&t) >= 0 && (t.status & STA_UNSYNC) == 0;
}
