import type { NodeRuntime } from '../../api/cluster-node.ts';
import { RUNTIME_NAMES, USUAL_RUNTIME_ADDRESSES, type ConfiguredRuntime } from '../../api/eraser-config.ts';
import type { Parsed } from '../../api/problem.ts';

/** Where a node's runtime listens, as paths of the node. */
export interface RuntimeSocket {
  /** `/run/containerd`. */
  readonly folder: string;
  /** `containerd.sock`. */
  readonly name: string;
}

export type RuntimeSockets = Readonly<Record<NodeRuntime, RuntimeSocket>>;

/** dockershim went with Kubernetes 1.24: on a node whose runtime is Docker, cri-dockerd listens in its place. */
const CRI_DOCKERD_ADDRESS = 'unix:///run/cri-dockerd.sock';
const USUAL_ADDRESSES = { ...USUAL_RUNTIME_ADDRESSES, dockershim: CRI_DOCKERD_ADDRESS };

/**
 * The socket on the nodes of each runtime. Configurations always name one runtime, mostly by default: its address holds on the nodes that have
 * that runtime, and the usual ones on the others.
 */
export function runtimeSockets({ name, address }: ConfiguredRuntime): Parsed<RuntimeSockets> {
  const isDockershims = name === 'dockershim' && address === USUAL_RUNTIME_ADDRESSES.dockershim;
  const configured = parseSocketAddress(isDockershims ? CRI_DOCKERD_ADDRESS : address);
  if (configured === null) {
    const message = `"${address}" cannot be mounted; it must be the path of a socket in a folder, such as ${USUAL_ADDRESSES[name]}`;
    return { ok: false, errors: [{ path: 'manager.runtime.address', message }] };
  }
  const sockets = RUNTIME_NAMES.map((runtime) => [runtime, runtime === name ? configured : parseSocketAddress(USUAL_ADDRESSES[runtime])]);
  return { ok: true, value: Object.fromEntries(sockets) as Record<NodeRuntime, RuntimeSocket> };
}

/** null: it names no file, or one in the root folder, whose mount would be the whole node. */
function parseSocketAddress(address: string): RuntimeSocket | null {
  const parts = address
    .replace(/^unix:(\/\/)?/, '')
    .split('/')
    .filter((part, at) => part !== '' || at === 0);
  const name = parts.at(-1) ?? '';
  const isAbsolute = parts[0] === '' && !address.endsWith('/');
  return isAbsolute && parts.length >= 3 && !parts.some((part) => part === '.' || part === '..')
    ? { folder: parts.slice(0, -1).join('/'), name }
    : null;
}
