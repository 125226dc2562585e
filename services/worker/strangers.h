/* strangers - dead children of the worker that none of its modules has: a template whose owner's code means harm can
 * make processes that are the worker's children and say nothing of them. They are killed with its control group
 * (seat_clear()); this buries them, so that no process ids are lost.
 *
 * A dead child that is found twice, a second apart, is nobody's: whoever has it hears of its end within a turn.
 *
 * Threads: with the turn. */
#ifndef WORKER_STRANGERS_H
#define WORKER_STRANGERS_H

struct loop;
struct strangers;

struct strangers *strangers_new(struct loop *l);
void strangers_free(struct strangers *s); /* NULL is fine */
/* There may be some: looks until there are none. */
void strangers_look(struct strangers *s);

#endif
