/* vehicle/supply.c - see supply.h. */
#include "supply.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

extern char **environ;

void supply_mark(char out[SUPPLY_MARK_MAX], const char *boot, bool running)
{
    snprintf(out, SUPPLY_MARK_MAX, "%s %.40s", running ? "running" : "stopped", boot);
}

bool supply_was_cut(const char *mark, const char *boot)
{
    static const char running[] = "running ";
    size_t n = sizeof running - 1;

    if (strncmp(mark, running, n) != 0 || mark[n] == '\0' || boot[0] == '\0')
        return false;
    return strcmp(mark + n, boot) != 0;
}

static size_t read_start(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC); /* a GPIO's value is read anew by opening it */
    ssize_t n = fd < 0 ? -1 : read(fd, out, size);

    if (fd >= 0)
        close(fd);
    return n > 0 ? (size_t)n : 0;
}

void supply_boot(char out[SUPPLY_MARK_MAX])
{
    size_t n = read_start(BOOT_ID, out, SUPPLY_MARK_MAX - 1);

    out[n] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
}

bool supply_lost(struct supply_line *line)
{
    char now;

    if (line->path[0] == '\0')
        return false;
    if (read_start(line->path, &now, 1) != 1 || now != line->lost)
        line->agreed = 0;
    else if (line->agreed < 2)
        line->agreed++;
    return line->agreed >= 2;
}

pid_t supply_off(const char *command)
{
    char *const argv[] = {"sh", "-c", (char *)command, NULL};
    posix_spawnattr_t attr;
    sigset_t none;
    pid_t pid = -1;

    if (posix_spawnattr_init(&attr) != 0)
        return -1;
    sigemptyset(&none); /* ours are blocked for the whole process */
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    if (posix_spawn(&pid, "/bin/sh", NULL, &attr, argv, environ) != 0)
        pid = -1;
    posix_spawnattr_destroy(&attr);
    return pid;
}
