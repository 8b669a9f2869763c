import { dirname, join } from 'node:path';
import { readdir } from 'node:fs/promises';
import { ensurePackages } from './debian-packages.ts';
import type { OnProgress } from './debian-tools.ts';
import { onPath } from './debian-tools.ts';
import type { KubernetesTools } from './kubernetes.ts';
import { ensureKubernetes } from './kubernetes.ts';
import { LabError } from './lab-error.ts';
import type { ContainerdTools } from './tools.ts';
import { containerdRelease, ensureContainerd } from './tools.ts';

/** All that a cluster is made of. */
export interface ClusterTools {
  readonly kubernetes: KubernetesTools;
  readonly containerd: ContainerdTools & { readonly release: string };
  readonly network: NetworkTools;
}

/** Debian's network tools, run from the cache. */
export interface NetworkTools {
  /** Holds the CNI plugins. */
  readonly cni: string;
  /** Holds nft, which takes the libraries. */
  readonly nft: string;
  /** A value of LD_LIBRARY_PATH. */
  readonly libraries: string;
}

/** On every Debian but the smallest, by package. */
const OF_THE_MACHINE = { ip: 'iproute2', nsenter: 'util-linux', unshare: 'util-linux', setpriv: 'util-linux', openssl: 'openssl' };

const NETWORK_PACKAGES = [
  'containernetworking-plugins',
  'nftables',
  'libnftables1',
  'libnftnl11',
  'libmnl0',
  'libxtables12',
  'libjansson4',
];
/** What nft's own line editor and numbers need. */
const LIBRARY_PACKAGES = ['libedit2', 'libbsd0', 'libmd0', 'libgmp10'];

/** Fetches or builds what isn't in the cache yet. Throws `tool-missing` with the reason. */
export async function ensureClusterTools(onProgress: OnProgress): Promise<ClusterTools> {
  for (const [program, debianPackage] of Object.entries(OF_THE_MACHINE)) {
    if (onPath(program) !== null) continue;
    const hint = `Install ${debianPackage} with your package manager.`;
    throw new LabError({ code: 'tool-missing', message: `A cluster takes the program ${program}, which is not on PATH.`, hint });
  }
  const network = await ensureNetworkTools(onProgress);
  const containerd = await ensureContainerd('v2', onProgress);
  const kubernetes = await ensureKubernetes(onProgress);
  return { kubernetes, network, containerd: { ...containerd, release: await containerdRelease(containerd) } };
}

async function ensureNetworkTools(onProgress: OnProgress): Promise<NetworkTools> {
  const root = await ensurePackages('-network', [...NETWORK_PACKAGES, ...LIBRARY_PACKAGES], onProgress);
  const files = await readdir(root, { recursive: true });
  const folderOf = (end: string): string => {
    const found = files.find((path) => path.endsWith(end));
    if (found !== undefined) return join(root, dirname(found));
    throw new LabError({ code: 'tool-missing', message: `${end} is not among what ${NETWORK_PACKAGES.join(', ')} contain (${root}).` });
  };
  const libraries = files.filter((path) => /\.so(\.\d+)*$/.test(path)).map((path) => join(root, dirname(path)));
  return { cni: folderOf('/cni/bridge'), nft: folderOf('sbin/nft'), libraries: [...new Set(libraries)].join(':') };
}
