/* The program that the tests of a room share: runs the module that it is told, whose main() the build has renamed
 * (deploy/cmake/rooms.cmake). */
#include <stdio.h>
#include <string.h>

#define MODULE(name) int module_##name(void);
#include "modules.inc"
#undef MODULE

static const struct {
    const char *name;
    int (*run)(void);
} modules[] = {
#define MODULE(name) { #name, module_##name },
#include "modules.inc"
#undef MODULE
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof(modules) / sizeof(*modules); i++) {
        if (strcmp(argv[1], modules[i].name) == 0)
            return modules[i].run();
    }
    fprintf(stderr, "usage: %s MODULE, which is one of:\n", argv[0]);
    for (size_t i = 0; i < sizeof(modules) / sizeof(*modules); i++)
        fprintf(stderr, "  %s\n", modules[i].name);
    return 2;
}
