import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFailed, onTestFinished, vi } from 'vitest';
import * as z from 'zod';
import { makeRbac } from '../../src/installation/make-rbac.ts';
import type { Condition } from '../../src/api/condition.ts';
import { parseImageJob, type ImageJob } from '../../src/api/image-job.ts';
import { parseImageList, type ImageList } from '../../src/api/image-list.ts';
import { connectToCluster } from '../../src/kube/connect-to-cluster.ts';
import { keyOf } from '../../src/kube/kube-object.ts';
import { PODS } from '../../src/kube/resource.ts';
import { type ControllerProcess, startController } from './controller-process.ts';
import { connectReader, corePath, kindPath, type ApiReader } from '../../lab/api-reader.ts';
import { type Kubectl, kubectlWith } from '../../lab/kubectl.ts';
import { writeManagerKubeconfig } from '../../lab/manager-kubeconfig.ts';

const CRDS = fileURLToPath(new URL('../../deploy/crds', import.meta.url));
export const SOON = { timeout: 60_000, interval: 200 };

export interface ManagerSite {
  readonly namespace: string;
  readonly kubectl: Kubectl;
  /** What kubectl printed; its message when it failed. */
  done(args: readonly string[], input?: string | object): Promise<string>;
  /** The JSON at a path of the API server. */
  readonly read: ApiReader['read'];
  apply(object: object): Promise<void>;
  /** In the site's namespace. */
  applyConfigMap(name: string, data: Readonly<Record<string, string>>, labels?: Readonly<Record<string, string>>): Promise<void>;
  configure(configuration: object): Promise<void>;
  applyList(images: readonly string[], name?: string): Promise<void>;
  list(name?: string): Promise<ImageList>;
  jobs(): Promise<ImageJob[]>;
  pods(): Promise<PodSeen[]>;
  events(): Promise<EventSeen[]>;
  /** What its manager tells in its own configmap; throws while there is none. */
  conditions(): Promise<Condition[]>;
  /** Every pod that was ever made, by name and uid, since the site was made. */
  podsEver(): ReadonlyMap<string, ReadonlySet<string>>;
  /** The most worker pods that were seen at once, that had not ended. */
  mostAtOnce(): number;
  /** The nodes that had two worker pods at once that had not ended. */
  sharedNodes(): ReadonlySet<string>;
  start(args?: readonly string[]): ControllerProcess;
}

const podsSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({
        name: z.string(),
        uid: z.string(),
        labels: z.record(z.string(), z.string()).default({}),
        deletionTimestamp: z.string().optional(),
      }),
      spec: z.looseObject({
        nodeName: z.string().optional(),
        containers: z.array(z.object({ name: z.string(), image: z.string() })),
        affinity: z.object({
          nodeAffinity: z.object({
            requiredDuringSchedulingIgnoredDuringExecution: z.object({
              nodeSelectorTerms: z.tuple([z.object({ matchFields: z.tuple([z.object({ values: z.tuple([z.string()]) })]) })]),
            }),
          }),
        }),
      }),
      status: z.object({
        phase: z.string(),
        containerStatuses: z.array(z.object({ state: z.object({ terminated: z.object({}).optional() }) })).default([]),
      }),
    }),
  ),
});

export interface PodSeen {
  readonly name: string;
  readonly uid: string;
  /** The one that it is to run on. */
  readonly node: string;
  readonly job: string;
  readonly phase: string;
  /** No container of it runs any more: the kubelet tells the phase a second later. */
  readonly hasEnded: boolean;
  readonly containers: readonly string[];
}

const eventsSchema = z.object({
  items: z.array(z.object({ reason: z.string(), note: z.string(), regarding: z.object({ kind: z.string(), name: z.string() }) })),
});
const stateSchema = z.object({ data: z.object({ 'state.json': z.string() }) });

export interface EventSeen {
  readonly reason: string;
  readonly note: string;
  readonly about: string;
}

/** Manual runs only: the interval is over when no test runs any more. */
export const CONFIG = {
  apiVersion: 'eraser.sh/v1alpha3',
  kind: 'EraserConfig',
  manager: {
    scheduling: { repeatInterval: '24h', beginImmediately: false },
    imageJob: { cleanup: { delayOnSuccess: '1h', delayOnFailure: '1h' } },
  },
  components: { collector: { enabled: true } },
};

/** One automatic run, at once. */
export const AUTOMATIC = { ...CONFIG, manager: { ...CONFIG.manager, scheduling: { repeatInterval: '24h', beginImmediately: true } } };

export interface SiteOptions {
  /** The URL by which its managers, and they alone, reach the API server; without it they do as all others. */
  readonly through?: string;
}

/** One that is there for longer than one test. */
export interface OpenSite extends ManagerSite {
  /** What all of its managers have written. */
  logs(): string;
  /** Ends its managers, and removes all that is its own. */
  close(): Promise<void>;
}

export async function makeSite(administrator: string, workerImage: string): Promise<ManagerSite> {
  const site = await openSite(administrator, workerImage);
  onTestFailed(() => void process.stderr.write(site.logs()));
  onTestFinished(() => site.close());
  return site;
}

