import { describe, expect, test } from 'vitest';
import { eraserConfig, OWN_CONTAINERS } from '../../../test/fakes/cluster.ts';
import type { ImageJob } from '../../api/image-job.ts';
import { parseNodeFilter } from '../../core/cluster/node-filter.ts';
import { resolveComponents } from '../../core/cluster/resolve-components.ts';
import { parseDuration } from '../../platform/duration.ts';
import { parseYaml } from '../../platform/parse-yaml.ts';
import { parseQuantity } from '../../platform/quantity.ts';
import type { RunInputs } from '../configuration/inputs.ts';
import type { RawObject } from '../raw-object.ts';
import { beginRun, type BeginContext, type Begun } from './begin-run.ts';
import { makeManualJob, readImageJob } from './image-job-object.ts';
import { loadRun } from './load-run.ts';

const VERSION = { uid: 'list-uid', generation: 2 };
const made = { uid: 'job-uid', resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' };

function manualJob(): ImageJob {
  const job = makeManualJob('job', VERSION) as RawObject;
  return readImageJob({ ...job, metadata: { ...job.metadata, ...made } });
}

function inputs(): RunInputs {
  const config = eraserConfig();
  const components = resolveComponents(config, OWN_CONTAINERS);
  const nodeFilter = parseNodeFilter(config.manager.nodeFilter);
  if (!components.ok || !nodeFilter.ok) throw new Error('the configuration is no good');
  const text = 'apiVersion: eraser.sh/v1alpha3\nkind: EraserConfig\n';
  const configuration = { text, config, components: components.components, nodeFilter: nodeFilter.value };
  return { configuration, exclusions: [{ name: 'mine/a.json', entries: ['nginx'] }] };
}

/** Of an API server with one node and this list. */
async function begin(
  list: { readonly uid: string; readonly generation: number } | null,
): Promise<{ readonly begun: Begun; readonly created: RawObject[] }> {
  const created: RawObject[] = [];
  const metadata = { ...made, name: 'imagelist', ...list };
  const raw = list === null ? null : { apiVersion: 'eraser.sh/v1', kind: 'ImageList', metadata, spec: { images: ['alpine:1'] } };
  const node = {
    metadata: { name: 'n1' },
    status: { conditions: [{ type: 'Ready', status: 'True' }], nodeInfo: { containerRuntimeVersion: 'containerd://2' } },
  };
  const api: BeginContext['api'] = {
    find: () => Promise.resolve(raw),
    list: (_kind, { trim }) => Promise.resolve([trim(node)]),
    create: (_kind, object) => {
      created.push(object as RawObject);
      return Promise.resolve({ outcome: 'created', object: object as RawObject });
    },
    deleteAll: () => Promise.resolve(),
  };
  const ownExclusions = { name: 'image-cleaner', entries: ['registry.example/worker:1'] };
  const run = { job: manualJob(), kind: 'manual', inputs: inputs() } as const;
  const begun = await beginRun({ api, namespace: 'eraser-system', ownExclusions }, run, new AbortController().signal);
  return { begun, created };
}

const load = (objects: readonly RawObject[]): ReturnType<typeof loadRun> =>
  loadRun(
    { parsers: { duration: parseDuration, quantity: parseQuantity, yaml: parseYaml }, own: OWN_CONTAINERS, sha256: (text) => text },
    { job: manualJob(), kind: 'manual' },
    objects,
  );

describe('beginRun', () => {
  test('freezes the list of its version, all exclusions and the images of the cleaner itself', async () => {
    const { begun, created } = await begin(VERSION);
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

  test.each([
    ['changed', { ...VERSION, generation: 3 }],
    ['made anew', { uid: 'other', generation: 2 }],
    ['deleted', null],
  ])('refuses a list that was %s meanwhile', async (_name, list) => {
    const { begun, created } = await begin(list);
    expect(begun).toMatchObject({ kind: 'refused', reason: 'ImageListChanged' });
    expect(created).toEqual([]);
  });
});

describe('loadRun', () => {
  test('takes up no manual run whose list is gone', async () => {
    const { created } = await begin(VERSION);
    expect(load(created.filter(({ metadata }) => !metadata.name.includes('image-list')))).toMatch(/image-list/);
  });

  test('takes up none whose nodes cannot be read', async () => {
    const { created } = await begin(VERSION);
    const broken = created.map((object) =>
      object.metadata.name.includes('nodes') ? { ...object, data: { 'nodes.json': '[]', 'progress.json': '[' } } : object,
    );
    expect(load(broken)).toMatch(/cannot be read/);
  });
});
