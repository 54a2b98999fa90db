/* Records what a process does to the files of one folder, and makes the disk fail at a chosen call.

   Loaded with LD_PRELOAD. It is silent until powercut_begin(); from then on every call that changes a file
   below the folder is one entry of the trace, written after the call returned, in the order of the calls.
   powercut_note() puts the program's own words (what it acknowledged) into the same order. SQLite's -shm
   and the lock file hold nothing that must survive a cut and are left out.

   An entry: 7 little-endian uint64 (kind, inode, a, b, length of path, of second path, of data), then these.
   One thread at a time may write, as the store does. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NOTE = 1, CREATE, WRITE, TRUNCATE, SYNC, SYNC_FOLDER, RENAME, UNLINK, LINK, MKDIR, FAILED };

#define DESCRIPTORS 4096
static int trace = -1;
static char root[PATH_MAX];
static size_t root_length;
static struct { char tracked, folder; uint64_t inode; } table[DESCRIPTORS];

/* The fault: calls of `kinds` (a bit each) are counted, the `at`-th fails with `error`, and if `lasting`
   every later one as well. A write that fails for room writes its first half before. */
static struct { unsigned kinds, at, count; int error, lasting, halved; } fault;

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static void put(const void *data, size_t length) {
    while (length) {
        ssize_t done = syscall(SYS_write, trace, data, length);
        if (done <= 0) _exit(97); /* a trace with a hole proves nothing */
        data = (const char *)data + done;
        length -= done;
    }
}

static void entry(uint64_t kind, uint64_t inode, uint64_t a, uint64_t b, const char *path, const char *other,
                  const void *data, size_t length) {
    uint64_t head[7] = {kind, inode, a, b, path ? strlen(path) : 0, other ? strlen(other) : 0, length};
    int kept = errno;
    put(head, sizeof head);
    put(path, head[4]);
    put(other, head[5]);
    put(data, length);
    errno = kept;
}

static int ours(const char *path) {
    size_t length = path ? strlen(path) : 0;
    if (trace < 0 || length <= root_length || strncmp(path, root, root_length) || path[root_length] != '/')
        return 0;
    return !(length > 4 && !strcmp(path + length - 4, "-shm")) &&
           !(length > 5 && !strcmp(path + length - 5, ".lock"));
}

static const char *inside(const char *path) { return path + root_length + 1; }
static int tracked(int fd) { return trace >= 0 && fd >= 0 && fd < DESCRIPTORS && table[fd].tracked; }

static int fails(unsigned kind, uint64_t inode) {
    if (!(fault.kinds & 1u << kind)) return 0;
    fault.count++;
    if (!fault.at || fault.count < fault.at || (fault.count > fault.at && !fault.lasting)) return 0;
    entry(FAILED, inode, kind, fault.count, NULL, NULL, NULL, 0);
    errno = fault.error;
    return 1;
}

int powercut_begin(const char *trace_path, const char *folder) {
    trace = syscall(SYS_openat, AT_FDCWD, trace_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    strncpy(root, folder, sizeof root - 1);
    root_length = strlen(root);
    return trace < 0 ? -1 : 0;
}

void powercut_fault(unsigned kinds, unsigned at, int error, int lasting) {
    fault.kinds = kinds, fault.at = at, fault.count = 0, fault.error = error, fault.lasting = lasting;
    fault.halved = 0;
}

unsigned powercut_calls(void) { return fault.count; }

void powercut_note(const char *text) { entry(NOTE, 0, 0, 0, NULL, NULL, text, strlen(text)); }

static int opened(int fd, const char *path, int flags, int existed, int is_root) {
    struct stat status;
    if (fd < 0 || fd >= DESCRIPTORS) return fd;
    table[fd].tracked = 0;
    if ((!is_root && !ours(path)) || fstat(fd, &status)) return fd;
    table[fd].tracked = 1;
    table[fd].folder = S_ISDIR(status.st_mode);
    table[fd].inode = status.st_ino;
    if (table[fd].folder) return fd;
    if (!existed) entry(CREATE, status.st_ino, 0, 0, inside(path), NULL, NULL, 0);
    else if (flags & O_TRUNC) entry(TRUNCATE, status.st_ino, 0, 0, NULL, NULL, NULL, 0);
    return fd;
}

static int open_any(int at, const char *path, int flags, int mode) {
    struct stat status;
    int is_root = trace >= 0 && path && !strcmp(path, root);
    int watched = ours(path), existed = 1;
    if (watched) {
        existed = !lstat(path, &status);
        int writing = (flags & O_ACCMODE) != O_RDONLY;
        if ((writing || (!existed && flags & O_CREAT)) && fails(CREATE, 0)) return -1;
    }
    return opened(syscall(SYS_openat, at, path, flags, mode), path, flags, existed, is_root);
}

#define OPEN_BODY(at) \
    int mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, int); va_end(rest); } \
    return open_any(at, path, flags, mode);

