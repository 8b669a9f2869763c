import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { image, inventory, planInput } from '../../../test/fakes/images.ts';
import { parsePodReference, parseWorkloadReference, type WorkloadKind, type WorkloadReference } from '../../api/workload-references.ts';
import { planRemoval } from '../plan-removal.ts';
import { pendingPodsOf, planProtections } from './protections.ts';

const podSpec = (...images: string[]): object => ({ containers: images.map((found, at) => ({ name: String(at), image: found })) });
const template = (...images: string[]): object => ({ metadata: { labels: {} }, spec: podSpec(...images) });
const metadata = (name: string, fields: object = {}): object => ({ name, namespace: 'shop', uid: `uid-${name}`, ...fields });
const owned = (owner: string): object => ({ ownerReferences: [{ uid: owner, kind: 'Deployment', name: 'x', controller: true }] });

function workload(kind: WorkloadKind, raw: object): WorkloadReference {
  const parsed = parseWorkloadReference(kind, raw);
  if (!parsed.ok || parsed.value === null) throw new Error(JSON.stringify(parsed));
  return parsed.value;
}

function replicaSet(name: string, revision: string | null, fields: { owner?: string | null; replicas?: number } = {}): WorkloadReference {
  const { owner = 'uid-web', replicas = 0 } = fields;
  const annotations = revision === null ? {} : { 'deployment.kubernetes.io/revision': revision };
  const raw = {
    metadata: metadata(name, { annotations, ...(owner === null ? {} : owned(owner)) }),
    spec: { replicas, template: template(`img:${name}`) },
  };
  return workload('ReplicaSet', raw);
}

function controllerRevision(name: string, revision: number): WorkloadReference {
  const data = { spec: { template: { $patch: 'replace', ...template(`img:${name}`) } } };
  return workload('ControllerRevision', { metadata: metadata(name, owned('uid-db')), revision, data });
}

/** Who protects which references. */
function protectedBy(workloads: readonly WorkloadReference[], keptRevisions = 0): Record<string, readonly string[]> {
  return Object.fromEntries(
    planProtections(workloads, keptRevisions).map(({ object, imageReferences }) => [
      `${object.kind} ${object.namespace}/${object.name}`,
      imageReferences,
    ]),
  );
}

const cronJobSpec = { schedule: '0 3 * * *', suspend: true, jobTemplate: { spec: { template: template('a:1', 'b:1', 'a:1') } } };
const jobOf = (conditions?: object[]): object => ({ metadata: metadata('j'), spec: { template: template('a:1') }, status: { conditions } });
const scaled = (replicas?: number): object => ({ metadata: metadata('w'), spec: { replicas, template: template('a:1') } });
const onNodes = (status?: object): object => ({ metadata: metadata('w'), spec: { template: template('a:1') }, status });

describe('planProtections', () => {
  test.each<[string, WorkloadKind, object, string[]]>([
    ['a CronJob, also a suspended one', 'CronJob', { metadata: metadata('c'), spec: cronJobSpec }, ['CronJob shop/c']],
    ['a Job that goes on', 'Job', jobOf(), ['Job shop/j']],
    ['a suspended Job', 'Job', jobOf([{ type: 'Suspended', status: 'True' }]), ['Job shop/j']],
    ['a Job that is failing, yet has not ended', 'Job', jobOf([{ type: 'Failed', status: 'False' }]), ['Job shop/j']],
    ['a Job that is complete: not', 'Job', jobOf([{ type: 'Complete', status: 'True' }]), []],
    ['a Job that has failed: not', 'Job', jobOf([{ type: 'Failed', status: 'True' }]), []],
    ['a Deployment at zero', 'Deployment', scaled(0), ['Deployment shop/w']],
    ['a Deployment at one: not', 'Deployment', scaled(1), []],
    ['a Deployment that does not say, which means one: not', 'Deployment', scaled(), []],
    ['a StatefulSet at zero', 'StatefulSet', scaled(0), ['StatefulSet shop/w']],
    ['a StatefulSet at three: not', 'StatefulSet', scaled(3), []],
    ['a DaemonSet for no node', 'DaemonSet', onNodes({ desiredNumberScheduled: 0 }), ['DaemonSet shop/w']],
    ['a DaemonSet whose nodes are not known yet', 'DaemonSet', onNodes(), ['DaemonSet shop/w']],
    ['a DaemonSet for two nodes: not', 'DaemonSet', onNodes({ desiredNumberScheduled: 2 }), []],
    ['a ReplicaSet of its own at zero', 'ReplicaSet', scaled(0), ['ReplicaSet shop/w']],
    ['a ReplicaSet of its own at one: not', 'ReplicaSet', scaled(1), []],
    ['one without an image: not', 'Deployment', { metadata: metadata('w'), spec: { replicas: 0, template: template('') } }, []],
  ])('%s', (_case, kind, raw, expected) => {
    expect(Object.keys(protectedBy([workload(kind, raw)]))).toEqual(expected);
  });

  test('names each reference once', () => {
    expect(protectedBy([workload('CronJob', { metadata: metadata('c'), spec: cronJobSpec })])).toEqual({
      'CronJob shop/c': ['a:1', 'b:1'],
    });
  });

  describe('revisions', () => {
    const sets = [replicaSet('r9', '9'), replicaSet('r10', '10', { replicas: 2 }), replicaSet('r8', '8'), replicaSet('r2', '2')];

    test.each<[number, string[]]>([
      [0, []],
      [1, ['img:r9']],
      [2, ['img:r8', 'img:r9']],
      [9, ['img:r2', 'img:r8', 'img:r9']],
    ])('the last %d before the present one', (kept, expected) => {
      expect(Object.values(protectedBy(sets, kept)).flat().sort()).toEqual(expected);
    });

    test('are those of each workload', () => {
      const others = [replicaSet('o1', '1', { owner: 'uid-other' }), replicaSet('o2', '2', { owner: 'uid-other' })];
      expect(
        Object.values(protectedBy([...sets, ...others], 1))
          .flat()
          .sort(),
      ).toEqual(['img:o1', 'img:r9']);
    });

    test('whose place is not known are kept, when any are', () => {
      expect(protectedBy([...sets, replicaSet('x', null), replicaSet('y', 'latest')], 0)).toEqual({});
      expect(Object.keys(protectedBy([...sets, replicaSet('x', null), replicaSet('y', 'latest')], 1))).toEqual([
        'ReplicaSet shop/r9',
        'ReplicaSet shop/x',
        'ReplicaSet shop/y',
      ]);
    });

    test('of StatefulSets and DaemonSets', () => {
      const revisions = [controllerRevision('db-1', 1), controllerRevision('db-3', 3), controllerRevision('db-2', 2)];
      expect(protectedBy(revisions, 1)).toEqual({ 'ControllerRevision shop/db-2': ['img:db-2'] });
      expect(protectedBy(revisions, 0)).toEqual({});
    });

    test.each([null, {}, { spec: {} }, { spec: { template: 'none' } }])('that keep no pod template (%j) are of no concern', (data) => {
      expect(parseWorkloadReference('ControllerRevision', { metadata: metadata('r'), revision: 1, data })).toEqual({
        ok: true,
        value: null,
      });
    });
  });

  test('protects the image on a node, and says for whom', () => {
    const protections = planProtections(
      [workload('Deployment', { ...scaled(0), spec: { replicas: 0, template: template('nginx:1.25') } })],
      0,
    );
    const images = [image(1, { repoTags: ['docker.io/library/nginx:1.25'] }), image(2, { repoTags: ['docker.io/library/nginx:1.26'] })];
    const { decisions } = planRemoval(planInput([], { inventory: inventory(images), protections }));
    expect(decisions.map(({ reason }) => reason)).toMatchObject([
      { code: 'protected', objects: [{ kind: 'Deployment', namespace: 'shop', name: 'w' }] },
      { code: 'unused' },
    ]);
  });

  test.each<[WorkloadKind, unknown]>([
    ['Deployment', {}],
    ['Deployment', { metadata: metadata('w'), spec: { replicas: 0 } }],
    ['CronJob', { metadata: metadata('w'), spec: { template: template('a') } }],
    ['Job', null],
  ])('a %s that is none is said to be none: %j', (kind, raw) => {
    expect(parseWorkloadReference(kind, raw).ok).toBe(false);
  });
});

