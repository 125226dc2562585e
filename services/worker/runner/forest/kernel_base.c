/* What the architecture has at least. */
#include "kernel.h"

extern const struct forest_kernel forest_kernel_base;

static bool runs(void)
{
    return true;
}

#if defined(__x86_64__)
#define KERNEL_NAME "x86-64"
#elif defined(__aarch64__)
#define KERNEL_NAME "aarch64"
#else
#define KERNEL_NAME "portable"
#endif
#define KERNEL      forest_kernel_base
#define KERNEL_RUNS runs
#include "kernel_body.h"
