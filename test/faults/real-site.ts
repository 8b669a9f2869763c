import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { RandomSource } from '../../bench/random-source.ts';
import { RunWatch, type EndedRun } from '../../bench/cluster/run-watch.ts';
import type { Cluster, ClusterNode } from '../../lab/cluster.ts';
import { AUTOMATIC, Installation, MANUAL, type InspectedPod } from '../../lab/installation.ts';
import { ManagerPod } from '../../lab/manager-pod.ts';
import { waitUntil } from '../../lab/wait-until.ts';
import { RUN_REQUEST_ANNOTATION } from '../../src/api/run-request.ts';
import type { ManifestOptions } from '../../src/installation/make-manifest.ts';
import { prepareCluster, type PreparedCluster } from '../e2e/prepare-cluster.ts';
import { makeRunImages, type RunImages } from './real-images.ts';
import { lookAtNodes, type NodeLook } from './real-nodes.ts';
import { findProblems, problemsOfNextRun } from './real-problems.ts';

/** What may go wrong in the middle of a run on a real cluster. */
export interface RealFault {
  readonly name: string;
  /** Once the run has begun; until the fault is over. */
  readonly happen: (run: RealRun) => Promise<void>;
  /** Leases end by it: each image may be read once more. */
  readonly mayReadTwice?: boolean;
  /** Nodes may fail by it: such a one says why, and the next run cleans it. */
  readonly mayFailNodes?: boolean;
  /** Of the manager's pod, beside what all have. */
  readonly manifest?: Partial<ManifestOptions>;
}

export interface RealRun {
  readonly random: RandomSource;
  readonly cluster: Cluster;
  readonly site: Installation;
  readonly manager: ManagerPod;
  /** That the manager is on. */
  readonly managerNode: ClusterNode;
  /** One of all nodes, by the seed. */
  readonly anyNode: ClusterNode;
  /** One that the manager is not on, by the seed. */
  readonly otherNode: ClusterNode;
  readonly trivyCache: string;
  /** Rejects with `NotReached` when the run is over before. */
  readonly untilSeen: (what: () => Promise<boolean>) => Promise<void>;
  /** Until some images have been read, and others have not: how many is by the seed. Its scanner runs on this node. */
  readonly untilScanning: (node: ClusterNode) => Promise<void>;
  /** Until some of the images that must go have gone from this node, and others have not: how many is by the seed. */
  readonly untilRemoving: (node: ClusterNode) => Promise<void>;
  /** Asked when the run is over: otherwise nothing has happened. */
  readonly mustHold: (claim: () => Promise<boolean>) => void;
}

/** What there was to see of a run, and what is wrong with it. */
export interface RealOutcome {
  /** `never`: the moment was missed, or what was done came too late to matter. */
  readonly happened: 'during' | 'never';
  readonly seconds: number;
  readonly reads: number;
  readonly failedNodes: readonly string[];
  readonly problems: readonly string[];
}

export interface RealFaultSite extends AsyncDisposable {
  readonly nodes: number;
  /** One run over all nodes, while that happens. */
  run(fault: RealFault, random: RandomSource): Promise<RealOutcome>;
}

/** Nothing has happened to this run. */
class NotReached extends Error {}

const LONGEST_MS = 480_000;
const LOOK_MS = 20;
const MANAGER_NODE = 'n0';
const USERS = 'app=uses-an-image';

/** Three nodes with kubelet and containerd, our own images as installed by the manifest, and Trivy's server in the manager's pod. */
export async function startRealFaultSite(say: (line: string) => void): Promise<RealFaultSite> {
  const prepared = await prepareCluster(say);
  const site = await Installation.connect(prepared.prepared).catch(async (error: unknown) => {
    await prepared[Symbol.asyncDispose]();
    throw error;
  });
  let runs = 0;
  return {
    nodes: site.nodes.length,
    run: async (fault, random) => {
      runs += 1;
      const faulty = new FaultyRun({ fault, random, prepared, site, run: `r${String(runs)}` });
      const outcome = await faulty.run();
      if (outcome.problems.length > 0) say(await site.logs());
      await faulty.forget();
      return outcome;
    },
    [Symbol.asyncDispose]: async () => {
      await site.close();
      await prepared[Symbol.asyncDispose]();
    },
  };
}

