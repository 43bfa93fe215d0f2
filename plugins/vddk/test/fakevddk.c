/* A libvixDiskLib for tests: a disk is a file of its bytes. It checks how it is used, and does as the file `control` beside it says.
 *
 * control: lines of "fail CALL NUMBER", "hang CALL", "crash CALL", "lock" (one writer at a time), "noisy" (a thread that logs while others wait for it)
 * calls:   what was called, a line each; "VIOLATION …" where it was called as it must not be
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef uint64_t VixError;
typedef void LogFunction(const char *format, va_list values);

typedef struct {
  char *vmxSpec, *serverName, *thumbPrint;
  long privateUse;
  int credType;
  union {
    struct { char *userName, *password; } uid;
    struct { char *cookie, *userName, *key; } sessionId;
    void *ticket;
  } creds;
  uint32_t port, nfcHostPort;
  char *vimApiVer;
  char reserved[8];
  void *state;
  union { struct { char *id, *datastore, *snapshot; } object; } spec;
  int specType;
} ConnectParams;
typedef struct { uint32_t cylinders, heads, sectors; } Geometry;
typedef struct {
  Geometry bios, physical;
  uint64_t capacity;
  int adapterType, numLinks;
  char *parent, *uuid;
  uint32_t logicalSectorSize, physicalSectorSize;
} Info;
typedef struct { uint64_t offset, length; } Block;
typedef struct { uint32_t count; Block blocks[1]; } BlockList;
typedef struct { int diskType, adapterType; uint16_t hwVersion; uint64_t capacity; uint32_t logical, physical; } CreateParams;
typedef struct { int readonly; atomic_int handles; } Connection;
typedef struct { Connection *connection; int fd, readonly; uint64_t capacity; atomic_int busy; } Handle;

static LogFunction *log_function, *warn_function;
static atomic_int initialised, lives;
static pid_t opener;
static char folder[4096];

static void note(const char *format, ...) {
  char path[5000], line[1000];
  va_list values;
  va_start(values, format);
  int length = vsnprintf(line, sizeof line - 1, format, values);
  va_end(values);
  if (length > (int)sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  snprintf(path, sizeof path, "%s/calls", folder);
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (write(fd, line, length) < 0) abort();
  close(fd);
}

#define VIOLATION(...) note("VIOLATION " __VA_ARGS__)

static void say(LogFunction *function, const char *format, ...) {
  va_list values;
  va_start(values, format);
  function(format, values);
  va_end(values);
}

static void *log_elsewhere(void *unused) {
  say(log_function, "said by another thread: %d\n", 42);
  return unused;
}

/* Whether `control` has a line that begins so; the rest of it as a number. */
static int told(const char *what, const char *call, int *number) {
  char path[5000], line[200], wanted[200];
  snprintf(path, sizeof path, "%s/control", folder);
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  snprintf(wanted, sizeof wanted, "%s%s%s", what, *call ? " " : "", call);
  int found = 0;
  while (!found && fgets(line, sizeof line, file)) {
    size_t length = strlen(wanted);
    found = strncmp(line, wanted, length) == 0 && (line[length] == '\n' || line[length] == ' ');
    if (found && number) *number = atoi(line + length);
  }
  fclose(file);
  return found;
}

/* What every call begins with. */
static VixError enter(const char *call) {
  int number = 0;
  if (!initialised && strcmp(call, "InitEx")) VIOLATION("%s before InitEx", call);
  if (told("noisy", "", NULL)) {
    pthread_t thread;
    pthread_create(&thread, NULL, log_elsewhere, NULL);
    pthread_join(thread, NULL);
  }
  if (told("crash", call, NULL)) {
    say(warn_function, "about to crash in %s\n", call);
    *(volatile int *)8 = 1;
  }
  if (told("hang", call, NULL)) {
    note("%s hangs", call);
    for (;;) pause();
  }
  if (told("fail", call, &number)) {
    say(warn_function, "a failure of %s, made on purpose\n", call);
    return number;
  }
  return 0;
}

#define ENTER(call) do { VixError failure = enter(call); if (failure) return failure; } while (0)

/* Disks are opened and closed by one thread, one at a time. */
static void opening(const char *call, int begin) {
  static atomic_int inside;
  pid_t self = syscall(SYS_gettid);
  if (!begin) { atomic_fetch_sub(&inside, 1); return; }
  if (atomic_fetch_add(&inside, 1)) VIOLATION("%s while another opens or closes", call);
  if (opener == 0) opener = self;
  if (opener != self) VIOLATION("%s in another thread than before", call);
}

