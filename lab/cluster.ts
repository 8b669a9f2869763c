import { join } from 'node:path';
import * as z from 'zod';
import type { ApiServer } from './api-server.ts';
import { startApiServer } from './api-server.ts';
import { issueCertificate } from './certificates.ts';
import { startDns } from './cluster-dns.ts';
import type { ClusterNetwork } from './cluster-network.ts';
import { makeNetwork, routeServices } from './cluster-network.ts';
import type { ClusterNode } from './cluster-node.ts';
import { LabNode } from './cluster-node.ts';
import type { ClusterTools } from './cluster-tools.ts';
import { ensureClusterTools } from './cluster-tools.ts';
import type { ContainerdFacts } from './containerd-handle.ts';
import { NODE_GRACE_SECONDS } from './kubelet-config.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { requireRoot } from './lab-error.ts';
import { startProcess } from './lab-process.ts';
import { ownPlace, releasePlace, sweepAbandonedPlaces } from './owned-places.ts';
import type { Place } from './place.ts';
import { makePlace } from './place.ts';
import { runCommand } from './run-command.ts';
import type { OnProgress } from './tools.ts';
import { waitUntil } from './wait-until.ts';

export type { ClusterNode } from './cluster-node.ts';

/** A real Kubernetes on this machine. */
export interface Cluster extends AsyncDisposable {
  readonly kubeconfig: string;
  readonly nodes: readonly ClusterNode[];
  readonly place: Place;
  /** What another process needs to work with it. */
  readonly facts: ClusterFacts;
  /** Gives what it writes to standard output. */
  kubectl(args: readonly string[]): Promise<string>;
  /** Kills it; etcd goes on. */
  stopApiserver(): Promise<void>;
  /** Starts a killed one, and waits until it is ready. */
  startApiserver(): Promise<void>;
  /** Ends all of it and removes all that it left on the machine. */
  stop(): Promise<void>;
}

/** Plain data. */
export interface ClusterFacts {
  /** The path of a cluster administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** The path of a kubectl that fits. */
  readonly kubectl: string;
  /** See `ApiServer`; null: out of reach. */
  readonly auditLog: string | null;
  readonly nodes: readonly NodeFacts[];
}

export interface NodeFacts {
  readonly name: string;
  readonly address: string;
  /** null: out of reach, as in a cluster that is not the lab's. */
  readonly containerd: ContainerdFacts | null;
}

export interface ClusterOptions {
  readonly nodes: 1 | 2 | 3;
}

const API_PORT = 6443;

/** Starts a cluster and waits until its nodes are ready and its DNS answers. Needs root. Ends with this process. */
export async function startCluster({ nodes: count }: ClusterOptions, print: OnProgress = () => undefined): Promise<Cluster> {
  requireRoot('A Kubernetes cluster');
  const tools = await ensureClusterTools(print);
  sweepAbandonedPlaces(print);
  const place = makePlace();
  ownPlace(place);
  try {
    return await bringUp({ tools, place, count, print });
  } catch (error) {
    releasePlace(place);
    throw error;
  }
}

interface Making {
  readonly tools: ClusterTools;
  readonly place: Place;
  readonly count: number;
  readonly print: OnProgress;
}

async function bringUp({ tools, place, count, print }: Making): Promise<Cluster> {
  const started = performance.now();
  const report = (what: string): void => print(`${((performance.now() - started) / 1000).toFixed(1).padStart(5)} s  ${what}`);
  const network = await makeNetwork(place);
  const nodes = Array.from({ length: count }, (_, index) => new LabNode({ place, network, tools, index, count }));
  const address = { host: network.host, port: API_PORT, serviceNetwork: network.services };
  const serving = startApiServer(tools.kubernetes, place, address).then((server) => {
    report('the API server is ready');
    return server;
  });
  await allOrThrow([serving, ...nodes.map((node) => node.prepare())]);
  const server = await serving;
  report('the nodes have a container runtime');
  await allOrThrow([startControllers({ tools, place, network, server }), ...nodes.map((node) => node.join(server))]);
  await routeServices(network);
  const dns = startDns({ coredns: tools.kubernetes.coredns, place, network, server });
  await allOrThrow([dns, untilNodesReady(server, count), untilDefaultAccount(server)]);
  report(`${String(count)} ${count === 1 ? 'node is' : 'nodes are'} ready`);
  return clusterOf({ place, server, nodes, kubectl: tools.kubernetes.kubectl });
}

