import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import PQueue from 'p-queue';
import { makeRbac } from '../src/installation/make-rbac.ts';
import { CONFIG_MAP_KEY, CONFIG_MAP_NAME } from '../src/api/eraser-config/config-map.ts';
import { connectToCluster } from '../src/kube/connect-to-cluster.ts';
import type { KubeClient } from '../src/kube/kube-client.ts';
import { NODES } from '../src/kube/resource.ts';
import { startControlPlane, type ControlPlane } from './control-plane.ts';
import { kubectlWith } from './kubectl.ts';
import { ensureKubernetes } from './kubernetes.ts';
import { startProcess, type LabProcess } from './lab-process.ts';
import { writeManagerAccount } from './manager-account.ts';
import { writeAccountKubeconfig } from './manager-kubeconfig.ts';
import { ensureKwok, type OnProgress } from './tools.ts';
import { waitUntil } from './wait-until.ts';

/** What becomes of a pod on a simulated node: it has run the moment that it is there, or runs until somebody says otherwise. */
export type PodFate = 'succeeds' | 'runs';

export interface SimulatedClusterOptions {
  readonly nodes: number;
  readonly podFate: PodFate;
  /** So many of the nodes look well, and start no pod. */
  readonly deadNodes?: number;
}

/** A real API server, etcd and scheduler, and nodes that kwok simulates; a namespace with the rights and accounts of Image Cleaner, and no manager. */
export interface SimulatedCluster extends AsyncDisposable {
  readonly controlPlane: ControlPlane;
  readonly namespace: string;
  /** The manager's service account, as a kubelet mounts it. */
  readonly managerAccount: string;
  /** Of an administrator. */
  readonly client: KubeClient;
  readonly nodes: readonly string[];
  readonly deadNodes: number;
  /** Files that live as long. */
  readonly folder: string;
  apply(object: object): Promise<void>;
  /** Applies a configuration for managers. */
  configure(configuration: object): Promise<void>;
}

const NAMESPACE = 'eraser-system';
const CRDS = fileURLToPath(new URL('../deploy/crds', import.meta.url));
const SIMULATED = { key: 'type', value: 'kwok' };
const AT_ONCE = 32;
const SOON = { timeoutMs: 60_000, pollMs: 100 };

export async function startSimulatedCluster(options: SimulatedClusterOptions, onProgress: OnProgress): Promise<SimulatedCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-simulated-'));
  const closing: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const one of closing.splice(0).toReversed()) await one();
  };
  try {
    const kwok = await ensureKwok(onProgress);
    const { kubeScheduler } = await ensureKubernetes(onProgress);
    const controlPlane = await startControlPlane(undefined, onProgress);
    closing.push(() => controlPlane.stop());
    const { kubeconfig } = controlPlane;
    const kubectl = await kubectlWith({ kubeconfig, home: folder });
    const done = async (args: readonly string[], input?: object): Promise<string> => {
      const { code, stdout, stderr } = await kubectl(args, input);
      if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
      return stdout;
    };
    const apply = async (object: object): Promise<void> => {
      await done(['apply', '-f', '-'], object);
    };
    await done(['apply', '-f', CRDS]);
    await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
    await apply({ apiVersion: 'v1', kind: 'List', items: makeRbac(NAMESPACE) });
    const served = async (): Promise<boolean> => (await kubectl(['get', 'imagelists,imagejobs'])).code === 0;
    await waitUntil('the kinds of Image Cleaner are served', served, SOON);
    const managerAccount = await writeManagerAccount({ done, namespace: NAMESPACE, home: folder });
    const { client } = await connectToCluster({ kubeconfig, environment: {}, userAgent: 'image-cleaner-lab', wallNow: Date.now });
    closing.push(() => client.close());
    const nodes = await makeNodes(client, options);
    const processes = await startSimulation({
      kwok,
      kubeScheduler,
      kubeconfig: await simulationAccess({ done, apply }, folder),
      folder,
      podFate: options.podFate,
    });
    closing.push(() => Promise.all(processes.map((process) => process.kill())));
    return {
      controlPlane,
      namespace: NAMESPACE,
      managerAccount,
      client,
      nodes,
      deadNodes: options.deadNodes ?? 0,
      folder,
      apply,
      configure: (configuration) =>
        apply({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: CONFIG_MAP_NAME, namespace: NAMESPACE },
          data: { [CONFIG_MAP_KEY]: JSON.stringify(configuration) },
        }),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A certificate would be verified at each of its thousands of requests; and what is done in this namespace's name is not audited. */
async function simulationAccess(
  { done, apply }: { done: (args: readonly string[]) => Promise<string>; apply: (object: object) => Promise<void> },
  home: string,
): Promise<string> {
  const [name, namespace] = ['simulation', 'kube-system'];
  const rbac = 'rbac.authorization.k8s.io';
  await apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } });
  await apply({
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  });
  return writeAccountKubeconfig(name, { done, namespace, home });
}