interface FaultyRunOptions {
  readonly fault: RealFault;
  readonly random: RandomSource;
  readonly prepared: PreparedCluster;
  readonly site: Installation;
  readonly run: string;
}

class FaultyRun {
  readonly #options: FaultyRunOptions;
  readonly #claims: (() => Promise<boolean>)[] = [];
  #isOver = false;

  constructor(options: FaultyRunOptions) {
    this.#options = options;
  }

  async run(): Promise<RealOutcome> {
    const { fault, site, prepared } = this.#options;
    const { images, before } = await this.#prepare();
    const manager = await ManagerPod.find(site);
    const watch = await RunWatch.begin(prepared.prepared.cluster.kubeconfig);
    try {
      const begun = watch.next();
      await site.configure(AUTOMATIC);
      const ending = (await begun).untilEnded().finally(() => (this.#isOver = true));
      const ended = Promise.race([ending, sleep(LONGEST_MS, null, { ref: false })]);
      const isReached = await this.#happen(fault, this.#underWay(manager, images));
      const told = await ended;
      this.#isOver = true;
      const happened = isReached && (await allHold(this.#claims)) ? 'during' : 'never';
      return await this.#judge({ told, happened, manager, images, before, watch });
    } finally {
      await watch.close();
    }
  }

  /** As if it had not been. */
  async forget(): Promise<void> {
    const { site } = this.#options;
    await site.do(['wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=120s']);
    await site.do(['delete', 'pods', '-l', USERS, '--wait']);
    await site.do(['delete', 'deployment', '-n', site.namespace, '--all', '--cascade=foreground', '--wait']);
    await site.do(['delete', 'imagejobs', '--all', '--wait']);
    await site.do(['delete', 'pods', '-n', site.namespace, '--all', '--force', '--grace-period=0']);
    for (const node of site.nodes) await node.removeImages();
  }

  async #prepare(): Promise<{ images: RunImages; before: readonly NodeLook[] }> {
    const { fault, site, run } = this.#options;
    const images = await makeRunImages(
      run,
      site.nodes.map(({ name }) => name),
    );
    await Promise.all(site.nodes.map((node) => node.import([...images.sick, ...images.well, ...ofNode(images, node.name)])));
    const users = site.nodes.map(({ name }) => userPod(name, ofNode(images, name)[0]?.refs[0] ?? ''));
    await site.do(['apply', '-f', '-'], { apiVersion: 'v1', kind: 'List', items: users });
    await site.do(['wait', '--for=condition=Ready', 'pods', '-l', USERS, '--timeout=120s']);
    await site.reinstall(MANUAL, { ...fault.manifest, pod: { nodeSelector: { 'kubernetes.io/hostname': MANAGER_NODE } } });
    return { images, before: await lookAtNodes(site) };
  }

  /** False: the moment for it has not come. */
  async #happen(fault: RealFault, run: RealRun): Promise<boolean> {
    try {
      await fault.happen(run);
      return true;
    } catch (error) {
      if (error instanceof NotReached) return false;
      throw error;
    }
  }

  #underWay(manager: ManagerPod, images: RunImages): RealRun {
    const { random, site, prepared } = this.#options;
    const [first, second, third] = prepared.cluster.nodes;
    if (first === undefined || second === undefined || third === undefined) throw new Error('there are not three nodes');
    const untilSeen = async (what: () => Promise<boolean>): Promise<void> => {
      // What is asked may be away for a moment.
      while (!(await what().catch(() => false))) {
        if (this.#isOver) throw new NotReached();
        await sleep(LOOK_MS);
      }
    };
    const mustHold = (claim: () => Promise<boolean>): void => void this.#claims.push(claim);
    const readImages = async (): Promise<number> => Number((await manager.readRows('SELECT count(*) AS n FROM analysis'))[0]?.['n']);
    const untilScanning = async ({ name }: ClusterNode): Promise<void> => {
      const least = 1 + random.below(Math.floor(images.distinct / 2));
      let read = 0;
      await untilSeen(async () => (read = await readImages()) >= least && isScanning(await site.workerPods(), name));
      mustHold(async () => read < images.distinct && (await readImages()) > read);
    };
    const untilRemoving = async (node: ClusterNode): Promise<void> => {
      const least = 1 + random.below(Math.floor(images.sick.length / 3));
      const ids = new Set(images.sick.map(({ id }) => id));
      const listed = async (): Promise<number> =>
        (await node.containerd.cri.images.listImages({})).images.filter(({ id }) => ids.has(id)).length;
      await untilSeen(async () => (await listed()) <= ids.size - least);
      const at = Date.now();
      mustHold(async () => (await manager.readRows(removedSince(node.name, at))).length > 0);
    };
    return {
      random,
      cluster: prepared.cluster,
      site,
      manager,
      managerNode: first,
      anyNode: random.pick([first, second, third]),
      otherNode: random.pick([second, third]),
      trivyCache: prepared.prepared.trivyCache,
      untilSeen,
      untilScanning,
      untilRemoving,
      mustHold,
    };
  }

  async #judge(seen: {
    readonly told: EndedRun | null;
    readonly happened: RealOutcome['happened'];
    readonly manager: ManagerPod;
    readonly images: RunImages;
    readonly before: readonly NodeLook[];
    readonly watch: RunWatch;
  }): Promise<RealOutcome> {
    const { fault, site } = this.#options;
    const { told, manager, images, before, watch } = seen;
    await site.untilReady();
    const [job] = await site.jobs();
    const after = await lookAtNodes(site);
    const found = await findProblems({ fault, job, manager, images, before, after, isTold: told !== null });
    const problems = [...found.problems];
    if (found.failedNodes.length > 0 && told !== null) {
      const next = watch.next();
      await site.do(['annotate', 'configmap', '-n', site.namespace, 'eraser-manager-config', `${RUN_REQUEST_ANNOTATION}=again`]);
      const again = await Promise.race([next.then((run) => run.untilEnded()), sleep(LONGEST_MS, null, { ref: false })]);
      problems.push(...problemsOfNextRun(again, { images, before, after: await lookAtNodes(site) }));
    }
    const { happened } = seen;
    return { happened, seconds: (told?.ms ?? LONGEST_MS) / 1_000, reads: found.reads, failedNodes: found.failedNodes, problems };
  }
}

