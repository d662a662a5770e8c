# fish completion for bgpctl and kubectl-bgp. Written by `bgpctl completion`; do not edit.

# Is the command that is being typed the one whose words are in $argv[1]?
function __bgpctl_at
    set -l path
    set -l value no
    for word in (commandline -opc)[2..-1]
        if test $value = yes
            set value no
        else if string match -q -- '-*' $word
            contains -- $word --canary --container --context --deselect-label --directory --engine --event --expect --file --from --grace-period --graceful-restart --graceful-shutdown-soak --html --image --kubeconfig --listen --log-format --log-level --max-unavailable --namespace --next-hop --node --node-name --nodes --order --output --peer --peer-profile --pod-selector --provider --ready-command --ready-url --restart-command --restart-takes --router --router-probe --scheme --secrets-namespace --selector --set --settle --shutdown-command --since --skip-wait-for-delete-timeout --soak --source-address --stack --timeout --to -f -l -n -o; and set value yes
        else if contains -- (string join ' ' $path $word) 'routes' 'explain' 'logs' 'metrics' 'forecast' 'doctor' 'providers' 'version' 'completion' 'peers' 'peers status' 'preflight' 'preflight upgrade' 'node' 'node drain' 'node restore' 'node status' 'node estimate' 'speaker' 'speaker run' 'speaker status' 'speaker restart' 'speaker upgrade' 'speaker engine' 'speaker engine run' 'speaker engine stop' 'policy' 'policy check' 'cilium' 'cilium prepare' 'calico' 'calico prepare' 'config' 'config view' 'config check' 'config set' 'config unset' 'lab' 'lab demo' 'lab up' 'lab drill'
            set -a path $word
        end
    end
    test "$path" = "$argv[1]"
end

# The names of kind $argv[1], by the cluster's word.
function __bgpctl_names
    set -l typed (commandline -opc)
    set -g __bgpctl_kube
    for flag in --context --kubeconfig
        if set -l at (contains -i -- $flag $typed)
            set -a __bgpctl_kube $flag (string replace -r '^~' $HOME -- $typed[(math $at + 1)])
        end
    end
    set -l now (date +%s)
    if not set -q __bgpctl_names_of
        or test "$argv[1] $__bgpctl_kube" != "$__bgpctl_names_of"
        or test $now -gt $__bgpctl_names_until
        set -g __bgpctl_names_of "$argv[1] $__bgpctl_kube"
        set -g __bgpctl_names_until (math $now + 10)
        set -g __bgpctl_names_seen
        switch $argv[1]
            case node
                set -a __bgpctl_names_seen (__bgpctl_kubectl get nodes -o name | string replace -- node/ '')
            case namespace
                set -a __bgpctl_names_seen (__bgpctl_kubectl get namespaces -o name | string replace -- namespace/ '')
            case context
                set -a __bgpctl_names_seen (__bgpctl_kubectl config get-contexts -o name)
            case peer
                set -a __bgpctl_names_seen (__bgpctl_kubectl get bgpnodestates.bgpctl.io -o 'jsonpath={range .items[*].status.peers[*]}{.peerAddress}{"\n"}{end}')
                set -a __bgpctl_names_seen (__bgpctl_kubectl get ciliumbgpnodeconfigs.cilium.io -o 'jsonpath={range .items[*].spec.bgpInstances[*].peers[*]}{.peerAddress}{"\n"}{end}')
        end
    end
    string join \n -- $__bgpctl_names_seen
end

function __bgpctl_kubectl
    timeout 1 kubectl $argv $__bgpctl_kube 2>/dev/null </dev/null
end

