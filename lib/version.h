/* lib/version.h - what was built.  One object holds it, so that --version, /version and
 * vigie_build_info agree and a new commit compiles one file again. */
#ifndef LIB_VERSION_H
#define LIB_VERSION_H

extern const char version_number[];   /* "1.0.0" */
extern const char version_revision[]; /* git's short hash, "none" outside a repository */

#endif
