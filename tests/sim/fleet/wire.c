/* tests/sim/fleet/wire.c - MQTT 5.0 (OASIS): the seven packets a car needs. */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COLUMNAR "application/vnd.vigie.columnar"
#define KEEPALIVE_S 60

/* ---- buffers */
static void reserve(struct buffer *b, size_t more)
{
    size_t room = b->room ? b->room : 256;

    if (b->at == b->len)
        b->at = b->len = 0;
    if (b->len + more <= b->room)
        return;
    if (b->len > b->at)
        memmove(b->bytes, b->bytes + b->at, b->len - b->at);
    b->len -= b->at;
    b->at = 0;
    while (room < b->len + more)
        room *= 2;
    if (room == b->room)
        return;
    b->bytes = realloc(b->bytes, room);
    b->room = room;
    if (!b->bytes)
        abort();
}

static void put(struct buffer *b, const void *bytes, size_t len)
{
    reserve(b, len);
    memcpy(b->bytes + b->len, bytes, len);
    b->len += len;
}

static void put_byte(struct buffer *b, unsigned byte)
{
    put(b, &(unsigned char){(unsigned char)byte}, 1);
}

static void put_short(struct buffer *b, unsigned n)
{
    put(b, (unsigned char[]){(unsigned char)(n >> 8), (unsigned char)n}, 2);
}

static void put_varint(struct buffer *b, size_t n)
{
    for (; n > 127; n >>= 7)
        put_byte(b, (unsigned)n | 0x80);
    put_byte(b, (unsigned)n);
}

static void put_text(struct buffer *b, const char *text)
{
    put_short(b, (unsigned)strlen(text));
    put(b, text, strlen(text));
}

/* ---- packets out */
void wire_connect(struct wire *w, const char *client_id)
{
    put_byte(&w->out, 0x10);
    put_varint(&w->out, 6 + 1 + 1 + 2 + 1 + 2 + strlen(client_id));
    put_text(&w->out, "MQTT");
    put_byte(&w->out, 5);
    put_byte(&w->out, 2); /* clean start */
    put_short(&w->out, KEEPALIVE_S);
    put_byte(&w->out, 0);
    put_text(&w->out, client_id);
}

void wire_subscribe(struct wire *w, const char *filter, int qos)
{
    put_byte(&w->out, 0x82);
    put_varint(&w->out, 2 + 1 + 2 + strlen(filter) + 1);
    put_short(&w->out, 1);
    put_byte(&w->out, 0);
    put_text(&w->out, filter);
    put_byte(&w->out, (unsigned)qos);
}

void wire_publish(struct wire *w, const struct publish *p)
{
    size_t properties = p->columnar ? 3 + strlen(COLUMNAR) : 0;

    put_byte(&w->out, 0x30u | (unsigned)p->qos << 1 | p->retained);
    put_varint(&w->out, 2 + strlen(p->topic) + (p->qos ? 2 : 0) + 1 + properties + p->len);
    put_text(&w->out, p->topic);
    if (p->qos)
        put_short(&w->out, p->packet_id);
    put_varint(&w->out, properties);
    if (p->columnar) {
        put_byte(&w->out, 0x03);
        put_text(&w->out, COLUMNAR);
    }
    put(&w->out, p->payload, p->len);
}

void wire_puback(struct wire *w, unsigned packet_id)
{
    put_byte(&w->out, 0x40);
    put_byte(&w->out, 2);
    put_short(&w->out, packet_id);
}

void wire_ping(struct wire *w)
{
    put_short(&w->out, 0xc000);
}

/* ---- packets in */
static bool take_varint(const unsigned char **at, const unsigned char *end, size_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 28 && *at < end; shift += 7) {
        unsigned char byte = *(*at)++;

        *out |= (size_t)(byte & 127) << shift;
        if (!(byte & 128))
            return true;
    }
    return false;
}

bool wire_take(struct wire *w, struct packet *out)
{
    const unsigned char *from = w->in.bytes + w->in.at, *at = from + 1;
    const unsigned char *end = w->in.bytes + w->in.len;
    size_t len;

    if (w->in.len - w->in.at < 2 || !take_varint(&at, end, &len) || (size_t)(end - at) < len)
        return false;
    *out = (struct packet){*from >> 4, *from & 15u, at, len};
    w->in.at += (size_t)(at - from) + len;
    return true;
}