describe('pendingPodsOf', () => {
  const raw = (fields: object = {}, status: object = { phase: 'Pending' }): object => ({
    metadata: metadata('p'),
    spec: { nodeName: 'n1', ...podSpec('app:1'), ...fields },
    status,
  });
  const references = (pod: object): readonly string[] | undefined => {
    const parsed = parsePodReference(pod);
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
    return pendingPodsOf('n1', [parsed.value])[0]?.imageReferences;
  };

  test('containers of every kind, and images mounted as volumes', () => {
    const pod = raw({
      initContainers: [
        { name: 'i', image: 'init:1' },
        { name: 's', image: 'sidecar:1', restartPolicy: 'Always' },
      ],
      ephemeralContainers: [{ name: 'e', image: 'debug:1' }],
      volumes: [
        { name: 'v', image: { reference: 'model:1', pullPolicy: 'Always' } },
        { name: 'd', emptyDir: {} },
        { name: 'x', image: {} },
      ],
    });
    expect(references(pod)).toEqual(['app:1', 'init:1', 'sidecar:1', 'debug:1', 'model:1']);
  });

  test.each<[string, object, boolean]>([
    ['pending', raw(), true],
    ['running', raw({}, { phase: 'Running' }), true],
    ['of an unknown phase', raw({}, {}), true],
    ['without a status', { ...raw(), status: undefined }, true],
    ['that has succeeded', raw({}, { phase: 'Succeeded' }), false],
    ['that has failed', raw({}, { phase: 'Failed' }), false],
    ['bound to another node', raw({ nodeName: 'n2' }), false],
    ['bound to none', raw({ nodeName: undefined }), false],
  ])('a pod %s', (_case, pod, counts) => {
    expect(references(pod)).toEqual(counts ? ['app:1'] : undefined);
  });

  test.each([null, {}, { metadata: { name: 'a' } }, { metadata: metadata('a'), spec: { containers: 'none' } }])('%j is no pod', (pod) => {
    expect(parsePodReference(pod).ok).toBe(false);
  });
});

test('more revisions kept protect more, never less, and never the present one alone', () => {
  const sets = fc.uniqueArray(fc.tuple(fc.constantFrom('uid-a', 'uid-b'), fc.integer({ min: 1, max: 20 })), {
    selector: (pair) => pair.join(),
  });
  fc.assert(
    fc.property(sets, fc.nat(5), (pairs, kept) => {
      const workloads = pairs.map(([owner, revision]) => replicaSet(`${owner}-${String(revision)}`, String(revision), { owner }));
      const fewer = Object.keys(protectedBy(workloads, kept));
      const more = Object.keys(protectedBy(workloads, kept + 1));
      expect(more).toEqual(expect.arrayContaining(fewer));
      for (const owner of ['uid-a', 'uid-b']) {
        const revisions = pairs.filter(([found]) => found === owner).map(([, revision]) => revision);
        expect(fewer.filter((key) => key.includes(owner))).toHaveLength(Math.min(kept, Math.max(revisions.length - 1, 0)));
        expect(fewer).not.toContain(`ReplicaSet shop/${owner}-${String(Math.max(...revisions))}`);
      }
    }),
  );
});
