/* up_credentials - the access keys of one-machine mode, and who gets which. */
#ifndef CTL_UP_CREDENTIALS_H
#define CTL_UP_CREDENTIALS_H

#include "base/err.h"

struct up_layout;

/* Before the configs are written. Makes sure that there is a key for clients (a new one, or PILOTLIGHT_ACCESS_KEY_ID
 * and PILOTLIGHT_SECRET_ACCESS_KEY), and one with which the worker host reads artifacts from the gateway's buckets, and
 * tells the worker's config so, unless a --set gave it another S3 service. */
PL_MUST_CHECK enum pl_code up_credentials(struct up_layout *l, struct pl_err *err);

#endif
