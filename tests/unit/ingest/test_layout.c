/* A state that another build stored: what it says under a name this one knows is carried over. */
#define car driven_car
#define sample driven_sample
#include "tests/unit/ingest/drives.h"
#undef car
#undef sample

#include "services/ingest/car/car.h"
#include "services/ingest/car/fields.h"

static struct layout own;

static int setup(void **state)
{
    (void)state;
    return layout_make(&own, fields_of_car, sizeof(struct car)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    layout_done(&own);
    return 0;
}

/* ---- all of it */
static size_t alignment(const struct layout_member *m)
{
    size_t most = 1;

    if (!m->of)
        return m->kind == 't' ? 1 : m->size;
    for (const struct layout_member *in = m->of; in->name; in++)
        most = alignment(in) > most ? alignment(in) : most;
    return most;
}

static size_t up(size_t at, size_t to)
{
    return (at + to - 1) / to * to;
}

/* Members follow each other with no more between them than their alignment asks for. */
static void is_whole(const struct layout_member *members, size_t size)
{
    size_t end = 0, most = 1;

    for (const struct layout_member *m = members; m->name; m++) {
        if (m->at != up(end, alignment(m)))
            fail_msg("something is not told before %s: %zu, not %zu", m->name, m->at,
                     up(end, alignment(m)));
        end = m->at + m->size * (m->n ? m->n : 1);
        most = alignment(m) > most ? alignment(m) : most;
        if (m->of)
            is_whole(m->of, m->size);
    }
    assert_int_equal(up(end, most), size);
}

static void every_member_of_a_car_is_told(void **state)
{
    (void)state;
    is_whole(fields_of_car, sizeof(struct car));
    for (size_t i = 0; i < own.n; i++)
        for (size_t j = i + 1; j < own.n; j++)
            assert_string_not_equal(own.leaf[i].name, own.leaf[j].name);
}

/* ---- another build */
static bool is_number(char kind)
{
    return kind == 'i' || kind == 'u';
}

/* As a build might have it: the other way round, numbers of 8 bytes, ids longer, and values that
 * nobody knows in between. */
static void make_other(struct layout *other)
{
    struct layout_leaf *extra;
    size_t at = 8;

    *other = (struct layout){0};
    assert_true(layout_make(other, fields_of_car, sizeof(struct car)));
    for (size_t i = other->n; i-- > 0;) {
        struct layout_leaf *leaf = &other->leaf[i];
        size_t stride;

        if (is_number(leaf->kind))
            leaf->size = 8;
        if (leaf->kind == 't')
            leaf->size += 3;
        stride = leaf->size;
        for (size_t d = leaf->dims; d-- > 0;) {
            leaf->dim[d].n += 2;
            leaf->dim[d].stride = stride;
            stride *= leaf->dim[d].n;
        }
        leaf->at = at;
        at += stride;
    }
    extra = &other->leaf[other->n - 1];
    assert_string_equal(extra->name, "shown_private");
    (void)snprintf(extra->name, sizeof extra->name, "shown_otherwise");
    other->size = up(at, 8);
}

static void read_text(struct layout *from, const struct layout *of)
{
    struct text text;

    text_init(&text);
    layout_print(of, FIELDS_AGE, &text);
    *from = (struct layout){0};
    assert_true(layout_scan(from, FIELDS_AGE, text.bytes));
    assert_int_equal(from->n, of->n);
    assert_int_equal(from->size, of->size);
    text_done(&text);
}

static struct car_settings settings(void)
{
    return (struct car_settings){.trip = trip_defaults,
                                 .detect = {.here = true, .harsh = &harsh_car},
                                 .limits = {40, NOT_MEASURED}};
}

static void a_drive_goes_on_through_the_states_of_another_build(void **state)
{
    struct drive d = drive_b08();
    struct car_settings set = settings();
    struct layout made, other, ours = {0};
    struct car_out one = {0}, two = {0};
    static struct car whole, parts;
    char *stored;

    (void)state;
    make_other(&made);
    read_text(&other, &made);
    assert_true(layout_make(&ours, fields_of_car, sizeof(struct car)));
    assert_true(layout_pair(&ours, &other));
    assert_true(layout_pair(&other, &own));
    stored = malloc(other.size);
    for (size_t i = 0; i < d.n; i++) {
        struct moment m = d.at[i], again = m;

        car_step_moment(&whole, &set, &m, NULL, 0, &one);
        car_step_moment(&parts, &set, &again, NULL, 0, &two);
        assert_true(layout_convert(stored, &other, &parts, &own));
        memset(&parts, 0xa5, sizeof parts);
        assert_true(layout_convert(&parts, &ours, stored, &other));
    }
    assert_true(one.rows_n >= 3 && one.found_n >= 1);
    assert_int_equal(one.rows_n, two.rows_n);
    for (size_t i = 0; i < one.rows_n; i++) {
        assert_int_equal(one.rows[i].start_ms, two.rows[i].start_ms);
        assert_int_equal(one.rows[i].end_ms, two.rows[i].end_ms);
        assert_true(one.rows[i].sum.distance_m == two.rows[i].sum.distance_m);
    }
    assert_int_equal(one.found_n, two.found_n);
    for (size_t i = 0; i < one.found_n; i++) {
        assert_string_equal(one.found[i].data, two.found[i].data);
        assert_int_equal(one.found[i].occurred_ms, two.found[i].occurred_ms);
    }
    free(stored);
    layout_done(&made);
    layout_done(&other);
    layout_done(&ours);
    car_out_done(&one);
    car_out_done(&two);
    drive_done(&d);
}

/* ---- small ones */
static void make(struct layout *l, const char *lines, size_t size)
{
    struct text text;

    text_init(&text);
    *l = (struct layout){.size = size};
    layout_print(l, 1, &text);
    text_print(&text, "%s", lines);
    assert_true(layout_scan(l, 1, text.bytes));
    text_done(&text);
}

static bool convert(void *out, const char *to_lines, size_t to_size, const void *in,
                    const char *from_lines, size_t from_size)
{
    struct layout to, from;
    bool fits;

    make(&to, to_lines, to_size);
    make(&from, from_lines, from_size);
    fits = layout_pair(&to, &from) && layout_convert(out, &to, in, &from);
    layout_done(&to);
    layout_done(&from);
    return fits;
}

static void what_is_new_begins_as_nothing_and_what_is_gone_is_dropped(void **state)
{
    struct {
        int64_t a;
        double new_m, new_percent;
    } out;
    const int64_t in[] = {5, 7};

    (void)state;
    memset(&out, 0xa5, sizeof out);
    assert_true(convert(&out, "a i 0 8 0\nnew_m f 8 8 0\nnew_percent n 16 8 0\n", sizeof out, in,
                        "gone i 0 8 0\na i 8 8 0\n", sizeof in));
    assert_int_equal(out.a, 7);
    assert_true(out.new_m == 0);
    assert_true(isnan(out.new_percent));
}

static void numbers_get_wider_and_narrower_as_far_as_they_fit(void **state)
{
    const int64_t small = -3, big = INT64_C(1) << 40;
    const uint32_t most = UINT32_MAX;
    int32_t narrow;
    int64_t wide;
    double number;

    (void)state;
    assert_true(convert(&narrow, "a i 0 4 0\n", 4, &small, "a i 0 8 0\n", 8));
    assert_int_equal(narrow, -3);
    assert_true(convert(&wide, "a i 0 8 0\n", 8, &narrow, "a i 0 4 0\n", 4));
    assert_int_equal(wide, -3);
    assert_false(convert(&narrow, "a i 0 4 0\n", 4, &big, "a i 0 8 0\n", 8));
    assert_false(convert(&narrow, "a u 0 4 0\n", 4, &small, "a i 0 8 0\n", 8));
    assert_false(convert(&narrow, "a i 0 4 0\n", 4, &most, "a u 0 4 0\n", 4));
    assert_true(convert(&wide, "a i 0 8 0\n", 8, &most, "a u 0 4 0\n", 4));
    assert_true(wide == UINT32_MAX);
    assert_true(convert(&number, "a f 0 8 0\n", 8, &small, "a i 0 8 0\n", 8));
    assert_true(number == -3);
}

static void a_word_this_build_does_not_know_is_refused(void **state)
{
    const uint32_t word = 4;
    uint32_t out;

    (void)state;
    assert_true(convert(&out, "a e 0 4 4\n", 4, &word, "a e 0 4 9\n", 4));
    assert_int_equal(out, 4);
    assert_false(convert(&out, "a e 0 4 3\n", 4, &word, "a e 0 4 9\n", 4));
    assert_false(convert(&out, "a b 0 1 0\n", 4, &word, "a e 0 4 9\n", 4));
}

static void elements_that_find_no_room_are_refused_unless_they_say_nothing(void **state)
{
    const int64_t three[] = {1, 2, 3}, two[] = {1, 2, 0};
    int64_t out[4] = {9, 9, 9, 9};

    (void)state;
    assert_false(convert(out, "a i 0 8 0 2*8\n", 16, three, "a i 0 8 0 3*8\n", 24));
    assert_true(convert(out, "a i 0 8 0 2*8\n", 16, two, "a i 0 8 0 3*8\n", 24));
    assert_true(convert(out, "a i 0 8 0 4*8\n", 32, three, "a i 0 8 0 3*8\n", 24));
    assert_int_equal(out[2], 3);
    assert_int_equal(out[3], 0);
    assert_false(convert(out, "a t 0 16 0\n", 16, three, "a t 0 24 0\n", 24));
    assert_true(convert(out, "a t 0 16 0\n", 16, two, "a t 0 24 0\n", 24));
}

static void a_name_that_is_another_thing_is_refused(void **state)
{
    const int64_t in[2] = {1, 2};
    int64_t out[2];

    (void)state;
    assert_false(convert(out, "a i 0 8 0\n", 16, in, "a f 0 8 0\n", 16));
    assert_false(convert(out, "a i 0 8 0\n", 16, in, "a t 0 8 0\n", 16));
    assert_false(convert(out, "a i 0 8 0\n", 16, in, "a i 0 8 0 2*8\n", 16));
    assert_false(convert(out, "a f 0 8 0\n", 16, in, "a t 0 8 0\n", 16));
}

static void text_that_is_no_layout_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "1",
        "1 little",
        "1 little 8",
        "2 little 8\na i 0 8 0\n",
        "1 middle 8\na i 0 8 0\n",
        "1 little 0\n",
        "1 little 99999999999999999999\n",
        "1 little 8\na",
        "1 little 8\na ",
        "1 little 8\na i",
        "1 little 8\na i 0",
        "1 little 8\na i 0 8",
        "1 little 8\na i 0 8 0",
        "1 little 8\na x 0 8 0\n",
        "1 little 8\na i 0 3 0\n",
        "1 little 8\na i 1 8 0\n",
        "1 little 8\na i 0 8 0 2*8\n",
        "1 little 8\na i 0 8 0 0*8\n",
        "1 little 8\na i 0 8 0 1\n",
        "1 little 8\na i 0 8 0 1*0 1*0 1*0 1*0\n",
        "1 little 8\n a i 0 8 0\n",
        "1 little 8\na i -1 8 0\n",
    };
    struct layout l = {0};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (layout_scan(&l, 1, wrong[i]))
            fail_msg("\"%s\" was taken", wrong[i]);
    layout_done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_of_a_car_is_told),
        cmocka_unit_test(a_drive_goes_on_through_the_states_of_another_build),
        cmocka_unit_test(what_is_new_begins_as_nothing_and_what_is_gone_is_dropped),
        cmocka_unit_test(numbers_get_wider_and_narrower_as_far_as_they_fit),
        cmocka_unit_test(a_word_this_build_does_not_know_is_refused),
        cmocka_unit_test(elements_that_find_no_room_are_refused_unless_they_say_nothing),
        cmocka_unit_test(a_name_that_is_another_thing_is_refused),
        cmocka_unit_test(text_that_is_no_layout_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
