/* x86-64-v3 (Haswell, Zen and later): shifts by a register in one step, three-operand instructions. CMakeLists.txt
 * compiles this file for it. */
#if defined(__x86_64__)
#include "kernel.h"

extern const struct forest_kernel forest_kernel_v3;

/* Everything that the compiler may use with these options, and that the system saves the registers. */
static bool runs(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

#define KERNEL      forest_kernel_v3
#define KERNEL_NAME "x86-64-v3"
#define KERNEL_RUNS runs
#include "kernel_body.h"
#else
typedef int forest_no_v3_kernel_here;
#endif
