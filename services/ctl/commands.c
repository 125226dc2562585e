#include "command.h"

#include <limits.h>

#define SECOND INT64_C(1000)
#define DAY    (86400 * SECOND)

const struct args_option command_common_options[] = {
    { 'h', "help", ARGS_FLAG, .help = "show this and exit" },
    { 0 },
};

const struct args_option command_server_options[] = {
    { 0, "server", ARGS_TEXT, "HOST[:PORT]",
      .help = "base address, router on PORT+1 and control on PORT+2; default "
              "$PILOTLIGHT_SERVER, else 127.0.0.1:8080" },
    { 0, "router", ARGS_TEXT, "TARGET",
      .help = "the router itself: HOST:PORT or unix:PATH; default $PILOTLIGHT_ROUTER" },
    { 0, "control", ARGS_TEXT, "TARGET",
      .help = "control itself: HOST:PORT or unix:PATH; default $PILOTLIGHT_CONTROL" },
    { 0, "tls-ca", ARGS_TEXT, "FILE", .help = "speak TLS and trust these certificates (PEM)" },
    { 0, "tls-cert", ARGS_TEXT, "FILE", .help = "client certificate (PEM)" },
    { 0, "tls-key", ARGS_TEXT, "FILE", .help = "its private key (PEM)" },
    { 0 },
};

const struct args_option command_output_options[] = {
    { 'o', "output", ARGS_CHOICE, "FORMAT", .fallback = "table",
      .choices = (const char *const[]){ "table", "json", "yaml", "name", NULL },
      .help = "table (default), json, yaml, or name: names only, one a line" },
    { 0 },
};

static const struct args_option up_options[] = {
    { 0, "state", ARGS_TEXT, "DIR",
      .help = "where everything is kept; default $XDG_STATE_HOME/pilotlight or "
              "~/.local/state/pilotlight" },
    { 'p', "port", ARGS_COUNT, "N", .fallback = "8080", .min = 1, .max = 65522,
      .help =
          "base port, default 8080: gateway (AWS clients) N, router N+1, control N+2, worker N+3; metrics ten higher" },
    { 0, "listen", ARGS_TEXT, "ADDRESS", .fallback = "127.0.0.1", .help = "address to listen on, default 127.0.0.1" },
    { 0, "set", ARGS_LIST, "SERVICE.KEY=VALUE",
      .help = "a service's setting, may be repeated: router.keep_alive=30s, worker.memory=8GiB" },
    { 0, "foreground-logs", ARGS_FLAG, .help = "services log to stderr instead of DIR/log" },
    { 0, "start-timeout", ARGS_DURATION, "TIME", .fallback = "30s", .min = SECOND, .max = 600 * SECOND,
      .help = "give up when not all serve after this long, default 30s" },
    { 0 },
};

static const struct args_option credentials_options[] = {
    { 0, "state", ARGS_TEXT, "DIR", .help = "state folder of `pilotlight up`; default as there" },
    { 0, "file", ARGS_TEXT, "FILE", .help = "the file itself, where a gateway has another (credentials_file)" },
    { 0, "note", ARGS_TEXT, "TEXT", .help = "create: what the key is for, up to 128 characters" },
    { 0, "use", ARGS_CHOICE, "WHAT", .fallback = "all", .choices = (const char *const[]){ "all", "artifacts", NULL },
      .help = "create: all (default), or artifacts: only read objects, for worker hosts" },
    { 0, "export", ARGS_FLAG, .help = "show or create: lines for a shell, for eval" },
    { 0 },
};

static const struct args_option doctor_options[] = {
    { 0, "runner", ARGS_TEXT, "FILE", .help = "pilotlight-runner; default: the one beside this program" },
    { 0, "uid", ARGS_COUNT, "N", .fallback = "1900000000", .max = 2147483647,
      .help = "the worker's sandbox_uid, default 1900000000" },
    { 0, "cgroup-parent", ARGS_TEXT, "DIR", .help = "the worker's cgroup_parent; default: as it finds one itself" },
    { 0 },
};

static const struct args_option apply_options[] = {
    { 'f', "file", ARGS_LIST, "FILE", .help = "manifest, or - for standard input; may be repeated" },
    { 0, "dry-run", ARGS_FLAG, .help = "show what would change and change nothing" },
    { 0, "no-wait", ARGS_FLAG, .help = "return without waiting for endpoints to be in service" },
    { 0, "replace", ARGS_FLAG, .help = "delete and create again models and endpoint configs whose spec changed" },
    { 0, "timeout", ARGS_DURATION, "TIME", .fallback = "240s", .min = SECOND, .max = DAY,
      .help = "longest wait for each endpoint, default 240s" },
    { 0 },
};

