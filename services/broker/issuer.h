/* services/broker/issuer.h - was this certificate signed by the CA of the services?
 * The broker verified the chain; what is asked here is which of its two roots it ended at.  A CA is
 * known by its name, as X.509 has it; so the two must not share one.  One thread. */
#ifndef BROKER_ISSUER_H
#define BROKER_ISSUER_H

#include <stdbool.h>

#include <openssl/x509.h>

#include "proto/status.h"

struct issuer;

/* Learn the names of the services' CA from the PEM file `service_ca` (each certificate in it
 * counts: two while one replaces the other), and see that none is also in `vehicle_ca`. ST_REJECT
 * unreadable, no certificate in it, or a name shared: do not start like this */
enum status issuer_open(struct issuer **out, const char *service_ca, const char *vehicle_ca,
                        struct fault *fault) MUST_CHECK;

/* Compares names: no allocation.  `certificate` is borrowed. */
bool issuer_is_service(const struct issuer *issuer, const X509 *certificate);

void issuer_close(struct issuer *issuer); /* NULL is fine */

#endif
