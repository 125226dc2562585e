#include "templates.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/time.h"
#include "cache.h"
#include "capacity.h"
#include "copies.h"
#include "instance.h"
#include "log/log.h"
#include "loop/loop.h"
#include "network.h"
#include "pilotlight/internal/v1/worker.pb-c.h"
#include "runtimes.h"
#include "spawn.h"
#include "template_check.h"
#include "variant_spec.h"
#include "worker_stats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TICK_MS        5000
#define FIRST_PAUSE_MS 1000
#define MAX_PAUSE_MS   60000
/* How long it is known that there is none, where nothing is kept at all. */
#define REFUSED_MS 3600000

typedef Pilotlight__Internal__V1__VariantSpec spec_t;

struct template
{
    struct templates *all;
    struct list link;
    char *endpoint, *variant;
    int64_t generation;
    struct instance *in; /* NULL: it has no process */
    struct instance_stop end;
    bool loaded, ready, dropped;
    bool refused; /* none for this generation */
    int control;  /* our end, until it is ready */
    struct copies *copies;
    struct loop_job look;
    bool looking;
    pid_t pid;
    bool good;
    char why[256];
    int64_t used_ms, kept_ms; /* by a start; by an instance of its variant that lives */
    int64_t not_before_ms;
    unsigned failures;
};

struct templates {
    struct loop *loop;
    struct templates_options o;
    struct list list; /* struct template */
    unsigned count, looking;
    struct loop_timer tick;
};

static bool of_variant(const struct template *e, const spec_t *spec)
{
    return strcmp(e->endpoint, spec->endpoint_name) == 0 && strcmp(e->variant, spec->variant_name) == 0;
}

static struct template *find(struct templates *t, const spec_t *spec)
{
    list_each(l, &t->list)
    {
        struct template *e = list_entry(l, struct template, link);

        if (!e->dropped && e->generation == spec->generation && of_variant(e, spec))
            return e;
    }
    return NULL;
}

static void count_ready(struct templates *t)
{
    int64_t n = 0;

    list_each(l, &t->list) n += list_entry(l, struct template, link)->ready;
    metrics_set(t->o.stats->templates, n);
}

/* ---- ends ---- */

static void free_if_over(struct template *e)
{
    if (!e->dropped || e->in || e->looking)
        return;
    list_remove(&e->link);
    e->all->count--;
    copies_free(e->copies);
    pl_close_p(&e->control);
    free(e->endpoint);
    free(e->variant);
    free(e);
}

static void stop(struct template *e, const char *why)
{
    if (!e->in)
        return;
    if (e->in->start.done)
        instance_cancel_start(e->in);
    else
        instance_stop(e->in, why, 0, NULL);
}

/* It is forgotten as soon as its process has ended. */
static void drop(struct template *e, const char *why)
{
    if (e->dropped)
        return;
    e->dropped = true;
    log_info("template_ends", LOG_STR("endpoint", e->endpoint), LOG_STR("variant", e->variant), LOG_STR("why", why));
    stop(e, why);
    free_if_over(e);
}

static void pause_making(struct template *e)
{
    int64_t ms = FIRST_PAUSE_MS;

    for (unsigned i = 1; i < e->failures && ms < MAX_PAUSE_MS; i++)
        ms *= 2;
    e->failures++;
    /* The first time it may have been bad luck. */
    e->not_before_ms = e->failures > 1 ? pl_now_ms() + ms : 0;
}

/* Where people look: in the endpoint's own log, as a line of the template's, or of the instance that asked for it. */
static void say_none(struct instance *in, const char *why)
{
    char line[320];

    (void)snprintf(line, sizeof(line),
                   "pilotlight: no template for this model, its instances load it themselves: %.200s", why);
    instance_log_say(&in->log, line);
}

static void refuse(struct template *e, struct instance *in, const char *why)
{
    e->refused = true;
    log_warn("template_refused", LOG_STR("endpoint", e->endpoint), LOG_STR("variant", e->variant), LOG_STR("why", why));
    say_none(in, why);
    stop(e, "no template can be made of it");
}

static void ended(struct instance_stop *s)
{
    struct template *e = PL_CONTAINER(s, struct template, end);
    bool died = !e->dropped && !e->refused;

    if (died) {
        log_warn("template_died", LOG_STR("endpoint", e->endpoint), LOG_STR("variant", e->variant),
                 LOG_STR("why", e->in->why_killed), LOG_STR("its_last_line", e->in->log.last));
        pause_making(e);
    }
    e->in = NULL;
    e->loaded = e->ready = false;
    copies_free(e->copies);
    e->copies = NULL;
    pl_close_p(&e->control);
    count_ready(e->all);
    free_if_over(e);
}

/* ---- is it fit? ---- */

