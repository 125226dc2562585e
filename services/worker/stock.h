/* stock - processes of one runtime that are made but have no model yet, and those who wait for one.
 *
 * Who comes finds a blank process, or waits for the next that is made: first come, first served, whoever it was made
 * for. A taken one is replaced a few milliseconds later, so that making it does not slow down what it was taken for. In
 * a rush nobody fills the stock: all that is made goes to those who wait.
 *
 * Threads: with the turn.  Memory: owns its blanks; a struct spawn (spawn.h) is its owner's. */
#ifndef WORKER_STOCK_H
#define WORKER_STOCK_H

#include "sandbox/plan.h"

#include <stdbool.h>

struct loop;
struct seats;
struct spawn;
struct stock;

struct stock_options {
    const char *runtime;
    char *const *argv; /* of the zygote; must outlive the stock */
    const struct sandbox_plan *plan;
    struct seats *seats;
    unsigned processes; /* that one of these may have at most */
    unsigned blanks;    /* kept; none before stock_fill() or the first stock_take() */
    bool exec_model;
};

struct stock *stock_new(struct loop *l, const struct stock_options *o);
/* Ends the blanks and the zygote, and waits for their ends. */
void stock_free(struct stock *s);

void stock_fill(struct stock *s);
/* w->made hears of it, perhaps at once. */
void stock_take(struct stock *s, struct spawn *w);
void stock_cancel(struct stock *s, struct spawn *w);

#endif
