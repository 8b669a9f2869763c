import dns from 'node:dns';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { SERVICE_ACCOUNTS } from '../../src/installation/permissions.ts';
import { readAuditLog, type AuditedRequest } from '../../lab/read-audit-log.ts';
import { lacksNodeAccess } from '../../lab/real-cluster.ts';
import { COORDINATOR } from '../../src/api/coordinator/coordinator-objects.ts';
import type { NodeImage } from '../../src/api/inventory.ts';
import { CoordinatorClient } from '../../src/coordinator/client/coordinator-client.ts';
import { connectToCluster } from '../../src/kube/connect-to-cluster.ts';
import { NAMESPACES, PODS } from '../../src/kube/resource.ts';
import { createLog } from '../../src/platform/log.ts';
import { SYSTEM_TIMING } from '../../src/platform/timing.ts';
import type { HandOver } from '../../src/worker/hand-over.ts';
import { formatImages } from '../../src/worker/hand-over-message.ts';
import { LogShipper } from '../../src/worker/log-shipper.ts';
import { makeNodeResult } from '../../src/worker/node-result.ts';
import { runCollector } from '../../src/worker/run-collector.ts';
import type { NodeSurroundings } from '../../src/worker/remove-on-node.ts';
import { removeByRules, removeListed, type RemoverOutcome } from '../../src/worker/run-remover.ts';
import { formatTotals } from '../../src/worker/termination-log.ts';
import { FakeRuntime } from '../fakes/fake-runtime.ts';
import { exclusionsOf, image, imageListOf } from '../fakes/images.ts';
import { AUTOMATIC, CONFIG, makeSite, SOON, type ManagerSite } from './manager-in-test.ts';
import { makePaperNodes } from './nodes-in-test.ts';
import { workerReference } from './worker-in-test.ts';
import { startWorkers, type MountedPod } from './workers-in-test.ts';

/** A limit for what hangs: on two busy cores a hundred workers take their time. */
const RUN_OVER = { timeout: 240_000, interval: 200 };
const NODES = Array.from({ length: 100 }, (_, at) => `paper-${String(at).padStart(3, '0')}`);
const PODS_PER_NODE = 5;
const BUDGET = 2.5 * NODES.length + 50;
const never = new AbortController().signal;

/** What the pods of a node want, and what those of another do. */
const imageOf = (node: string): string => `registry.example/${node}:1`;
const imagesOn = (node: string): NodeImage[] => {
  const at = NODES.indexOf(node);
  const neighbour = NODES[(at + 1) % NODES.length] ?? '';
  return [image(1000 + at, { repoTags: [imageOf(node)] }), image(2000 + at, { repoTags: [imageOf(neighbour)] })];
};

/** On each node, pods of others that have no container yet. */
async function makeOtherPods(): Promise<void> {
  const { client } = await connectToCluster({
    kubeconfig: inject('kubeconfig'),
    environment: {},
    userAgent: 'image-cleaner-test',
    wallNow: Date.now,
  });
  const namespace = `shop-${String(process.pid)}-${String(Date.now())}`;
  const call = { signal: never };
  await client.create({ resource: NAMESPACES }, { metadata: { name: namespace } }, call);
  const accounts = { group: '', version: 'v1', plural: 'serviceaccounts', namespaced: true };
  await client.create({ resource: accounts, namespace }, { metadata: { name: 'web' } }, call);
  const pods = NODES.flatMap((nodeName) =>
    Array.from({ length: PODS_PER_NODE }, (_, at) => ({
      metadata: { name: `${nodeName}-${String(at)}`, labels: { app: 'web' } },
      spec: { nodeName, serviceAccountName: 'web', containers: [{ name: 'web', image: imageOf(nodeName) }] },
    })),
  );
  for (let at = 0; at < pods.length; at += 50) {
    await Promise.all(pods.slice(at, at + 50).map((pod) => client.create({ resource: PODS, namespace }, pod, call)));
  }
  onTestFinished(async () => {
    await client.deleteCollection({ resource: PODS, namespace }, { labelSelector: 'app=web', gracePeriodSeconds: 0 }, call);
    await client.delete({ resource: NAMESPACES, name: namespace }, {}, call);
    await client.close();
  });
}

