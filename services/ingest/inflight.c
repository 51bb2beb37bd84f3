/* services/ingest/inflight.c - one file of fixed size; a mapped page survives kill -9 of whoever
 * wrote it.  A page whose file was cut short, or whose disk cannot be read, is a SIGBUS to whoever
 * touches it: it is replaced where it happens by one in memory alone. */
#include "inflight.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/hash.h"

#define MAGIC                                                                                      \
    UINT64_C(0x3674686769667676) /* changes with the layout: an old file is begun anew             \
                                  */
#define SUSPECTS 8192
#define SUSPECTS_KEPT 1000 /* more, and they are forgotten: the next crash tells who it is */
#define CERTAIN 2          /* two kills are, too */
#define ENDS 64            /* bytes looked at, of either end of a payload */
#define STACK_BYTES 32768

enum who { OTHER, DECODER, STORER /* and one more for each lane */ };

struct suspect {
    _Atomic uint64_t id;    /* 0: free */
    _Atomic uint32_t ends;  /* of us, with it in flight */
    _Atomic uint32_t guilt; /* CERTAIN for each crash it had to itself, 1 for each kill */
    uint32_t last;          /* of which end it was blamed last: a group may hold it twice */
};

struct in_hand { /* of a lane */
    _Atomic uint32_t count;
    _Atomic uint64_t at; /* of the group, 0: none in particular */
    uint64_t group[INFLIGHT_GROUP_MAX];
};

struct page { /* the file */
    uint64_t magic;
    _Atomic uint64_t decoding;
    _Atomic uint32_t suspects;
    uint32_t ends;            /* of those that had this file, so far */
    _Atomic int32_t crash;    /* the signal that ended us, 0: none we could catch */
    _Atomic uint32_t crashed; /* enum who */
    struct in_hand lanes[LANES];
    struct suspect suspected[SUSPECTS]; /* open addressing by id */
};

struct inflight {
    struct page *page;
    int fd; /* -1: in memory only */
};

/* ---- crashes */
static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
#define CRASHES (sizeof crashes / sizeof *crashes)

static struct sigaction before[CRASHES];
static struct page *_Atomic watched;
static atomic_bool was_cut;  /* the file of `watched`, since */
static uintptr_t page_bytes; /* of the machine */
static _Thread_local enum who me;
static char stacks[1 + LANES][STACK_BYTES]; /* a stack that ran over cannot hold a handler */

/* The file is gone under a page of it?  One of zeros in its place, and on it goes: mmap is a system
 * call alone, and what is in `page` is only ever a hint. */
