import { describe, expect, test } from 'vitest';
import { acceptedConfiguration, acceptInTest } from '../../../test/fakes/cluster.ts';
import type { ImageJob } from '../../api/image-job.ts';
import { KubeError } from '../../kube/kube-error.ts';
import type { RunInputs } from '../configuration/inputs.ts';
import type { RawObject } from '../raw-object.ts';
import { beginRun, type BeginContext, type Begun } from './begin-run.ts';
import { makeAutomaticJob, makeManualJob, readImageJob } from './image-job-object.ts';
import { loadRun } from './load-run.ts';
import { NodeView } from './node-view.ts';

const VERSION = { uid: 'list-uid', generation: 2 };
const made = { uid: 'job-uid', resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' };

function manualJob(): ImageJob {
  const job = makeManualJob('job', VERSION) as RawObject;
  return readImageJob({ ...job, metadata: { ...job.metadata, ...made } });
}

function automaticJob(): ImageJob {
  const job = makeAutomaticJob('job') as RawObject;
  return readImageJob({ ...job, metadata: { ...job.metadata, ...made } });
}

const REGION = { spec: { replicas: 0, template: { spec: { containers: [{ image: 'registry.example/region:1' }] } } } };

function inputs(manager: object = {}): RunInputs {
  return { configuration: acceptedConfiguration(manager), exclusions: [{ name: 'mine/a.json', entries: ['nginx', 'ghcr.io/acme/*'] }] };
}

interface World {
  readonly kind?: 'manual' | 'automatic';
  /** The ImageList there is. */
  readonly list?: { readonly uid: string; readonly generation: number } | null;
  readonly manager?: object;
  /** By kind, the workloads of the cluster; an error: the kind cannot be listed. */
  readonly workloads?: Readonly<Record<string, readonly object[] | Error>>;
  readonly keepsAsEraser?: boolean;
  readonly onlyNodes?: readonly string[];
  /** The name of the configmap that the API server refuses. */
  readonly refused?: string;
}

interface Outcome {
  readonly begun: Begun;
  readonly created: RawObject[];
  readonly listed: string[];
}

/** Of an API server with one node. */
async function begin({
  kind = 'manual',
  list = VERSION,
  manager,
  workloads = {},
  keepsAsEraser = false,
  onlyNodes,
  refused,
}: World = {}): Promise<Outcome> {
  const created: RawObject[] = [];
  const listed: string[] = [];
  const metadata = { ...made, name: 'imagelist', ...list };
  const raw = list === null ? null : { apiVersion: 'eraser.sh/v1', kind: 'ImageList', metadata, spec: { images: ['alpine:1'] } };
  const node = {
    metadata: { name: 'n1' },
    status: { conditions: [{ type: 'Ready', status: 'True' }], nodeInfo: { containerRuntimeVersion: 'containerd://2' } },
  };
  const api: BeginContext['api'] = {
    find: () => Promise.resolve(raw),
    list: (listedKind, { labelSelector, trim }) => {
      listed.push(labelSelector === undefined ? listedKind : `${listedKind} ${labelSelector}`);
      const objects = listedKind === 'Node' ? [node] : (workloads[listedKind] ?? []);
      return objects instanceof Error ? Promise.reject(objects) : Promise.resolve(objects.map((object) => trim(object as RawObject)));
    },
    create: (_kind, object) => {
      if ((object as RawObject).metadata.name === refused) return Promise.resolve({ outcome: 'refused', message: 'too many configmaps' });
      created.push(object as RawObject);
      return Promise.resolve({ outcome: 'created', object: object as RawObject });
    },
    deleteAll: () => Promise.resolve(),
  };
  const ownExclusions = { name: 'image-cleaner', entries: ['registry.example/worker:1'] };
  const nodes = new NodeView({ api, monotonicNow: () => 0 });
  const run = {
    job: kind === 'manual' ? manualJob() : automaticJob(),
    kind,
    inputs: inputs(manager),
    keepsAsEraser,
    onlyNodes: onlyNodes ?? null,
  } as const;
  const begun = await beginRun({ api, nodes, namespace: 'eraser-system', ownExclusions }, run, new AbortController().signal);
  return { begun, created, listed };
}

const load = (objects: readonly RawObject[], kind: 'manual' | 'automatic' = 'manual'): ReturnType<typeof loadRun> =>
  loadRun(
    { acceptConfiguration: acceptInTest, sha256: (text) => text },
    { job: kind === 'manual' ? manualJob() : automaticJob(), kind, now: 0 },
    objects,
  );

describe('beginRun', () => {
  test('freezes the list of its version, all exclusions and the images of the cleaner itself', async () => {
    const { begun, created } = await begin();
    expect(begun).toMatchObject({
      kind: 'frozen',
      content: { images: ['alpine:1'], exclusions: [{ name: 'image-cleaner' }, { name: 'mine/a.json' }] },
    });
    expect(created.map(({ metadata }) => metadata.name)).toEqual([
      'job-configuration-0',
      'job-exclusions-0',
      'job-image-list-0',
      'job-nodes-0',
    ]);
    expect(load(created)).toMatchObject({ kind: 'manual', parts: [[{ name: 'n1', record: { kind: 'waiting' } }]] });
  });

  test.each(['manual', 'automatic'] as const)(
    '%s: keeps what Eraser would keep by the same exclusions, as long as that is asked for',
    async (kind) => {
      const namesOf = async (keepsAsEraser: boolean): Promise<unknown[]> => {
        const { begun } = await begin({ kind, keepsAsEraser });
        return begun.kind === 'frozen' ? begun.content.exclusions.map(({ name, matching }) => [name, matching]) : [];
      };
      const usual = [
        ['image-cleaner', undefined],
        ['mine/a.json', undefined],
      ];
      expect(await namesOf(false)).toEqual(usual);
      expect(await namesOf(true)).toEqual([...usual, ['mine/a.json, as Eraser matches it', 'eraser']]);
    },
  );

  test.each([
    [['n1', 'n2'], ['n1']],
    [['n2'], []],
  ])('is over those of the nodes %j alone that there are', async (onlyNodes, expected) => {
    const { begun } = await begin({ kind: 'automatic', onlyNodes });
    expect(begun.kind === 'frozen' ? begun.content.nodes.flat().map(({ name }) => name) : null).toEqual(expected);
  });

  test('is refused when a part of what it goes by is', async () => {
    const { begun } = await begin({ refused: 'job-exclusions-0' });
    expect(begun).toEqual({ kind: 'refused', reason: 'ConfigMapRefused', message: 'too many configmaps' });
  });

  test.each([
    ['changed', { ...VERSION, generation: 3 }],
    ['made anew', { uid: 'other', generation: 2 }],
    ['deleted', null],
  ])('refuses a list that was %s meanwhile', async (_name, list) => {
    const { begun, created } = await begin({ list });
    expect(begun).toMatchObject({ kind: 'refused', reason: 'ImageListChanged' });
    expect(created).toEqual([]);
  });
});

describe('what workloads want again (rule 5)', () => {
  const nightly = {
    metadata: { name: 'nightly', namespace: 'shop' },
    spec: { jobTemplate: { spec: { template: { spec: { containers: [{ image: 'registry.example/report:1' }] } } } } },
  };
  const atZero = { metadata: { name: 'region', namespace: 'shop', uid: 'd' }, ...REGION };
  const revision = (name: string, number: string): object => ({
    metadata: {
      name,
      namespace: 'shop',
      annotations: { 'deployment.kubernetes.io/revision': number },
      ownerReferences: [{ uid: 'w', controller: true }],
    },
    spec: { replicas: 0, template: { spec: { containers: [{ image: `registry.example/web:${number}` }] } } },
  });
  const workloads = {
    CronJob: [nightly],
    Deployment: [atZero, { ...atZero, metadata: { ...atZero.metadata, name: 'runs' }, spec: { ...REGION.spec, replicas: 2 } }],
    ReplicaSet: [revision('web-3', '3'), revision('web-1', '1'), revision('web-2', '2')],
  };
  const imagesOf = (objects: readonly RawObject[]): string[] => {
    const run = load(objects, 'automatic');
    return typeof run === 'string' ? [run] : run.protections.flatMap(({ imageReferences }) => imageReferences);
  };

  test('is frozen with an automatic run, and comes back with it', async () => {
    const { begun, created, listed } = await begin({ kind: 'automatic', workloads });
    expect(begun.kind).toBe('frozen');
    expect(created.find(({ metadata }) => metadata.name === 'job-protections-0')).toMatchObject({ immutable: true });
    expect(load(created, 'automatic')).toMatchObject({
      protections: [
        { object: { kind: 'CronJob', namespace: 'shop', name: 'nightly' }, imageReferences: ['registry.example/report:1'] },
        { object: { kind: 'Deployment', namespace: 'shop', name: 'region' }, imageReferences: ['registry.example/region:1'] },
      ],
    });
    // Old revisions protect nothing, so they are not asked for.
    expect(listed).toEqual(['CronJob', 'Job', 'Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet !pod-template-hash', 'Node']);
  });

  test('has the revisions that the configuration keeps, and they are listed only then', async () => {
    const { created, listed } = await begin({ kind: 'automatic', workloads, manager: { keptRevisions: 1 } });
    expect(imagesOf(created)).toEqual(['registry.example/report:1', 'registry.example/region:1', 'registry.example/web:2']);
    expect(listed.slice(-3)).toEqual(['ReplicaSet', 'ControllerRevision', 'Node']);
  });

  test('is not asked for in a manual run, which removes what is listed', async () => {
    const { begun, created, listed } = await begin({ workloads: { CronJob: new Error('not to be listed') } });
    expect(begun.kind).toBe('frozen');
    expect(listed).toEqual(['Node']);
    expect(load(created)).toMatchObject({ protections: [] });
  });

  test.each<[string, World['workloads'], RegExp]>([
    [
      'a kind that may not be listed, with the right that is missing',
      {
        StatefulSet: new KubeError({
          code: 'forbidden',
          message: 'list statefulsets: 403',
          hint: 'Grant the verb "list" on "statefulsets".',
        }),
      },
      /list statefulsets: 403 Grant the verb "list" on "statefulsets"/,
    ],
    [
      'a workload that cannot be read, with its name',
      { Job: [{ metadata: { name: 'j', namespace: 'shop' }, spec: {} }] },
      /Job shop\/j: spec\.template/,
    ],
  ])('begins no run, and stores nothing: %s', async (_case, faulty, why) => {
    const { begun, created } = await begin({ kind: 'automatic', workloads: { ...workloads, ...faulty } });
    expect(begun).toMatchObject({ kind: 'held', reason: 'WorkloadsUnreadable', message: expect.stringMatching(why) as string });
    expect(created).toEqual([]);
  });

  test('takes up no automatic run that has lost it', async () => {
    const { created } = await begin({ kind: 'automatic', workloads });
    expect(
      load(
        created.filter(({ metadata }) => !metadata.name.includes('protections')),
        'automatic',
      ),
    ).toMatch(/missing: protections/);
    const broken = created.map((object) => (object.metadata.name.includes('protections') ? { ...object, data: {} } : object));
    expect(load(broken, 'automatic')).toMatch(/protections cannot be read/);
  });
});

describe('loadRun', () => {
  test('takes up no manual run whose list is gone', async () => {
    const { created } = await begin();
    expect(load(created.filter(({ metadata }) => !metadata.name.includes('image-list')))).toMatch(/image-list/);
  });

  test('takes up none whose nodes cannot be read', async () => {
    const { created } = await begin();
    const broken = created.map((object) =>
      object.metadata.name.includes('nodes') ? { ...object, data: { 'nodes.json': '[]', 'progress.json': '[' } } : object,
    );
    expect(load(broken)).toMatch(/cannot be read/);
  });
});
