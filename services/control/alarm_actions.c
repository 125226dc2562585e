#include "alarm_actions.h"

#include "alarm_job.h"
#include "base/mem.h"
#include "base/time.h"
#include "loop/loop.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#define ATTEMPTS 3

static const int64_t pauses_ms[ATTEMPTS] = { 0, 2000, 10000 };

struct action {
    struct list link;          /* of struct alarm_actions; by itself when that is gone */
    struct alarm_actions *all; /* NULL: nobody wants to know */
    struct loop_job job;
    struct loop_timer timer; /* the pause before the next attempt, or before it says that it cannot be done */
    struct alarm_job what;
    int attempts;
};

struct alarm_actions {
    struct alarm_actions_options options;
    struct list running;
    size_t count;
};

static void action_free(struct action *a)
{
    alarm_job_done(&a->what);
    free(a);
}

static void finish(struct action *a)
{
    struct alarm_actions *all = a->all;
    list_remove(&a->link);
    all->count--;
    all->options.done(all->options.arg, a->what.alarm, a->what.action, a->what.detail);
    action_free(a);
}

static void work(struct loop_job *j)
{
    alarm_job_run(&PL_CONTAINER(j, struct action, job)->what);
}

static void worked(struct loop_job *j)
{
    struct action *a = PL_CONTAINER(j, struct action, job);
    a->attempts++;
    if (!a->all)
        action_free(a);
    else if (*a->what.detail && a->attempts < ATTEMPTS)
        loop_timer_set(a->all->options.loop, &a->timer, pl_now_ms() + pauses_ms[a->attempts]);
    else
        finish(a);
}

static void attempt(struct loop_timer *t)
{
    struct action *a = PL_CONTAINER(t, struct action, timer);
    struct pl_err err;
    const struct alarm_action_rules *rules = &a->all->options.rules;
    if (a->attempts >= ATTEMPTS) {
        finish(a);
    } else if (alarm_check_action(rules, "action", a->what.action, &err) != PL_OK) {
        (void)snprintf(a->what.detail, sizeof(a->what.detail), "%.*s", (int)sizeof(a->what.detail) - 1, err.message);
        finish(a);
    } else {
        loop_job(a->all->options.loop, &a->job);
    }
}

void alarm_actions_run(struct alarm_actions *all, const char *action, const struct alarm_action_event *e)
{
    struct action *a = PL_NEW(struct action);
    a->all = all;
    a->job.work = work;
    a->job.done = worked;
    a->timer.fire = attempt;
    alarm_job_init(&a->what, &all->options.rules, action, e, all->options.timeout_ms);
    list_push_back(&all->running, &a->link);
    if (all->count++ >= ALARM_ACTIONS_MAX) {
        (void)snprintf(a->what.detail, sizeof(a->what.detail), "too many actions are under way: at most %d",
                       ALARM_ACTIONS_MAX);
        a->attempts = ATTEMPTS;
    }
    loop_timer_set(all->options.loop, &a->timer, pl_now_ms());
}

struct alarm_actions *alarm_actions_new(const struct alarm_actions_options *o)
{
    struct alarm_actions *all = PL_NEW(struct alarm_actions);
    all->options = *o;
    list_init(&all->running);
    (void)curl_global_init(CURL_GLOBAL_DEFAULT); /* counted, and safe beside threads since 7.84 */
    return all;
}

void alarm_actions_free(struct alarm_actions *all)
{
    if (!all)
        return;
    list_each_safe(it, &all->running)
    {
        struct action *a = list_entry(it, struct action, link);
        list_remove(&a->link);
        a->all = NULL;
        if (a->timer.slot != 0) {
            loop_timer_clear(all->options.loop, &a->timer);
            action_free(a);
        }
    }
    curl_global_cleanup();
    free(all);
}
