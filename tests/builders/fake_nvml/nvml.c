/* A stand-in for libnvidia-ml.so.1, so that tests drive the real pynvml without a GPU. Its driver version makes its
   numbers unusable: results from it are refused. What it plays is said by variables, all optional:

   FAKE_NVML_DRIVER      another version, for a test that needs a run of its own in its own folder
   FAKE_NVML_GPUS        "GPU-a,GPU-b" in PCI order (default "GPU-fake"; "" is a driver without a device)
   FAKE_NVML_NAMES       "Fast,Slow": their names
   FAKE_NVML_MIG         "MIG-x": the first GPU is partitioned, and this is its MIG device; "none": without any
   FAKE_NVML_USED        bytes in use; "1,5,2" gives one after the other, a call each, and stays at the last
   FAKE_NVML_TIMELINE    "0:100,1.5:900,1.6:100": bytes in use from so many seconds after the library was loaded
   FAKE_NVML_PROCESSES   "pid:bytes,pid:bytes"
   FAKE_NVML_TOTAL       bytes of memory in all
   FAKE_NVML_FAIL        "Name,MemoryInfo_v2:4": functions whose name contains a word answer that error of nvml.h; 3, not
                         supported, where none is given
   FAKE_NVML_PERSISTENCE "off"
   FAKE_NVML_LOST_AFTER  n: from the n-th look at the memory on, the GPU has fallen off the bus
   FAKE_NVML_ENERGY, FAKE_NVML_THROTTLE, FAKE_NVML_HELD_DOWN  series like FAKE_NVML_USED (mJ, bits, ns)
   FAKE_NVML_ACCOUNTING  "pid:bytes": accounting mode is enabled, and this is what it holds

   Every function can fail; `fake_nvml.without` makes a library that lacks any of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RESERVED 503316480ULL
#define MIG_HANDLE ((void *)100)
#define MAY_FAIL { int code = told(__func__); if (code) return code; }
enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, LOST = 15 };

typedef struct { unsigned long long total, free, used; } memory_v1;
typedef struct { unsigned int version; unsigned long long total, reserved, free, used; } memory_v2;
typedef struct { unsigned int pid; unsigned long long used; unsigned int instance, compute; } process;
typedef struct { char legacy[16]; unsigned int domain, bus, device, id, subsystem; char bus_id[32]; } pci;
typedef struct { unsigned int version, sensor; int temperature; } temperature;
typedef struct { unsigned int gpu, memory; unsigned long long peak, time, start; unsigned int running, rest[5]; } account;
typedef struct { unsigned long long reference, violation; } violation;

static struct timespec loaded;
__attribute__((constructor)) static void remember(void) { clock_gettime(CLOCK_MONOTONIC, &loaded); }

static const char *said(const char *name, const char *otherwise) { return getenv(name) ? getenv(name) : otherwise; }

/* The part of a comma-separated list at `index`; its last part beyond the end where `stay` is set. */
static const char *part(const char *list, int index, int stay, char *into, size_t size) {
    const char *end;
    while (index > 0 && (end = strchr(list, ','))) { list = end + 1; index--; }
    if (!*list || (index > 0 && !stay)) return NULL;
    end = strchr(list, ',');
    snprintf(into, size, "%.*s", end ? (int)(end - list) : (int)strlen(list), list);
    return into;
}
/* The error that a function was told to answer, 0 where it was told none. */
static int told(const char *function) {
    char text[64];
    for (int index = 0; part(said("FAKE_NVML_FAIL", ""), index, 0, text, sizeof text); index++) {
        char *code = strchr(text, ':');
        if (code) *code++ = 0;
        if (strstr(function, text)) return code ? atoi(code) : NOT_SUPPORTED;
    }
    return SUCCESS;
}
static unsigned long long total(void) { return strtoull(said("FAKE_NVML_TOTAL", "85899345920"), NULL, 0); }
static unsigned long long series(const char *name, int *call) {
    char text[64];
    return part(said(name, "0"), (*call)++, 1, text, sizeof text) ? strtoull(text, NULL, 0) : 0;
}
static unsigned long long used(void) {
    static int call;
    const char *step = getenv("FAKE_NVML_TIMELINE");
    unsigned long long now = 0;
    struct timespec clock;
    if (!step) return series("FAKE_NVML_USED", &call);
    clock_gettime(CLOCK_MONOTONIC, &clock);
    double age = (clock.tv_sec - loaded.tv_sec) + 1e-9 * (clock.tv_nsec - loaded.tv_nsec);
    for (; step; step = strchr(step, ',') ? strchr(step, ',') + 1 : NULL)
        if (strtod(step, NULL) <= age) now = strtoull(strchr(step, ':') + 1, NULL, 10);
    return now;
}
static int lost(void) {
    static int looks;
    const char *after = getenv("FAKE_NVML_LOST_AFTER");
    return after && looks++ >= atoi(after);
}
static int is_mig(void *handle) { return handle == MIG_HANDLE; }
static const char *gpu(int index, char *into, size_t size) {
    return part(said("FAKE_NVML_GPUS", "GPU-fake"), index, 0, into, size);
}

