/* proto/status.c - one line of text beside every status. */
#include "proto/status.h"

#include <stdarg.h>
#include <stdio.h>

enum status fault_set(struct fault *fault, enum status st, const char *format, ...)
{
    va_list args;

    if (!fault)
        return st;
    va_start(args, format);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    for (char *c = fault->text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return st;
}

const char *status_name(enum status st)
{
    static const char *const names[] = {"ok", "none", "reject", "retry", "fatal"};

    return (unsigned)st < sizeof names / sizeof *names ? names[st] : "unknown";
}
