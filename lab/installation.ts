import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { makeManifest, type ManifestOptions } from '../src/installation/make-manifest.ts';
import type { ClusterFacts } from './cluster.ts';
import { connectContainerd, type ContainerdHandle } from './containerd-handle.ts';
import { importImages, listImages, removeImages, type Image } from './images.ts';
import { parseImageJob, type ImageJob } from '../src/api/image-job.ts';
import { parseImageList, type ImageList } from '../src/api/image-list.ts';
import { waitUntil } from './wait-until.ts';
import { connectReader, corePath, kindPath, type ApiReader } from './api-reader.ts';
import { kubectlWith, type Kubectl, type KubectlResult } from './kubectl.ts';

const CRDS = fileURLToPath(new URL('../deploy/crds', import.meta.url));
/** As Eraser's own manifest has it. */
const NAMESPACE = 'eraser-system';
/** Pods take seconds, more under load. */
const SOON = { timeoutMs: 90_000, pollMs: 200 };

/** A configuration in which nothing runs by itself before tomorrow. */
export const MANUAL = {
  apiVersion: 'eraser.sh/v1alpha3',
  kind: 'EraserConfig',
  manager: {
    scheduling: { repeatInterval: '24h', beginImmediately: false },
    imageJob: { cleanup: { delayOnSuccess: '1h', delayOnFailure: '1h' } },
  },
  components: { collector: { enabled: true }, scanner: { enabled: true } },
};

/** One automatic run, at once. */
export const AUTOMATIC = { ...MANUAL, manager: { ...MANUAL.manager, scheduling: { repeatInterval: '24h', beginImmediately: true } } };

export interface InspectedNode {
  readonly name: string;
  readonly containerd: ContainerdHandle;
  /** The names of its images, by the runtime's own list; none of ours and none of the cluster's. */
  tags(): Promise<string[]>;
  import(images: readonly Image[]): Promise<void>;
  /** Of all names, and those without one; but for those that `tags` leaves out. */
  removeImages(): Promise<void>;
}

const podsSchema = z.object({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({ name: z.string(), uid: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
      spec: z.looseObject({ nodeName: z.string().optional(), containers: z.array(z.looseObject({ name: z.string(), image: z.string() })) }),
      status: z.looseObject({ phase: z.string() }),
    }),
  ),
});
export type InspectedPod = z.output<typeof podsSchema>['items'][number];

const eventsSchema = z.object({
  items: z.array(
    z.object({
      type: z.string(),
      reason: z.string(),
      note: z.string().default(''),
      regarding: z.object({ kind: z.string(), name: z.string() }),
    }),
  ),
});

/** What an installation is made of. */
export interface InstallationParts {
  readonly cluster: ClusterFacts;
  /** As the nodes have them. */
  readonly image: string;
  readonly scannerImage: string;
  /** A folder of this machine, which the nodes see too, with a vulnerability database. */
  readonly trivyCache: string;
  /** Eraser's, unless given. */
  readonly namespace?: string;
  /** Of a manager's leadership; unless given, so short that another soon takes over, and long enough for a busy machine. */
  readonly leaseDuration?: string;
}

/** Image Cleaner on a cluster of the lab, by the manifest, and what its operator sees of it. */
export class Installation {
  readonly nodes: readonly InspectedNode[];
  readonly namespace: string;
  readonly #parts: InstallationParts;
  readonly #kubectl: Kubectl;
  readonly #reader: ApiReader;
  readonly #home: string;

  private constructor(parts: InstallationParts, kubectl: Kubectl, reader: ApiReader, home: string) {
    this.#parts = parts;
    this.#kubectl = kubectl;
    this.#reader = reader;
    this.#home = home;
    this.namespace = parts.namespace ?? NAMESPACE;
    this.nodes = parts.cluster.nodes.map(inspectNode);
  }

