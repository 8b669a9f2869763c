#!/bin/sh
# node-init.sh ROOT STATE: process 1 of a cluster's node, in mount, network and pid namespaces of its own (unshare). Gives the node its own
# files at the standard paths, kept in ROOT and STATE, and what else it writes in memory; then stays and reaps. The machine sees none of it.
set -eu
root=$1 state=$2
own=$root/own
mkdir -p "$own"
mount -t tmpfs -o mode=755 tmpfs "$own"

for directory in etc var/lib var/log; do
  mkdir -p "$own/$directory/upper" "$own/$directory/work"
  mount -t overlay -o "lowerdir=/$directory,upperdir=$own/$directory/upper,workdir=$own/$directory/work" overlay "/$directory"
done
# What a node has at run time: of the machine's own, only the state.
mkdir -p "$own$state" "$own/run/containerd"
mount --bind "$state" "$own$state"
mount --bind "$state/containerd" "$own/run/containerd"
mount --rbind "$own/run" /run

bind() {
  mkdir -p "$2"
  mount --bind "$1" "$2"
}
bind "$root/containerd" /var/lib/containerd
bind "$root/kubelet" /var/lib/kubelet
bind "$root/cni" /var/lib/cni
bind "$root/cni-config" /etc/cni/net.d
bind "$root/pods" /var/log/pods

# The kubelet sets these. They are the whole machine's, so the node gets files to write to.
mkdir -p "$own/sysctl"
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  file=$own/sysctl/$(echo "$name" | tr / -)
  cat "/proc/sys/$name" >"$file"
  mount --bind "$file" "/proc/sys/$name"
done

# Pods pass mounts on to the node, and it to them.
mount --make-rshared /
touch "$state/ready"
while :; do
  sleep 86400 &
  wait
done
