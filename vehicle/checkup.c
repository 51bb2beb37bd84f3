/* vehicle/checkup.c - see checkup.h. */
#include "checkup.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/text.h"
#include "obd/makes.h"

static enum status checkup_file(const char *flag, const char *path, struct fault *fault)
{
    struct stat info;

    if (path[0] == '\0')
        return ST_OK;
    if (access(path, R_OK) != 0 || stat(path, &info) != 0)
        return fault_set(fault, ST_REJECT, "%s: %.150s: %s", flag, path, strerror(errno));
    return S_ISREG(info.st_mode) ? ST_OK
                                 : fault_set(fault, ST_REJECT, "%s: %.150s is no file", flag, path);
}

/* Where a file will be written or looked for. */
static bool checkup_folder_is_there(const char *path)
{
    char folder[SETTING_TEXT_MAX], *slash;
    struct stat info;

    (void)text_copy(folder, sizeof folder, path);
    slash = strrchr(folder, '/');
    if (slash == NULL)
        return true;
    slash[slash == folder] = '\0';
    return stat(folder, &info) == 0 && S_ISDIR(info.st_mode);
}

/* There, or to be had by enrolling. */
static enum status checkup_identity(const struct vehicle_settings *set, struct fault *fault)
{
    bool enrols = set->token_file[0] != '\0' && set->api[0] != '\0';
    enum status st;

    if (access(set->cert, F_OK) != 0 && errno == ENOENT && enrols) {
        if (strncmp(set->cert, set->outbox, strlen(set->outbox)) != 0 &&
            !checkup_folder_is_there(set->cert))
            return fault_set(fault, ST_REJECT, "--cert: there is no folder for %.150s", set->cert);
        return checkup_file("--token-file", set->token_file, fault);
    }
    st = checkup_file("--cert", set->cert, fault);
    return st == ST_OK ? checkup_file("--key", set->key, fault) : st;
}

static void checkup_warn(const char *flag, const char *path, const char *what)
{
    log_warn("check.doubtful", "setting=%s path=%s reason=\"%s\"", flag, path, what);
}

static enum status checkup_outbox(const struct vehicle_settings *set, struct fault *fault)
{
    struct stat info;

    if (stat(set->outbox, &info) != 0)
        return errno == ENOENT ? ST_OK /* it is made */
                               : fault_set(fault, ST_REJECT, "--outbox: %.150s: %s", set->outbox,
                                           strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return fault_set(fault, ST_REJECT, "--outbox: %.150s is no folder", set->outbox);
    if (access(set->outbox, W_OK | X_OK) != 0)
        checkup_warn("outbox", set->outbox, "whoever asks may not write there; may the agent?");
    return ST_OK;
}

enum status checkup(const struct vehicle_settings *set, struct fault *fault)
{
    struct makes *makes = NULL;
    enum status st;

    if ((st = checkup_file("--ca", set->ca, fault)) != ST_OK ||
        (st = checkup_identity(set, fault)) != ST_OK || (st = checkup_outbox(set, fault)) != ST_OK)
        return st;
    if (set->private_file[0] != '\0' && !checkup_folder_is_there(set->private_file))
        checkup_warn("private-file", set->private_file, "its folder is not there: no button");
    if (set->power_file[0] != '\0' && access(set->power_file, R_OK) != 0)
        checkup_warn("power-file", set->power_file, strerror(errno));
    st = makes_open(&makes, set->makes, fault);
    makes_close(makes);
    return st;
}
