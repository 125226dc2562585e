/* The signature of a request, read and computed. Input: lines "METHOD TARGET", then "Name: value". */
#include "sigv4.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADERS 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = { 0 };
    struct http_header headers[HEADERS];
    struct sigv4_request r = { .headers = headers };
    struct sigv4_claim claim;
    const char *why = NULL;
    char *text = arena_strndup(&a, (const char *)data, size), *line;
    char *first = strsep(&text, "\n"), *query;
    r.method = strsep(&first, " ");
    first = first ? first : arena_strdup(&a, "/");
    query = strchr(first, '?');
    if (query)
        *query++ = '\0';
    r.path = first;
    r.query = query ? query : "";
    while ((line = strsep(&text, "\n")) && r.header_count < HEADERS) {
        char *colon = strchr(line, ':');
        if (!colon)
            continue;
        *colon = '\0';
        headers[r.header_count++] = (struct http_header){ line, colon + 1 + strspn(colon + 1, " ") };
    }
    enum sigv4_result result = sigv4_read(&r, &a, &claim, &why);
    if (result == SIGV4_OK) {
        unsigned char key[SHA256_BYTES];
        char signature[SHA256_HEX];
        assert(strlen(claim.signature) == 64 && *claim.access_key && claim.timestamp[16] == '\0');
        (void)sigv4_check_time(&claim, 1770768000, 900, &a, &why);
        sigv4_key("secret", &claim, key);
        for (int once = 0; once < 2; once++) {
            sigv4_sign(&claim, &r, SIGV4_UNSIGNED_PAYLOAD, once, key, &a, signature);
            assert(strlen(signature) == 64);
        }
    } else {
        assert(why && *why);
    }
    arena_done(&a);
    return 0;
}
