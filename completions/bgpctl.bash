# bash completion for bgpctl and kubectl-bgp. Written by `bgpctl completion`; do not edit.

# Sets `commands`, `options` and `arguments` for the command whose words are $1.
_bgpctl_offer() {
    commands='' options='' arguments=''
    case $1 in
        '') commands='routes top explain logs metrics forecast doctor providers version completion install uninstall peers preflight node speaker policy cilium calico config auth lab' options='--context --kubeconfig --version --as --as-group --request-timeout --chunk-size -h --help' arguments='' ;;
        'routes') commands='' options='--peer --absent --directory --provider --output -o --context --kubeconfig --verbose -v --as --as-group --request-timeout --chunk-size -h --help' arguments='@node' ;;
        'top') commands='' options='--provider --context --kubeconfig --verbose -v --as --as-group --request-timeout --chunk-size -h --help' arguments='' ;;
        'explain') commands='' options='--from --to --namespace -n --router-probe --provider --output -o --context --kubeconfig --verbose -v --as --as-group --request-timeout --chunk-size -h --help' arguments='' ;;
        'logs') commands='' options='--follow -f --peer --since --file --provider --pod-selector --namespace -n --output -o --context --kubeconfig --verbose -v --as --as-group --request-timeout --chunk-size -h --help' arguments='@node' ;;
        'metrics') commands='' options='--provider --output -o --context --kubeconfig --verbose -v --as --as-group --request-timeout --chunk-size -h --help' arguments='@node' ;;
        'forecast') commands='' options='--all --event --set --scheme --restart-takes --peer-profile --provider --output -o --context --kubeconfig --verbose -v --as --as-group --request-timeout --chunk-size -h --help' arguments='@node' ;;
        'doctor') commands='' options='--node --router-probe --provider --output -o --context --kubeconfig --verbose -v --as --as-group --request-timeout --chunk-size -h --help' arguments='' ;;
        'providers') commands='' options='--output -o --context --kubeconfig --as --as-group --request-timeout --chunk-size -h --help' arguments='' ;;
        'version') commands='' options='--client --output -o --context --kubeconfig --as --as-group --request-timeout --chunk-size -h --help' arguments='' ;;
        'completion') commands='' options='-h --help' arguments='bash zsh fish powershell' ;;
        'install') commands='' options='--namespace -n --engine --set --output -o --apply --wait --timeout --dry-run --force-conflicts --context --kubeconfig --verbose -v --as --as-group --request-timeout --chunk-size -h --help' arguments='' ;;
        'uninstall') commands='' options='--namespace -n --yes -y --withdraw-routes --output -o --context --kubeconfig --as --as-group --request-timeout --chunk-size -h --help' arguments='' ;;
        'peers') commands='status' options='-h --help' arguments='' ;;
        'peers status') commands='' options='--output -o --watch -w --provider --context --kubeconfig --verbose -v --as --as-group --request-timeout --chunk-size -h --help' arguments='@node' ;;
        'preflight') commands='upgrade' options='-h --help' arguments='' ;;
        'preflight upgrade') commands='' options='--image --nodes --selector -l --canary --allow-route-loss --pod-selector --namespace -n --timeout --peer-profile --router-probe --provider --output -o --context --kubeconfig --verbose -v --as --as-group --request-timeout --chunk-size -h --help' arguments='' ;;
        'node') commands='drain restore status estimate' options='-h --help' arguments='' ;;
        'node drain') commands='' options='--selector -l --dry-run --order --reason --timeout --settle --soak --deselect-label --shutdown-command --router-probe --peer-profile --ignore-daemonsets --no-ignore-daemonsets --force --no-force --delete-emptydir-data --no-delete-emptydir-data --grace-period --disable-eviction --pod-selector --skip-wait-for-delete-timeout --allow-last-path --no-allow-last-path --allow-address-gap --no-allow-address-gap --beside-another-stack --no-beside-another-stack --require-confirmed --no-require-confirmed --assume-dead --max-unavailable --provider --take-over --output -o --context --kubeconfig --verbose -v --as --as-group --request-timeout --chunk-size -h --help' arguments='@node' ;;
        'node restore') commands='' options='--selector -l --reason --timeout --router-probe --provider --take-over --dry-run --output -o --context --kubeconfig --verbose -v --as --as-group --request-timeout --chunk-size -h --help' arguments='@node' ;;
        'node status') commands='' options='--provider --output -o --context --kubeconfig --verbose -v --as --as-group --request-timeout --chunk-size -h --help' arguments='@node' ;;
        'node estimate') commands='' options='--peer-profile --provider --output -o --context --kubeconfig --verbose -v --as --as-group --request-timeout --chunk-size -h --help' arguments='@node' ;;
        'speaker') commands='run status restart upgrade engine' options='-h --help' arguments='' ;;
        'speaker run') commands='' options='--node-name --file -f --in-cluster --listen --source-address --next-hop --withdraw-without-endpoints --damping --no-damping --graceful-shutdown-soak --ready-url --ready-command --beside-another-stack --secrets-namespace --auth-secrets --directory --engine --log-format --log-level --context --kubeconfig --as --as-group --request-timeout --chunk-size -h --help' arguments='' ;;
        'speaker status') commands='' options='--directory --output -o -h --help' arguments='' ;;
        'speaker restart') commands='' options='--pod-selector --namespace -n --restart-command --expect --allow-route-loss --timeout --router-probe --take-over --dry-run --output -o --context --kubeconfig --verbose -v --as --as-group --request-timeout --chunk-size -h --help' arguments='@node' ;;
        'speaker upgrade') commands='' options='--image --nodes --container --pod-selector --namespace -n --expect --allow-route-loss --timeout --router-probe --take-over --dry-run --output -o --context --kubeconfig --verbose -v --as --as-group --request-timeout --chunk-size -h --help' arguments='' ;;
        'speaker engine') commands='run prepare stop' options='-h --help' arguments='' ;;
        'speaker engine run') commands='' options='--directory --node-name -h --help' arguments='' ;;
        'speaker engine prepare') commands='' options='--directory --user -h --help' arguments='' ;;
        'speaker engine stop') commands='' options='--directory --node-name --leave -h --help' arguments='' ;;
        'policy') commands='check' options='-h --help' arguments='' ;;
        'policy check') commands='' options='--output -o -h --help' arguments='@file' ;;
        'cilium') commands='prepare' options='-h --help' arguments='' ;;
        'cilium prepare') commands='' options='--undo --soak --dry-run --output -o --context --kubeconfig --as --as-group --request-timeout --chunk-size -h --help' arguments='' ;;
        'calico') commands='prepare' options='-h --help' arguments='' ;;
        'calico prepare') commands='' options='--undo --dry-run --output -o --context --kubeconfig --as --as-group --request-timeout --chunk-size -h --help' arguments='' ;;
        'config') commands='view check set unset' options='-h --help' arguments='' ;;
        'config view') commands='' options='--output -o --context --kubeconfig --as --as-group --request-timeout --chunk-size -h --help' arguments='' ;;
        'config check') commands='' options='--output -o -h --help' arguments='' ;;
        'config set') commands='' options='--context --as --as-group --request-timeout --chunk-size -h --help' arguments='router-probe peer-profile scheme provider order timeout settle soak deselect-label max-unavailable require-confirmed expect restart-takes' ;;
        'config unset') commands='' options='--context --as --as-group --request-timeout --chunk-size -h --help' arguments='router-probe peer-profile scheme provider order timeout settle soak deselect-label max-unavailable require-confirmed expect restart-takes' ;;
        'auth') commands='check' options='-h --help' arguments='' ;;
        'auth check') commands='' options='--for --extras --namespace -n --output -o --context --kubeconfig --as --as-group --request-timeout --chunk-size -h --help' arguments='' ;;
        'lab') commands='demo up drill' options='-h --help' arguments='' ;;
        'lab demo') commands='' options='--router --nodes --stack -h --help' arguments='' ;;
        'lab up') commands='' options='--router --nodes --kubeconfig --stack -h --help' arguments='' ;;
        'lab drill') commands='' options='--router --graceful-restart --stack --html --output -o -h --help' arguments='agent-down restart deselect power-off link-down remote-link-down no-backends all' ;;
    esac
}