function clusterOf(parts: { place: Place; server: ApiServer; nodes: readonly LabNode[]; kubectl: string }): Cluster {
  const { place, server, nodes, kubectl } = parts;
  const stop = async (): Promise<void> => {
    for (const node of nodes) node.containerd.cri.close();
    await server.client.close();
    releasePlace(place);
  };
  return {
    kubeconfig: server.kubeconfig,
    place,
    nodes,
    facts: {
      kubeconfig: server.kubeconfig,
      kubectl,
      auditLog: server.auditLog,
      nodes: nodes.map(({ name, address, containerdFacts }) => ({ name, address, containerd: containerdFacts })),
    },
    kubectl: (args) => runCommand(kubectl, ['--kubeconfig', server.kubeconfig, '--cache-dir', join(place.root, 'kubectl'), ...args]),
    stopApiserver: () => server.stop(),
    startApiserver: server.start,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

interface ControllersSpec {
  readonly tools: ClusterTools;
  readonly place: Place;
  readonly network: ClusterNetwork;
  readonly server: ApiServer;
}

/** kube-controller-manager and kube-scheduler; neither serves anything. */
async function startControllers({ tools, place, network, server }: ControllersSpec): Promise<void> {
  const { authority } = server;
  const start = async (name: string, command: string, args: readonly string[]): Promise<void> => {
    const user = await issueCertificate(authority, { name, subject: `/CN=system:${name}` });
    const kubeconfig = await writeKubeconfig(join(place.root, 'kubeconfig', name), { url: server.url, authority, user });
    const own = [`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0'];
    await startProcess({ name, logFile: join(place.root, `log/${name}.log`), command, args: [...own, ...args] });
  };
  const { kubeControllerManager, kubeScheduler } = tools.kubernetes;
  await allOrThrow([
    start('kube-controller-manager', kubeControllerManager, [
      `--service-account-private-key-file=${server.tokenKey}`,
      `--root-ca-file=${authority.certificate}`,
      `--cluster-signing-cert-file=${authority.certificate}`,
      `--cluster-signing-key-file=${authority.key}`,
      '--use-service-account-credentials=true',
      `--service-cluster-ip-range=${network.services}.0.0/16`,
      '--node-monitor-period=1s',
      `--node-monitor-grace-period=${String(NODE_GRACE_SECONDS)}s`,
      // As a test cluster of a few nodes has little to do, it may do it at once.
      '--kube-api-qps=500',
      '--kube-api-burst=1000',
    ]),
    start('kube-scheduler', kubeScheduler, ['--kube-api-qps=500', '--kube-api-burst=1000']),
  ]);
}

const nodesSchema = z.object({
  items: z.array(z.object({ status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).optional() }) })),
});

async function untilNodesReady(server: ApiServer, count: number): Promise<void> {
  const isReady = (condition: { type: string; status: string }): boolean => condition.type === 'Ready' && condition.status === 'True';
  await waitUntil(
    'all nodes are ready',
    async () => {
      const { items } = nodesSchema.parse(await server.client.get('/api/v1/nodes'));
      return items.filter(({ status }) => status.conditions?.some(isReady) === true).length === count;
    },
    WAIT,
  );
}

/** No pod can be made before the controllers have made the account that it runs as. */
async function untilDefaultAccount(server: ApiServer): Promise<void> {
  const isThere = (): Promise<boolean> =>
    server.client.get('/api/v1/namespaces/default/serviceaccounts/default').then(
      () => true,
      () => false,
    );
  await waitUntil('there is a default service account', isThere, WAIT);
}

/** Two seconds where nothing else runs, more under load. */
const WAIT = { timeoutMs: 60_000, pollMs: 50 };

/** Waits for all, also when one fails: what is still being started could not be ended. */
async function allOrThrow(parts: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(parts)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
