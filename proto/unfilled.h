/* proto/unfilled.h - a local of some KiB that is written before it is read.  Programs are compiled
 * so that locals begin as zeros (-ftrivial-auto-var-init); of these that would cost more on every
 * call than the work:  struct car next UNFILLED; */
#ifndef PROTO_UNFILLED_H
#define PROTO_UNFILLED_H

#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define UNFILLED __attribute__((uninitialized))
#endif
#endif
#ifndef UNFILLED
#define UNFILLED
#endif

#endif