# The values that option $2 of command $1 takes: words, @ and a kind of names, or nothing to offer. Fails for
# a switch.
_bgpctl_values() {
    case "$1:$2" in
        ':--context') echo '@context' ;;
        ':--kubeconfig') echo '@file' ;;
        ':--as') echo '' ;;
        ':--as-group') echo '' ;;
        ':--request-timeout') echo '' ;;
        ':--chunk-size') echo '' ;;
        'routes:--peer') echo '@peer' ;;
        'routes:--directory') echo '@dir' ;;
        'routes:--provider') echo 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' ;;
        'routes:--output'|'routes:-o') echo 'table wide json yaml name jsonpath=' ;;
        'routes:--context') echo '@context' ;;
        'routes:--kubeconfig') echo '@file' ;;
        'routes:--as') echo '' ;;
        'routes:--as-group') echo '' ;;
        'routes:--request-timeout') echo '' ;;
        'routes:--chunk-size') echo '' ;;
        'top:--provider') echo 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' ;;
        'top:--context') echo '@context' ;;
        'top:--kubeconfig') echo '@file' ;;
        'top:--as') echo '' ;;
        'top:--as-group') echo '' ;;
        'top:--request-timeout') echo '' ;;
        'top:--chunk-size') echo '' ;;
        'explain:--from') echo '@node' ;;
        'explain:--to') echo '@peer' ;;
        'explain:--namespace'|'explain:-n') echo '@namespace' ;;
        'explain:--router-probe') echo '' ;;
        'explain:--provider') echo 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' ;;
        'explain:--output'|'explain:-o') echo 'text json' ;;
        'explain:--context') echo '@context' ;;
        'explain:--kubeconfig') echo '@file' ;;
        'explain:--as') echo '' ;;
        'explain:--as-group') echo '' ;;
        'explain:--request-timeout') echo '' ;;
        'explain:--chunk-size') echo '' ;;
        'logs:--peer') echo '@peer' ;;
        'logs:--since') echo '' ;;
        'logs:--file') echo '@file' ;;
        'logs:--provider') echo 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' ;;
        'logs:--pod-selector') echo '' ;;
        'logs:--namespace'|'logs:-n') echo '@namespace' ;;
        'logs:--output'|'logs:-o') echo 'text json' ;;
        'logs:--context') echo '@context' ;;
        'logs:--kubeconfig') echo '@file' ;;
        'logs:--as') echo '' ;;
        'logs:--as-group') echo '' ;;
        'logs:--request-timeout') echo '' ;;
        'logs:--chunk-size') echo '' ;;
        'metrics:--provider') echo 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' ;;
        'metrics:--output'|'metrics:-o') echo 'text json' ;;
        'metrics:--context') echo '@context' ;;
        'metrics:--kubeconfig') echo '@file' ;;
        'metrics:--as') echo '' ;;
        'metrics:--as-group') echo '' ;;
        'metrics:--request-timeout') echo '' ;;
        'metrics:--chunk-size') echo '' ;;
        'forecast:--event') echo 'agent-down restart upgrade node-down deselect power-off link-down remote-link-down operator-down no-backends' ;;
        'forecast:--set') echo '' ;;
        'forecast:--scheme') echo '' ;;
        'forecast:--restart-takes') echo '' ;;
        'forecast:--peer-profile') echo '' ;;
        'forecast:--provider') echo 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' ;;
        'forecast:--output'|'forecast:-o') echo 'text json html' ;;
        'forecast:--context') echo '@context' ;;
        'forecast:--kubeconfig') echo '@file' ;;
        'forecast:--as') echo '' ;;
        'forecast:--as-group') echo '' ;;
        'forecast:--request-timeout') echo '' ;;
        'forecast:--chunk-size') echo '' ;;
        'doctor:--node') echo '@node' ;;
        'doctor:--router-probe') echo '' ;;
        'doctor:--provider') echo 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' ;;
        'doctor:--output'|'doctor:-o') echo 'text json' ;;
        'doctor:--context') echo '@context' ;;
        'doctor:--kubeconfig') echo '@file' ;;
        'doctor:--as') echo '' ;;
        'doctor:--as-group') echo '' ;;
        'doctor:--request-timeout') echo '' ;;
        'doctor:--chunk-size') echo '' ;;
        'providers:--output'|'providers:-o') echo 'text json yaml' ;;
        'providers:--context') echo '@context' ;;
        'providers:--kubeconfig') echo '@file' ;;
        'providers:--as') echo '' ;;
        'providers:--as-group') echo '' ;;
        'providers:--request-timeout') echo '' ;;
        'providers:--chunk-size') echo '' ;;
        'version:--output'|'version:-o') echo 'text json yaml' ;;
        'version:--context') echo '@context' ;;
        'version:--kubeconfig') echo '@file' ;;
        'version:--as') echo '' ;;
        'version:--as-group') echo '' ;;
        'version:--request-timeout') echo '' ;;
        'version:--chunk-size') echo '' ;;
        'install:--namespace'|'install:-n') echo '@namespace' ;;
        'install:--engine') echo 'external own' ;;
        'install:--set') echo '' ;;
        'install:--output'|'install:-o') echo 'yaml json text' ;;
        'install:--timeout') echo '' ;;
        'install:--context') echo '@context' ;;
        'install:--kubeconfig') echo '@file' ;;
        'install:--as') echo '' ;;
        'install:--as-group') echo '' ;;
        'install:--request-timeout') echo '' ;;
        'install:--chunk-size') echo '' ;;
        'uninstall:--namespace'|'uninstall:-n') echo '@namespace' ;;
        'uninstall:--output'|'uninstall:-o') echo 'text json' ;;
        'uninstall:--context') echo '@context' ;;
        'uninstall:--kubeconfig') echo '@file' ;;
        'uninstall:--as') echo '' ;;
        'uninstall:--as-group') echo '' ;;
        'uninstall:--request-timeout') echo '' ;;
        'uninstall:--chunk-size') echo '' ;;
        'peers status:--output'|'peers status:-o') echo 'table wide json yaml name jsonpath=' ;;
        'peers status:--provider') echo 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' ;;
        'peers status:--context') echo '@context' ;;
        'peers status:--kubeconfig') echo '@file' ;;
        'peers status:--as') echo '' ;;
        'peers status:--as-group') echo '' ;;
        'peers status:--request-timeout') echo '' ;;
        'peers status:--chunk-size') echo '' ;;
        'preflight upgrade:--image') echo '' ;;
        'preflight upgrade:--nodes') echo '' ;;
        'preflight upgrade:--selector'|'preflight upgrade:-l') echo '' ;;
        'preflight upgrade:--canary') echo '@node' ;;
        'preflight upgrade:--pod-selector') echo '' ;;
        'preflight upgrade:--namespace'|'preflight upgrade:-n') echo '@namespace' ;;
        'preflight upgrade:--timeout') echo '' ;;
        'preflight upgrade:--peer-profile') echo '' ;;
        'preflight upgrade:--router-probe') echo '' ;;
        'preflight upgrade:--provider') echo 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' ;;
        'preflight upgrade:--output'|'preflight upgrade:-o') echo 'text json' ;;
        'preflight upgrade:--context') echo '@context' ;;
        'preflight upgrade:--kubeconfig') echo '@file' ;;
        'preflight upgrade:--as') echo '' ;;
        'preflight upgrade:--as-group') echo '' ;;
        'preflight upgrade:--request-timeout') echo '' ;;
        'preflight upgrade:--chunk-size') echo '' ;;
        'node drain:--selector'|'node drain:-l') echo '' ;;
        'node drain:--order') echo 'guide withdraw-first' ;;
        'node drain:--reason') echo '' ;;
        'node drain:--timeout') echo '' ;;
        'node drain:--settle') echo '' ;;
        'node drain:--soak') echo '' ;;
        'node drain:--deselect-label') echo '' ;;
        'node drain:--shutdown-command') echo '' ;;
        'node drain:--router-probe') echo '' ;;
        'node drain:--peer-profile') echo '' ;;
        'node drain:--grace-period') echo '' ;;
        'node drain:--pod-selector') echo '' ;;
        'node drain:--skip-wait-for-delete-timeout') echo '' ;;
        'node drain:--max-unavailable') echo '' ;;
        'node drain:--provider') echo 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' ;;
        'node drain:--output'|'node drain:-o') echo 'text json' ;;
        'node drain:--context') echo '@context' ;;
        'node drain:--kubeconfig') echo '@file' ;;
        'node drain:--as') echo '' ;;
        'node drain:--as-group') echo '' ;;
        'node drain:--request-timeout') echo '' ;;
        'node drain:--chunk-size') echo '' ;;
        'node restore:--selector'|'node restore:-l') echo '' ;;
        'node restore:--reason') echo '' ;;
        'node restore:--timeout') echo '' ;;
        'node restore:--router-probe') echo '' ;;
        'node restore:--provider') echo 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' ;;
        'node restore:--output'|'node restore:-o') echo 'text json' ;;
        'node restore:--context') echo '@context' ;;
        'node restore:--kubeconfig') echo '@file' ;;
        'node restore:--as') echo '' ;;
        'node restore:--as-group') echo '' ;;
        'node restore:--request-timeout') echo '' ;;
        'node restore:--chunk-size') echo '' ;;
        'node status:--provider') echo 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' ;;
        'node status:--output'|'node status:-o') echo 'text json yaml name jsonpath=' ;;
        'node status:--context') echo '@context' ;;
        'node status:--kubeconfig') echo '@file' ;;
        'node status:--as') echo '' ;;
        'node status:--as-group') echo '' ;;
        'node status:--request-timeout') echo '' ;;
        'node status:--chunk-size') echo '' ;;
        'node estimate:--peer-profile') echo '' ;;
        'node estimate:--provider') echo 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' ;;
        'node estimate:--output'|'node estimate:-o') echo 'text json yaml' ;;
        'node estimate:--context') echo '@context' ;;
        'node estimate:--kubeconfig') echo '@file' ;;
        'node estimate:--as') echo '' ;;
        'node estimate:--as-group') echo '' ;;
        'node estimate:--request-timeout') echo '' ;;
        'node estimate:--chunk-size') echo '' ;;
        'speaker run:--node-name') echo '@node' ;;
        'speaker run:--file'|'speaker run:-f') echo '@file' ;;
        'speaker run:--listen') echo '' ;;
        'speaker run:--source-address') echo '' ;;
        'speaker run:--next-hop') echo '' ;;
        'speaker run:--graceful-shutdown-soak') echo '' ;;
        'speaker run:--ready-url') echo '' ;;
        'speaker run:--ready-command') echo '' ;;
        'speaker run:--secrets-namespace') echo '@namespace' ;;
        'speaker run:--auth-secrets') echo '' ;;
        'speaker run:--directory') echo '@dir' ;;
        'speaker run:--engine') echo 'own detached external' ;;
        'speaker run:--log-format') echo 'text json' ;;
        'speaker run:--log-level') echo 'debug info warning error' ;;
        'speaker run:--context') echo '@context' ;;
        'speaker run:--kubeconfig') echo '@file' ;;
        'speaker run:--as') echo '' ;;
        'speaker run:--as-group') echo '' ;;
        'speaker run:--request-timeout') echo '' ;;
        'speaker run:--chunk-size') echo '' ;;
        'speaker status:--directory') echo '@dir' ;;
        'speaker status:--output'|'speaker status:-o') echo 'text json yaml' ;;
        'speaker restart:--pod-selector') echo '' ;;
        'speaker restart:--namespace'|'speaker restart:-n') echo '@namespace' ;;
        'speaker restart:--restart-command') echo '' ;;
        'speaker restart:--expect') echo '' ;;
        'speaker restart:--timeout') echo '' ;;
        'speaker restart:--router-probe') echo '' ;;
        'speaker restart:--output'|'speaker restart:-o') echo 'text json' ;;
        'speaker restart:--context') echo '@context' ;;
        'speaker restart:--kubeconfig') echo '@file' ;;
        'speaker restart:--as') echo '' ;;
        'speaker restart:--as-group') echo '' ;;
        'speaker restart:--request-timeout') echo '' ;;
        'speaker restart:--chunk-size') echo '' ;;
        'speaker upgrade:--image') echo '' ;;
        'speaker upgrade:--nodes') echo '' ;;
        'speaker upgrade:--container') echo '' ;;
        'speaker upgrade:--pod-selector') echo '' ;;
        'speaker upgrade:--namespace'|'speaker upgrade:-n') echo '@namespace' ;;
        'speaker upgrade:--expect') echo '' ;;
        'speaker upgrade:--timeout') echo '' ;;
        'speaker upgrade:--router-probe') echo '' ;;
        'speaker upgrade:--output'|'speaker upgrade:-o') echo 'text json' ;;
        'speaker upgrade:--context') echo '@context' ;;
        'speaker upgrade:--kubeconfig') echo '@file' ;;
        'speaker upgrade:--as') echo '' ;;
        'speaker upgrade:--as-group') echo '' ;;
        'speaker upgrade:--request-timeout') echo '' ;;
        'speaker upgrade:--chunk-size') echo '' ;;
        'speaker engine run:--directory') echo '@dir' ;;
        'speaker engine run:--node-name') echo '@node' ;;
        'speaker engine prepare:--directory') echo '@dir' ;;
        'speaker engine prepare:--user') echo '' ;;
        'speaker engine stop:--directory') echo '@dir' ;;
        'speaker engine stop:--node-name') echo '@node' ;;
        'policy check:--output'|'policy check:-o') echo 'text json' ;;
        'cilium prepare:--output'|'cilium prepare:-o') echo 'text json yaml' ;;
        'cilium prepare:--context') echo '@context' ;;
        'cilium prepare:--kubeconfig') echo '@file' ;;
        'cilium prepare:--as') echo '' ;;
        'cilium prepare:--as-group') echo '' ;;
        'cilium prepare:--request-timeout') echo '' ;;
        'cilium prepare:--chunk-size') echo '' ;;
        'calico prepare:--output'|'calico prepare:-o') echo 'text json yaml' ;;
        'calico prepare:--context') echo '@context' ;;
        'calico prepare:--kubeconfig') echo '@file' ;;
        'calico prepare:--as') echo '' ;;
        'calico prepare:--as-group') echo '' ;;
        'calico prepare:--request-timeout') echo '' ;;
        'calico prepare:--chunk-size') echo '' ;;
        'config view:--output'|'config view:-o') echo 'text json yaml' ;;
        'config view:--context') echo '@context' ;;
        'config view:--kubeconfig') echo '@file' ;;
        'config view:--as') echo '' ;;
        'config view:--as-group') echo '' ;;
        'config view:--request-timeout') echo '' ;;
        'config view:--chunk-size') echo '' ;;
        'config check:--output'|'config check:-o') echo 'text json' ;;
        'config set:--context') echo '@context' ;;
        'config set:--as') echo '' ;;
        'config set:--as-group') echo '' ;;
        'config set:--request-timeout') echo '' ;;
        'config set:--chunk-size') echo '' ;;
        'config unset:--context') echo '@context' ;;
        'config unset:--as') echo '' ;;
        'config unset:--as-group') echo '' ;;
        'config unset:--request-timeout') echo '' ;;
        'config unset:--chunk-size') echo '' ;;
        'auth check:--for') echo 'drain node-operator reader speaker install' ;;
        'auth check:--extras') echo '' ;;
        'auth check:--namespace'|'auth check:-n') echo '@namespace' ;;
        'auth check:--output'|'auth check:-o') echo 'text json yaml' ;;
        'auth check:--context') echo '@context' ;;
        'auth check:--kubeconfig') echo '@file' ;;
        'auth check:--as') echo '' ;;
        'auth check:--as-group') echo '' ;;
        'auth check:--request-timeout') echo '' ;;
        'auth check:--chunk-size') echo '' ;;
        'lab demo:--router') echo 'auto bird frr gobgp exabgp' ;;
        'lab demo:--nodes') echo '' ;;
        'lab demo:--stack') echo 'bgpctl cilium calico frr-k8s kube-router' ;;
        'lab up:--router') echo 'auto bird frr gobgp exabgp' ;;
        'lab up:--nodes') echo '' ;;
        'lab up:--kubeconfig') echo '@file' ;;
        'lab up:--stack') echo 'bgpctl cilium calico frr-k8s kube-router' ;;
        'lab drill:--router') echo 'auto bird frr gobgp openbgpd' ;;
        'lab drill:--graceful-restart') echo '' ;;
        'lab drill:--stack') echo 'bgpctl cilium' ;;
        'lab drill:--html') echo '@file' ;;
        'lab drill:--output'|'lab drill:-o') echo 'text json' ;;
        *) return 1 ;;
    esac
}