interface Node {
  readonly runtime: FakeRuntime;
  /** How long its containers take to start. */
  readonly pauseMs: number;
}

interface Surroundings extends NodeSurroundings {
  readonly coordinator: CoordinatorClient;
}

/** What runs in the containers of a worker pod, but for the process around it and the container runtime of a node. */
class Containers {
  readonly #coordinator: string;
  readonly #nodes: ReadonlyMap<string, Node>;

  constructor(coordinator: string, nodes: ReadonlyMap<string, Node>) {
    this.#coordinator = coordinator;
    this.#nodes = nodes;
  }

  async automatic(pod: MountedPod): Promise<string> {
    const offered = Promise.withResolvers<string>();
    const released = Promise.withResolvers<undefined>();
    const handOver: Partial<HandOver> = {
      open: () => Promise.resolve(),
      offerToRemove: (images) => {
        offered.resolve(formatImages(images));
        return Promise.resolve();
      },
      awaitCollectorRelease: () => released.promise,
      readScan: () => offered.promise,
      readOffered: async () =>
        (JSON.parse(await offered.promise) as { image_id: string }[]).map(({ image_id: imageId }) => ({ imageId, names: [], digests: [] })),
    };
    const parts = { exclusions: exclusionsOf(), scanner: 'off', handOver: handOver as HandOver } as const;
    const collector = this.#inContainer(pod, 'collector', (surroundings) => runCollector({ ...surroundings, ...parts }));
    const remover = this.#inContainer(pod, 'remover', (surroundings) => removeByRules({ ...surroundings, ...parts }));
    const outcome = await remover;
    released.resolve(undefined);
    await collector;
    return totalsOf(outcome);
  }

  async manual(pod: MountedPod): Promise<string> {
    const options = { exclusions: exclusionsOf(), imageList: imageListOf('*') };
    return totalsOf(await this.#inContainer(pod, 'remover', (surroundings) => removeListed({ ...surroundings, ...options })));
  }

  async #inContainer<Outcome>(
    pod: MountedPod,
    name: 'collector' | 'remover',
    run: (surroundings: Surroundings) => Promise<Outcome>,
  ): Promise<Outcome> {
    const common = { timing: SYSTEM_TIMING, giveUpAfterMs: 30_000, onRetry: () => undefined, wallNow: Date.now };
    const coordinator = new CoordinatorClient({ ...common, ...pod, url: this.#coordinator });
    const shipper = new LogShipper({ container: name, timing: SYSTEM_TIMING, onGivenUp: (why) => expect.fail(why) });
    const log = createLog({ write: (line) => shipper.add(line), now: Date.now, fields: { component: name }, least: () => 'info' });
    shipper.begin(coordinator);
    const { runtime, pauseMs } = this.#nodeOf(pod);
    await sleep(pauseMs);
    const outcome = await run({ coordinator, runtime, log, now: Date.now, timing: SYSTEM_TIMING, signal: never });
    if (name === 'remover') await coordinator.reportResult(resultOf(outcome as RemoverOutcome), never);
    await shipper.end(10_000);
    coordinator.close();
    return outcome;
  }

  #nodeOf({ node }: Pick<MountedPod, 'node'>): Node {
    const found = this.#nodes.get(node);
    if (found === undefined) throw new Error(`there is no node ${node}`);
    return found;
  }
}

function resultOf(outcome: RemoverOutcome): ReturnType<typeof makeNodeResult> {
  return makeNodeResult({ mode: 'automatic', startedAt: Date.now(), endedAt: Date.now() }, outcome);
}

function totalsOf(outcome: RemoverOutcome): string {
  return formatTotals(resultOf(outcome));
}

/** The Service of the coordinator, for whoever runs in this process. */
function resolveService(host: string): void {
  const real = dns.lookup;
  const lookup = (name: string, ...rest: unknown[]): void => {
    (real as (name: string, ...rest: unknown[]) => void)(name === host ? '127.0.0.1' : name, ...rest);
  };
  const spy = vi.spyOn(dns, 'lookup').mockImplementation(lookup);
  onTestFinished(() => spy.mockRestore());
}

/** All that the manager of a site has asked of the API server, but for watches and what concerns its Lease. */
async function requestsOf({ namespace }: ManagerSite): Promise<AuditedRequest[]> {
  const username = `system:serviceaccount:${namespace}:${SERVICE_ACCOUNTS.manager}`;
  const all = await readAuditLog(inject('auditLog') ?? '');
  return all.filter((request) => request.username === username && request.verb !== 'watch' && request.resource !== 'leases');
}

function tally(requests: readonly AuditedRequest[]): Record<string, number> {
  const names = requests.map(({ verb, resource, namespace }) => `${verb} ${resource}${namespace === '' ? '' : ' (in a namespace)'}`);
  return Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, of]) => [name, of.length]));
}

