/* lib/address.c - host and port taken apart and checked; lists of addresses. */
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

/* ---- lists */
struct block {
    unsigned char bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned bits;
};

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* One numeric address of `len` bytes; spaces around it are ignored. */
static bool read_numeric(struct block *out, const char *text, size_t len)
{
    char host[ADDRESS_HOST_MAX];

    while (len && (*text == ' ' || *text == '\t')) {
        text++;
        len--;
    }
    while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    if (len == 0 || len >= sizeof host)
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    out->bits = 128;
    memcpy(out->bytes, mapped, sizeof mapped);
    return inet_pton(AF_INET, host, out->bytes + 12) == 1 ||
           inet_pton(AF_INET6, host, out->bytes) == 1;
}

static bool read_block(struct block *out, const char *text, size_t len)
{
    const char *slash = memchr(text, '/', len);
    size_t host = slash ? (size_t)(slash - text) : len, at = host + 1;
    unsigned bits = 0, most;

    if (!read_numeric(out, text, host))
        return false;
    if (!slash)
        return true;
    while (len > at && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    if (len - at < 1 || len - at > 3)
        return false;
    for (; at < len; at++) {
        if (text[at] < '0' || text[at] > '9')
            return false;
        bits = bits * 10 + (unsigned)(text[at] - '0');
    }
    most = memchr(text, ':', host) ? 128 : 32;
    out->bits = bits + 128 - most;
    return bits <= most;
}

static bool block_holds(const struct block *b, const struct block *address)
{
    unsigned whole = b->bits / 8, rest = b->bits % 8;

    return memcmp(b->bytes, address->bytes, whole) == 0 &&
           (!rest || (b->bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0);
}

static bool list_holds(const char *list, const struct block *address)
{
    struct block b;

    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
        if (read_block(&b, at, strcspn(at, ",")) && block_holds(&b, address))
            return true;
    return false;
}

enum status address_list_check(const char *list, struct fault *fault)
{
    struct block ignored;

    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',') {
        size_t len = strcspn(at, ",");

        if (!read_block(&ignored, at, len))
            return fault_set(fault, ST_REJECT,
                             "\"%.*s\" is neither an address nor a block of them such as "
                             "10.0.0.0/8 or 2001:db8::/32",
                             (int)(len < 80 ? len : 80), at);
    }
    return ST_OK;
}

bool address_listed(const char *list, const char *address)
{
    struct block a;

    return *list && read_numeric(&a, address, strlen(address)) && list_holds(list, &a);
}

void address_of_client(char *out, const char *trusted, const char *peer, const char *forwarded)
{
    size_t end = strlen(forwarded), begin;
    struct block hop = {.bits = 0};
    bool is_ipv4;

    text_copy(out, ADDRESS_HOST_MAX, peer);
    if (!end || !address_listed(trusted, peer))
        return;
    do {
        for (begin = end; begin && forwarded[begin - 1] != ',';)
            begin--;
        if (!read_numeric(&hop, forwarded + begin, end - begin))
            return;
        end = begin ? begin - 1 : 0;
    } while (begin && list_holds(trusted, &hop));
    is_ipv4 = memcmp(hop.bytes, mapped, sizeof mapped) == 0;
    inet_ntop(is_ipv4 ? AF_INET : AF_INET6, hop.bytes + (is_ipv4 ? 12 : 0), out, ADDRESS_HOST_MAX);
}

/* ---- origins */
static bool is_origin(const char *text, size_t len)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_";
    size_t scheme = len > 8 && strncmp(text, "https://", 8) == 0  ? 8
                    : len > 7 && strncmp(text, "http://", 7) == 0 ? 7
                                                                  : 0;
    char rest[256];
    struct block ignored;
    size_t host;
    int port;

    if (!scheme || len - scheme >= sizeof rest)
        return false;
    memcpy(rest, text + scheme, len - scheme);
    rest[len - scheme] = '\0';
    if (rest[0] == '[') {
        host = strcspn(rest, "]");
        if (!rest[host] || !memchr(rest, ':', host) || !read_numeric(&ignored, rest + 1, host - 1))
            return false;
        host++;
    } else {
        host = strspn(rest, name);
    }
    return host && (!rest[host] || (rest[host] == ':' && read_port(rest + host + 1, &port)));
}

enum status origin_list_check(const char *list, struct fault *fault)
{
    size_t count = 0;

    for (const char *at = list + strspn(list, ", "); *at; at += strspn(at, ", ")) {
        size_t len = strcspn(at, ", ");

        if (!is_origin(at, len))
            return fault_set(fault, ST_REJECT,
                             "\"%.*s\" is not where a page can come from: write "
                             "https://HOST or http://HOST:PORT",
                             (int)(len < 80 ? len : 80), at);
        at += len;
        count++;
    }
    return count ? ST_OK : fault_set(fault, ST_REJECT, "no page may come from anywhere");
}
