/* services/api/admin.h - what an operator does from a shell.  One command, one connection, one
 * thread. Output goes to stdout as text for people, or as one JSON value with --json. */
#ifndef API_ADMIN_H
#define API_ADMIN_H

#include <stdbool.h>

#include "lib/store/postgres.h"
#include "lib/text.h"
#include "settings.h"

struct admin {
    const struct api_settings *set;
    struct pg *pg; /* connected, unless the command needs none */
    int argc;      /* words after the command's own */
    char **argv;
    struct text out; /* printed when the command went well */
    bool told;       /* `out` is printed although it did not: it says what became of what */
};

/* Run the command in `words` ("user", "add", "ada", ...).  ST_NONE: there is no such command;
 * ST_REJECT: wrong usage, whatever is in the database.  What was asked for rightly and is not
 * there, or there already, or another's, has failed: ST_FATAL. */
enum status admin_run(const struct api_settings *set, int count, char **words,
                      struct fault *fault) MUST_CHECK;

typedef enum status admin_command(struct admin *ad, struct fault *fault);
admin_command admin_migrate;                                      /* admin_schema.c */
admin_command admin_pki_init, admin_issue, admin_revoke;          /* admin_pki.c */
admin_command admin_customer_add, admin_customer_list;            /* admin_people.c */
admin_command admin_user_add, admin_user_passwd, admin_user_list; /* admin_people.c */
admin_command admin_vehicle_add, admin_vehicle_list;              /* admin_vehicles.c */
admin_command admin_enroll_token;                                 /* admin_vehicles.c */
admin_command admin_vehicle_restore;                              /* admin_pki.c */
admin_command admin_audit_verify;                                 /* admin_audit.c */
admin_command admin_dead_letter_list, admin_dead_letter_show;     /* admin_dead_letters.c */
admin_command admin_dead_letter_replay;                           /* admin_dead_letters.c */
admin_command admin_purge, admin_customer_keep;                   /* admin_purge.c */

/* ST_REJECT, in words, what the schema would refuse in those of SQL: not UTF-8, control characters,
 * nothing to see, more than `most` characters. */
enum status admin_check_name(const char *what, const char *name, size_t most,
                             struct fault *fault) MUST_CHECK;
/* The customer meant by --customer, or the only one there is.  ST_REJECT: more than one;
 * ST_FATAL: none. */
enum status admin_customer(struct admin *ad, char out[37], struct fault *fault) MUST_CHECK;
/* ST_FATAL, with the way out: a vehicle that is neither awaiting nor active. */
enum status admin_not_awaited(struct admin *ad, const char *vin, struct fault *fault) MUST_CHECK;
/* A fresh UUIDv7. */
void admin_new_id(char out[37]);
/* Print a result as JSON array of objects (column names as keys, everything text unless the name
 * ends in a number type) or as a table. */
void admin_print_rows(struct admin *ad, const PGresult *rows);

#endif
