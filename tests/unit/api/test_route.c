/* tests/unit/api/test_route.c - which address means what, and that the document says so too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

#include "services/api/route.h"

#define VIN "WVWZZZ1KZAW000001"

static struct request r;
static const struct route *found;
static char allow[96];

static enum match match(enum door door, enum method method, const char *path)
{
    memset(&r, 0, sizeof r);
    r.door = door;
    r.method = method;
    snprintf(r.path, sizeof r.path, "%s", path);
    found = NULL;
    return route_match(&r, &found, allow, sizeof allow);
}

static void a_vin_in_the_path_is_taken_out(void **state)
{
    (void)state;
    assert_int_equal(match(DOOR_PUBLIC, METHOD_GET, "/api/frontend/vehicles/" VIN "/state"),
                     MATCH_FOUND);
    assert_string_equal(found->name, "state");
    assert_string_equal(r.vin, VIN);
    assert_int_equal(match(DOOR_PUBLIC, METHOD_GET, "/api/frontend/vehicles/" VIN), MATCH_FOUND);
    assert_string_equal(found->name, "vehicle");
}

static void an_id_in_the_path_is_taken_out(void **state)
{
    static const char path[] = "/api/frontend/vehicles/" VIN "/commands/";
    char at[160];

    (void)state;
    snprintf(at, sizeof at, "%s01900000-0000-7000-8000-0000000000aa", path);
    assert_int_equal(match(DOOR_PUBLIC, METHOD_GET, at), MATCH_FOUND);
    assert_string_equal(found->name, "command");
    assert_string_equal(r.vin, VIN);
    assert_string_equal(r.object, "01900000-0000-7000-8000-0000000000aa");
    assert_ptr_equal(r.route, found);
    snprintf(at, sizeof at, "%s01900000-0000-7000-8000-0000000000AA", path);
    assert_int_equal(match(DOOR_PUBLIC, METHOD_GET, at), MATCH_NO_PATH);
    snprintf(at, sizeof at, "%s01900000-0000-7000-8000-0000000000a", path);
    assert_int_equal(match(DOOR_PUBLIC, METHOD_GET, at), MATCH_NO_PATH);
    snprintf(at, sizeof at, "%s01900000-0000-7000-8000-0000000000aaa", path);
    assert_int_equal(match(DOOR_PUBLIC, METHOD_GET, at), MATCH_NO_PATH);
}

static void head_is_a_get_without_a_body(void **state)
{
    (void)state;
    assert_int_equal(match(DOOR_PUBLIC, METHOD_HEAD, "/api/frontend/health"), MATCH_FOUND);
}

static void what_is_not_quite_an_address_is_none(void **state)
{
    static const char *const bad[] = {
        "",
        "/",
        "/api/frontend/health/",
        "/api/frontend//health",
        "/api/frontend/Health",
        "/api/frontend/vehicles/",
        "/api/frontend/vehicles/" VIN "/",
        "/api/frontend/vehicles/" VIN "x",
        "/api/frontend/vehicles/WVWZZZ1KZAW00000",
        "/api/frontend/vehicles/wvwzzz1kzaw000001",
        "/api/frontend/vehicles/WVWZZZ1KZAW00000I/state",
        "/api/frontend/vehicles/" VIN "/state/more",
        "/api/frontend/vehicles/{vin}",
        "/api/frontend/vehicles/" VIN "/commands/{id}",
        "/api/frontend/vehicles/" VIN "/commands/",
        "/api/frontend/vehicles/" VIN "/../" VIN,
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(match(DOOR_PUBLIC, METHOD_GET, bad[i]), MATCH_NO_PATH);
}

static void another_method_is_told_which_ones_there_are(void **state)
{
    (void)state;
    assert_int_equal(match(DOOR_PUBLIC, METHOD_POST, "/api/frontend/vehicles/" VIN),
                     MATCH_NO_METHOD);
    assert_string_equal(allow, "GET, HEAD, PUT, PATCH, DELETE");
    assert_int_equal(match(DOOR_PUBLIC, METHOD_OTHER, "/api/frontend/session"), MATCH_NO_METHOD);
    assert_string_equal(allow, "POST, PUT, DELETE");
}

static void each_door_has_its_own_addresses(void **state)
{
    (void)state;
    assert_int_equal(match(DOOR_PUBLIC, METHOD_POST, "/api/embedded/enroll"), MATCH_NO_PATH);
    assert_int_equal(match(DOOR_VEHICLES, METHOD_POST, "/api/embedded/enroll"), MATCH_FOUND);
    assert_int_equal(match(DOOR_VEHICLES, METHOD_GET, "/api/frontend/vehicles"), MATCH_NO_PATH);
    assert_int_equal(match(DOOR_VEHICLES, METHOD_GET, "/api/frontend/health"), MATCH_NO_PATH);
}

static void only_named_routes_are_open(void **state)
{
    static const char *const open[] = {"health", "config", "jwks", "session", "enroll"};

    (void)state;
    for (size_t i = 0; i < route_count; i++) {
        bool listed = false;

        for (size_t k = 0; k < sizeof open / sizeof *open; k++)
            listed |= !strcmp(route_table[i].name, open[k]);
        assert_int_equal(route_table[i].action == ACTION_OPEN, listed);
    }
}

/* ---- proto/openapi.yaml: paths are indented by two, methods by four */
static char *read_document(void)
{
    FILE *file = fopen("proto/openapi.yaml", "r");
    char *bytes = calloc(1, 1 << 20);

    assert_non_null(file); /* tests run from the project's root */
    assert_non_null(bytes);
    assert_true(fread(bytes, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return bytes;
}

static bool in_table(const char *path, const char *method)
{
    for (size_t i = 0; i < route_count; i++)
        if (!strcmp(route_table[i].path, path) &&
            !strcasecmp(method_name(route_table[i].method), method))
            return true;
    return false;
}

static void the_document_describes_exactly_the_table(void **state)
{
    static const char *const methods[] = {"get",    "put",  "post",   "patch",
                                          "delete", "head", "options"};
    char *document = read_document(), *save = NULL, path[128] = "";
    size_t described = 0;

    (void)state;
    for (char *line = strtok_r(document, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (!strcmp(line, "components:"))
            break;
        if (!strncmp(line, "  /", 3))
            snprintf(path, sizeof path, "%.*s", (int)strcspn(line + 2, ":"), line + 2);
        for (size_t m = 0; m < sizeof methods / sizeof *methods && path[0]; m++)
            if (!strncmp(line, "    ", 4) && !strncmp(line + 4, methods[m], strlen(methods[m])) &&
                !strcmp(line + 4 + strlen(methods[m]), ":")) {
                described++;
                if (!in_table(path, methods[m]))
                    fail_msg("%s %s is described but does not exist", methods[m], path);
            }
    }
    assert_int_equal(described, route_count); /* and none exists that is not described */
    free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vin_in_the_path_is_taken_out),
        cmocka_unit_test(an_id_in_the_path_is_taken_out),
        cmocka_unit_test(head_is_a_get_without_a_body),
        cmocka_unit_test(what_is_not_quite_an_address_is_none),
        cmocka_unit_test(another_method_is_told_which_ones_there_are),
        cmocka_unit_test(each_door_has_its_own_addresses),
        cmocka_unit_test(only_named_routes_are_open),
        cmocka_unit_test(the_document_describes_exactly_the_table),
    };

    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
