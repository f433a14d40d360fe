# The first process of a sandbox's namespaces: makes them what a node needs, runs
# the command, and adopts and buries whoever loses their parent. All end with it.
set -eu
ready=
trap '[ "$ready" ] || echo "this machine cannot host a node: see above" >&2' EXIT

# What programs write where they want to is nobody else's.
mount -t tmpfs run /run
mount -t tmpfs log /var/log

# The kubelet sets what the whole machine has, unless it finds it set so.
while read -r setting value; do
    file=$HEADLINT_SANDBOX/$(echo "$setting" | tr / .)
    echo "$value" >"$file"
    mount --bind "$file" "/proc/sys/$setting"
done <<END
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
END

# A network that leads nowhere: its cable's other end is in the same namespace.
ip link set lo up
ip link add node type veth peer name nowhere
ip address add "$HEADLINT_SANDBOX_ADDRESS/24" dev node
ip link set node up
ip link set nowhere up
# Packets to a Service need a way before they are translated.
ip route add default dev node

ready=yes
code=0
"$@" || code=$?
exit "$code"
