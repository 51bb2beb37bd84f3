/* vehicle/obd/formula.c - see formula.h. */
#include "formula.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FORMULA_DEPTH_MAX 12
#define FORMULA_STACK 24
#define FORMULA_BYTES_MAX 256
#define WHOLE_MAX 9007199254740992.0 /* 2^53: what a double holds to the unit */

struct formula_parse {
    struct formula *out;
    const char *at;
    int depth;
};

static bool parse_level(struct formula_parse *p, int level);

static bool parse_emit(struct formula_parse *p, char what, double number)
{
    if (p->out->count == FORMULA_STEPS_MAX)
        return false;
    p->out->steps[p->out->count++] = (struct formula_step){what, number};
    if (what == 'b' && p->out->needs < (size_t)number + 1)
        p->out->needs = (size_t)number + 1;
    return true;
}

static void parse_blank(struct formula_parse *p)
{
    while (*p->at == ' ')
        p->at++;
}

static bool parse_take(struct formula_parse *p, const char *text)
{
    size_t n = strlen(text);

    parse_blank(p);
    if (strncmp(p->at, text, n) != 0)
        return false;
    p->at += n;
    return true;
}

static bool parse_number(struct formula_parse *p, double *out)
{
    char text[24];
    size_t n = strspn(p->at, "0123456789.");
    char *end;

    if (n == 0 || n >= sizeof text)
        return false;
    memcpy(text, p->at, n);
    text[n] = '\0';
    *out = strtod(text, &end);
    p->at += n;
    return *end == '\0';
}

static bool parse_group(struct formula_parse *p, char what)
{
    bool good = ++p->depth <= FORMULA_DEPTH_MAX && parse_level(p, 0) && parse_take(p, ")");

    p->depth--;
    return good && (what == '(' || parse_emit(p, what, 0));
}

static bool parse_atom(struct formula_parse *p)
{
    double number = 0;

    if (parse_take(p, "s8("))
        return parse_group(p, '1');
    if (parse_take(p, "s16("))
        return parse_group(p, '2');
    if (parse_take(p, "s32("))
        return parse_group(p, '4');
    if (parse_take(p, "("))
        return parse_group(p, '(');
    if (parse_take(p, "["))
        return parse_number(p, &number) && number < FORMULA_BYTES_MAX && number == floor(number) &&
               parse_take(p, "]") && parse_emit(p, 'b', number);
    parse_blank(p);
    if (*p->at >= 'A' && *p->at <= 'Z')
        return parse_emit(p, 'b', *p->at++ - 'A');
    return parse_number(p, &number) && parse_emit(p, '#', number);
}

/* Operators of one level, weakest first; '<' and '>' stand for << and >>. */
static char parse_operator(struct formula_parse *p, int level)
{
    static const char *const levels[] = {"&", "<>", "+-", "*/"};
    char c;

    parse_blank(p);
    c = *p->at;
    if (c == '\0' || strchr(levels[level], c) == NULL)
        return '\0';
    if (level == 1 && p->at[1] != c)
        return '\0';
    p->at += level == 1 ? 2 : 1;
    return c;
}

static bool parse_level(struct formula_parse *p, int level)
{
    char operator;

    if (level == 4)
        return parse_atom(p);
    if (!parse_level(p, level + 1))
        return false;
    while ((operator= parse_operator(p, level)) != '\0')
        if (!parse_level(p, level + 1) || !parse_emit(p, operator, 0))
            return false;
    return true;
}

enum status formula_read(struct formula *out, const char *text, struct fault *fault)
{
    struct formula_parse p = {out, text, 0};

    out->count = out->needs = 0;
    if (strlen(text) > FORMULA_TEXT_MAX || !parse_level(&p, 0))
        return fault_set(fault, ST_REJECT, "\"%.60s\" is no formula", text);
    parse_blank(&p);
    if (*p.at != '\0')
        return fault_set(fault, ST_REJECT, "\"%.60s\": not understood from \"%.20s\"", text, p.at);
    return ST_OK;
}

static bool value_whole(double a, uint64_t *out)
{
    if (!(a >= 0) || a >= WHOLE_MAX)
        return false;
    *out = (uint64_t)a;
    return true;
}

static bool value_bits(char what, double a, double b, double *out)
{
    uint64_t x, y;

    if (!value_whole(a, &x) || !value_whole(b, &y) || (what != '&' && y > 52))
        return false;
    *out = (double)(what == '&' ? x & y : what == '<' ? x << y : x >> y);
    return *out < WHOLE_MAX;
}

static bool value_signed(char what, double *a)
{
    double half = what == '1' ? 128.0 : what == '2' ? 32768.0 : 2147483648.0;

    if (!(*a >= 0) || *a >= 2 * half)
        return false;
    if (*a >= half)
        *a -= 2 * half;
    return true;
}

static bool value_binary(char what, double a, double b, double *out)
{
    switch (what) {
    case '+':
        *out = a + b;
        return true;
    case '-':
        *out = a - b;
        return true;
    case '*':
        *out = a * b;
        return true;
    case '/':
        *out = b != 0 ? a / b : NAN;
        return b != 0;
    default:
        return value_bits(what, a, b, out);
    }
}

bool formula_value(const struct formula *f, const uint8_t *data, size_t len, double *value)
{
    double stack[FORMULA_STACK];
    size_t n = 0;

    for (size_t i = 0; i < f->count; i++) {
        const struct formula_step *s = &f->steps[i];

        if (s->what == 'b' || s->what == '#') {
            if (n == FORMULA_STACK || (s->what == 'b' && (size_t)s->number >= len))
                return false;
            stack[n++] = s->what == 'b' ? data[(size_t)s->number] : s->number;
        } else if (isdigit((unsigned char)s->what)) {
            if (n < 1 || !value_signed(s->what, &stack[n - 1]))
                return false;
        } else {
            if (n < 2 || !value_binary(s->what, stack[n - 2], stack[n - 1], &stack[n - 2]))
                return false;
            n--;
        }
    }
    if (n != 1 || !isfinite(stack[0]))
        return false;
    *value = stack[0];
    return true;
}
