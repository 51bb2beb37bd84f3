/* lib/process.c - what the kernel says about this process, from /proc/self. */
#include "lib/process.h"

#include <dirent.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/text.h"

static void read_memory(struct process *out, struct text *file)
{
    double page = (double)sysconf(_SC_PAGESIZE), size, resident;

    if (text_read_file(file, "/proc/self/statm", 4096, NULL) != ST_OK ||
        sscanf(file->bytes, "%lf %lf", &size, &resident) != 2)
        return;
    out->virtual_bytes = size * page;
    out->resident_bytes = resident * page;
}

/* Field 22 of /proc/self/stat, in ticks since boot; the name in field 2 may hold spaces and
 * parentheses. */
static double ticks_at_start(struct text *file)
{
    char *at;

    if (text_read_file(file, "/proc/self/stat", 4096, NULL) != ST_OK)
        return -1;
    at = strrchr(file->bytes, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at ? strtod(at, NULL) : -1;
}

/* Kept until the clock on the wall was set (a car has no time of its own): the number must not
 * tremble. */
static double start_seconds(struct text *file)
{
    static _Atomic double kept;
    double ticks = ticks_at_start(file);
    double start, old = atomic_load(&kept);

    if (ticks < 0)
        return old;
    start =
        (double)(clock_now_ms() - clock_boot_ms()) / 1000 + ticks / (double)sysconf(_SC_CLK_TCK);
    if (fabs(start - old) < 1)
        return old;
    atomic_store(&kept, start);
    return start;
}

static double count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    double count = -1; /* the one that looks */

    if (!dir)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

void process_read(struct process *out)
{
    struct timespec cpu = {0, 0};
    struct rlimit limit = {0, 0};
    struct text file;

    *out = (struct process){0};
    text_init(&file);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    out->cpu_seconds = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9;
    read_memory(out, &file);
    out->open_fds = count_fds();
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        out->max_fds = limit.rlim_cur == RLIM_INFINITY ? (double)INFINITY : (double)limit.rlim_cur;
    out->start_seconds = start_seconds(&file);
    text_done(&file);
}
