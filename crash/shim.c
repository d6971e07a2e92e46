/* Counts what a process changes on the disk below one folder, and kills it or fails at the n-th change.

   Loaded with LD_PRELOAD, so that it sees what Python does as well as what libraries in C, C++ and Rust do. Nothing is
   counted before `crash_begin`; processes forked after it share its counter. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, KILL, FULL, FAULT };

static struct { long count; int full; } *shared;
static char root[PATH_MAX];
static long strike_at;
static int manner, record = -1;

/* Count from now on below `folder`; at the n-th change kill the process (KILL), fail for want of space there and at
   all that needs space later (FULL), or fail once (FAULT). Each change is written to the file descriptor `log`. */
void crash_begin(const char *folder, long n, int how, int log) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(root, sizeof root, "%s/", folder);
    strike_at = n, manner = how, record = log;
}

static void of_descriptor(int descriptor, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
}

static void absolute(int folder, const char *name, char *path) {
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    char start[PATH_MAX];
    if (folder == AT_FDCWD) {
        if (!getcwd(start, sizeof start)) start[0] = 0;
    } else
        of_descriptor(folder, start);
    if (snprintf(path, PATH_MAX, "%s/%s", start, name) >= PATH_MAX) path[0] = 0;
}

/* The number of the error that a change must fail with, or 0; -1 means that the process must be killed. */
static int struck(const char *kind, const char *path, int needs_space) {
    if (!shared || strncmp(path, root, strlen(root))) return 0;
    long n = __atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST);
    if (record >= 0) {
        char line[PATH_MAX + 32];
        int length = snprintf(line, sizeof line, "%s\t%s\n", kind, path + strlen(root));
        syscall(SYS_write, record, line, length);
    }
    if (n == strike_at) {
        if (manner == KILL) return -1;
        if (manner == FULL) shared->full = 1;
        return manner == FULL ? ENOSPC : manner == FAULT ? EIO : 0;
    }
    return shared->full && needs_space ? ENOSPC : 0;
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define AT(kind, folder, name, needs_space)                  \
    do {                                                     \
        int saved = errno, found;                            \
        char path[PATH_MAX];                                 \
        absolute(folder, name, path);                        \
        if ((found = struck(kind, path, needs_space)) < 0) die(); \
        errno = saved;                                       \
        if (found) return errno = found, -1;                 \
    } while (0)

#define ON(kind, descriptor, needs_space, half)              \
    do {                                                     \
        int saved = errno, found;                            \
        char path[PATH_MAX];                                 \
        if (shared) {                                        \
            of_descriptor(descriptor, path);                 \
            if ((found = struck(kind, path, needs_space)) < 0) { half; die(); } \
            errno = saved;                                   \
            if (found) return errno = found, -1;             \
        }                                                    \
    } while (0)

