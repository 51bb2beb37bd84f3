/* services/api/meters.c - counters and times. */
#include "meters.h"

#include <stdio.h>

#include "lib/metrics.h"

static struct metric *requests, *seconds_taken, *refused, *commands;

void meters_open(void)
{
    static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                    0.25,  0.5,    1,     2.5,  5,     10,   20};

    requests = metric_counter("vigie_api_requests_total", "Requests answered, by route and status.",
                              "route,code");
    seconds_taken =
        metric_histogram("vigie_api_request_seconds",
                         "Time from the headers of a request to the last byte of its answer.",
                         "route", bounds, sizeof bounds / sizeof *bounds);
    refused =
        metric_counter("vigie_api_refused_total",
                       "Requests and connections refused, by the type of the problem.", "reason");
    commands = metric_counter("vigie_api_commands_total",
                              "Commands to vehicles: sent (again, too), expired.", "outcome");
}

void meters_answered(const char *route, int code, double seconds)
{
    char label[64];

    snprintf(label, sizeof label, "%s,%d", route, code);
    metric_add(requests, label, 1);
    metric_observe(seconds_taken, route, seconds);
}

void meters_refused(const char *reason)
{
    metric_add(refused, reason, 1);
}

void meters_commands(const char *outcome, int n)
{
    if (n > 0)
        metric_add(commands, outcome, n);
}