describe.skipIf(lacksNodeAccess())('a run over 100 nodes with 500 pods on them', () => {
  test('costs the API server two and a half requests a node and fifty at most; each worker gets the pods of its own node', async () => {
    const site = await makeSite(inject('kubeconfig'), workerReference('paper'));
    await makePaperNodes(
      inject('kubeconfig'),
      NODES.map((name) => ({ name })),
    );
    await makeOtherPods();
    await site.configure({ ...CONFIG, components: { collector: { enabled: true }, scanner: { enabled: false } } });
    const manager = site.start(['--max-parallel=25']);
    await manager.untilLogged('the coordinator answers');
    const port = Number(manager.logs.find(({ message }) => message === 'the coordinator answers')?.['port']);
    const host = `${COORDINATOR.service}.${site.namespace}.svc`;
    resolveService(host);
    const nodes = new Map(NODES.map((name) => [name, { runtime: new FakeRuntime(imagesOn(name)), pauseMs: 500 + Math.random() * 500 }]));
    const containers = new Containers(`https://${host}:${String(port)}`, nodes);
    const { audience, caConfigMap } = COORDINATOR;
    let isManual = true;
    const workers = await startWorkers({
      kubeconfig: inject('kubeconfig'),
      namespace: site.namespace,
      account: SERVICE_ACCOUNTS.workers,
      audience,
      caConfigMap,
      run: (pod) => (isManual ? containers.manual(pod) : containers.automatic(pod)),
    });

    const runOnce = async (jobs: number): Promise<void> => {
      const before = (await requestsOf(site)).length;
      if (isManual) await site.applyList(['*']);
      else await site.configure({ ...AUTOMATIC, components: { collector: { enabled: true }, scanner: { enabled: false } } });
      await vi.waitFor(async () => {
        expect((await site.jobs()).map(({ status }) => status?.phase)).toEqual(Array(jobs).fill('Completed'));
      }, RUN_OVER);
      // Its pods are deleted, and all told.
      await vi.waitFor(async () => expect((await site.pods()).length).toBe(0), SOON);
      const requests = (await requestsOf(site)).slice(before);
      const told = JSON.stringify(tally(requests), null, 1);
      expect(workers.faults).toEqual([]);
      expect(requests.length, told).toBeLessThanOrEqual(BUDGET);
      expect(tally(requests)['create pods (in a namespace)'], told).toBe(NODES.length);
      // Once, unless this machine was so busy that a plan took longer than the answer is good for.
      expect(tally(requests)['list pods'], told).toBeGreaterThanOrEqual(NODES.length);
      expect(tally(requests)['create tokenreviews'] ?? 0, told).toBe(0);
      for (const [name, { runtime }] of nodes) {
        expect(
          [...runtime.images.values()].flatMap(({ repoTags }) => repoTags),
          name,
        ).toEqual([imageOf(name)]);
      }
    };
    await runOnce(1);
    for (const [name, { runtime }] of nodes) for (const made of imagesOn(name)) runtime.images.set(made.id, made);
    isManual = false;
    await runOnce(2);

    // With nothing to do, nothing is asked.
    await sleep(2_000);
    const idle = (await requestsOf(site)).length;
    await sleep(3_000);
    expect((await requestsOf(site)).length - idle).toBe(0);
  }, 600_000);
});