int nvmlInitWithFlags(unsigned int flags) { MAY_FAIL return SUCCESS; }
int nvmlShutdown(void) { MAY_FAIL return SUCCESS; }
const char *nvmlErrorString(int code) { return "fake error"; }
int nvmlSystemGetDriverVersion(char *text, unsigned int size) { MAY_FAIL
    snprintf(text, size, "%s", said("FAKE_NVML_DRIVER", "000.00.fake"));
    return SUCCESS;
}
int nvmlDeviceGetCount_v2(unsigned int *count) { MAY_FAIL
    char text[64];
    for (*count = 0; gpu(*count, text, sizeof text);) ++*count;
    return SUCCESS;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **handle) { MAY_FAIL
    char text[64];
    *handle = (void *)(unsigned long)(index + 1);
    return gpu(index, text, sizeof text) ? SUCCESS : INVALID;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) { MAY_FAIL
    char text[64];
    if (!strcmp(uuid, said("FAKE_NVML_MIG", ""))) { *handle = MIG_HANDLE; return SUCCESS; }
    for (unsigned long index = 0; gpu(index, text, sizeof text); index++)
        if (!strcmp(uuid, text)) { *handle = (void *)(index + 1); return SUCCESS; }
    return NOT_FOUND;
}
int nvmlDeviceGetPciInfo_v3(void *handle, pci *info) { MAY_FAIL
    memset(info, 0, sizeof *info);
    info->id = 0x233010de;
    snprintf(info->bus_id, sizeof info->bus_id, "00000000:%02lX:00.0", 0x1a + (unsigned long)handle);
    return SUCCESS;
}
int nvmlDeviceGetName(void *handle, char *text, unsigned int size) { MAY_FAIL
    char name[64];
    int index = is_mig(handle) ? 0 : (int)(unsigned long)handle - 1;
    snprintf(text, size, "%s", part(said("FAKE_NVML_NAMES", "NVIDIA Fake 80GB"), index, 1, name, sizeof name));
    return SUCCESS;
}
int nvmlDeviceGetUUID(void *handle, char *text, unsigned int size) { MAY_FAIL
    char uuid[64];
    snprintf(text, size, "%s", is_mig(handle) ? said("FAKE_NVML_MIG", "")
                                              : gpu((int)(unsigned long)handle - 1, uuid, sizeof uuid));
    return SUCCESS;
}
int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) { MAY_FAIL
    *major = 9; *minor = 0;
    return SUCCESS;
}
int nvmlDeviceGetMigMode(void *handle, unsigned int *now, unsigned int *pending) { MAY_FAIL
    if (!getenv("FAKE_NVML_MIG")) return NOT_SUPPORTED;
    *now = *pending = handle == (void *)1;
    return SUCCESS;
}
int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned int *count) { MAY_FAIL *count = 7; return SUCCESS; }
int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned int index, void **part) { MAY_FAIL
    *part = MIG_HANDLE;
    /* The operator's first instance need not be number 0. */
    return index == 2 && strcmp(said("FAKE_NVML_MIG", ""), "none") ? SUCCESS : NOT_FOUND;
}
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *handle, void **whole) { MAY_FAIL
    *whole = (void *)1;
    return is_mig(handle) ? SUCCESS : INVALID;
}
int nvmlDeviceGetMemoryInfo(void *handle, memory_v1 *memory) { MAY_FAIL
    if (lost()) return LOST;
    memory->total = total(); memory->used = used() + RESERVED; memory->free = memory->total - memory->used;
    return SUCCESS;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned int *count, process *rows) { MAY_FAIL
    char text[64];
    unsigned int room = *count;
    for (*count = 0; part(said("FAKE_NVML_PROCESSES", ""), *count, 0, text, sizeof text); ++*count)
        if (rows && *count < room) {
            memset(&rows[*count], 0, sizeof *rows);
            rows[*count].pid = strtoul(text, NULL, 10);
            rows[*count].used = strtoull(strchr(text, ':') + 1, NULL, 10);
        }
    return *count > room ? TOO_SMALL : SUCCESS;
}
int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *energy) { MAY_FAIL
    static int call;
    *energy = series("FAKE_NVML_ENERGY", &call);
    return is_mig(handle) ? NOT_SUPPORTED : SUCCESS;
}
int nvmlDeviceGetClockInfo(void *handle, unsigned int type, unsigned int *clock) { MAY_FAIL
    *clock = type == 2 ? 2619 : 1980;
    return is_mig(handle) ? NOT_SUPPORTED : SUCCESS;
}
int nvmlDeviceGetTemperature(void *handle, unsigned int sensor, unsigned int *degrees) { MAY_FAIL
    *degrees = 41;
    return SUCCESS;
}
int nvmlDeviceGetPowerUsage(void *handle, unsigned int *milliwatts) { MAY_FAIL
    *milliwatts = 120500;
    return SUCCESS;
}
int nvmlDeviceGetViolationStatus(void *handle, unsigned int policy, violation *time) { MAY_FAIL
    static int calls[16];
    time->reference = 0;
    time->violation = policy == 1 ? series("FAKE_NVML_HELD_DOWN", &calls[policy]) : 0;
    return SUCCESS;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void *handle, unsigned long long *bits) { MAY_FAIL
    static int call;
    *bits = series("FAKE_NVML_THROTTLE", &call);
    return SUCCESS;
}
int nvmlDeviceGetPersistenceMode(void *handle, unsigned int *mode) { MAY_FAIL
    *mode = strcmp(said("FAKE_NVML_PERSISTENCE", "on"), "off") != 0;
    return SUCCESS;
}
int nvmlDeviceGetAccountingMode(void *handle, unsigned int *mode) { MAY_FAIL
    *mode = getenv("FAKE_NVML_ACCOUNTING") != NULL;
    return SUCCESS;
}
int nvmlDeviceGetAccountingStats(void *handle, unsigned int pid, account *stats) { MAY_FAIL
    const char *text = said("FAKE_NVML_ACCOUNTING", "0:0");
    memset(stats, 0, sizeof *stats);
    stats->peak = strtoull(strchr(text, ':') + 1, NULL, 10);
    return strtoul(text, NULL, 10) == pid ? SUCCESS : NOT_FOUND;
}

int nvmlDeviceGetMemoryInfo_v2(void *handle, memory_v2 *memory) { MAY_FAIL
    if (lost()) return LOST;
    memory->total = total(); memory->reserved = RESERVED; memory->used = used();
    memory->free = memory->total - RESERVED - memory->used;
    return SUCCESS;
}
int nvmlDeviceGetComputeRunningProcesses_v2(void *handle, unsigned int *count, process *rows) { MAY_FAIL
    return nvmlDeviceGetComputeRunningProcesses_v3(handle, count, rows);
}
int nvmlDeviceGetTemperatureV(void *handle, temperature *sensor) { MAY_FAIL
    sensor->temperature = 41;
    return SUCCESS;
}
int nvmlDeviceGetCurrentClocksEventReasons(void *handle, unsigned long long *bits) { MAY_FAIL
    return nvmlDeviceGetCurrentClocksThrottleReasons(handle, bits);
}