static void look(struct loop_job *j)
{
    struct template *e = PL_CONTAINER(j, struct template, look);

    e->good = template_check(e->pid, e->why, sizeof(e->why));
}

static bool taken(void *arg, pid_t pid)
{
    struct template *e = arg;

    return instances_has_pid(e->all->o.instances, pid);
}

static void broken(void *arg, const char *why)
{
    stop(arg, why);
}

/* Its memory counts as the template's, with which it shares most of it. */
static void copy_ready(void *arg, pid_t pid)
{
    struct template *e = arg;

    if (e->in)
        e->in->beside = pid;
}

static void open_for_use(struct template *e)
{
    struct pl_err err;

    if (copies_open(e->copies, pl_take_fd(e->control), &err) != PL_OK) {
        stop(e, err.message);
        return;
    }
    e->ready = true;
    count_ready(e->all);
    log_info("template_ready", LOG_STR("endpoint", e->endpoint), LOG_STR("variant", e->variant),
             LOG_STR("instance", e->in->id_text), LOG_INT("pid", e->pid));
    instance_log_say(&e->in->log, "pilotlight: template ready: instances are copies of it from now on");
}

static void looked(struct loop_job *j)
{
    struct template *e = PL_CONTAINER(j, struct template, look);

    e->looking = false;
    e->all->looking--;
    if (e->in && e->loaded && !e->dropped && e->good)
        open_for_use(e);
    else if (e->in && e->loaded && !e->dropped)
        refuse(e, e->in, e->why);
    free_if_over(e);
}

/* ---- making one ---- */

static void started(void *arg, struct instance *in, const struct pl_err *err)
{
    struct template *e = arg;

    if (!in) {
        log_warn("template_not_made", LOG_STR("endpoint", e->endpoint), LOG_STR("variant", e->variant),
                 LOG_STR("why", err->message));
        if (e->in)
            say_none(e->in, err->message);
        return; /* its end follows */
    }
    e->loaded = true;
    e->pid = in->child.pid;
    e->looking = true;
    e->all->looking++;
    e->look.work = look;
    e->look.done = looked;
    loop_job(e->all->loop, &e->look);
}

static const struct copies_events copies_events = { .taken = taken, .broken = broken, .ready = copy_ready };

static bool make_control(int *out_ours, int *out_theirs)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
        return false;
    *out_ours = fds[0];
    *out_theirs = fds[1];
    return true;
}

static void start(struct template *e, const spec_t *spec, struct instance *from)
{
    struct templates *t = e->all;
    struct instance_start s = { .spec = spec,
                                .runtime = runtimes_find(t->o.runtimes, spec->runtime),
                                .role = INSTANCE_TEMPLATE,
                                .asked_us = pl_now_us(),
                                .estimate_bytes = capacity_estimate(spec->memory_size_mb, from->model, from->code),
                                .done = started,
                                .arg = e };
    struct pl_err err = { 0 };

    if (capacity_admit(t->o.capacity, spec->memory_size_mb, s.estimate_bytes, &err) != PL_OK ||
        !make_control(&e->control, &s.template_fd)) {
        const char *why = err.code == PL_OK ? strerror(errno) : err.message;

        log_info("template_not_made", LOG_STR("endpoint", e->endpoint), LOG_STR("variant", e->variant),
                 LOG_STR("why", why));
        if (e->failures == 0) /* it is tried again, and would be said again */
            say_none(from, why);
        pause_making(e);
        return;
    }
    e->copies = spawn_copies_new(t->o.spawner, spec->runtime, spec->memory_size_mb, &copies_events, e);
    s.model = cache_ref(from->model);
    s.code = from->code ? cache_ref(from->code) : NULL;
    e->end.stopped = ended;
    e->in = instances_start(t->o.instances, &s);
    instance_hear_end(e->in, &e->end);
}

static struct template *add(struct templates *t, const spec_t *spec)
{
    struct template *e = PL_NEW(struct template);

    e->all = t;
    e->endpoint = pl_strdup(spec->endpoint_name);
    e->variant = pl_strdup(spec->variant_name);
    e->generation = spec->generation;
    e->control = -1;
    e->used_ms = pl_now_ms();
    list_push_back(&t->list, &e->link);
    t->count++;
    if (t->tick.slot == 0)
        loop_timer_set(t->loop, &t->tick, pl_now_ms() + TICK_MS);
    return e;
}

/* ---- which may stay ---- */

struct search {
    const struct template *of;
    bool found;
};

static void is_alike(struct instance *in, void *arg)
{
    struct search *s = arg;

    if (in->role == INSTANCE_SERVES && in->generation == s->of->generation &&
        strcmp(in->endpoint, s->of->endpoint) == 0 && strcmp(in->variant, s->of->variant) == 0)
        s->found = true;
}

