#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void pl_free_p(void *p)
{
    void *what;
    memcpy(&what, p, sizeof(what)); /* 'p' points to a pointer of any type */
    free(what);
    memset(p, 0, sizeof(what));
}

void pl_close_p(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1; /* closing twice would close somebody else's */
}