for program in bgpctl kubectl-bgp
    complete -c $program -n '__bgpctl_at \'\'' -f
    complete -c $program -n '__bgpctl_at \'\'' -a routes -d 'Show intended and announced routes, with their attributes and reasons'
    complete -c $program -n '__bgpctl_at \'\'' -a explain -d 'Explain why something is, or is not, announced, link by link from the object to the router'
    complete -c $program -n '__bgpctl_at \'\'' -a logs -d 'Show the BGP control plane\'s log lines of all selected nodes, merged by time'
    complete -c $program -n '__bgpctl_at \'\'' -a metrics -d 'Show the documented BGP metrics of the cluster\'s speakers: sessions, routes, reconciles'
    complete -c $program -n '__bgpctl_at \'\'' -a forecast -d 'Forecast what each failure would cost a node: when routes go, what traffic does, and what helps'
    complete -c $program -n '__bgpctl_at \'\'' -a doctor -d 'Find what is wrong with the cluster\'s BGP: policies, speakers, sessions, routers, Services, what runs left'
    complete -c $program -n '__bgpctl_at \'\'' -a providers -d 'Show who speaks BGP in the cluster, what a drain\'s lever does there, and which rights are missing'
    complete -c $program -n '__bgpctl_at \'\'' -a version -d 'Show the versions of bgpctl, the speakers, their engines and the CRD, and what does not fit'
    complete -c $program -n '__bgpctl_at \'\'' -a completion -d 'Print the completion script of a shell: bash, zsh or fish'
    complete -c $program -n '__bgpctl_at \'\'' -a peers -d 'The BGP sessions of the speakers'
    complete -c $program -n '__bgpctl_at \'\'' -a preflight -d 'Find out what an upgrade would cost, before it is begun'
    complete -c $program -n '__bgpctl_at \'\'' -a node -d 'Take a node out of service, and bring it back'
    complete -c $program -n '__bgpctl_at \'\'' -a speaker -d 'The per-node daemon that announces routes'
    complete -c $program -n '__bgpctl_at \'\'' -a policy -d 'Validate policies before they are applied'
    complete -c $program -n '__bgpctl_at \'\'' -a cilium -d 'Prepare a cluster whose BGP Cilium runs'
    complete -c $program -n '__bgpctl_at \'\'' -a calico -d 'Prepare a cluster whose BGP Calico runs'
    complete -c $program -n '__bgpctl_at \'\'' -a config -d 'Show, set and check the defaults of flags'
    complete -c $program -n '__bgpctl_at \'\'' -a lab -d 'A small cluster on this machine, with real BGP sessions'
    complete -c $program -n '__bgpctl_at \'\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'\'' -l version -d 'Show the version and exit'
    complete -c $program -n '__bgpctl_at \'\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'routes\'' -f -a '(__bgpctl_names node)'
    complete -c $program -n '__bgpctl_at \'routes\'' -l peer -x -a '(__bgpctl_names peer)' -d 'Only the routes of this peer'
    complete -c $program -n '__bgpctl_at \'routes\'' -l absent -d 'Also list what is not announced, each with its reason'
    complete -c $program -n '__bgpctl_at \'routes\'' -l directory -r -F -d 'Ask the speaker in this directory of this machine: exactly what it announced'
    complete -c $program -n '__bgpctl_at \'routes\'' -l provider -x -a 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' -d 'Who speaks BGP on the node: bgpctl\'s own speaker, or another stack'
    complete -c $program -n '__bgpctl_at \'routes\'' -l output -s o -x -a 'table wide json yaml' -d 'How to print it; wide adds why each route is there'
    complete -c $program -n '__bgpctl_at \'routes\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'routes\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'routes\'' -l verbose -s v -d 'Say of each flag that has its value from the environment or a file, from where'
    complete -c $program -n '__bgpctl_at \'routes\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'explain\'' -f
    complete -c $program -n '__bgpctl_at \'explain\'' -l from -x -a '(__bgpctl_names node)' -d 'Only the routes of this node'
    complete -c $program -n '__bgpctl_at \'explain\'' -l to -x -a '(__bgpctl_names peer)' -d 'Only to the peer of this address, or this name'
    complete -c $program -n '__bgpctl_at \'explain\'' -l namespace -s n -x -a '(__bgpctl_names namespace)' -d 'Where the Service or the Pod is'
    complete -c $program -n '__bgpctl_at \'explain\'' -l router-probe -x -d 'Ask a local router what it has of the node\'s routes: bird=/run/bird/bird.ctl, frr=DIR, gobgp=HOST:PORT, openbgpd=SOCKET; KIND alone takes its default, none asks no router'
    complete -c $program -n '__bgpctl_at \'explain\'' -l provider -x -a 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' -d 'Who speaks BGP on the node: bgpctl\'s own speaker, or another stack'
    complete -c $program -n '__bgpctl_at \'explain\'' -l output -s o -x -a 'text json' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'explain\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'explain\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'explain\'' -l verbose -s v -d 'Say of each flag that has its value from the environment or a file, from where'
    complete -c $program -n '__bgpctl_at \'explain\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'logs\'' -f -a '(__bgpctl_names node)'
    complete -c $program -n '__bgpctl_at \'logs\'' -l follow -s f -d 'Go on as lines are written'
    complete -c $program -n '__bgpctl_at \'logs\'' -l peer -x -a '(__bgpctl_names peer)' -d 'Only lines that name this peer'
    complete -c $program -n '__bgpctl_at \'logs\'' -l since -x -d 'Only the last of them'
    complete -c $program -n '__bgpctl_at \'logs\'' -l file -r -F -d 'Read this log file instead of pods'
    complete -c $program -n '__bgpctl_at \'logs\'' -l provider -x -a 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' -d 'Who speaks BGP on the node: bgpctl\'s own speaker, or another stack'
    complete -c $program -n '__bgpctl_at \'logs\'' -l pod-selector -x -d 'The labels of the pods to read, all of their containers'
    complete -c $program -n '__bgpctl_at \'logs\'' -l namespace -s n -x -a '(__bgpctl_names namespace)' -d 'Where these pods are'
    complete -c $program -n '__bgpctl_at \'logs\'' -l output -s o -x -a 'text json' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'logs\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'logs\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'logs\'' -l verbose -s v -d 'Say of each flag that has its value from the environment or a file, from where'
    complete -c $program -n '__bgpctl_at \'logs\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'metrics\'' -f -a '(__bgpctl_names node)'
    complete -c $program -n '__bgpctl_at \'metrics\'' -l provider -x -a 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' -d 'Who speaks BGP on the node: bgpctl\'s own speaker, or another stack'
    complete -c $program -n '__bgpctl_at \'metrics\'' -l output -s o -x -a 'text json' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'metrics\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'metrics\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'metrics\'' -l verbose -s v -d 'Say of each flag that has its value from the environment or a file, from where'
    complete -c $program -n '__bgpctl_at \'metrics\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'forecast\'' -f -a '(__bgpctl_names node)'
    complete -c $program -n '__bgpctl_at \'forecast\'' -l all -d 'Sum up every node, what costs most first'
    complete -c $program -n '__bgpctl_at \'forecast\'' -l event -x -a 'agent-down restart upgrade node-down deselect power-off link-down remote-link-down operator-down no-backends' -d 'Only this one, with every instant and why; node-down is deselect and power-off'
    complete -c $program -n '__bgpctl_at \'forecast\'' -l set -x -d 'Show beside today what it would be with this: holdTimeSeconds, keepAliveTimeSeconds, gracefulRestart.enabled or gracefulRestart.restartTimeSeconds'
    complete -c $program -n '__bgpctl_at \'forecast\'' -l scheme -x -d 'How a router, or every router, spreads flows over next hops: modulo, hash-threshold, resilient, rendezvous, maglev'
    complete -c $program -n '__bgpctl_at \'forecast\'' -l restart-takes -x -d 'For how long a restart takes what speaks BGP away, at most'
    complete -c $program -n '__bgpctl_at \'forecast\'' -l peer-profile -x -d 'What product a peer is, for its stale timers: frr, junos …, or stale:SECONDS when you know for how long it keeps stale routes (stale:300 = 300 seconds)'
    complete -c $program -n '__bgpctl_at \'forecast\'' -l provider -x -a 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' -d 'Who speaks BGP on the node: bgpctl\'s own speaker, or another stack'
    complete -c $program -n '__bgpctl_at \'forecast\'' -l output -s o -x -a 'text json html' -d 'How to print it; html is one page with its timelines'
    complete -c $program -n '__bgpctl_at \'forecast\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'forecast\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'forecast\'' -l verbose -s v -d 'Say of each flag that has its value from the environment or a file, from where'
    complete -c $program -n '__bgpctl_at \'forecast\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'doctor\'' -f
    complete -c $program -n '__bgpctl_at \'doctor\'' -l node -x -a '(__bgpctl_names node)' -d 'Only what is about this node, and the cluster as a whole'
    complete -c $program -n '__bgpctl_at \'doctor\'' -l router-probe -x -d 'Ask a local router what it has of the node\'s routes: bird=/run/bird/bird.ctl, frr=DIR, gobgp=HOST:PORT, openbgpd=SOCKET; KIND alone takes its default, none asks no router'
    complete -c $program -n '__bgpctl_at \'doctor\'' -l provider -x -a 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' -d 'Who speaks BGP on the node: bgpctl\'s own speaker, or another stack'
    complete -c $program -n '__bgpctl_at \'doctor\'' -l output -s o -x -a 'text json' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'doctor\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'doctor\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'doctor\'' -l verbose -s v -d 'Say of each flag that has its value from the environment or a file, from where'
    complete -c $program -n '__bgpctl_at \'doctor\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'providers\'' -f
    complete -c $program -n '__bgpctl_at \'providers\'' -l output -s o -x -a 'text json yaml' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'providers\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'providers\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'providers\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'version\'' -f
    complete -c $program -n '__bgpctl_at \'version\'' -l client -d 'Only what is installed here'
    complete -c $program -n '__bgpctl_at \'version\'' -l output -s o -x -a 'text json yaml' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'version\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'version\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'version\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'completion\'' -f -a 'bash zsh fish'
    complete -c $program -n '__bgpctl_at \'completion\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'peers\'' -f
    complete -c $program -n '__bgpctl_at \'peers\'' -a status -d 'Show every session: state, uptime, routes per family, graceful restart'
    complete -c $program -n '__bgpctl_at \'peers\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'peers status\'' -f -a '(__bgpctl_names node)'
    complete -c $program -n '__bgpctl_at \'peers status\'' -l output -s o -x -a 'table wide json yaml' -d 'How to print it; wide adds timers, graceful restart, last error'
    complete -c $program -n '__bgpctl_at \'peers status\'' -l watch -s w -d 'Keep showing it as it changes'
    complete -c $program -n '__bgpctl_at \'peers status\'' -l provider -x -a 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' -d 'Who speaks BGP on the node: bgpctl\'s own speaker, or another stack'
    complete -c $program -n '__bgpctl_at \'peers status\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'peers status\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'peers status\'' -l verbose -s v -d 'Say of each flag that has its value from the environment or a file, from where'
    complete -c $program -n '__bgpctl_at \'peers status\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'preflight\'' -f
    complete -c $program -n '__bgpctl_at \'preflight\'' -a upgrade -d 'Pull an image on every node, and tell where an upgrade to it ends before routers drop the routes'
    complete -c $program -n '__bgpctl_at \'preflight\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -f
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -l image -x -d 'What is upgraded to'
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -l nodes -x -d 'Only these nodes'
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -l selector -s l -x -d 'Only the nodes with these labels'
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -l canary -x -a '(__bgpctl_names node)' -d 'Restart what speaks BGP on this node, to measure how long that takes: its pod is deleted'
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -l allow-route-loss -d 'Restart the canary although its routers may drop the routes meanwhile'
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -l pod-selector -x -d 'The labels of the pods that speak BGP'
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -l namespace -s n -x -a '(__bgpctl_names namespace)' -d 'Where the pods that pull are made'
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -l timeout -x -d 'Give up after this long (exit 4); running again resumes'
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -l peer-profile -x -d 'What product a peer is, for its stale timers: frr, junos …, or stale:SECONDS when you know for how long it keeps stale routes (stale:300 = 300 seconds)'
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -l router-probe -x -d 'Ask a local router what it has of the node\'s routes: bird=/run/bird/bird.ctl, frr=DIR, gobgp=HOST:PORT, openbgpd=SOCKET; KIND alone takes its default, none asks no router'
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -l provider -x -a 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' -d 'Who speaks BGP on the node: bgpctl\'s own speaker, or another stack'
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -l output -s o -x -a 'text json' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -l verbose -s v -d 'Say of each flag that has its value from the environment or a file, from where'
    complete -c $program -n '__bgpctl_at \'preflight upgrade\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'node\'' -f
    complete -c $program -n '__bgpctl_at \'node\'' -a drain -d 'Take a node out of service: cordon, evict, withdraw its routes, wait until the routers let go'
    complete -c $program -n '__bgpctl_at \'node\'' -a restore -d 'Bring drained nodes back, one after the other: label, sessions, routes, and only then pods'
    complete -c $program -n '__bgpctl_at \'node\'' -a status -d 'Show what is in service, what runs or ran on each node, and the proof of its withdrawal'
    complete -c $program -n '__bgpctl_at \'node\'' -a estimate -d 'Estimate how long routers may go on sending, per peer and event, best and worst, and why'
    complete -c $program -n '__bgpctl_at \'node\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'node drain\'' -f -a '(__bgpctl_names node)'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l selector -s l -x -d 'The nodes with these labels, in place of names'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l dry-run -d 'Show every step and refusal; change nothing'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l order -x -a 'guide withdraw-first' -d 'guide evicts pods, then withdraws; withdraw-first moves traffic away before pods die'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l timeout -x -d 'Give up after this long (exit 4); running again resumes'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l settle -x -d 'Wait this long after the routes are gone, for packets on their way'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l soak -x -d 'Before it withdraws, let the node announce its routes with GRACEFUL_SHUTDOWN (RFC 8326) for this long: routers that listen move traffic first'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l deselect-label -x -d 'The label change that takes the node out of its policy; KEY- removes'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l shutdown-command -x -d 'Run this as the last step, without a shell; {node} is the node\'s name'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l router-probe -x -d 'Ask a local router what it has of the node\'s routes: bird=/run/bird/bird.ctl, frr=DIR, gobgp=HOST:PORT, openbgpd=SOCKET; KIND alone takes its default, none asks no router'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l peer-profile -x -d 'What product a peer is, for its stale timers: frr, junos …, or stale:SECONDS when you know for how long it keeps stale routes (stale:300 = 300 seconds)'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l ignore-daemonsets -l no-ignore-daemonsets -d 'Leave DaemonSets\' pods alone'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l force -l no-force -d 'Also evict pods that no controller would recreate'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l delete-emptydir-data -l no-delete-emptydir-data -d 'Also evict pods whose emptyDir data is lost'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l grace-period -x -d 'Pods\' time to end; -1 = their own'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l disable-eviction -d 'Delete pods, past every PodDisruptionBudget'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l pod-selector -x -d 'Evict only pods with these labels'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l skip-wait-for-delete-timeout -x -d 'Do not wait for pods that were deleted longer ago than this; 0 = wait for all'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l allow-last-path -l no-allow-last-path -d 'Go on although this node is a route\'s last path'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l allow-address-gap -l no-allow-address-gap -d 'Go on although an address is announced from nowhere until its evicted pods run elsewhere'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l beside-another-stack -l no-beside-another-stack -d 'Go on although another BGP stack has the node too, or may have: its routes are neither withdrawn nor asked about, and the proof says so'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l require-confirmed -l no-require-confirmed -d 'Take only the routers\' word that the routes are gone'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l assume-dead -d 'You know that a speaker which no longer reports is dead, not just hung or cut off'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l max-unavailable -x -d 'How many nodes may be out of service at once, this one among them'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l provider -x -a 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' -d 'Who speaks BGP on the node: bgpctl\'s own speaker, or another stack'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l take-over -d 'Take the node over from another run that still holds its lease'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l output -s o -x -a 'text json' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'node drain\'' -l verbose -s v -d 'Say of each flag that has its value from the environment or a file, from where'
    complete -c $program -n '__bgpctl_at \'node drain\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'node restore\'' -f -a '(__bgpctl_names node)'
    complete -c $program -n '__bgpctl_at \'node restore\'' -l selector -s l -x -d 'The nodes with these labels, in place of names'
    complete -c $program -n '__bgpctl_at \'node restore\'' -l timeout -x -d 'Give up after this long (exit 4); running again resumes'
    complete -c $program -n '__bgpctl_at \'node restore\'' -l router-probe -x -d 'Ask a local router what it has of the node\'s routes: bird=/run/bird/bird.ctl, frr=DIR, gobgp=HOST:PORT, openbgpd=SOCKET; KIND alone takes its default, none asks no router'
    complete -c $program -n '__bgpctl_at \'node restore\'' -l provider -x -a 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' -d 'Who speaks BGP on the node: bgpctl\'s own speaker, or another stack'
    complete -c $program -n '__bgpctl_at \'node restore\'' -l take-over -d 'Take the node over from another run that still holds its lease'
    complete -c $program -n '__bgpctl_at \'node restore\'' -l dry-run -d 'Show every step and refusal; change nothing'
    complete -c $program -n '__bgpctl_at \'node restore\'' -l output -s o -x -a 'text json' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'node restore\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'node restore\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'node restore\'' -l verbose -s v -d 'Say of each flag that has its value from the environment or a file, from where'
    complete -c $program -n '__bgpctl_at \'node restore\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'node status\'' -f -a '(__bgpctl_names node)'
    complete -c $program -n '__bgpctl_at \'node status\'' -l provider -x -a 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' -d 'Who speaks BGP on the node: bgpctl\'s own speaker, or another stack'
    complete -c $program -n '__bgpctl_at \'node status\'' -l output -s o -x -a 'text json yaml' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'node status\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'node status\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'node status\'' -l verbose -s v -d 'Say of each flag that has its value from the environment or a file, from where'
    complete -c $program -n '__bgpctl_at \'node status\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'node estimate\'' -f -a '(__bgpctl_names node)'
    complete -c $program -n '__bgpctl_at \'node estimate\'' -l peer-profile -x -d 'What product a peer is, for its stale timers: frr, junos …, or stale:SECONDS when you know for how long it keeps stale routes (stale:300 = 300 seconds)'
    complete -c $program -n '__bgpctl_at \'node estimate\'' -l provider -x -a 'bgpctl cilium calico frr-k8s metallb kube-router isovalent openperouter' -d 'Who speaks BGP on the node: bgpctl\'s own speaker, or another stack'
    complete -c $program -n '__bgpctl_at \'node estimate\'' -l output -s o -x -a 'text json yaml' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'node estimate\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'node estimate\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'node estimate\'' -l verbose -s v -d 'Say of each flag that has its value from the environment or a file, from where'
    complete -c $program -n '__bgpctl_at \'node estimate\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'speaker\'' -f
    complete -c $program -n '__bgpctl_at \'speaker\'' -a run -d 'Run one node\'s speaker in the foreground, until SIGTERM'
    complete -c $program -n '__bgpctl_at \'speaker\'' -a status -d 'Show what the speaker on this machine says of itself'
    complete -c $program -n '__bgpctl_at \'speaker\'' -a restart -d 'Restart a node\'s speaker the safe way, and wait until its sessions and routes are back'
    complete -c $program -n '__bgpctl_at \'speaker\'' -a upgrade -d 'Give every node\'s speaker another image, one node after the other, and stop at the first lost route'
    complete -c $program -n '__bgpctl_at \'speaker\'' -a engine -d 'The BGP engine (ExaBGP) by itself, for speakers that adopt it'
    complete -c $program -n '__bgpctl_at \'speaker\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -f
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l node-name -x -a '(__bgpctl_names node)' -d 'The node whose routes are announced'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l file -s f -r -F -d 'Read objects from this file, not a cluster'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l in-cluster -d 'Use the pod\'s service account, whatever kubeconfig there is'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l listen -x -d 'Serve /healthz, /readyz and /metrics; \'\' = do not'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l source-address -x -d 'The local address of every session'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l next-hop -x -d 'Announce this next hop, not the session\'s local address'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l withdraw-without-endpoints -d 'Withdraw a Service with traffic policy Cluster while it has no usable endpoint'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l damping -l no-damping -d 'Hold an address back for 1 to 60 s after its endpoints came and went more than twice within a minute'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l graceful-shutdown-soak -x -d 'Before the node leaves, announce its routes with GRACEFUL_SHUTDOWN (RFC 8326) for this long: routers that listen move traffic first'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l ready-url -x -d 'After a boot or a drain, announce nothing before a GET of this is answered with 2xx: kube-proxy\'s http://127.0.0.1:10256/healthz, say'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l ready-command -x -d 'The same with a command, without a shell: 0 means ready'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l beside-another-stack -d 'Begin though another BGP stack has the node'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l secrets-namespace -x -a '(__bgpctl_names namespace)' -d 'Where the peers\' passwords are'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l directory -r -F -d 'A private directory for the engine\'s files, and for what the next speaker must know if this one is killed'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l engine -x -a 'own detached external' -d 'Whose ExaBGP is: own = it ends with this speaker, however that ends'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l log-format -x -a 'text json' -d 'How log lines are written, to stderr'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l log-level -x -a 'debug info warning error' -d 'The least that is logged'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'speaker run\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'speaker status\'' -f
    complete -c $program -n '__bgpctl_at \'speaker status\'' -l directory -r -F -d 'The speaker\'s directory'
    complete -c $program -n '__bgpctl_at \'speaker status\'' -l output -s o -x -a 'text json yaml' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'speaker status\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'speaker restart\'' -f -a '(__bgpctl_names node)'
    complete -c $program -n '__bgpctl_at \'speaker restart\'' -l pod-selector -x -d 'The labels of the speakers\' pods'
    complete -c $program -n '__bgpctl_at \'speaker restart\'' -l namespace -s n -x -a '(__bgpctl_names namespace)' -d 'Where these pods are'
    complete -c $program -n '__bgpctl_at \'speaker restart\'' -l restart-command -x -d 'Restart with this instead of deleting a pod, without a shell; {node} is the node\'s name'
    complete -c $program -n '__bgpctl_at \'speaker restart\'' -l expect -x -d 'How long a restart may take: routers must keep the routes at least that long'
    complete -c $program -n '__bgpctl_at \'speaker restart\'' -l allow-route-loss -d 'Go on although routers may drop the routes meanwhile'
    complete -c $program -n '__bgpctl_at \'speaker restart\'' -l timeout -x -d 'Give up after this long (exit 4); running again resumes'
    complete -c $program -n '__bgpctl_at \'speaker restart\'' -l router-probe -x -d 'Ask a local router what it has of the node\'s routes: bird=/run/bird/bird.ctl, frr=DIR, gobgp=HOST:PORT, openbgpd=SOCKET; KIND alone takes its default, none asks no router'
    complete -c $program -n '__bgpctl_at \'speaker restart\'' -l take-over -d 'Take the node over from another run that still holds its lease'
    complete -c $program -n '__bgpctl_at \'speaker restart\'' -l dry-run -d 'Show every step and refusal; change nothing'
    complete -c $program -n '__bgpctl_at \'speaker restart\'' -l output -s o -x -a 'text json' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'speaker restart\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'speaker restart\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'speaker restart\'' -l verbose -s v -d 'Say of each flag that has its value from the environment or a file, from where'
    complete -c $program -n '__bgpctl_at \'speaker restart\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -f
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -l image -x -d 'What is upgraded to'
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -l nodes -x -d 'Only these nodes'
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -l container -x -d 'Which containers get the image'
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -l pod-selector -x -d 'The labels of the speakers\' pods'
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -l namespace -s n -x -a '(__bgpctl_names namespace)' -d 'Where these pods are'
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -l expect -x -d 'How long a restart may take: routers must keep the routes at least that long'
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -l allow-route-loss -d 'Go on although routers may drop the routes meanwhile'
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -l timeout -x -d 'Give up when one node takes longer than this (exit 4); running again goes on'
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -l router-probe -x -d 'Ask a local router what it has of the node\'s routes: bird=/run/bird/bird.ctl, frr=DIR, gobgp=HOST:PORT, openbgpd=SOCKET; KIND alone takes its default, none asks no router'
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -l take-over -d 'Take the node over from another run that still holds its lease'
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -l dry-run -d 'Show every step and refusal; change nothing'
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -l output -s o -x -a 'text json' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -l verbose -s v -d 'Say of each flag that has its value from the environment or a file, from where'
    complete -c $program -n '__bgpctl_at \'speaker upgrade\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'speaker engine\'' -f
    complete -c $program -n '__bgpctl_at \'speaker engine\'' -a run -d 'Run ExaBGP in the foreground, without a speaker'
    complete -c $program -n '__bgpctl_at \'speaker engine\'' -a stop -d 'End an engine that no speaker manages'
    complete -c $program -n '__bgpctl_at \'speaker engine\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'speaker engine run\'' -f
    complete -c $program -n '__bgpctl_at \'speaker engine run\'' -l directory -r -F -d 'The directory that the speaker was given'
    complete -c $program -n '__bgpctl_at \'speaker engine run\'' -l node-name -x -a '(__bgpctl_names node)' -d 'In place of --directory: that of this node'
    complete -c $program -n '__bgpctl_at \'speaker engine run\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'speaker engine stop\'' -f
    complete -c $program -n '__bgpctl_at \'speaker engine stop\'' -l directory -r -F -d 'The directory that the speaker was given'
    complete -c $program -n '__bgpctl_at \'speaker engine stop\'' -l node-name -x -a '(__bgpctl_names node)' -d 'In place of --directory: that of this node'
    complete -c $program -n '__bgpctl_at \'speaker engine stop\'' -l leave -d 'Withdraw every route and close every session with Cease first'
    complete -c $program -n '__bgpctl_at \'speaker engine stop\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'policy\'' -f
    complete -c $program -n '__bgpctl_at \'policy\'' -a check -d 'Validate policy files: every error at once, with its place and what is allowed'
    complete -c $program -n '__bgpctl_at \'policy\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'policy check\'' -l output -s o -x -a 'text json' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'policy check\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'cilium\'' -f
    complete -c $program -n '__bgpctl_at \'cilium\'' -a prepare -d 'Let drains withdraw before they close: copy each CiliumBGPPeerConfig, without its advertisements'
    complete -c $program -n '__bgpctl_at \'cilium\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'cilium prepare\'' -f
    complete -c $program -n '__bgpctl_at \'cilium prepare\'' -l undo -d 'Remove what it made'
    complete -c $program -n '__bgpctl_at \'cilium prepare\'' -l soak -d 'Also make what `node drain --soak` needs: copies that announce with GRACEFUL_SHUTDOWN'
    complete -c $program -n '__bgpctl_at \'cilium prepare\'' -l dry-run -d 'Show every step and refusal; change nothing'
    complete -c $program -n '__bgpctl_at \'cilium prepare\'' -l output -s o -x -a 'text json yaml' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'cilium prepare\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'cilium prepare\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'cilium prepare\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'calico\'' -f
    complete -c $program -n '__bgpctl_at \'calico\'' -a prepare -d 'Let drains withdraw: make a BGPFilter that rejects everything, and ask calico-node for its sessions'
    complete -c $program -n '__bgpctl_at \'calico\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'calico prepare\'' -f
    complete -c $program -n '__bgpctl_at \'calico prepare\'' -l undo -d 'Remove what it made'
    complete -c $program -n '__bgpctl_at \'calico prepare\'' -l dry-run -d 'Show every step and refusal; change nothing'
    complete -c $program -n '__bgpctl_at \'calico prepare\'' -l output -s o -x -a 'text json yaml' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'calico prepare\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'calico prepare\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'calico prepare\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'config\'' -f
    complete -c $program -n '__bgpctl_at \'config\'' -a view -d 'Show each setting that holds for this context, and where it comes from'
    complete -c $program -n '__bgpctl_at \'config\'' -a check -d 'Check the file, for every context: all faults at once, each with its line; exit code 2'
    complete -c $program -n '__bgpctl_at \'config\'' -a set -d 'Write one setting into the file; all else in it stays as it is, with its comments'
    complete -c $program -n '__bgpctl_at \'config\'' -a unset -d 'Take one setting out of the file'
    complete -c $program -n '__bgpctl_at \'config\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'config view\'' -f
    complete -c $program -n '__bgpctl_at \'config view\'' -l output -s o -x -a 'text json yaml' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'config view\'' -l context -x -a '(__bgpctl_names context)' -d 'The kubeconfig context to use'
    complete -c $program -n '__bgpctl_at \'config view\'' -l kubeconfig -r -F -d 'The kubeconfig file'
    complete -c $program -n '__bgpctl_at \'config view\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'config check\'' -f
    complete -c $program -n '__bgpctl_at \'config check\'' -l output -s o -x -a 'text json' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'config check\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'config set\'' -f -a 'router-probe peer-profile scheme provider order timeout settle soak deselect-label max-unavailable require-confirmed expect restart-takes'
    complete -c $program -n '__bgpctl_at \'config set\'' -l context -x -a '(__bgpctl_names context)' -d 'Only for this context'
    complete -c $program -n '__bgpctl_at \'config set\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'config unset\'' -f -a 'router-probe peer-profile scheme provider order timeout settle soak deselect-label max-unavailable require-confirmed expect restart-takes'
    complete -c $program -n '__bgpctl_at \'config unset\'' -l context -x -a '(__bgpctl_names context)' -d 'Only for this context'
    complete -c $program -n '__bgpctl_at \'config unset\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'lab\'' -f
    complete -c $program -n '__bgpctl_at \'lab\'' -a demo -d 'Watch one node leave service and come back, over real BGP sessions'
    complete -c $program -n '__bgpctl_at \'lab\'' -a up -d 'Keep such a cluster in the foreground for use from another terminal; ^C takes it down'
    complete -c $program -n '__bgpctl_at \'lab\'' -a drill -d 'Let a failure of the operation guide happen to a real router under traffic, and judge the forecast'
    complete -c $program -n '__bgpctl_at \'lab\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'lab demo\'' -f
    complete -c $program -n '__bgpctl_at \'lab demo\'' -l router -x -a 'auto bird frr gobgp exabgp' -d 'The router to peer with; auto takes one that is installed'
    complete -c $program -n '__bgpctl_at \'lab demo\'' -l nodes -x -d 'How many nodes, named worker-1 and so on'
    complete -c $program -n '__bgpctl_at \'lab demo\'' -l stack -x -a 'bgpctl cilium calico frr-k8s kube-router' -d 'Who speaks BGP on the nodes'
    complete -c $program -n '__bgpctl_at \'lab demo\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'lab up\'' -f
    complete -c $program -n '__bgpctl_at \'lab up\'' -l router -x -a 'auto bird frr gobgp exabgp' -d 'The router to peer with; auto takes one that is installed'
    complete -c $program -n '__bgpctl_at \'lab up\'' -l nodes -x -d 'How many nodes, named worker-1 and so on'
    complete -c $program -n '__bgpctl_at \'lab up\'' -l kubeconfig -r -F -d 'Where to write the kubeconfig to use'
    complete -c $program -n '__bgpctl_at \'lab up\'' -l stack -x -a 'bgpctl cilium calico frr-k8s kube-router' -d 'Who speaks BGP on the nodes'
    complete -c $program -n '__bgpctl_at \'lab up\'' -s h -l help -d 'Show help and exit.'
    complete -c $program -n '__bgpctl_at \'lab drill\'' -f -a 'agent-down restart deselect power-off link-down remote-link-down no-backends all'
    complete -c $program -n '__bgpctl_at \'lab drill\'' -l router -x -a 'auto bird frr gobgp openbgpd' -d 'The router it happens to; auto takes one that is installed'
    complete -c $program -n '__bgpctl_at \'lab drill\'' -l graceful-restart -x -d 'With this Restart Time alone, or without'
    complete -c $program -n '__bgpctl_at \'lab drill\'' -l html -r -F -d 'Write forecast and fact as one page with a timeline'
    complete -c $program -n '__bgpctl_at \'lab drill\'' -l output -s o -x -a 'text json' -d 'How to print the result'
    complete -c $program -n '__bgpctl_at \'lab drill\'' -s h -l help -d 'Show help and exit.'
end