# Sets `names` to those of kind $1, by the cluster's word. After it: what was typed of --context and --kubeconfig.
_bgpctl_names() {
    if [[ "$*" != "${_bgpctl_names_of-}" || $SECONDS -gt ${_bgpctl_names_until:--1} ]]; then
        _bgpctl_names_of="$*" _bgpctl_names_until=$((SECONDS + 10))
        local kind=$1
        shift
        _bgpctl_names_seen=''
        case $kind in
        node)
            _bgpctl_names_seen+=$(_bgpctl_kubectl get nodes -o name "$@")$'\n'
            _bgpctl_names_seen=${_bgpctl_names_seen//node\//}
            ;;
        namespace)
            _bgpctl_names_seen+=$(_bgpctl_kubectl get namespaces -o name "$@")$'\n'
            _bgpctl_names_seen=${_bgpctl_names_seen//namespace\//}
            ;;
        context)
            _bgpctl_names_seen+=$(_bgpctl_kubectl config get-contexts -o name "$@")$'\n'
            ;;
        peer)
            _bgpctl_names_seen+=$(_bgpctl_kubectl get bgpnodestates.bgpctl.io -o 'jsonpath={range .items[*].status.peers[*]}{.peerAddress}{"\n"}{end}' "$@")$'\n'
            _bgpctl_names_seen+=$(_bgpctl_kubectl get ciliumbgpnodeconfigs.cilium.io -o 'jsonpath={range .items[*].spec.bgpInstances[*].peers[*]}{.peerAddress}{"\n"}{end}' "$@")$'\n'
            ;;
        esac
    fi
    names=$_bgpctl_names_seen
}

