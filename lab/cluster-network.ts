import * as z from 'zod';
import { LabError } from './lab-error.ts';
import { withMachineLock } from './machine-lock.ts';
import { bridgeName, removeLink } from './network-links.ts';
import type { Place } from './place.ts';
import { runCommand } from './run-command.ts';

/** A cluster's addresses. The machine, where the control plane runs, and the nodes hang on one bridge. */
export interface ClusterNetwork {
  readonly bridge: string;
  /** `172.30.100`: of 172.30.100.0/24, the machine's and the nodes' addresses. */
  readonly machines: string;
  /** Of the machine on the bridge. */
  readonly host: string;
  /** `10.128`: of 10.128.0.0/16; each node has a third part of its own for its pods. */
  readonly pods: string;
  /** `10.160`: of 10.160.0.0/16. */
  readonly services: string;
}

/** As many clusters as can be up at once. */
const MOST_CLUSTERS = 16;
const FIRST_NODE_ADDRESS = 10;
/** One that was not set would be that of a node, and change when the node goes: the others would not find the machine for a while. */
const BRIDGE_HARDWARE_ADDRESS = '02:00:00:00:00:01';

export function nodeAddress(network: ClusterNetwork, index: number): string {
  return `${network.machines}.${String(FIRST_NODE_ADDRESS + index)}`;
}

export function podSubnet(network: ClusterNetwork, index: number): string {
  return `${network.pods}.${String(index)}.0/24`;
}

/** Of the Service that pods ask for names. */
export function dnsAddress(network: ClusterNetwork): string {
  return `${network.services}.0.10`;
}

/** Makes the bridge, with addresses that nothing on the machine has a route to. */
export async function makeNetwork(place: Place): Promise<ClusterNetwork> {
  return await withMachineLock('cluster-network', async () => {
    const routes = await listRoutes();
    const network = Array.from({ length: MOST_CLUSTERS }, (_, index) => candidate(place, index)).find(({ machines, pods, services }) =>
      [machines, pods, services].every((prefix) => !routes.some((route) => route.startsWith(`${prefix}.`))),
    );
    if (network === undefined) {
      const message =
        'No addresses are free for the network of a cluster: from 172.30.100.0/24, 10.128.0.0/16 and 10.160.0.0/16 on, all have a route.';
      throw new LabError({ code: 'not-ready', message });
    }
    await ip(['link', 'add', network.bridge, 'address', BRIDGE_HARDWARE_ADDRESS, 'type', 'bridge']);
    await ip(['address', 'add', `${network.host}/24`, 'dev', network.bridge]);
    await ip(['link', 'set', network.bridge, 'up']);
    return network;
  });
}

/** Connects the network namespace of a process, the node's, with the bridge; `count` is of all nodes. */
export async function connectNode(
  network: ClusterNetwork,
  index: number,
  at: { readonly pid: number; readonly count: number },
): Promise<void> {
  const link = `${network.bridge}-${String(index)}`;
  const address = nodeAddress(network, index);
  removeLink(link);
  await ip(['link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(at.pid)]);
  await ip(['link', 'set', link, 'master', network.bridge, 'up']);
  await ip(['route', 'replace', podSubnet(network, index), 'via', address]);
  const inside = (args: readonly string[]): Promise<string> => ipInside(at.pid, args);
  await inside(['link', 'set', 'lo', 'up']);
  await inside(['address', 'add', `${address}/24`, 'dev', 'eth0']);
  await inside(['link', 'set', 'eth0', 'up']);
  await inside(['route', 'add', 'default', 'via', network.host]);
  for (let other = 0; other < at.count; other += 1) {
    if (other !== index) await inside(['route', 'add', podSubnet(network, other), 'via', nodeAddress(network, other)]);
  }
}

/** What a node forwards to an address goes into a black hole: nobody is told, unlike with a route that is unreachable. */
export async function routeNowhere(at: { readonly pid: number; readonly address: string }, action: 'add' | 'delete'): Promise<void> {
  await ipInside(at.pid, ['route', action, 'blackhole', `${at.address}/32`]);
}

/** The machine reaches Services through a node, which has a kube-proxy. */
export async function routeServices(network: ClusterNetwork): Promise<void> {
  await ip(['route', 'replace', `${network.services}.0.0/16`, 'via', nodeAddress(network, 0)]);
}

function candidate(place: Place, index: number): ClusterNetwork {
  const machines = `172.30.${String(100 + index)}`;
  return {
    bridge: bridgeName(place),
    machines,
    host: `${machines}.1`,
    pods: `10.${String(128 + index)}`,
    services: `10.${String(160 + index)}`,
  };
}

const routesSchema = z.array(z.object({ dst: z.string() }));

async function listRoutes(): Promise<string[]> {
  const routes = await ip(['-json', '-4', 'route', 'show', 'table', 'all']);
  return routesSchema.parse(JSON.parse(routes)).map(({ dst }) => dst);
}

async function ip(args: readonly string[]): Promise<string> {
  return await runCommand('ip', args);
}

async function ipInside(pid: number, args: readonly string[]): Promise<string> {
  return await runCommand('nsenter', ['--target', String(pid), '--net', '--', 'ip', ...args]);
}
