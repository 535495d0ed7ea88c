/* A stand-in for libnvidia-ml.so.1, so that tests drive the real pynvml without a GPU.
   FAKE_NVML_PROCESSES: "pid:bytes,pid:bytes"; FAKE_NVML_USED: bytes in use (second memory structure);
   FAKE_NVML_FAIL: names of calls that answer "not supported". Its driver version makes its numbers unusable. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOTAL 85899345920ULL
#define RESERVED 503316480ULL
enum { SUCCESS = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7 };

typedef struct { unsigned long long total, free, used; } memory_v1;
typedef struct { unsigned int version; unsigned long long total, reserved, free, used; } memory_v2;
typedef struct { unsigned int pid; unsigned long long used; unsigned int instance, compute; } process;

static int fails(const char *call) {
    const char *list = getenv("FAKE_NVML_FAIL");
    return list && strstr(list, call);
}
static unsigned long long used(void) {
    const char *text = getenv("FAKE_NVML_USED");
    return text ? strtoull(text, NULL, 10) : 0;
}

int nvmlInitWithFlags(unsigned int flags) { return fails("init") ? 9 : SUCCESS; }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { return "fake error"; }
int nvmlSystemGetDriverVersion(char *text, unsigned int size) {
    snprintf(text, size, "000.00.fake");
    return SUCCESS;
}
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 1; return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **handle) { *handle = (void *)1; return SUCCESS; }
int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
    *handle = (void *)1;
    return strcmp(uuid, "GPU-fake") ? NOT_FOUND : SUCCESS;
}
int nvmlDeviceGetName(void *handle, char *text, unsigned int size) {
    snprintf(text, size, "NVIDIA Fake 80GB");
    return fails("name") ? NOT_SUPPORTED : SUCCESS;
}
int nvmlDeviceGetUUID(void *handle, char *text, unsigned int size) { snprintf(text, size, "GPU-fake"); return SUCCESS; }
int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) {
    *major = 9; *minor = 0;
    return fails("capability") ? NOT_SUPPORTED : SUCCESS;
}
int nvmlDeviceGetMemoryInfo(void *handle, memory_v1 *memory) {
    memory->total = TOTAL; memory->used = used() + RESERVED; memory->free = TOTAL - memory->used;
    return SUCCESS;
}
int nvmlDeviceGetMemoryInfo_v2(void *handle, memory_v2 *memory) {
    memory->total = TOTAL; memory->reserved = RESERVED; memory->used = used();
    memory->free = TOTAL - RESERVED - memory->used;
    return fails("memory_v2") ? NOT_SUPPORTED : SUCCESS;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned int *count, process *rows) {
    char text[1024], *part;
    unsigned int found = 0, room = *count;
    if (fails("processes")) return NOT_SUPPORTED;
    snprintf(text, sizeof text, "%s", getenv("FAKE_NVML_PROCESSES") ? getenv("FAKE_NVML_PROCESSES") : "");
    for (part = strtok(text, ","); part; part = strtok(NULL, ","), found++)
        if (rows && found < room) {
            rows[found].pid = strtoul(part, NULL, 10);
            rows[found].used = strtoull(strchr(part, ':') + 1, NULL, 10);
        }
    *count = found;
    return found > room ? TOO_SMALL : SUCCESS;
}