VixError VixDiskLib_InitEx(uint32_t major, uint32_t minor, LogFunction *log, LogFunction *warn, LogFunction *panic, const char *libdir, const char *config) {
  Dl_info info;
  dladdr(VixDiskLib_InitEx, &info);
  snprintf(folder, sizeof folder, "%s", info.dli_fname);
  *strrchr(folder, '/') = 0;
  note("InitEx %u.%u libdir=%s config=%s", major, minor, strrchr(libdir, '/') + 1, config ? strrchr(config, '/') + 1 : "none");
  log_function = log;
  warn_function = warn;
  if (!log || !warn || !panic) VIOLATION("InitEx without log functions: its own are not safe with threads");
  ENTER("InitEx");
  if (atomic_fetch_add(&initialised, 1)) VIOLATION("InitEx for the second time");
  say(log, "hello from version %u.%u\n", major, minor);
  char path[5000];
  snprintf(path, sizeof path, "%s/libdiskLibPlugin.so", folder);
  void *plugin = dlopen(path, RTLD_NOW);
  if (plugin) note("plugin uses OpenSSL of %s", ((const char *(*)(void))dlsym(plugin, "whose_openssl"))());
  return 0;
}

void VixDiskLib_Exit(void) {
  note("Exit, %d things left behind", lives);
  enter("Exit");
}

ConnectParams *VixDiskLib_AllocateConnectParams(void) {
  lives++;
  return calloc(1, sizeof(ConnectParams));
}

void VixDiskLib_FreeConnectParams(ConnectParams *params) {
  lives--;
  free(params);
}

static const char *or_null(const char *text) { return text ? text : "NULL"; }

VixError VixDiskLib_ConnectEx(const ConnectParams *p, char readonly, const char *snapshot, const char *transports, Connection **connection) {
  if (!p->serverName) note("ConnectEx local readonly=%d", readonly);
  else if (p->credType == 2)
    note("ConnectEx %s vm=%s cookie=%s user=%s key=%s thumbprint=%s port=%u nfc=%u readonly=%d snapshot=%s transports=%s spec=%d", p->serverName, p->vmxSpec,
         or_null(p->creds.sessionId.cookie), or_null(p->creds.sessionId.userName), or_null(p->creds.sessionId.key), p->thumbPrint, p->port, p->nfcHostPort,
         readonly, or_null(snapshot), or_null(transports), p->specType);
  else
    note("ConnectEx %s vm=%s type=%d user=%s password=%s thumbprint=%s port=%u nfc=%u readonly=%d snapshot=%s transports=%s spec=%d", p->serverName,
         p->vmxSpec, p->credType, or_null(p->creds.uid.userName), or_null(p->creds.uid.password), p->thumbPrint, p->port, p->nfcHostPort, readonly,
         or_null(snapshot), or_null(transports), p->specType);
  ENTER("ConnectEx");
  opening("ConnectEx", 1);
  *connection = calloc(1, sizeof **connection);
  (*connection)->readonly = readonly;
  lives++;
  opening("ConnectEx", 0);
  return 0;
}

VixError VixDiskLib_Disconnect(Connection *connection) {
  note("Disconnect");
  ENTER("Disconnect");
  opening("Disconnect", 1);
  if (connection->handles) VIOLATION("Disconnect with open disks");
  free(connection);
  lives--;
  opening("Disconnect", 0);
  return 0;
}

VixError VixDiskLib_Create(Connection *connection, const char *path, const CreateParams *p, void *progress, void *data) {
  note("Create type=%d adapter=%d hardware=%u capacity=%lu", p->diskType, p->adapterType, p->hwVersion, p->capacity);
  ENTER("Create");
  if (connection->readonly || progress || data) VIOLATION("Create over a read-only connection");
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd < 0) return errno == EEXIST ? 12 : 13;
  VixError result = ftruncate(fd, p->capacity * 512) ? 8 : 0;
  close(fd);
  return result;
}

VixError VixDiskLib_Open(Connection *connection, const char *path, uint32_t flags, Handle **handle) {
  note("Open flags=%u", flags);
  ENTER("Open");
  opening("Open", 1);
  int readonly = (flags & 4) != 0;
  /* A disk of a server is the file of its name beside the library. */
  char local[5000];
  snprintf(local, sizeof local, "%s/remote.img", folder);
  int fd = open(*path == '[' ? local : path, readonly ? O_RDONLY : O_RDWR);
  VixError result = fd >= 0 ? 0 : errno == ENOENT ? 4 : 13;
  if (fd >= 0 && !readonly && told("lock", "", NULL) && flock(fd, LOCK_EX | LOCK_NB)) { close(fd); result = 15; }
  if (result == 0) {
    struct stat status;
    fstat(fd, &status);
    *handle = calloc(1, sizeof **handle);
    (*handle)->connection = connection;
    (*handle)->fd = fd;
    (*handle)->readonly = readonly;
    (*handle)->capacity = status.st_size / 512;
    connection->handles++;
    lives++;
  }
  opening("Open", 0);
  return result;
}