static bool mend_page(struct page *page, const siginfo_t *what)
{
    uintptr_t at = (uintptr_t)what->si_addr, begin = (uintptr_t)page;
    int error = errno;
    void *mended;

    if (what->si_signo != SIGBUS || what->si_code <= 0 || !page || at < begin ||
        at - begin >= sizeof *page)
        return false; /* si_code 0 and less: somebody sent it */
    mended = mmap((void *)(at - at % page_bytes), page_bytes, PROT_READ | PROT_WRITE,
                  MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    errno = error;
    if (mended == MAP_FAILED)
        return false;
    atomic_store(&was_cut, true);
    return true;
}

/* Write down who it was, then let it end as it would have. */
static void note_crash(int signal, siginfo_t *what, void *context)
{
    struct page *page = atomic_load(&watched);

    (void)context;
    if (mend_page(page, what))
        return;
    if (page && atomic_load(&page->crash) == 0) {
        atomic_store(&page->crashed, me);
        atomic_store(&page->crash, signal);
    }
    for (size_t i = 0; i < CRASHES; i++)
        if (crashes[i] == signal)
            sigaction(signal, &before[i], NULL);
    raise(signal); /* comes when this handler returns */
}

static void watch(struct page *page)
{
    struct sigaction act = {.sa_sigaction = note_crash, .sa_flags = SA_ONSTACK | SA_SIGINFO};

    sigemptyset(&act.sa_mask);
    page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    atomic_store(&was_cut, false);
    atomic_store(&watched, page);
    for (size_t i = 0; i < CRASHES; i++)
        sigaction(crashes[i], &act, &before[i]);
}

static void unwatch(void)
{
    if (!atomic_load(&watched))
        return;
    for (size_t i = 0; i < CRASHES; i++)
        sigaction(crashes[i], &before[i], NULL);
    atomic_store(&watched, NULL);
}

/* Where there is one already it stays: a sanitizer's. */
static void i_am(enum who who)
{
    const stack_t own = {.ss_sp = stacks[who - DECODER], .ss_size = STACK_BYTES};
    stack_t had;

    me = who;
    if (sigaltstack(NULL, &had) == 0 && (had.ss_flags & SS_DISABLE))
        sigaltstack(&own, NULL); /* without it only an overflow goes unnoticed */
}

void inflight_i_decode(struct inflight *f)
{
    (void)f;
    i_am(DECODER);
}

void inflight_i_store(struct inflight *f, enum inflight_lane lane)
{
    (void)f;
    i_am(STORER + lane);
}

/* ---- suspects */
static struct suspect *find(struct page *page, uint64_t id)
{
    size_t at = id % SUSPECTS;

    for (size_t n = 0; n < SUSPECTS; n++, at = (at + 1) % SUSPECTS) {
        uint64_t there = atomic_load_explicit(&page->suspected[at].id, memory_order_relaxed);

        if (there == id || there == 0)
            return &page->suspected[at];
    }
    return NULL;
}

static void blame(struct page *page, uint64_t id, uint32_t guilt)
{
    struct suspect *s;

    if (id == 0 || !(s = find(page, id)))
        return;
    if (atomic_load(&s->id) == 0) {
        s->ends = 0;
        s->guilt = s->last = 0;
        atomic_store(&s->id, id);
        atomic_fetch_add(&page->suspects, 1);
    }
    if (s->last == page->ends)
        return;
    s->last = page->ends;
    s->ends++;
    s->guilt += guilt;
}

/* Nobody is left to be suspected, or too many are. */
static void make_room(struct page *page)
{
    size_t suspected = 0;

    for (size_t i = 0; i < SUSPECTS && atomic_load(&page->suspects) > 0; i++)
        suspected += page->suspected[i].ends > 0;
    if (suspected > 0 && atomic_load(&page->suspects) <= SUSPECTS_KEPT)
        return;
    memset((void *)page->suspected, 0, sizeof page->suspected);
    atomic_store(&page->suspects, 0);
}

static void blame_group(struct page *page, struct in_hand *hand)
{
    uint32_t n = atomic_load(&hand->count);
    uint64_t at = atomic_load(&hand->at);

    if (at != 0) {
        blame(page, at, CERTAIN);
        return;
    }
    for (uint32_t i = 0; i < n && i < INFLIGHT_GROUP_MAX; i++)
        blame(page, hand->group[i], n == 1 ? CERTAIN : 0);
}

/* Nothing is in hand. */
static void let_go(struct page *page)
{
    atomic_store(&page->decoding, 0);
    for (size_t i = 0; i < LANES; i++) {
        atomic_store(&page->lanes[i].count, 0);
        atomic_store(&page->lanes[i].at, 0);
    }
}

/* What the last one left. */
static void judge_last(struct page *page)
{
    int32_t crash = atomic_load(&page->crash);
    uint32_t who = atomic_load(&page->crashed);

    page->ends++;
    if (atomic_load(&page->suspects) > 0)
        make_room(page);
    if (crash == 0 || who == DECODER)
        blame(page, atomic_load(&page->decoding), crash ? CERTAIN : 1);
    if (crash != 0 && who >= STORER && who < STORER + LANES)
        blame_group(page, &page->lanes[who - STORER]);
    let_go(page);
    atomic_store(&page->crash, 0);
    atomic_store(&page->crashed, OTHER);
}

enum verdict inflight_judge(const struct inflight *f, uint64_t id)
{
    const struct suspect *s;

    if (atomic_load_explicit(&f->page->suspects, memory_order_relaxed) == 0)
        return VERDICT_NONE;
    s = find(f->page, id);
    if (!s || atomic_load(&s->id) == 0 || s->ends == 0)
        return VERDICT_NONE;
    if (s->guilt < CERTAIN)
        return VERDICT_ALONE;
    return s->guilt < 2 * CERTAIN ? VERDICT_CONDEMNED : VERDICT_UNREADABLE;
}

size_t inflight_suspects(const struct inflight *f)
{
    return atomic_load(&f->page->suspects);
}

bool inflight_was_cut(const struct inflight *f)
{
    return f->fd >= 0 && atomic_load(&was_cut);
}

/* ---- in flight */
uint64_t inflight_id(const struct topic *topic, const char *payload, size_t len)
{
    uint64_t hash = hash_bytes(len << 8 | (uint64_t)topic->leaf, topic->vin, VIN_LEN);

    if (len <= (size_t)2 * ENDS) {
        hash = hash_bytes(hash, payload, len);
    } else {
        hash = hash_bytes(hash, payload, ENDS);
        hash = hash_bytes(hash, payload + len - ENDS, ENDS);
    }
    return hash ? hash : 1;
}

void inflight_decoding(struct inflight *f, uint64_t id)
{
    atomic_store_explicit(&f->page->decoding, id, memory_order_release);
}

void inflight_storing(struct inflight *f, enum inflight_lane lane, uint64_t id)
{
    struct in_hand *hand = &f->page->lanes[lane];
    uint32_t n = atomic_load_explicit(&hand->count, memory_order_relaxed);

    if (n == INFLIGHT_GROUP_MAX)
        return;
    hand->group[n] = id;
    atomic_store_explicit(&hand->count, n + 1, memory_order_release);
}

/* A place stays taken: others may have been put behind it. */
static void acquit(struct page *page, uint64_t id)
{
    struct suspect *s = find(page, id);

    if (!s || atomic_load(&s->id) == 0)
        return;
    s->ends = 0;
    s->guilt = 0;
}

void inflight_stored(struct inflight *f, enum inflight_lane lane, bool stored)
{
    struct in_hand *hand = &f->page->lanes[lane];
    uint32_t n = atomic_load(&hand->count);

    if (stored && atomic_load(&f->page->suspects) > 0)
        for (uint32_t i = 0; i < n; i++)
            acquit(f->page, hand->group[i]);
    atomic_store(&hand->at, 0);
    atomic_store(&hand->count, 0);
}

_Atomic uint64_t *inflight_place(struct inflight *f, enum inflight_lane lane)
{
    return &f->page->lanes[lane].at;
}

/* ---- the file */
static enum status open_file(struct inflight *f, const char *path, struct fault *fault)
{
    int error;

    f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f->fd < 0)
        return fault_set(fault, ST_REJECT, "--state-dir: %s: %s", path, strerror(errno));
    if (flock(f->fd, LOCK_EX | LOCK_NB) != 0)
        return fault_set(fault, ST_REJECT, "--state-dir: another ingest has %s", path);
    /* Room for all of it now: a full disk would end us at the first write otherwise. */
    if ((error = posix_fallocate(f->fd, 0, sizeof *f->page)) != 0)
        return fault_set(fault, ST_REJECT, "--state-dir: %s: %s", path, strerror(error));
    return ST_OK;
}

