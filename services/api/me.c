/* services/api/me.c - who is signed in. */
#include "handlers.h"
#include "render.h"
#include "tenant.h"

enum status me_read(struct worker *w, const struct request *r, struct answer *a,
                    struct fault *fault)
{
    static const char *const keys[] = {"id", "username", "name", "role", "locale"};
    const char *params[] = {r->claims.user};
    PGresult *rows = NULL;
    enum status st;

    if ((st = tenant_begin(w, r, a, fault)) != ST_OK ||
        (st = pg_run(
             w->pg,
             "SELECT u.id, u.username, u.name, u.role, u.locale, c.id, c.name"
             " FROM app_user u JOIN customer c ON c.id = u.customer_id WHERE u.id = $1::uuid",
             1, params, &rows, fault)) != ST_OK)
        return st;
    if (PQntuples(rows) == 1) {
        text_print(&a->body, "{");
        for (int i = 0; i < 5; i++) {
            if (PQgetisnull(rows, 0, i)) /* a language nobody chose */
                continue;
            render_key(&a->body, keys[i]);
            render_text(&a->body, PQgetvalue(rows, 0, i));
        }
        text_print(&a->body, ",\"customer\":{");
        render_key(&a->body, "id");
        render_text(&a->body, PQgetvalue(rows, 0, 5));
        render_key(&a->body, "name");
        render_text(&a->body, PQgetvalue(rows, 0, 6));
        text_print(&a->body, "}}");
        answer_json(a, 200);
    } else {
        answer_problem(a, r, 404, "not-found", "There is no such user.");
    }
    PQclear(rows);
    return pg_commit(w->pg, fault);
}