  /** The cluster without it, but with its kinds. */
  static async connect(parts: InstallationParts): Promise<Installation> {
    const home = await mkdtemp(join(tmpdir(), 'image-cleaner-e2e-home-'));
    const { kubeconfig } = parts.cluster;
    const site = new Installation(parts, await kubectlWith({ kubeconfig, home }), await connectReader(kubeconfig), home);
    await site.do(['apply', '-f', CRDS]);
    await waitUntil('the API server serves the kinds', async () => (await site.#kubectl(['get', 'imagelists,imagejobs'])).code === 0, SOON);
    return site;
  }

  /** Applies the manifest, and waits until the manager is ready. */
  async install(configuration: object | string, options: Partial<ManifestOptions> = {}): Promise<void> {
    const text = typeof configuration === 'string' ? configuration : JSON.stringify(configuration);
    await this.do(['apply', '-f', '-'], { apiVersion: 'v1', kind: 'List', items: this.manifest(text, options) });
    await this.untilReady();
  }

  /** As if it had never been there, but faster than by its namespace. */
  async reinstall(configuration: object | string, options: Partial<ManifestOptions> = {}): Promise<void> {
    const namespaced = ['-n', this.namespace, '--ignore-not-found'];
    await this.do(['delete', 'deployment', ...namespaced, '--all', '--cascade=foreground', '--wait']);
    await this.do(['delete', 'imagelists,imagejobs', '--all', '--wait']);
    await this.do(['delete', 'configmap', ...namespaced, 'eraser-manager-state', 'eraser-manager-config']);
    await this.do(['delete', 'configmap', ...namespaced, '-l', 'eraser.sh/exclude.list']);
    // A node may be gone, and its kubelet with it.
    await this.do(['delete', 'pods', ...namespaced, '-l', 'eraser.sh/job-uid', '--force', '--grace-period=0']);
    await this.install(configuration, options);
  }

  manifest(configuration: string, options: Partial<ManifestOptions> = {}): object[] {
    const { image, scannerImage, trivyCache, leaseDuration = '8s' } = this.#parts;
    return makeManifest({
      namespace: this.namespace,
      image,
      scannerImage,
      configuration,
      trivyCache: { hostPath: { path: trivyCache, type: 'Directory' } },
      ...options,
      managerArgs: [`--lease-duration=${leaseDuration}`, ...(options.managerArgs ?? [])],
      trivyArgs: ['--skip-db-update', ...(options.trivyArgs ?? [])],
    });
  }

  async untilReady(): Promise<void> {
    await this.do(['rollout', 'status', '-n', this.namespace, 'deployment/eraser-controller-manager', '--timeout=90s']);
  }

  /** Takes it all away, and what was made beside it: images, too. */
  async remove(): Promise<void> {
    await this.do(['delete', 'deployment', '-n', this.namespace, '--all', '--ignore-not-found']);
    await this.#kubectl(['delete', 'imagelists,imagejobs', '--all']);
    // In a namespace that was there before, one by one.
    const objects = this.manifest('').filter((object) => (object as { kind: string }).kind !== 'Namespace');
    await this.do(['delete', '-f', '-', '--ignore-not-found', '--wait'], { apiVersion: 'v1', kind: 'List', items: objects });
    for (const node of this.nodes) await node.removeImages();
    if (this.namespace === NAMESPACE) await this.do(['delete', 'namespace', this.namespace, '--ignore-not-found', '--wait']);
  }

  async close(): Promise<void> {
    for (const { containerd } of this.nodes) containerd.cri.close();
    await this.#reader.close();
    await rm(this.#home, { recursive: true, force: true });
  }

  /** What kubectl printed. Throws its message when it failed. */
  async do(args: readonly string[], input?: string | object): Promise<string> {
    const { code, stdout, stderr } = await this.#kubectl(args, input);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** A file with the way to the cluster, and this token in the place of the administrator's certificate. Gone with `close`. */
  async kubeconfigWith(token: string): Promise<string> {
    const config = JSON.parse(await this.do(['config', 'view', '--raw', '--flatten', '-o', 'json'])) as { users: object[] };
    const file = join(this.#home, 'kubeconfig-with-token');
    await writeFile(file, JSON.stringify({ ...config, users: config.users.map((user) => ({ ...user, user: { token } })) }), {
      mode: 0o600,
    });
    return file;
  }

  /** The JSON at a path of the API server. */
  read<Schema extends z.ZodType>(schema: Schema, path: string): Promise<z.output<Schema>> {
    return this.#reader.read(schema, path);
  }

  configure(configuration: object | string): Promise<void> {
    const text = typeof configuration === 'string' ? configuration : JSON.stringify(configuration);
    return this.applyConfigMap('eraser-manager-config', { 'controller_manager_config.yaml': text });
  }

  async applyConfigMap(name: string, data: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.do(['apply', '-f', '-'], {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: this.namespace, labels },
      data,
    });
  }

  exclude(name: string, lists: Readonly<Record<string, readonly string[]>>): Promise<void> {
    const data = Object.fromEntries(Object.entries(lists).map(([key, excluded]) => [key, JSON.stringify({ excluded })]));
    return this.applyConfigMap(name, data, { 'eraser.sh/exclude.list': 'true' });
  }

  async applyList(images: readonly string[], name = 'imagelist'): Promise<void> {
    await this.do(['apply', '-f', '-'], { apiVersion: 'eraser.sh/v1', kind: 'ImageList', metadata: { name }, spec: { images } });
  }

  async list(name = 'imagelist'): Promise<ImageList> {
    return valueOf(parseImageList(await this.read(z.unknown(), kindPath('imagelists', name))));
  }

  /** The list, once its run of this generation (by default, the one that it has now) is told. */
  async untilListIsDone(): Promise<ImageList> {
    let list = await this.list();
    const isDone = ({ metadata, status }: ImageList): boolean =>
      status?.observedGeneration === metadata.generation &&
      status.timestamp !== undefined &&
      status.conditions?.some(({ type }) => type === 'Reconciling') !== true;
    await waitUntil('the list is worked off', async () => isDone((list = await this.list())), SOON);
    return list;
  }

  async jobs(): Promise<ImageJob[]> {
    const { items } = await this.read(z.object({ items: z.array(z.unknown()) }), kindPath('imagejobs'));
    return items.map((item) => valueOf(parseImageJob(item)));
  }

  /** The jobs, once there are so many and none of them goes on. */
  async untilJobsEnd(count = 1, { timeoutMs = SOON.timeoutMs }: { readonly timeoutMs?: number } = {}): Promise<ImageJob[]> {
    let jobs: ImageJob[] = [];
    const hasEnded = ({ status }: ImageJob): boolean => status?.phase === 'Completed' || status?.phase === 'Failed';
    const areDone = async (): Promise<boolean> => (jobs = await this.jobs()).length === count && jobs.every(hasEnded);
    await waitUntil(`${String(count)} jobs have ended`, areDone, { ...SOON, timeoutMs });
    return jobs;
  }

  async workerPods(): Promise<InspectedPod[]> {
    return (await this.read(podsSchema, corePath(this.namespace, 'pods', 'eraser.sh/job-uid'))).items;
  }

  async managerPods(): Promise<InspectedPod[]> {
    return (await this.read(podsSchema, corePath(this.namespace, 'pods', 'control-plane=controller-manager'))).items;
  }

  async events(): Promise<z.output<typeof eventsSchema>['items']> {
    const all = await Promise.all(
      [this.namespace, 'default'].map((place) => this.read(eventsSchema, `/apis/events.k8s.io/v1/namespaces/${place}/events`)),
    );
    return all.flatMap(({ items }) => items);
  }

  /** What the manager, Trivy's server and worker pods say, for the message of a test that fails. */
  async logs(): Promise<string> {
    const logsOf = (selector: string): Promise<KubectlResult> =>
      this.#kubectl(['logs', '-n', this.namespace, '-l', selector, '--all-containers', '--prefix', '--tail=60']);
    const said = [await logsOf('control-plane=controller-manager'), await logsOf('eraser.sh/job-uid')];
    const pods = await this.#kubectl(['get', 'pods', '-A', '-o', 'wide']);
    return [...said, pods].map(({ stdout }) => stdout).join('\n');
  }
}

function inspectNode({
  name,
  containerd: facts,
}: {
  readonly name: string;
  readonly containerd: Parameters<typeof connectContainerd>[0] | null;
}): InspectedNode {
  if (facts === null) throw new Error(`the container runtime of ${name} is out of reach`);
  const containerd = connectContainerd(facts);
  return {
    name,
    containerd,
    tags: async () =>
      (await listImages(containerd))
        .flatMap(({ repoTags }) => repoTags)
        .filter((tag) => !BASE.test(tag))
        .sort(),
    import: (images) => importImages(containerd, images),
    removeImages: () => removeImages(containerd, ({ repoTags }) => repoTags.some((tag) => BASE.test(tag))),
  };
}

/** What a node of the cluster has before any test. */
const BASE = /^docker\.io\/library\/image-cleaner(-scanner)?:|^registry\.k8s\.io\/pause:/;

function valueOf<Value>(parsed: { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly errors: unknown }): Value {
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.value;
}
