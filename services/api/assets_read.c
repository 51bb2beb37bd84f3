/* services/api/assets_read.c - the dashboard's folder, read once. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "assets.h"
#include "lib/text.h"

#define FILE_MOST (16 << 20)
#define DEPTH_MOST 8

static enum status read_file(struct assets *a, const char *file, const char *path,
                             struct fault *fault)
{
    enum coding coding = CODING_NONE;
    size_t len = strlen(path);
    char plain[256];
    struct text t;
    enum status st;

    if (!text_copy(plain, sizeof plain, path))
        return fault_set(fault, ST_REJECT, "%s: a path too long", path);
    if (len > 3 && !strcmp(path + len - 3, ".br"))
        coding = CODING_BROTLI;
    if (len > 3 && !strcmp(path + len - 3, ".gz"))
        coding = CODING_GZIP;
    if (coding != CODING_NONE)
        plain[len - 3] = '\0';
    text_init(&t);
    st = text_read_file(&t, file, FILE_MOST, fault);
    if (st == ST_OK)
        st = assets_add(a, plain, coding, t.bytes ? t.bytes : "", t.len, fault);
    text_done(&t);
    return st;
}

static enum status read_folder(struct assets *a, const char *folder, const char *below, int depth,
                               struct fault *fault)
{
    char file[2048], path[512];
    struct dirent *entry;
    enum status st = ST_OK;
    struct stat info;
    DIR *dir = opendir(folder);

    if (!dir)
        return ST_NONE;
    while (st == ST_OK && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", folder, entry->d_name);
        snprintf(path, sizeof path, "%s/%s", below, entry->d_name);
        if (stat(file, &info) != 0)
            continue;
        if (S_ISDIR(info.st_mode) && depth < DEPTH_MOST)
            st = read_folder(a, file, path, depth + 1, fault);
        else if (S_ISREG(info.st_mode))
            st = read_file(a, file, path, fault);
    }
    closedir(dir);
    return st;
}

enum status assets_open(struct assets **out, const char *folder, struct fault *fault)
{
    struct assets *a = NULL;
    char index[2048];
    struct stat info;
    enum status st;

    if ((st = assets_new(&a, fault)) != ST_OK)
        return st;
    snprintf(index, sizeof index, "%s/index.html", folder);
    if (stat(index, &info) != 0) {
        *out = a;
        return fault_set(fault, ST_NONE, "no %s", index);
    }
    st = read_folder(a, folder, "", 0, fault);
    if (st == ST_OK)
        *out = a;
    else
        assets_close(a);
    return st;
}
