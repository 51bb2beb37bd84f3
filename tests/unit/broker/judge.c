/* tests/unit/broker/judge.c - lets another program put questions to the guard's rules.
 *   judge DENY_FILE < questions > answers
 * A question is one line of six fields with a tab between them (no field contains one):
 *   name  issuer(0 unseen, 1 service, 2 other)  access  retained(0, 1)  has_name(0, 1)  topic
 * The answer is one line: allow, defer or deny, then the reason. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/broker/deny_file.h"
#include "services/broker/guard_rules.h"

/* Cut the field at *line off and step behind it. */
static char *field(char **line)
{
    char *start = strsep(line, "\t");

    return start ? start : (char *)"";
}

static void answer(char *line, const struct deny_list *denied)
{
    static const char *const answers[] = {"allow", "defer", "deny"};
    enum guard_reason reason;
    struct guard_ask ask = {0};

    line[strcspn(line, "\n")] = '\0';
    ask.name = field(&line);
    ask.issuer = (enum guard_issuer)atoi(field(&line));
    ask.access = atoi(field(&line));
    ask.retained = atoi(field(&line)) != 0;
    if (!atoi(field(&line)))
        ask.name = NULL;
    ask.topic = field(&line);
    printf("%s ", answers[guard_rules_judge(&ask, denied, &reason)]);
    puts(guard_rules_reason_name(reason));
}

int main(int argc, char **argv)
{
    struct deny_file *file = NULL;
    struct deny_list *denied = NULL;
    struct fault fault = {""};
    char *line = NULL;
    size_t size = 0, ignored;

    if (argc != 2 || deny_file_open(&file, argv[1], &fault) != ST_OK ||
        deny_file_read(file, &denied, &ignored, &fault) != ST_OK) {
        fprintf(stderr, "judge DENY_FILE: %s\n", fault.text);
        return 2;
    }
    while (getline(&line, &size, stdin) > 0)
        answer(line, denied);
    free(line);
    deny_list_close(denied);
    deny_file_close(file);
    return 0;
}
