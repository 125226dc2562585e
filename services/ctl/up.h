/* up - one-machine mode: control, worker, router and gateway under one supervisor. See up.c for the story. */
#ifndef CTL_UP_H
#define CTL_UP_H

#include "exits.h"
#include "up_layout.h"

/* Runs until SIGINT or SIGTERM; prints progress to stdout. */
enum ctl_exit up_run(const struct up_options *o);
/* Where state is kept when nothing says where; NULL without $HOME. The caller frees it. */
char *up_default_state(void);

#endif