static bool in_use(const struct template *e)
{
    struct search s = { .of = e };

    instances_each(e->all->o.instances, is_alike, &s);
    return s.found;
}

/* Without use. */
static int64_t keep_ms(const struct template *e)
{
    return e->refused && e->all->o.keep_ms == 0 ? REFUSED_MS : e->all->o.keep_ms;
}

static void tick(struct loop_timer *timer)
{
    struct templates *t = PL_CONTAINER(timer, struct templates, tick);
    int64_t now_ms = pl_now_ms();

    list_each_safe(l, &t->list)
    {
        struct template *e = list_entry(l, struct template, link);

        if (in_use(e))
            e->kept_ms = now_ms;
        else if (now_ms - (e->used_ms > e->kept_ms ? e->used_ms : e->kept_ms) >= keep_ms(e))
            drop(e, "not used for templates.keep");
    }
    if (t->count > 0)
        loop_timer_set(t->loop, timer, now_ms + TICK_MS);
}

/* Those that have a process. What is kept to know that a model can have none takes nobody's place. */
static uint64_t living(const struct templates *t)
{
    uint64_t n = 0;

    list_each(l, &t->list)
    {
        const struct template *e = list_entry(l, struct template, link);

        n += e->in && !e->dropped;
    }
    return n;
}

/* The least recently used one that has a process and is not of this variant. */
static struct template *oldest(struct templates *t, const spec_t *spec)
{
    struct template *out = NULL;

    list_each(l, &t->list)
    {
        struct template *e = list_entry(l, struct template, link);

        if (e->in && !e->dropped && !of_variant(e, spec) && (!out || e->used_ms < out->used_ms))
            out = e;
    }
    return out;
}

static bool has_room(struct templates *t, const spec_t *spec)
{
    struct template *old;

    if (living(t) < (uint64_t)t->o.limit)
        return true;
    old = oldest(t, spec);
    if (!old)
        return false;
    drop(old, "there are more than templates.limit");
    return true;
}

/* ---- door ---- */

static bool is_wanted(const spec_t *spec)
{
    const char *asked = variant_spec_variable(spec, TEMPLATE_VARIABLE);

    return asked && (strcmp(asked, "1") == 0 || strcmp(asked, "true") == 0);
}

/* NULL, or why this host makes none of it. */
static const char *why_none(const struct templates *t, const spec_t *spec)
{
    const char *why = spawn_why_no_template(t->o.spawner, spec->runtime);

    if (t->o.keep_ms == 0)
        return "this host keeps none (templates.keep)";
    if (!why && network_permits(t->o.network, spec->endpoint_name, spec->runtime))
        why = "its endpoint may use the network (network.allow), and copies would share connections that are open";
    return why;
}

struct copies *templates_find(struct templates *t, const spec_t *spec)
{
    struct template *e = find(t, spec);

    list_each_safe(l, &t->list)
    {
        struct template *old = list_entry(l, struct template, link);

        if (of_variant(old, spec) && old->generation < spec->generation)
            drop(old, "its endpoint has been updated");
    }
    if (!e || !e->ready)
        return NULL;
    e->used_ms = pl_now_ms();
    return e->copies;
}

void templates_make(struct templates *t, const spec_t *spec, struct instance *in)
{
    struct template *e = find(t, spec);
    const char *why;

    if (!is_wanted(spec) || (e && (e->in || e->refused || pl_now_ms() < e->not_before_ms)))
        return;
    why = why_none(t, spec);
    if (!why && !has_room(t, spec))
        return;
    if (!e)
        e = add(t, spec);
    if (why)
        refuse(e, in, why);
    else
        start(e, spec, in);
}

bool templates_evict(struct templates *t, const spec_t *spec, struct instance_stop *s)
{
    struct template *e = oldest(t, spec);

    if (!e)
        return false;
    instance_hear_end(e->in, s);
    drop(e, "an instance needs its memory");
    return true;
}

void templates_end(struct templates *t, const char *endpoint, int64_t generation)
{
    list_each_safe(l, &t->list)
    {
        struct template *e = list_entry(l, struct template, link);

        if (strcmp(e->endpoint, endpoint) == 0 && e->generation < generation)
            drop(e, "its endpoint has been updated or deleted");
    }
}

bool templates_busy(const struct templates *t)
{
    return t->looking > 0;
}

struct templates *templates_new(struct loop *l, const struct templates_options *o)
{
    struct templates *t = PL_NEW(struct templates);

    t->loop = l;
    t->o = *o;
    t->tick.fire = tick;
    list_init(&t->list);
    return t;
}

void templates_free(struct templates *t)
{
    if (!t)
        return;
    loop_timer_clear(t->loop, &t->tick);
    for (struct template *e; (e = list_first(&t->list, struct template, link));) {
        e->dropped = true;
        free_if_over(e);
    }
    free(t);
}
