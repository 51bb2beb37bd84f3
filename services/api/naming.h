/* services/api/naming.h - names and other short texts as people write them, in valid UTF-8.  Pure.
 */
#ifndef API_NAMING_H
#define API_NAMING_H

#include <stdbool.h>

/* Characters in it; -1: a control character (C0, DEL, C1) is among them. */
long naming_characters(const char *text);

/* Is there nothing to see in it: white space and what takes no room at all?  True of "" as well. */
bool naming_is_blank(const char *text);

#endif
