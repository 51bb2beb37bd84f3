/* lib/version.c - what was built, told by the Makefile. */
#include "lib/version.h"

const char version_number[] = VIGIE_VERSION;
const char version_revision[] = VIGIE_REVISION;