const statusSchema = z.object({
  containerStatuses: z
    .array(z.object({ name: z.string(), state: z.object({ running: z.unknown(), terminated: z.unknown() }).partial() }))
    .default([]),
});

/** By what the kubelet tells of the worker pod on that node. */
function isScanning(pods: readonly InspectedPod[], node: string): boolean {
  const pod = pods.find(({ spec }) => spec.nodeName === node);
  const { containerStatuses } = statusSchema.parse(pod?.status ?? {});
  const stateOf = (container: string) => containerStatuses.find(({ name }) => name === container)?.state;
  return stateOf('trivy-scanner')?.running !== undefined;
}

function removedSince(node: string, at: number): string {
  return `SELECT 1 FROM decision JOIN node_run ON node_run.run_id = decision.run_id
    WHERE node = '${node}' AND removal_state = 'removed' AND removal_at > ${String(at)}`;
}

async function allHold(claims: readonly (() => Promise<boolean>)[]): Promise<boolean> {
  for (const claim of claims) {
    try {
      await waitUntil('it holds', claim, { timeoutMs: 2_000, pollMs: 200 });
    } catch {
      return false;
    }
  }
  return true;
}

function ofNode({ used }: RunImages, node: string): RunImages['sick'] {
  const image = used.get(node);
  return image === undefined ? [] : [image];
}

function userPod(nodeName: string, image: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `uses-${nodeName}`, namespace: 'default', labels: { app: 'uses-an-image' } },
    spec: {
      nodeName,
      terminationGracePeriodSeconds: 1,
      tolerations: [{ operator: 'Exists' }],
      containers: [{ name: 'main', image, imagePullPolicy: 'Never' }],
    },
  };
}
