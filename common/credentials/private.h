#ifndef CREDENTIALS_PRIVATE_H
#define CREDENTIALS_PRIVATE_H

#include "credentials/credentials.h"

struct credentials {
    struct credential *keys; /* by id */
    size_t count;
};

bool credential_use_parse(const char *text, enum credential_use *out);

#endif