int open(const char *path, int flags, ...) { OPEN_BODY(AT_FDCWD) }
int open64(const char *path, int flags, ...) { OPEN_BODY(AT_FDCWD) }
int openat(int at, const char *path, int flags, ...) { OPEN_BODY(at) }
int openat64(int at, const char *path, int flags, ...) { OPEN_BODY(at) }

int close(int fd) {
    REAL(int, "close", int);
    if (fd >= 0 && fd < DESCRIPTORS) table[fd].tracked = 0;
    return real(fd);
}

static ssize_t write_at(int fd, const void *data, size_t length, off_t offset) {
    size_t all = length;
    int last = fault.kinds & 1u << WRITE && fault.count + 1 == fault.at && fault.error == ENOSPC;
    if (last && !fault.halved && length > 1) length /= 2;
    if (length == all && fails(WRITE, table[fd].inode)) return -1;
    if (length != all) {
        fault.halved = 1; /* the first half fits, and nothing after it */
    }
    ssize_t done = syscall(SYS_pwrite64, fd, data, length, offset);
    if (done > 0) entry(WRITE, table[fd].inode, offset, 0, NULL, NULL, data, done);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) {
    if (!tracked(fd)) return syscall(SYS_pwrite64, fd, data, length, offset);
    return write_at(fd, data, length, offset);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

ssize_t write(int fd, const void *data, size_t length) {
    if (!tracked(fd)) return syscall(SYS_write, fd, data, length);
    off_t offset = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    ssize_t done = write_at(fd, data, length, offset);
    if (done > 0) lseek(fd, offset + done, SEEK_SET);
    return done;
}

int ftruncate64(int fd, off_t length) {
    if (tracked(fd) && fails(TRUNCATE, table[fd].inode)) return -1;
    int result = syscall(SYS_ftruncate, fd, length);
    if (!result && tracked(fd)) entry(TRUNCATE, table[fd].inode, length, 0, NULL, NULL, NULL, 0);
    return result;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int sync_any(int fd, int (*real)(int)) {
    if (!tracked(fd)) return real(fd);
    unsigned kind = table[fd].folder ? SYNC_FOLDER : SYNC;
    if (fails(kind, table[fd].inode)) return -1;
    int result = real(fd);
    if (!result) entry(kind, table[fd].inode, 0, 0, NULL, NULL, NULL, 0);
    return result;
}

int fsync(int fd) { REAL(int, "fsync", int); return sync_any(fd, real); }
int fdatasync(int fd) { REAL(int, "fdatasync", int); return sync_any(fd, real); }

int rename(const char *from, const char *to) {
    if (ours(from) && fails(RENAME, 0)) return -1;
    int result = syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
    if (!result && ours(from) && ours(to)) entry(RENAME, 0, 0, 0, inside(from), inside(to), NULL, 0);
    return result;
}

int link(const char *from, const char *to) {
    struct stat status;
    if (ours(from) && fails(LINK, 0)) return -1;
    int result = syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (!result && ours(to) && !lstat(to, &status)) entry(LINK, status.st_ino, 0, 0, inside(to), NULL, NULL, 0);
    return result;
}

int linkat(int a, const char *from, int b, const char *to, int flags) {
    if (a == AT_FDCWD && b == AT_FDCWD) return link(from, to);
    return syscall(SYS_linkat, a, from, b, to, flags);
}

int unlink(const char *path) {
    if (ours(path) && fails(UNLINK, 0)) return -1;
    int result = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (!result && ours(path)) entry(UNLINK, 0, 0, 0, inside(path), NULL, NULL, 0);
    return result;
}

int mkdir(const char *path, mode_t mode) {
    if (ours(path) && fails(MKDIR, 0)) return -1;
    int result = syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    if (!result && ours(path)) entry(MKDIR, 0, 0, 0, inside(path), NULL, NULL, 0);
    return result;
}
