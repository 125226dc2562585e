#include "code_pages.h"

#include "base/cleanup.h"

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool wanted(const char *path)
{
    static const char *const libraries[] = { "libc.so.", "libm.so." };
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    if (name[0] == '\0') /* the program itself */
        return true;
    for (size_t i = 0; i < PL_COUNT(libraries); i++)
        if (strncmp(name, libraries[i], strlen(libraries[i])) == 0)
            return true;
    return false;
}

static void map(uintptr_t start, size_t bytes, size_t page)
{
    uintptr_t first = start & ~(uintptr_t)(page - 1);

#ifdef MADV_POPULATE_READ
    (void)madvise((void *)first, bytes + (start - first), MADV_POPULATE_READ);
#else
    (void)first;
    (void)bytes;
#endif
}

static int map_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    const size_t page = *(const size_t *)arg;

    (void)size;
    if (!wanted(info->dlpi_name))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];

        if (p->p_type == PT_LOAD && !(p->p_flags & PF_W))
            map(info->dlpi_addr + p->p_vaddr, p->p_memsz, page);
    }
    return 0;
}

void code_pages_map(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    (void)dl_iterate_phdr(map_object, &page);
}
