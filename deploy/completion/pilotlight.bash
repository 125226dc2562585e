# bash completion of pilotlight; made by `pilotlight completion bash`, do not edit.

# Names of a kind as the server knows them; nothing when it does not answer at once.
_pilotlight_names()
{
    timeout 2 pilotlight get "$1" -o name 2>/dev/null
}

_pilotlight()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} words= more=
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="up credentials apply get describe delete invoke metrics top cost logs config completion doctor version help"
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
        return
    fi
    case $COMP_CWORD:$command in
    2:cost) more="estimate " ;;
    2:config) more="check " ;;
    esac
    if [ "$COMP_CWORD" -gt 2 ]; then
        case "$command ${COMP_WORDS[2]}" in
        "cost estimate") command="cost estimate" ;;
        "config check") command="config check" ;;
        esac
    fi
    case $command in
    "up")
        case $prev in
        --state) COMPREPLY=($(compgen -d -- "$cur")); return ;;
        esac
        if [[ $cur == -* ]]; then
            words=" --state --port --listen --set --foreground-logs --start-timeout --help"
        fi
        ;;
    "credentials")
        case $prev in
        --state) COMPREPLY=($(compgen -d -- "$cur")); return ;;
        --file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --use) COMPREPLY=($(compgen -W "all artifacts" -- "$cur")); return ;;
        -o | --output) COMPREPLY=($(compgen -W "table json yaml name" -- "$cur")); return ;;
        esac
        if [[ $cur == -* ]]; then
            words=" --state --file --note --use --export --output --help"
        elif [ "$COMP_CWORD" -eq 2 ]; then
            words="show create list disable enable"
        fi
        ;;
    "apply")
        case $prev in
        -f | --file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-ca) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-cert) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-key) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        if [[ $cur == -* ]]; then
            words=" --file --dry-run --no-wait --replace --timeout --server --router --control --tls-ca --tls-cert --tls-key --help"
        fi
        ;;
    "get")
        case $prev in
        -o | --output) COMPREPLY=($(compgen -W "table json yaml name" -- "$cur")); return ;;
        --tls-ca) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-cert) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-key) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        if [[ $cur == -* ]]; then
            words=" --name-contains --output --server --router --control --tls-ca --tls-cert --tls-key --help"
        elif [ "$COMP_CWORD" -eq 2 ]; then
            words="models endpoint-configs endpoints instances variants hosts"
        elif [ "$COMP_CWORD" -eq 3 ]; then
            words=$(_pilotlight_names "$prev")
        fi
        ;;
    "describe")
        case $prev in
        -o | --output) COMPREPLY=($(compgen -W "table json yaml name" -- "$cur")); return ;;
        --tls-ca) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-cert) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-key) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        if [[ $cur == -* ]]; then
            words=" --output --server --router --control --tls-ca --tls-cert --tls-key --help"
        elif [ "$COMP_CWORD" -eq 2 ]; then
            words="model endpoint-config endpoint"
        elif [ "$COMP_CWORD" -eq 3 ]; then
            words=$(_pilotlight_names "$prev")
        fi
        ;;
    "delete")
        case $prev in
        -f | --file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-ca) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-cert) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-key) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        if [[ $cur == -* ]]; then
            words=" --file --wait --ignore-missing --timeout --server --router --control --tls-ca --tls-cert --tls-key --help"
        elif [ "$COMP_CWORD" -eq 2 ]; then
            words="model endpoint-config endpoint"
        elif [ "$COMP_CWORD" -eq 3 ]; then
            words=$(_pilotlight_names "$prev")
        fi
        ;;
    "invoke")
        case $prev in
        -f | --file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-ca) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-cert) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-key) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        if [[ $cur == -* ]]; then
            words=" --file --rows --content-type --accept --target-variant --custom-attributes --inference-id --timeout --repeat --concurrency --quiet --verbose --server --router --control --tls-ca --tls-cert --tls-key --help"
        elif [ "$COMP_CWORD" -eq 2 ]; then
            words=$(_pilotlight_names endpoints)
        fi
        ;;
    "metrics")
        case $prev in
        -o | --output) COMPREPLY=($(compgen -W "table json yaml name" -- "$cur")); return ;;
        --tls-ca) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-cert) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-key) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        if [[ $cur == -* ]]; then
            words=" --since --period --output --server --router --control --tls-ca --tls-cert --tls-key --help"
        elif [ "$COMP_CWORD" -eq 2 ]; then
            words=$(_pilotlight_names endpoints)
        fi
        ;;
    "top")
        case $prev in
        -o | --output) COMPREPLY=($(compgen -W "table json yaml name" -- "$cur")); return ;;
        --tls-ca) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-cert) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-key) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        if [[ $cur == -* ]]; then
            words=" --every --count --output --server --router --control --tls-ca --tls-cert --tls-key --help"
        elif [ "$COMP_CWORD" -eq 2 ]; then
            words=$(_pilotlight_names endpoints)
        fi
        ;;
    "cost")
        case $prev in
        --by) COMPREPLY=($(compgen -W "day endpoint variant" -- "$cur")); return ;;
        -o | --output) COMPREPLY=($(compgen -W "table json yaml name" -- "$cur")); return ;;
        --tls-ca) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-cert) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-key) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        if [[ $cur == -* ]]; then
            words=" --from --to --by --output --server --router --control --tls-ca --tls-cert --tls-key --help"
        elif [ "$COMP_CWORD" -eq 2 ]; then
            words=$(_pilotlight_names endpoints)
        fi
        ;;
    "cost estimate")
        case $prev in
        -o | --output) COMPREPLY=($(compgen -W "table json yaml name" -- "$cur")); return ;;
        --tls-ca) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-cert) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-key) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        if [[ $cur == -* ]]; then
            words=" --requests --duration --memory --bytes --provisioned --output --server --router --control --tls-ca --tls-cert --tls-key --help"
        fi
        ;;
    "logs")
        case $prev in
        -o | --output) COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
        --tls-ca) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-cert) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-key) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        if [[ $cur == -* ]]; then
            words=" --follow --since --until --tail --instance --variant --output --server --router --control --tls-ca --tls-cert --tls-key --help"
        elif [ "$COMP_CWORD" -eq 2 ]; then
            words=$(_pilotlight_names endpoints)
        fi
        ;;
    "config check")
        case $prev in
        -f | --file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        if [[ $cur == -* ]]; then
            words=" --file --help"
        fi
        ;;
    "completion")
        case $prev in
        esac
        if [[ $cur == -* ]]; then
            words=" --help"
        elif [ "$COMP_CWORD" -eq 2 ]; then
            words="bash"
        fi
        ;;
    "doctor")
        case $prev in
        --runner) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --cgroup-parent) COMPREPLY=($(compgen -d -- "$cur")); return ;;
        -o | --output) COMPREPLY=($(compgen -W "table json yaml name" -- "$cur")); return ;;
        esac
        if [[ $cur == -* ]]; then
            words=" --runner --uid --cgroup-parent --output --help"
        fi
        ;;
    "version")
        case $prev in
        -o | --output) COMPREPLY=($(compgen -W "table json yaml name" -- "$cur")); return ;;
        --tls-ca) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-cert) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        --tls-key) COMPREPLY=($(compgen -f -- "$cur")); return ;;
        esac
        if [[ $cur == -* ]]; then
            words=" --output --server --router --control --tls-ca --tls-cert --tls-key --help"
        fi
        ;;
    "help")
        case $prev in
        esac
        if [[ $cur == -* ]]; then
            words=" --help"
        elif [ "$COMP_CWORD" -eq 2 ]; then
            words="exit-codes manifest up credentials apply get describe delete invoke metrics top cost logs config completion doctor version help"
        fi
        ;;
    esac
    COMPREPLY=($(compgen -W "$more$words" -- "$cur"))
}
complete -F _pilotlight pilotlight