static const struct args_option get_options[] = {
    { 0, "name-contains", ARGS_TEXT, "TEXT", .help = "only names that contain this" },
    { 0 },
};

static const struct args_option delete_options[] = {
    { 'f', "file", ARGS_LIST, "FILE", .help = "delete what these manifests name; - for standard input" },
    { 0, "wait", ARGS_FLAG, .help = "wait until endpoints are gone" },
    { 0, "ignore-missing", ARGS_FLAG, .help = "what is not there counts as deleted" },
    { 0, "timeout", ARGS_DURATION, "TIME", .fallback = "240s", .min = SECOND, .max = DAY,
      .help = "longest wait for each endpoint, default 240s" },
    { 0 },
};

static const struct args_option invoke_options[] = {
    { 'f', "file", ARGS_TEXT, "FILE", .help = "the body; - for standard input" },
    { 0, "rows", ARGS_FLAG,
      .help = "each line of the body is a call of its own; --repeat goes through them over and over" },
    { 0, "content-type", ARGS_TEXT, "TYPE",
      .help = "of the body: text/csv (what the runtime assumes), text/libsvm, "
              "application/json" },
    { 0, "accept", ARGS_TEXT, "TYPE", .help = "wanted type of the answer" },
    { 0, "target-variant", ARGS_TEXT, "NAME", .help = "the production variant that shall answer" },
    { 0, "custom-attributes", ARGS_TEXT, "TEXT", .help = "passed to the model" },
    { 0, "inference-id", ARGS_TEXT, "TEXT", .help = "your own id, for logs" },
    { 0, "timeout", ARGS_DURATION, "TIME", .fallback = "245s", .min = 1, .max = DAY,
      .help = "deadline of each call, default 245s: a cold start and an invocation" },
    { 'n', "repeat", ARGS_COUNT, "N", .min = 1, .max = 10000000,
      .help = "make N calls and print a summary to stderr; default 1, with --rows one for each line" },
    { 'c', "concurrency", ARGS_COUNT, "C", .fallback = "1", .min = 1, .max = 1000,
      .help = "calls in flight at once, default 1" },
    { 'q', "quiet", ARGS_FLAG, .help = "print no answers" },
    { 'v', "verbose", ARGS_FLAG, .help = "show on stderr where the time of each call went" },
    { 0 },
};

static const struct args_option metrics_options[] = {
    { 0, "since", ARGS_DURATION, "TIME", .fallback = "1h", .min = 60 * SECOND, .max = 455 * DAY,
      .help = "how far back, default 1h" },
    { 0, "period", ARGS_DURATION, "TIME", .fallback = "1m", .min = 60 * SECOND, .max = 365 * DAY,
      .help = "length of a line, default 1m; what is older than 15 days is known by 5m, than 63 days by 1h" },
    { 0 },
};

static const struct args_option top_options[] = {
    { 0, "every", ARGS_DURATION, "TIME", .fallback = "2s", .min = 100, .max = 3600 * SECOND,
      .help = "time between two pictures, default 2s" },
    { 'n', "count", ARGS_COUNT, "N", .min = 1, .max = 1000000000, .help = "end after N pictures; default: never" },
    { 0 },
};

static const struct args_option cost_options[] = {
    { 0, "from", ARGS_TEXT, "DAY", .help = "first day (UTC), 2026-02-01; default the first of this month" },
    { 0, "to", ARGS_TEXT, "DAY", .help = "last day; default today" },
    { 0, "by", ARGS_CHOICE, "WHAT", .fallback = "day",
      .choices = (const char *const[]){ "day", "endpoint", "variant", NULL },
      .help = "a line for each day (default), endpoint or variant" },
    { 0 },
};