/** kubelets say all of it when they register. */
async function makeNodes(client: KubeClient, { nodes, deadNodes = 0 }: SimulatedClusterOptions): Promise<string[]> {
  const names = Array.from({ length: nodes }, (_, at) => `node-${String(at).padStart(5, '0')}`);
  const queue = new PQueue({ concurrency: AT_ONCE });
  const capacity = { cpu: '8', memory: '32Gi', pods: '110', 'ephemeral-storage': '100Gi' };
  const { signal } = new AbortController();
  await queue.addAll(
    names.map((name, at) => async () => {
      const labels = {
        'kubernetes.io/os': 'linux',
        'kubernetes.io/hostname': name,
        ...(at < deadNodes ? {} : { [SIMULATED.key]: SIMULATED.value }),
      };
      const condition = { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'simulated' };
      const nodeInfo = { containerRuntimeVersion: 'containerd://2.2.3', operatingSystem: 'linux', kubeletVersion: 'v1.35.4' };
      const status = { conditions: [condition], nodeInfo, capacity, allocatable: capacity };
      await client.create({ resource: NODES }, { metadata: { name, labels }, status }, { signal });
    }),
  );
  return names;
}

interface Simulation {
  readonly kwok: string;
  readonly kubeScheduler: string;
  readonly kubeconfig: string;
  readonly folder: string;
  readonly podFate: PodFate;
}

async function startSimulation({ kwok, kubeScheduler, kubeconfig, folder, podFate }: Simulation): Promise<LabProcess[]> {
  const config = join(folder, 'kwok.yaml');
  const options = { podPlayStageParallelism: 16, nodePlayStageParallelism: 1 };
  const documents = [{ apiVersion: 'config.kwok.x-k8s.io/v1alpha1', kind: 'KwokConfiguration', options }, ...stagesOf(podFate)];
  await writeFile(config, documents.map((document) => `${JSON.stringify(document)}\n`).join('---\n'));
  const start = (name: string, command: string, args: readonly string[]): Promise<LabProcess> =>
    startProcess({ name, logFile: join(folder, `${name}.log`), command, args: [`--kubeconfig=${kubeconfig}`, ...args] });
  return Promise.all([
    start('kwok', kwok, [
      `--config=${config}`,
      '--manage-all-nodes=false',
      `--manage-nodes-with-label-selector=${SIMULATED.key}=${SIMULATED.value}`,
      // Their kubelets' heartbeats are nothing that a run brings about.
      '--node-lease-duration-seconds=0',
      '--server-address=',
    ]),
    // A thousand pods at once are more than it would bind in a second by default.
    start('kube-scheduler', kubeScheduler, ['--leader-elect=false', '--secure-port=0', '--kube-api-qps=2000', '--kube-api-burst=4000']),
  ]);
}

function stagesOf(podFate: PodFate): object[] {
  const isGoing = { key: '.metadata.deletionTimestamp', operator: 'Exists' };
  const isNew = [
    { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' },
    { key: '.status.phase', operator: 'In', values: ['Pending'] },
  ];
  const begins = podFate === 'succeeds' ? statusTemplate('Succeeded', ENDED) : statusTemplate('Running', RUNNING);
  // Without a stage for nodes it would not take any pod as one of a node of its own.
  const never = [{ key: '.metadata.name', operator: 'DoesNotExist' }];
  return [
    stage('Node', 'node-stays', never, { statusTemplate: '' }),
    stage('Pod', 'pod-begins', isNew, { statusTemplate: begins }),
    stage('Pod', 'pod-goes', [isGoing], { delete: true }),
  ];
}

function stage(kind: string, name: string, matchExpressions: readonly object[], next: object): object {
  const resourceRef = { apiGroup: 'v1', kind };
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'Stage',
    metadata: { name },
    spec: { resourceRef, selector: { matchExpressions }, next },
  };
}

const ENDED = '{ terminated: { exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }} } }';
const RUNNING = '{ running: { startedAt: {{ $now | Quote }} } }';

/** In kwok's language of templates. */
function statusTemplate(phase: string, state: string): string {
  return `{{ $now := Now }}
phase: ${phase}
startTime: {{ $now | Quote }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  restartCount: 0
  state: ${state}
{{ end }}
`;
}
