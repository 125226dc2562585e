/* A filter pattern and a line, with a zero byte between them. */
#include "logs_pattern.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 2);
    struct logs_pattern p;

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = text[size + 1] = '\0';
    if (!logs_pattern_read(&p, text)) {
        bool matched = logs_pattern_matches(&p, text + strlen(text) + (strlen(text) < size));

        /* What matches nothing at all must not match because of what is outside the pattern. */
        for (size_t i = 0; i < p.count && matched; i++)
            if (p.terms[i].len == 0 || p.terms[i].text < text || p.terms[i].text + p.terms[i].len > text + size)
                abort();
    }
    free(text);
    return 0;
}
