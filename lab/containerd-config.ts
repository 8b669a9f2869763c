import { join } from 'node:path';
import type { Place } from './place.ts';

/** All that a containerd occupies: nothing of it is shared with another containerd of the machine. */
export interface ContainerdPaths {
  readonly root: string;
  readonly state: string;
  readonly socket: string;
  /** Where it would put what it installs. */
  readonly opt: string;
  readonly runcState: string;
  readonly cniBin: string;
  readonly cniConfig: string;
}

export function pathsOfPlace(place: Place): ContainerdPaths {
  return {
    root: join(place.root, 'containerd'),
    state: join(place.state, 'containerd'),
    socket: place.socket,
    opt: join(place.root, 'opt'),
    runcState: join(place.state, 'runc'),
    cniBin: join(place.root, 'cni/bin'),
    cniConfig: join(place.root, 'cni/conf'),
  };
}

/** The sandbox image that the private containerd is configured with, imported by `importPauseImage`. */
export const PAUSE_REFERENCE = 'registry.k8s.io/pause:3.10';

/** Snapshotters that need a filesystem, a device or a tool of their own: they are not used, and starting them takes time. */
const UNUSED_SNAPSHOTTERS = ['aufs', 'blockfile', 'btrfs', 'devmapper', 'erofs', 'zfs'].map(
  (name) => `io.containerd.snapshotter.v1.${name}`,
);

export interface ContainerdSettings {
  readonly major: number;
  readonly runc: string;
  readonly snapshotter: 'overlayfs' | 'native';
}

/** containerd's configuration file. */
export function formatContainerdConfig(paths: ContainerdPaths, settings: ContainerdSettings): string {
  return [
    `version = ${settings.major >= 2 ? 3 : 2}`,
    `root = ${quoted(paths.root)}`,
    `state = ${quoted(paths.state)}`,
    `disabled_plugins = [${UNUSED_SNAPSHOTTERS.map(quoted).join(', ')}]`,
    '[grpc]',
    `address = ${quoted(paths.socket)}`,
    // Both would be made elsewhere: /opt/containerd, /var/run/nri.
    '[plugins."io.containerd.internal.v1.opt"]',
    `path = ${quoted(paths.opt)}`,
    '[plugins."io.containerd.nri.v1.nri"]',
    'disable = true',
    ...(settings.major >= 2 ? criTablesOf2(paths, settings) : criTablesOf1(paths, settings)),
    '',
  ].join('\n');
}

function criTablesOf1(paths: ContainerdPaths, settings: ContainerdSettings): string[] {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return [
    `[${cri}]`,
    `sandbox_image = ${quoted(PAUSE_REFERENCE)}`,
    ...WITHOUT_PRIVILEGES,
    `[${cri}.cni]`,
    `bin_dir = ${quoted(paths.cniBin)}`,
    `conf_dir = ${quoted(paths.cniConfig)}`,
    `[${cri}.containerd]`,
    `snapshotter = ${quoted(settings.snapshotter)}`,
    ...runcTables(`${cri}.containerd`, paths, settings),
  ];
}

function criTablesOf2(paths: ContainerdPaths, settings: ContainerdSettings): string[] {
  const images = 'plugins."io.containerd.cri.v1.images"';
  const runtime = 'plugins."io.containerd.cri.v1.runtime"';
  return [
    `[${images}]`,
    `snapshotter = ${quoted(settings.snapshotter)}`,
    `[${images}.pinned_images]`,
    `sandbox = ${quoted(PAUSE_REFERENCE)}`,
    `[${runtime}]`,
    'enable_cdi = false',
    ...WITHOUT_PRIVILEGES,
    `[${runtime}.cni]`,
    `bin_dirs = [${quoted(paths.cniBin)}]`,
    `conf_dir = ${quoted(paths.cniConfig)}`,
    ...runcTables(`${runtime}.containerd`, paths, settings),
  ];
}

const WITHOUT_PRIVILEGES = [
  // Without CAP_SYS_RESOURCE (many virtual machines) no container starts otherwise: its OOM score may not be lowered.
  'restrict_oom_score_adj = true',
  // A profile would be loaded into the machine's kernel, and stay.
  'disable_apparmor = true',
  'tolerate_missing_hugetlb_controller = true',
];

function runcTables(table: string, paths: ContainerdPaths, settings: ContainerdSettings): string[] {
  return [
    `[${table}.runtimes.runc]`,
    'runtime_type = "io.containerd.runc.v2"',
    `[${table}.runtimes.runc.options]`,
    `BinaryName = ${quoted(settings.runc)}`,
    `Root = ${quoted(paths.runcState)}`,
    // With the systemd driver, systemd would have to know of our containers and forget them again.
    'SystemdCgroup = false',
  ];
}

/** A TOML basic string; JSON's escapes are a subset of its own. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
