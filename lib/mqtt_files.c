/* lib/mqtt_files.c - the certificate, its key and the CA, read as a connection reads them
 * (OpenSSL). */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "lib/mqtt.h"

static enum status complain(const char *what, const char *path, struct fault *fault)
{
    unsigned long first = ERR_peek_error();
    const char *reason = ERR_SYSTEM_ERROR(first) ? strerror(ERR_GET_REASON(first))
                                                 : ERR_reason_error_string(ERR_peek_last_error());

    return fault_set(fault, ST_RETRY, "%s file %s: %s", what, path,
                     reason ? reason : "unknown error");
}

/* By our own clock, as the broker does by its. */
static enum status check_time(const X509 *cert, const char *path, struct fault *fault)
{
    if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
        return fault_set(fault, ST_RETRY, "certificate file %s: it has expired", path);
    if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
        return fault_set(fault, ST_RETRY, "certificate file %s: it is not valid yet", path);
    return ST_OK;
}

static enum status read_all(SSL_CTX *tls, const struct mqtt_options *o, struct fault *fault)
{
    if (SSL_CTX_load_verify_file(tls, o->ca) != 1)
        return complain("CA", o->ca, fault);
    if (SSL_CTX_use_certificate_chain_file(tls, o->cert) != 1)
        return complain("certificate", o->cert, fault);
    if (SSL_CTX_use_PrivateKey_file(tls, o->key, SSL_FILETYPE_PEM) != 1)
        return complain("key", o->key, fault); /* also one of another certificate */
    return check_time(SSL_CTX_get0_certificate(tls), o->cert, fault);
}

enum status mqtt_check_files(const struct mqtt_options *o, struct fault *fault)
{
    SSL_CTX *tls;
    enum status st;

    ERR_clear_error();
    tls = SSL_CTX_new(TLS_client_method());
    st = tls ? read_all(tls, o, fault) : fault_set(fault, ST_RETRY, "TLS: out of memory");
    SSL_CTX_free(tls);
    ERR_clear_error();
    return st;
}
