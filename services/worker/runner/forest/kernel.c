#include "kernel.h"

#include "base/cleanup.h"

#include <string.h>

extern const struct forest_kernel forest_kernel_base;
#if defined(__x86_64__)
extern const struct forest_kernel forest_kernel_v3;
#endif

const struct forest_kernel *const forest_kernels[] = {
#if defined(__x86_64__)
    &forest_kernel_v3,
#endif
    &forest_kernel_base,
};
const size_t forest_kernel_count = PL_COUNT(forest_kernels);

const struct forest_kernel *forest_kernel_best(void)
{
    size_t i = 0;

    while (!forest_kernels[i]->runs())
        i++;
    return forest_kernels[i];
}

const struct forest_kernel *forest_kernel_named(const char *name)
{
    for (size_t i = 0; i < forest_kernel_count; i++)
        if (strcmp(forest_kernels[i]->name, name) == 0 && forest_kernels[i]->runs())
            return forest_kernels[i];
    return NULL;
}
