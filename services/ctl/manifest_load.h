/* manifest_load - the manifests that a command was given by -f. */
#ifndef CTL_MANIFEST_LOAD_H
#define CTL_MANIFEST_LOAD_H

#include "args.h"
#include "exits.h"
#include "manifest.h"

/* Reads them all into 'm', or tells on stderr what is wrong. 'command' is for the message when there is no -f. */
enum ctl_exit manifest_load(struct manifest *m, const struct args *a, const char *command);

#endif
