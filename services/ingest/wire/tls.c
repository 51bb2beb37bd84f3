/* services/ingest/wire/tls.c */
#include "tls.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#include "lib/mqtt.h"

#define READ_BYTES 65536 /* at a time: some records of TLS, of 16 KiB at most */
#define GATHER_BYTES 65536

static const char *last_error(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason ? reason : "unknown error";
}

static bool verify(SSL_CTX *tls, const char *host)
{
    X509_VERIFY_PARAM *how = SSL_CTX_get0_param(tls);

    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    X509_VERIFY_PARAM_set_hostflags(how, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_ip_asc(how, host) == 1 ||
           X509_VERIFY_PARAM_set1_host(how, host, 0) == 1;
}

static enum status set_up(SSL_CTX *tls, const char *ca, const char *cert, const char *key,
                          const char *host, struct fault *fault)
{
    if (SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(tls, MQTT_TLS_SUITES) != 1 || !verify(tls, host))
        return fault_set(fault, ST_FATAL, "TLS: %s", last_error());
    if (SSL_CTX_load_verify_file(tls, ca) != 1)
        return fault_set(fault, ST_RETRY, "CA file %s: %s", ca, last_error());
    if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1)
        return fault_set(fault, ST_RETRY, "certificate file %s: %s", cert, last_error());
    if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
        return fault_set(fault, ST_RETRY, "key file %s: %s", key, last_error());
    SSL_CTX_set_read_ahead(tls, 1);
    SSL_CTX_set_default_read_buffer_len(tls, READ_BYTES);
    return ST_OK;
}

static int end_index = -1;

static void on_gone(void *parent, void *end, CRYPTO_EX_DATA *data, int index, long number,
                    void *pointer)
{
    (void)parent;
    (void)data;
    (void)index;
    (void)number;
    (void)pointer;
    if (end)
        ((struct tls_end *)end)->gone = true;
}

static void prepare(void)
{
    end_index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, NULL, NULL, NULL, on_gone);
}

/* OpenSSL has no words for what the kernel says, and libmosquitto forgets it. */
static void on_info(const SSL *ssl, int where, int result)
{
    struct tls_end *end = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), end_index);

    if ((where & SSL_CB_EXIT) && result <= 0 && errno != EAGAIN)
        end->error = errno;
}

static SSL_CTX *make_context(struct tls_end *end)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    SSL_CTX *tls;

    pthread_once(&once, prepare);
    tls = SSL_CTX_new(TLS_client_method());
    *end = (struct tls_end){.gone = false};
    if (tls && SSL_CTX_set_ex_data(tls, end_index, end) != 1) {
        SSL_CTX_free(tls);
        return NULL;
    }
    if (tls)
        SSL_CTX_set_info_callback(tls, on_info);
    return tls;
}

void *tls_open(const char *ca, const char *cert, const char *key, const char *host,
               struct tls_end *end, struct fault *fault)
{
    SSL_CTX *tls;

    ERR_clear_error();
    tls = make_context(end);
    if (!tls) {
        fault_set(fault, ST_FATAL, "TLS: %s", last_error());
        return NULL;
    }
    if (set_up(tls, ca, cert, key, host, fault) != ST_OK) {
        SSL_CTX_free(tls);
        tls = NULL;
    }
    ERR_clear_error();
    return tls;
}

void tls_free(void *context)
{
    SSL_CTX_free(context);
}

bool tls_is_open(void *ssl)
{
    return SSL_is_init_finished(ssl) == 1;
}

bool tls_wants_write(void *ssl)
{
    return SSL_want_write((SSL *)ssl);
}

/* Bytes of half a record stay in the buffer until its rest comes: then the last read said so. */
bool tls_has_more(void *ssl)
{
    return SSL_has_pending(ssl) == 1 && !SSL_want_read((SSL *)ssl);
}

bool tls_gather(void *ssl)
{
    BIO *socket = SSL_get_wbio(ssl), *gather = BIO_new(BIO_f_buffer());

    if (!gather || BIO_set_write_buffer_size(gather, GATHER_BYTES) != 1) {
        BIO_free(gather);
        return false;
    }
    BIO_up_ref(socket); /* the SSL gives up the one it writes to, which may be the one it reads */
    SSL_set0_wbio(ssl, BIO_push(gather, socket));
    return true;
}

/* What gathers, or NULL. */
static BIO *gathering(void *ssl)
{
    BIO *out = SSL_get_wbio(ssl);

    return out && BIO_method_type(out) == BIO_TYPE_BUFFER ? out : NULL;
}

/* A broken connection is found out by who reads next. */
void tls_flush(void *ssl)
{
    BIO *gather = gathering(ssl);

    if (gather && BIO_wpending(gather) > 0 && BIO_flush(gather) != 1)
        ERR_clear_error();
}

bool tls_is_flushed(void *ssl)
{
    BIO *gather = gathering(ssl);

    return !gather || BIO_wpending(gather) == 0;
}

void tls_scatter(void *ssl)
{
    BIO *gather = gathering(ssl), *socket = gather ? BIO_next(gather) : NULL;

    if (!socket)
        return;
    BIO_up_ref(socket);
    SSL_set0_wbio(ssl, socket);
}