VixError VixDiskLib_Close(Handle *handle) {
  note("Close");
  ENTER("Close");
  opening("Close", 1);
  if (handle->busy) VIOLATION("Close while the disk is in use");
  handle->connection->handles--;
  close(handle->fd);
  free(handle);
  lives--;
  opening("Close", 0);
  return 0;
}

VixError VixDiskLib_GetInfo(Handle *handle, Info **info) {
  ENTER("GetInfo");
  *info = calloc(1, sizeof **info);
  (*info)->capacity = handle->capacity;
  (*info)->uuid = strdup("60 00 c2 9f");
  lives++;
  return 0;
}

void VixDiskLib_FreeInfo(Info *info) {
  free(info->uuid);
  free(info);
  lives--;
}

const char *VixDiskLib_GetTransportMode(Handle *handle) { return handle ? "file" : NULL; }

/* One call at a time for a disk. */
static void busy(Handle *handle, const char *call, int begin) {
  if (!begin) atomic_fetch_sub(&handle->busy, 1);
  else if (atomic_fetch_add(&handle->busy, 1)) VIOLATION("%s while another call uses the disk", call);
}

static VixError transfer(Handle *handle, const char *call, uint64_t sector, uint64_t count, uint8_t *buffer, int writes) {
  if (syscall(SYS_gettid) == getpid() && told("threads", "", NULL)) VIOLATION("%s in the main thread", call);
  ENTER(call);
  if (count == 0 || sector + count > handle->capacity) VIOLATION("%s of %lu sectors at %lu of %lu", call, count, sector, handle->capacity);
  if (writes && handle->readonly) VIOLATION("%s of a disk that was opened read-only", call);
  busy(handle, call, 1);
  ssize_t length = count * 512;
  ssize_t done = writes ? pwrite(handle->fd, buffer, length, sector * 512) : pread(handle->fd, buffer, length, sector * 512);
  busy(handle, call, 0);
  return done == length ? 0 : 7;
}

VixError VixDiskLib_Read(Handle *handle, uint64_t sector, uint64_t count, uint8_t *buffer) { return transfer(handle, "Read", sector, count, buffer, 0); }

VixError VixDiskLib_Write(Handle *handle, uint64_t sector, uint64_t count, const uint8_t *buffer) {
  return transfer(handle, "Write", sector, count, (uint8_t *)buffer, 1);
}

VixError VixDiskLib_Flush(Handle *handle) {
  ENTER("Flush");
  note("Flush");
  busy(handle, "Flush", 1);
  int result = fdatasync(handle->fd);
  busy(handle, "Flush", 0);
  return result ? 7 : 0;
}

VixError VixDiskLib_QueryAllocatedBlocks(Handle *handle, uint64_t sector, uint64_t count, uint64_t chunk, BlockList **list) {
  note("QueryAllocatedBlocks %lu %lu", sector, count);
  ENTER("QueryAllocatedBlocks");
  if (chunk < 128 || sector % chunk || count % chunk || count / chunk > 512 * 1024 || count == 0 || sector + count > handle->capacity)
    VIOLATION("QueryAllocatedBlocks %lu %lu in chunks of %lu", sector, count, chunk);
  busy(handle, "QueryAllocatedBlocks", 1);
  /* Every chunk is listed for itself, or neighbours together, from one call to the next. */
  static int together;
  together = !together;
  uint32_t found = 0;
  *list = malloc(sizeof **list + sizeof(Block) * (count / chunk));
  off_t position = sector * 512, end = (sector + count) * 512;
  while (position < end) {
    off_t data = lseek(handle->fd, position, SEEK_DATA);
    if (data < 0 || data >= end) break;
    off_t hole = lseek(handle->fd, data, SEEK_HOLE);
    uint64_t first = data / 512 / chunk * chunk;
    for (uint64_t at = first; at < (uint64_t)hole / 512 && at < sector + count; at += chunk) {
      Block *last = found ? &(*list)->blocks[found - 1] : NULL;
      if (last && last->offset + last->length > at) continue;
      if (together && last && last->offset + last->length == at) last->length += chunk;
      else (*list)->blocks[found++] = (Block){ at, chunk };
    }
    position = hole;
  }
  (*list)->count = found;
  lives++;
  busy(handle, "QueryAllocatedBlocks", 0);
  return 0;
}

VixError VixDiskLib_FreeBlockList(BlockList *list) {
  free(list);
  lives--;
  return 0;
}

char *VixDiskLib_GetErrorText(VixError error, const char *locale) {
  char *text = NULL;
  if (asprintf(&text, "the fake's text of error %lu%s", error & 0xffff, locale ? " with a locale" : "") < 0) return NULL;
  lives++;
  return text;
}

void VixDiskLib_FreeErrorText(char *text) {
  free(text);
  lives--;
}