bool wire_read_publish(const struct packet *p, const char **payload, size_t *len,
                       unsigned *packet_id)
{
    const unsigned char *at = p->body, *end = p->body + p->len;
    size_t topic = p->len < 2 ? 0 : (size_t)at[0] << 8 | at[1], properties;
    bool numbered = p->flags & 6;

    if (p->len < 2 + topic + (numbered ? 2 : 0))
        return false;
    at += 2 + topic;
    *packet_id = numbered ? (unsigned)at[0] << 8 | at[1] : 0;
    at += numbered ? 2 : 0;
    if (!take_varint(&at, end, &properties) || (size_t)(end - at) < properties)
        return false;
    *payload = (const char *)at + properties;
    *len = (size_t)(end - at) - properties;
    return true;
}

/* ---- the connection */
static enum status start_tls(struct wire *w, SSL_CTX *tls, const char *folder, struct fault *fault)
{
    char cert[4096], key[4096];

    snprintf(cert, sizeof cert, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    w->ssl = SSL_new(tls);
    if (!w->ssl || SSL_use_certificate_chain_file(w->ssl, cert) != 1 ||
        SSL_use_PrivateKey_file(w->ssl, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_set_fd(w->ssl, w->fd) != 1)
        return fault_set(fault, ST_REJECT, "%s: certificate or key is not usable", folder);
    SSL_set_connect_state(w->ssl);
    return ST_OK;
}

enum status wire_open(struct wire *w, const char *host, int port, SSL_CTX *tls, const char *folder,
                      struct fault *fault)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    enum status st = ST_OK;

    if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
        return fault_set(fault, ST_REJECT, "%s is no IPv4 address", host);
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->fd < 0)
        return fault_set(fault, ST_FATAL, "socket: %s", strerror(errno));
    w->open = true;
    setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(w->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)
        st = fault_set(fault, ST_RETRY, "connect: %s", strerror(errno));
    else if (tls)
        st = start_tls(w, tls, folder, fault);
    if (st != ST_OK)
        wire_close(w);
    return st;
}

/* 1: moved some, 0: not now, -1: over */
static int transfer(struct wire *w, bool writes, unsigned char *bytes, size_t len)
{
    ssize_t n;

    if (!w->ssl) {
        n = writes ? send(w->fd, bytes, len, MSG_NOSIGNAL) : recv(w->fd, bytes, len, 0);
        if (n > 0)
            return (int)n;
        return n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN) ? 0 : -1;
    }
    n = writes ? SSL_write(w->ssl, bytes, (int)len) : SSL_read(w->ssl, bytes, (int)len);
    if (n > 0)
        return (int)n;
    n = SSL_get_error(w->ssl, (int)n);
    return n == SSL_ERROR_WANT_READ || n == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static bool flush(struct wire *w)
{
    while (w->out.at < w->out.len) {
        size_t len = w->out.len - w->out.at;
        int n = transfer(w, true, w->out.bytes + w->out.at, len < 16384 ? len : 16384);

        if (n <= 0)
            return n == 0;
        w->out.at += (size_t)n;
    }
    return true;
}

/* A read that leaves room has taken all there was; of TLS more records may wait. */
static bool fill(struct wire *w)
{
    for (;;) {
        size_t room;
        int n;

        reserve(&w->in, 512);
        room = w->in.room - w->in.len;
        n = transfer(w, false, w->in.bytes + w->in.len, room);
        if (n <= 0)
            return n == 0;
        w->in.len += (size_t)n;
        if (!w->ssl && (size_t)n < room)
            return true;
    }
}

bool wire_pump(struct wire *w)
{
    if (w->ssl && !w->greeted) {
        int n = SSL_do_handshake(w->ssl), error = SSL_get_error(w->ssl, n);

        if (n != 1)
            return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
    }
    w->greeted = true;
    return flush(w) && fill(w);
}

bool wire_push(struct wire *w)
{
    return w->greeted ? flush(w) : wire_pump(w);
}

bool wire_wants_out(const struct wire *w)
{
    return !w->greeted || w->out.at < w->out.len;
}

size_t wire_unsent(const struct wire *w)
{
    return w->out.len - w->out.at;
}

void wire_close(struct wire *w)
{
    if (!w->open)
        return;
    SSL_free(w->ssl);
    close(w->fd);
    free(w->in.bytes);
    free(w->out.bytes);
    *w = (struct wire){0};
}
