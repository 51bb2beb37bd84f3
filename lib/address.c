/* lib/address.c - host and port taken apart and checked. */
#include "lib/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"

static bool read_port(const char *text, int *out)
{
    size_t digits = strspn(text, "0123456789");
    long port = strtol(text, NULL, 10);

    if (digits == 0 || digits > 5 || text[digits] || port > 65535)
        return false;
    *out = (int)port;
    return true;
}

static bool read_host(struct address *a, const char *text, size_t len)
{
    struct in6_addr ignored;
    char host[ADDRESS_HOST_MAX];

    a->is_ipv6 = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    if (a->is_ipv6) {
        text++;
        len -= 2;
    }
    if (len >= sizeof host)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    if (!a->is_ipv6 && strcmp(host, "localhost") == 0)
        text_copy(host, sizeof host, "127.0.0.1");
    text_copy(a->host, sizeof a->host, host);
    return inet_pton(a->is_ipv6 ? AF_INET6 : AF_INET, host, &ignored) == 1;
}

enum status address_read(struct address *out, const char *text, struct fault *fault)
{
    const char *colon = strrchr(text, ':');
    struct address a = {.port = 0};

    if (!colon || !read_port(colon + 1, &a.port) || !read_host(&a, text, (size_t)(colon - text)))
        return fault_set(fault, ST_REJECT,
                         "\"%s\" is not an address to listen on: write 127.0.0.1:PORT, [::1]:PORT, "
                         "localhost:PORT or 0.0.0.0:PORT",
                         text);
    *out = a;
    return ST_OK;
}