static const struct args_option estimate_options[] = {
    { 0, "requests", ARGS_COUNT, "N", .min = 0, .max = INT64_C(1000000000000),
      .help = "requests in a month of 30 days" },
    { 0, "duration", ARGS_DURATION, "TIME", .min = 1, .max = 3600 * SECOND,
      .help = "time of a request in the model: 200ms" },
    { 0, "memory", ARGS_COUNT, "MB", .fallback = "2048", .min = 1, .max = 1048576,
      .help = "memory size of the variant, default 2048" },
    { 0, "bytes", ARGS_TEXT, "SIZE", .help = "of a request and its answer together: 600, 4KiB; default 0" },
    { 0, "provisioned", ARGS_COUNT, "N", .fallback = "0", .min = 0, .max = 100000,
      .help = "provisioned concurrency, all month; default 0" },
    { 0 },
};

static const struct args_option logs_options[] = {
    { 'f', "follow", ARGS_FLAG, .help = "go on printing lines as they come, until Ctrl-C" },
    { 0, "since", ARGS_TEXT, "TIME",
      .help = "from here on: how long ago (10m, 2h, 1d) or when (2026-02-11T08:15:30Z)" },
    { 0, "until", ARGS_TEXT, "TIME", .help = "up to here, as --since" },
    { 'n', "tail", ARGS_COUNT, "N", .max = 10000,
      .help = "so many of the last lines; default 1000, with --follow 20, with --since all" },
    { 0, "instance", ARGS_TEXT, "ID", .help = "only of this instance, as `pilotlight get instances` names it" },
    { 0, "variant", ARGS_TEXT, "NAME", .help = "only of this production variant" },
    { 'o', "output", ARGS_CHOICE, "FORMAT", .fallback = "text",
      .choices = (const char *const[]){ "text", "json", NULL }, .help = "text (default), or json: one object a line" },
    { 0 },
};

static const struct args_option check_options[] = {
    { 'f', "file", ARGS_LIST, "FILE", .help = "manifest, or - for standard input; may be repeated" },
    { 0 },
};

static const char *const get_words[] = { "models", "endpoint-configs", "endpoints", "instances", "variants", "hosts",
                                         NULL };
static const char *const kind_words[] = { "model", "endpoint-config", "endpoint", NULL };
static const char *const shells[] = { "bash", NULL };
static const char *const credentials_verbs[] = { "show", "create", "list", "disable", "enable", NULL };

