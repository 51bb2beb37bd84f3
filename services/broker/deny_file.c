/* services/broker/deny_file.c - the file of revoked VINs, read again when it is another one. */
#include "deny_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct deny_file {
    char *path;
    struct stat seen; /* of the list handed out last; st_ino 0 before the first */
};

enum status deny_file_open(struct deny_file **out, const char *path, struct fault *fault)
{
    struct deny_file *file = calloc(1, sizeof *file);

    if (!file || !(file->path = strdup(path))) {
        free(file);
        return fault_set(fault, ST_FATAL, "no memory for the deny file");
    }
    *out = file;
    return ST_OK;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* A rename changes the inode, an edit in place the times or the size. */
static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           same_time(&a->st_mtim, &b->st_mtim) && same_time(&a->st_ctim, &b->st_ctim);
}

static enum status read_whole(int fd, char *into, size_t size, size_t *len, struct fault *fault)
{
    ssize_t got;

    *len = 0;
    while (*len < size && (got = read(fd, into + *len, size - *len)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fault_set(fault, ST_RETRY, "deny file: %s", strerror(errno));
        *len += (size_t)got;
    }
    return ST_OK;
}

static enum status read_list(int fd, const struct stat *now, struct deny_list **list,
                             size_t *ignored, struct fault *fault)
{
    size_t len;
    char *text;
    enum status st;

    if (!S_ISREG(now->st_mode))
        return fault_set(fault, ST_RETRY, "deny file: not a regular file");
    if (now->st_size > DENY_FILE_MAX)
        return fault_set(fault, ST_RETRY, "deny file: over %d bytes", DENY_FILE_MAX);
    if (!(text = malloc((size_t)now->st_size + 1)))
        return fault_set(fault, ST_RETRY, "deny file: no memory");
    if ((st = read_whole(fd, text, (size_t)now->st_size, &len, fault)) == ST_OK &&
        deny_list_parse(list, text, len, ignored, fault) != ST_OK)
        st = ST_RETRY;
    free(text);
    return st;
}

enum status deny_file_read(struct deny_file *file, struct deny_list **list, size_t *ignored,
                           struct fault *fault)
{
    struct stat now;
    enum status st;
    int fd;

    if (stat(file->path, &now) == 0 && same_file(&now, &file->seen))
        return ST_NONE;
    /* O_NONBLOCK: a fifo in its place must not stop the broker. */
    fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &now) != 0)
        st = fault_set(fault, ST_RETRY, "deny file: %s", strerror(errno));
    else
        st = read_list(fd, &now, list, ignored, fault);
    if (fd >= 0)
        close(fd);
    if (st == ST_OK)
        file->seen = now;
    return st;
}

void deny_file_close(struct deny_file *file)
{
    if (!file)
        return;
    free(file->path);
    free(file);
}
