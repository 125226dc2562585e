#include "schema.h"

/* A file's bytes and a NUL, under a name of its own. */
#define EMBED(number)                                                                                                  \
    __asm__(".section .rodata\nschema_" #number ":\n.incbin \"" CONTROL_SCHEMA_DIR "/" #number ".sql\"\n.byte 0\n"     \
            ".previous\n");                                                                                            \
    extern const char schema_##number[] __attribute__((visibility("hidden")))

EMBED(001);
EMBED(002);
EMBED(003);
EMBED(004);

const char *const schema_steps[] = { schema_001, schema_002, schema_003, schema_004 };
const int schema_step_count = sizeof(schema_steps) / sizeof(schema_steps[0]);