const struct command commands[] = {
    { "up",
      "run all of Pilotlight on this machine",
      "[--state DIR] [--port N]",
      "Starts control, worker, router and gateway, which are found beside this program, waits until they serve, prints "
      "'ready' "
      "with their\n"
      "addresses and keeps them running: a service that ends is started again. Ctrl-C (SIGINT) or SIGTERM ends all of "
      "them in order\n"
      "and exits 0. What was applied is kept in the state folder and is there again at the next start. One state "
      "folder belongs to\n"
      "one `pilotlight up` at a time.\n"
      "\n"
      "Examples:\n"
      "  pilotlight up\n"
      "  pilotlight up --state /srv/pilotlight --port 9000 --set router.keep_alive=30s\n",
      { up_options },
      0,
      0,
      NULL,
      false,
      cmd_up },
    { "credentials",
      "access keys for AWS clients",
      "[show | create | list | disable ID | enable ID]",
      "Without a word, or with show: the keys that may be used, with their secrets. create makes one and shows it; "
      "list "
      "shows all keys\n"
      "without their secrets; disable takes one out of use, enable puts it back. A running gateway sees the change at "
      "once.\n"
      "The keys are kept in DIR/credentials.json, readable by its owner alone. The first start of `pilotlight up` "
      "makes "
      "one, or takes\n"
      "PILOTLIGHT_ACCESS_KEY_ID and PILOTLIGHT_SECRET_ACCESS_KEY from the environment.\n"
      "\n"
      "Examples:\n"
      "  eval \"$(pilotlight credentials --export)\"; aws --endpoint-url http://127.0.0.1:8080 sagemaker "
      "list-endpoints\n"
      "  pilotlight credentials create --note 'nightly batch'\n"
      "  pilotlight credentials disable PLEXAMPLEEXAMPLEEXAM\n",
      { credentials_options, command_output_options },
      0,
      2,
      credentials_verbs,
      false,
      cmd_credentials },
    { "apply",
      "create or update what manifests describe",
      "-f FILE [-f FILE ...]",
      "Reads YAML documents (see `pilotlight help manifest`) and makes the server agree with them: models first, then "
      "endpoint\n"
      "configs, then endpoints; applying twice changes nothing. Waits until each endpoint is in service, or says why "
      "it is not.\n"
      "\n"
      "Models and endpoint configs never change once created. When the spec of one differs, nothing is changed and "
      "apply says how;\n"
      "give it a new name and let the endpoint name that, which also makes a way back. With --replace it is deleted "
      "and created\n"
      "again under its name instead, and endpoints in the same apply that use it are updated to it.\n"
      "\n"
      "Examples:\n"
      "  pilotlight apply -f fraud.yaml --dry-run\n"
      "  pilotlight apply -f fraud.yaml\n"
      "  make-manifest | pilotlight apply -f - --no-wait\n",
      { apply_options, command_server_options },
      0,
      0,
      NULL,
      false,
      cmd_apply },
    { "get",
      "list resources, instances, counters or hosts",
      "KIND [NAME]",
      "KIND is models, endpoint-configs (configs), endpoints, instances, variants or hosts; the singular will do. NAME "
      "picks one;\n"
      "for instances and variants it is an endpoint's name. JSON and YAML have the fields of the API (proto/): a list "
      "without NAME,\n"
      "for models, endpoint-configs and endpoints one object with it.\n"
      "\n"
      "Examples:\n"
      "  pilotlight get endpoints\n"
      "  pilotlight get instances fraud -o json\n"
      "  pilotlight get models --name-contains fraud -o name\n",
      { get_options, command_output_options, command_server_options },
      1,
      2,
      get_words,
      true,
      cmd_get },
    { "describe",
      "show everything about one resource",
      "KIND NAME",
      "KIND is model, endpoint-config (config) or endpoint. An endpoint is shown with its status, what serves, its "
      "instances now and\n"
      "its counters since the router started. A model is shown with the endpoints that serve it and what it was found\n"
      "to be when they were proven: its objective, whether it has a compiled forest, and if not why.\n"
      "\n"
      "Examples:\n"
      "  pilotlight describe endpoint fraud\n"
      "  pilotlight describe model fraud -o yaml\n",
      { command_output_options, command_server_options },
      2,
      2,
      kind_words,
      true,
      cmd_describe },
    { "delete",
      "delete resources",
      "KIND NAME | -f FILE",
      "Deleting an endpoint lets the requests in flight end; --wait waits until it is gone. Endpoints go on when their "
      "config or\n"
      "model is deleted. With -f everything in the manifests is deleted: endpoints first, then endpoint configs, then "
      "models.\n"
      "\n"
      "Examples:\n"
      "  pilotlight delete endpoint fraud --wait\n"
      "  pilotlight delete -f fraud.yaml --ignore-missing\n",
      { delete_options, command_server_options },
      0,
      2,
      kind_words,
      true,
      cmd_delete },
    { "invoke",
      "call an endpoint",
      "ENDPOINT [BODY | -f FILE | -]",
      "Sends the body and prints the answer exactly as it came. With -v the time of the call is shown on stderr, part "
      "by part. With\n"
      "--repeat or --rows a summary follows on stderr: latencies, calls per second, cold starts, errors by kind. The "
      "exit code tells\n"
      "what went wrong (`pilotlight help exit-codes`); of many calls, the first failure counts.\n"
      "\n"
      "Examples:\n"
      "  pilotlight invoke fraud 0.3,1.5,0.2 -v\n"
      "  pilotlight invoke fraud -f row.json --content-type application/json\n"
      "  pilotlight invoke fraud -f rows.csv --rows --repeat 10000 --concurrency 8 --quiet\n",
      { invoke_options, command_server_options },
      1,
      2,
      NULL,
      true,
      cmd_invoke },
    { "metrics",
      "show what was measured",
      "[ENDPOINT]",
      "Without ENDPOINT: which metrics there are. With it: a line for each minute (--period) in which something "
      "happened, "
      "with the main\n"
      "numbers of each variant. They come from control, which routers tell once a second; alarms and AWS clients see "
      "the "
      "same.\n"
      "\n"
      "Examples:\n"
      "  pilotlight metrics fraud\n"
      "  pilotlight metrics fraud --since 1d --period 1h\n"
      "  pilotlight metrics -o json\n",
      { metrics_options, command_output_options, command_server_options },
      0,
      1,
      NULL,
      true,
      cmd_metrics },
    { "top",
      "watch endpoints at work",
      "[ENDPOINT]",
      "Shows each variant's calls a second, what waits and what is warm, and again every two seconds, until it is "
      "interrupted.\n"
      "\n"
      "Examples:\n"
      "  pilotlight top\n"
      "  pilotlight top fraud --every 500ms\n"
      "  pilotlight top -n 1 -o json\n",
      { top_options, command_output_options, command_server_options },
      0,
      1,
      NULL,
      true,
      cmd_top },
    { "cost",
      "show what was used and what it costs",
      "[ENDPOINT]",
      "Usage by day, endpoint and variant, at the prices in control's settings (cost.*), compared with one persistent "
      "instance for\n"
      "each endpoint. Waiting and cold starts are not billed. `pilotlight cost estimate` calculates ahead.\n"
      "\n"
      "Examples:\n"
      "  pilotlight cost\n"
      "  pilotlight cost fraud --from 2026-02-01 --to 2026-02-28\n"
      "  pilotlight cost --by endpoint -o json\n",
      { cost_options, command_output_options, command_server_options },
      0,
      1,
      NULL,
      true,
      cmd_cost },
    { "cost estimate",
      "calculate what a month would cost",
      "--requests N --duration TIME [--memory MB]",
      "Uses control's prices, or the default ones when it cannot be reached.\n"
      "\n"
      "Examples:\n"
      "  pilotlight cost estimate --requests 30000 --duration 200ms --memory 2048\n",
      { estimate_options, command_output_options, command_server_options },
      0,
      0,
      NULL,
      false,
      cmd_cost_estimate },
    { "logs",
      "show what an endpoint's instances print",
      "ENDPOINT [-f] [--since TIME]",
      "Standard output and error of every instance, from all hosts, oldest first: time, production variant, instance, "
      "id "
      "of the request\n"
      "that it was working on (- between requests), text. A Python traceback is here whole, where callers got only its "
      "end. Hosts keep\n"
      "lines within limits of size and age (logs.* in the worker's config), also after the endpoint is gone.\n"
      "\n"
      "Examples:\n"
      "  pilotlight logs fraud -f\n"
      "  pilotlight logs fraud --since 10m --variant blue\n"
      "  pilotlight logs fraud -n 50 -o json\n",
      { logs_options, command_server_options },
      1,
      1,
      NULL,
      true,
      cmd_logs },
    { "config check",
      "check manifests without a server",
      "-f FILE [-f FILE ...]",
      "Reads the documents as apply does and says what is wrong with their shape: unknown keys, missing keys, values "
      "of the wrong\n"
      "type, each with its line. Limits of values and names of other resources are checked by the server (apply "
      "--dry-run).\n"
      "\n"
      "Examples:\n"
      "  pilotlight config check -f fraud.yaml\n",
      { check_options },
      0,
      0,
      NULL,
      false,
      cmd_config_check },
    { "completion",
      "print a script that completes commands in your shell",
      "bash",
      "Examples:\n"
      "  source <(pilotlight completion bash)\n"
      "  pilotlight completion bash > ~/.local/share/bash-completion/completions/pilotlight\n",
      { NULL },
      1,
      1,
      shells,
      false,
      cmd_completion },
    { "doctor",
      "show what this machine can enforce on models",
      "",
      "Tries every part of the sandbox by starting an instance in it, as a worker host does when it starts, and shows "
      "what works, what\n"
      "does not and why, what that means, and what to change. Run it as the user, and in the place, that the worker "
      "runs in: rights\n"
      "and control groups are its own. Exits with 1 when something is missing; a worker with `sandbox: require` would "
      "not start then.\n"
      "\n"
      "Examples:\n"
      "  pilotlight doctor\n"
      "  systemd-run --pipe --wait -p User=pilotlight -p Delegate=yes pilotlight doctor -o json\n",
      { doctor_options, command_output_options },
      0,
      0,
      NULL,
      false,
      cmd_doctor },
    { "version",
      "show the versions of this program and of the server",
      "",
      "The server's version is shown when the router can be reached; it is no failure when it cannot.\n",
      { command_output_options, command_server_options },
      0,
      0,
      NULL,
      false,
      cmd_version },
    { "help",
      "explain a command or a topic",
      "[COMMAND | TOPIC]",
      "Topics: exit-codes, manifest.\n"
      "\n"
      "Examples:\n"
      "  pilotlight help invoke\n"
      "  pilotlight help manifest\n",
      { NULL },
      0,
      2,
      help_topics,
      false,
      cmd_help },
    { 0 },
};