static enum status map_page(struct inflight *f, struct fault *fault)
{
    int flags = f->fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *page = mmap(NULL, sizeof *f->page, PROT_READ | PROT_WRITE, flags, f->fd, 0);

    if (page == MAP_FAILED)
        return fault_set(fault, ST_FATAL, "cannot map %zu bytes: %s", sizeof *f->page,
                         strerror(errno));
    f->page = page;
    return ST_OK;
}

enum status inflight_open(struct inflight **out, const char *dir, const char *site,
                          const char *instance, struct fault *fault)
{
    struct inflight *f = calloc(1, sizeof *f);
    char path[4096];
    enum status st = ST_OK;

    if (!f)
        return fault_set(fault, ST_FATAL, "out of memory");
    f->fd = -1;
    snprintf(path, sizeof path, "%.3800s/inflight-%.60s-%.60s", dir, site, instance);
    if ((dir[0] && (st = open_file(f, path, fault)) != ST_OK) ||
        (st = map_page(f, fault)) != ST_OK) {
        inflight_close(f);
        return st;
    }
    watch(f->page);
    if (f->page->magic == MAGIC) {
        judge_last(f->page);
    } else {
        memset((void *)f->page, 0, sizeof *f->page);
        f->page->magic = MAGIC;
    }
    *out = f;
    return ST_OK;
}

void inflight_close(struct inflight *f)
{
    if (!f)
        return;
    if (f->page)
        let_go(f->page);
    unwatch();
    if (f->page)
        munmap(f->page, sizeof *f->page);
    if (f->fd >= 0)
        close(f->fd);
    free(f);
}
