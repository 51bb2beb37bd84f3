/* lib/process.h - what the kernel says about this process (/proc/self).  Any thread. */
#ifndef LIB_PROCESS_H
#define LIB_PROCESS_H

struct process {
    double cpu_seconds; /* user and system */
    double resident_bytes, virtual_bytes;
    double open_fds, max_fds; /* max: +Inf without limit */
    double start_seconds;     /* since 1970-01-01 UTC */
};

/* What cannot be read is 0. */
void process_read(struct process *out);

#endif