/* A write that is cut off by a kill has written a half. */
ssize_t write(int fd, const void *data, size_t n) {
    ON("write", fd, 1, syscall(SYS_write, fd, data, n / 2));
    return REAL(write)(fd, data, n);
}
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
    ON("write", fd, 1, syscall(SYS_pwrite64, fd, data, n / 2, at));
    return REAL(pwrite)(fd, data, n, at);
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
    ON("write", fd, 1, syscall(SYS_pwrite64, fd, data, n / 2, at));
    return REAL(pwrite64)(fd, data, n, at);
}
ssize_t writev(int fd, const struct iovec *parts, int n) {
    ON("write", fd, 1, syscall(SYS_writev, fd, parts, n / 2));
    return REAL(writev)(fd, parts, n);
}
ssize_t copy_file_range(int from, off64_t *a, int to, off64_t *b, size_t n, unsigned flags) {
    ON("write", to, 1, (void)0);
    return REAL(copy_file_range)(from, a, to, b, n, flags);
}
ssize_t sendfile(int to, int from, off_t *at, size_t n) {
    ON("write", to, 1, (void)0);
    return REAL(sendfile)(to, from, at, n);
}
ssize_t sendfile64(int to, int from, off64_t *at, size_t n) {
    ON("write", to, 1, (void)0);
    return REAL(sendfile64)(to, from, at, n);
}
int ftruncate(int fd, off_t n) { ON("truncate", fd, 1, (void)0); return REAL(ftruncate)(fd, n); }
int ftruncate64(int fd, off64_t n) { ON("truncate", fd, 1, (void)0); return REAL(ftruncate64)(fd, n); }
int fsync(int fd) { ON("fsync", fd, 1, (void)0); return REAL(fsync)(fd); }
int fdatasync(int fd) { ON("fsync", fd, 1, (void)0); return REAL(fdatasync)(fd); }
int fchmod(int fd, mode_t mode) { ON("chmod", fd, 0, (void)0); return REAL(fchmod)(fd, mode); }
int chmod(const char *name, mode_t mode) { AT("chmod", AT_FDCWD, name, 0); return REAL(chmod)(name, mode); }
int fchmodat(int folder, const char *name, mode_t mode, int flags) {
    AT("chmod", folder, name, 0);
    return REAL(fchmodat)(folder, name, mode, flags);
}
int mkdir(const char *name, mode_t mode) { AT("mkdir", AT_FDCWD, name, 1); return REAL(mkdir)(name, mode); }
int mkdirat(int folder, const char *name, mode_t mode) {
    AT("mkdir", folder, name, 1);
    return REAL(mkdirat)(folder, name, mode);
}
int rename(const char *from, const char *to) { AT("rename", AT_FDCWD, to, 0); return REAL(rename)(from, to); }
int renameat(int a, const char *from, int b, const char *to) {
    AT("rename", b, to, 0);
    return REAL(renameat)(a, from, b, to);
}
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
    AT("rename", b, to, 0);
    return REAL(renameat2)(a, from, b, to, flags);
}
int link(const char *from, const char *to) { AT("rename", AT_FDCWD, to, 1); return REAL(link)(from, to); }
int symlink(const char *from, const char *to) { AT("rename", AT_FDCWD, to, 1); return REAL(symlink)(from, to); }
int unlink(const char *name) { AT("unlink", AT_FDCWD, name, 0); return REAL(unlink)(name); }
int remove(const char *name) { AT("unlink", AT_FDCWD, name, 0); return REAL(remove)(name); }
int rmdir(const char *name) { AT("unlink", AT_FDCWD, name, 0); return REAL(rmdir)(name); }
int unlinkat(int folder, const char *name, int flags) {
    AT("unlink", folder, name, 0);
    return REAL(unlinkat)(folder, name, flags);
}

/* Opening is a change where it makes or empties a file. */
static int changes(int folder, const char *name, int flags) {
    if (flags & O_TRUNC) return 1;
    return flags & O_CREAT && faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW);
}
#define OPENING(folder, name, flags)                                               \
    do {                                                                           \
        int before = errno;                                                        \
        int making = shared && changes(folder, name, flags);                       \
        errno = before;                                                            \
        if (making) AT("create", folder, name, 1);                                 \
    } while (0)
#define MODE(flags)                                                                \
    mode_t mode = 0;                                                               \
    if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) {                 \
        va_list rest;                                                              \
        va_start(rest, flags);                                                     \
        mode = va_arg(rest, mode_t);                                               \
        va_end(rest);                                                              \
    }
int open(const char *name, int flags, ...) {
    MODE(flags) OPENING(AT_FDCWD, name, flags);
    return REAL(open)(name, flags, mode);
}
int open64(const char *name, int flags, ...) {
    MODE(flags) OPENING(AT_FDCWD, name, flags);
    return REAL(open64)(name, flags, mode);
}
int openat(int folder, const char *name, int flags, ...) {
    MODE(flags) OPENING(folder, name, flags);
    return REAL(openat)(folder, name, flags, mode);
}
int openat64(int folder, const char *name, int flags, ...) {
    MODE(flags) OPENING(folder, name, flags);
    return REAL(openat64)(folder, name, flags, mode);
}
int creat(const char *name, mode_t mode) {
    OPENING(AT_FDCWD, name, O_CREAT | O_TRUNC);
    return REAL(creat)(name, mode);
}
static int fails_to_open(const char *name, const char *mode) {
    if (mode[0] == 'r') return 0;
    OPENING(AT_FDCWD, name, mode[0] == 'w' ? O_CREAT | O_TRUNC : O_CREAT);
    return 0;
}
FILE *fopen(const char *name, const char *mode) {
    return fails_to_open(name, mode) ? NULL : REAL(fopen)(name, mode);
}
FILE *fopen64(const char *name, const char *mode) {
    return fails_to_open(name, mode) ? NULL : REAL(fopen64)(name, mode);
}