_bgpctl_kubectl() {
    timeout 1 kubectl "$@" 2>/dev/null </dev/null
}

_bgpctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} path='' word i commands options arguments values option='' names
    local -a kube=()
    # bash splits --output=json into three words
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == '=' ]]; then continue; fi
        if [[ -n $option ]]; then
            case $option in --context|--kubeconfig) kube+=("$option" "${word/#\~/$HOME}") ;; esac
            option=''
            continue
        fi
        if [[ $word == -* ]]; then
            if _bgpctl_values "$path" "$word" >/dev/null; then option=$word; fi
            continue
        fi
        _bgpctl_offer "$path"
        if [[ " $commands " == *" $word "* ]]; then path="${path:+$path }$word"; fi
    done
    [[ $cur == '=' ]] && cur=''
    COMPREPLY=()
    if [[ -n $option ]]; then
        values=$(_bgpctl_values "$path" "$option")
    else
        _bgpctl_offer "$path"
        if [[ $cur == -* ]]; then values=$options; else values=${commands:-$arguments}; fi
    fi
    case $values in
        @file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
        @dir) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
        @*)
            _bgpctl_names "${values#@}" "${kube[@]}"
            mapfile -t COMPREPLY < <(compgen -W "$names" -- "$cur") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur") ;;
    esac
}
complete -F _bgpctl bgpctl kubectl-bgp