/** A namespace with what the manager is deployed with, and a kubeconfig of its service account: with exactly the generated roles. */
export async function openSite(administrator: string, workerImage: string, { through }: SiteOptions = {}): Promise<OpenSite> {
  const home = await mkdtemp(join(tmpdir(), 'image-cleaner-manager-'));
  const kubectl = await kubectlWith({ kubeconfig: administrator, home });
  const namespace = `manager-${randomUUID().slice(0, 8)}`;
  const done: ManagerSite['done'] = async (args, input) => {
    const { code, stdout, stderr } = await kubectl(args, input);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const apply = async (object: object): Promise<void> => {
    await done(['apply', '-f', '-'], object);
  };
  const reader = await connectReader(administrator);
  await done(['apply', '-f', CRDS]);
  await vi.waitFor(() => done(['get', 'imagelists,imagejobs']), SOON);
  await done(['delete', 'imagelists,imagejobs', '--all']);
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await apply({ apiVersion: 'v1', kind: 'List', items: makeRbac(namespace) });
  const kubeconfig = await writeManagerKubeconfig({ done, namespace, home, ...(through === undefined ? {} : { through }) });
  const controllers: ControllerProcess[] = [];
  const seen = await watchPods(administrator, namespace);
  const applyConfigMap: ManagerSite['applyConfigMap'] = (name, data, labels = {}) =>
    apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data });
  return {
    namespace,
    kubectl,
    done,
    read: (schema, path) => reader.read(schema, path),
    apply,
    applyConfigMap,
    configure: (configuration) =>
      applyConfigMap('eraser-manager-config', { 'controller_manager_config.yaml': JSON.stringify(configuration) }),
    applyList: (images, name = 'imagelist') =>
      apply({ apiVersion: 'eraser.sh/v1', kind: 'ImageList', metadata: { name }, spec: { images } }),
    list: async (name = 'imagelist') => parsedOf(parseImageList(await reader.read(z.unknown(), kindPath('imagelists', name)))),
    jobs: async () => {
      const { items } = await reader.read(z.object({ items: z.array(z.unknown()) }), kindPath('imagejobs'));
      return items.map((job) => parsedOf(parseImageJob(job)));
    },
    pods: async () => podsOf(await reader.read(podsSchema, corePath(namespace, 'pods', 'eraser.sh/job-uid'))),
    events: async () => {
      const all = await Promise.all(
        [namespace, 'default'].map((place) => reader.read(eventsSchema, `/apis/events.k8s.io/v1/namespaces/${place}/events`)),
      );
      return all.flatMap(({ items }) =>
        items.map(({ reason, note, regarding }) => ({ reason, note, about: `${regarding.kind}/${regarding.name}` })),
      );
    },
    conditions: async () => {
      const { data } = await reader.read(stateSchema, `${corePath(namespace, 'configmaps')}/eraser-manager-state`);
      return (JSON.parse(data['state.json']) as { conditions: Condition[] }).conditions;
    },
    logs: () => controllers.map((controller, at) => `--- controller ${String(at)}\n${controller.text()}\n`).join(''),
    close: async () => {
      await Promise.all(controllers.map((controller) => controller.kill()));
      await seen.stop();
      await done(['delete', 'imagelists,imagejobs', '--all']);
      await done(['delete', 'pods', '-n', namespace, '--all', '--force', '--grace-period=0', '--wait=false']);
      await done(['delete', 'namespace', namespace, '--wait=false']);
      await reader.close();
      await rm(home, { recursive: true, force: true });
    },
    podsEver: seen.ever,
    mostAtOnce: seen.mostAtOnce,
    sharedNodes: seen.sharedNodes,
    start: (args = []) => {
      const controller = startController({
        kubeconfig,
        namespace,
        history: join(home, 'history.db'),
        args: [`--worker-image=${workerImage}`, '--lease-duration=6s', ...args],
      });
      controllers.push(controller);
      return controller;
    },
  };
}

function podsOf({ items }: z.output<typeof podsSchema>): PodSeen[] {
  return items.map(({ metadata, spec, status }) => ({
    name: metadata.name,
    uid: metadata.uid,
    node: spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].values[0],
    job: metadata.labels['eraser.sh/job-uid'] ?? '',
    phase: status.phase,
    hasEnded:
      ['Succeeded', 'Failed'].includes(status.phase) ||
      (status.containerStatuses.length > 0 && status.containerStatuses.every(({ state }) => state.terminated !== undefined)),
    containers: spec.containers.map(({ name }) => name),
  }));
}

function parsedOf<Value>(parsed: { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly errors: unknown }): Value {
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.value;
}

interface WatchedPods {
  readonly ever: () => ReadonlyMap<string, ReadonlySet<string>>;
  readonly mostAtOnce: () => number;
  readonly sharedNodes: () => ReadonlySet<string>;
  stop(): Promise<void>;
}

/** Follows the worker pods by a watch of its own, which misses none. */
async function watchPods(kubeconfig: string, namespace: string): Promise<WatchedPods> {
  const { client } = await connectToCluster({ kubeconfig, environment: {}, userAgent: 'image-cleaner-test', wallNow: Date.now });
  const ever = new Map<string, Set<string>>();
  /** By uid, the node. */
  const live = new Map<string, string>();
  const shared = new Set<string>();
  let most = 0;
  const stop = new AbortController();
  const collection = { resource: PODS, namespace };
  const { resourceVersion } = await client.list(collection, { trim: keyOf }, { signal: stop.signal });
  const following = (async () => {
    const options = { resourceVersion, timeoutSeconds: 3_600, inactivityMs: 3_600_000, labelSelector: 'eraser.sh/job-uid' };
    for await (const event of client.watch(collection, options, stop.signal)) {
      if (event.type === 'opened' || event.type === 'bookmark') continue;
      for (const { name, uid, node, hasEnded } of podsOf(podsSchema.parse({ items: [event.object] }))) {
        ever.set(name, (ever.get(name) ?? new Set()).add(uid));
        live.delete(uid);
        if (event.type === 'deleted' || hasEnded) continue;
        if ([...live.values()].includes(node)) shared.add(node);
        live.set(uid, node);
        most = Math.max(most, live.size);
      }
    }
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  return {
    ever: () => ever,
    mostAtOnce: () => most,
    sharedNodes: () => shared,
    stop: async () => {
      stop.abort();
      await following;
      await client.close();
    },
  };
}
