/* services/api/admin_schema.c - migrate. */
#include <string.h>

#include "admin.h"
#include "migrations.h"
#include "render.h"

enum status admin_migrate(struct admin *ad, struct fault *fault)
{
    struct text done;
    enum status st;
    char *save = NULL, *line;

    if (ad->argc != 0)
        return fault_set(fault, ST_REJECT, "migrate");
    text_init(&done);
    st = migrations_apply(ad->pg, &done, fault);
    if (st == ST_OK && ad->set->json) {
        text_print(&ad->out, "{\"applied\":[");
        for (line = done.bytes ? strtok_r(done.bytes, "\n", &save) : NULL; line;
             line = strtok_r(NULL, "\n", &save)) {
            if (ad->out.bytes[ad->out.len - 1] != '[')
                text_print(&ad->out, ",");
            render_text(&ad->out, line);
        }
        text_print(&ad->out, "]}\n");
    } else if (st == ST_OK) {
        text_print(&ad->out, "%s", done.len ? "applied:\n" : "nothing to apply\n");
        text_print(&ad->out, "%s", done.len ? done.bytes : "");
    }
    text_done(&done);
    return st;
}
