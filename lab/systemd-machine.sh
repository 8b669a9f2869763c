#!/bin/bash
# systemd-machine.sh FOLDER CGROUP MANAGER SHARED...: in namespaces of its own (unshare --mount --pid --ipc --uts), starts systemd with the units in
# FOLDER/units, on a root that looks like this machine's; what is written there is lost at the end. FOLDER and what is SHARED are the real ones.
set -eu
folder=$1 cgroup=$2 manager=$3
shift 3
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
  if [ -w "$hierarchy/cgroup.procs" ] && mkdir -p "$hierarchy/$cgroup" 2>/dev/null; then echo $$ >"$hierarchy/$cgroup/cgroup.procs" 2>/dev/null || true; fi
done
mount --make-rprivate /
mount -t tmpfs tmpfs "$folder/machine"
mkdir "$folder/machine/upper" "$folder/machine/work" "$folder/machine/root"
root=$folder/machine/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/machine/upper,workdir=$folder/machine/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
rm -rf "$root/var/lib/image-cleaner" "$root/var/cache/image-cleaner"
for path in "$folder" "$@"; do
  mkdir -p "$root$path"
  mount --bind "$path" "$root$path"
done
cp -a "$folder/files/." "$root/"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
exec chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=lab \
  SYSTEMD_UNIT_PATH="/etc/systemd/system.control:/run/systemd/transient:/etc/systemd/system:$folder/units" SYSTEMD_GENERATOR_PATH=/nonexistent SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/nonexistent \
  "$manager" --system --unit=lab.target --log-target=console --show-status=no
