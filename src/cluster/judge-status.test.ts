import { describe, expect, test } from 'vitest';
import { startFakeCluster, type FakeCluster } from '../../test/fakes/fake-cluster.ts';
import { MANAGER, makeManifest } from '../installation/make-manifest.ts';
import { defaultConfiguration } from '../installation/default-configuration.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { judgeStatus, type SiteProblem } from './judge-status.ts';
import { readStatus, type SiteFacts } from './read-status.ts';

const namespace = 'eraser-system';
const NOW = Date.parse('2026-11-22T12:00:00Z');
const HOUR_MS = 3_600_000;
const at = (ms: number): string => new Date(ms).toISOString();
const withUid = (name: string): object => ({ name, uid: name, resourceVersion: '1', generation: 1, creationTimestamp: at(NOW - HOUR_MS) });

const POD = {
  metadata: { name: `${MANAGER}-1`, namespace, labels: { 'control-plane': 'controller-manager' }, creationTimestamp: at(NOW) },
  spec: { nodeName: 'n0' },
  status: { phase: 'Running', containerStatuses: [{ name: 'manager', ready: true, restartCount: 0, state: { running: {} } }] },
} as KubeObject;

const STATE = {
  schedule: {
    lastRun: { startedAt: NOW - HOUR_MS, endedAt: NOW - HOUR_MS / 2 },
    reckonedFrom: NOW - HOUR_MS,
    plannedFor: 'interval 86400000',
  },
  conditions: [],
  configuration: defaultConfiguration('1.0.0'),
};

interface Change {
  readonly pod?: object;
  readonly ready?: number;
  readonly lease?: object;
  readonly state?: object;
  readonly more?: (put: (collection: string, object: object) => void) => void;
}

/** A healthy installation, but for what is changed. */
async function look({ pod = {}, ready = 1, lease = {}, state = {}, more }: Change): Promise<{ facts: SiteFacts; problems: SiteProblem[] }> {
  const cluster = await startFakeCluster();
  const put = putter(cluster);
  const manifest = makeManifest({ namespace, image: 'ic:1.0.0', scannerImage: 'ics:1.0.0', configuration: defaultConfiguration('1.0.0') });
  const deployment = manifest.find((object) => (object as KubeObject).kind === 'Deployment') as KubeObject;
  put('apps/deployments', { ...deployment, status: { readyReplicas: ready } });
  put('/pods', { ...POD, ...pod });
  const spec = { holderIdentity: `${MANAGER}-1_uuid`, leaseDurationSeconds: 15, renewTime: at(NOW - 5_000), ...lease };
  put('coordination.k8s.io/leases', { metadata: { name: 'eraser-controller-manager', namespace }, spec });
  const data = { 'state.json': JSON.stringify({ ...STATE, ...state }) };
  put('/configmaps', { metadata: { name: 'eraser-manager-state', namespace }, data });
  more?.(put);
  const facts = await readStatus({ client: cluster.client, namespace, call: { signal: new AbortController().signal } }, NOW);
  return { facts, problems: judgeStatus(facts) };
}

function putter({ server }: FakeCluster): (collection: string, object: object) => void {
  return (collection, object) => void server.put(collection, object as KubeObject);
}

const job = (name: string, status: object, owner = 'imagecollector'): object => ({
  apiVersion: 'eraser.sh/v1',
  kind: 'ImageJob',
  metadata: { ...withUid(name), labels: { 'eraser.sh/job-owner': owner } },
  status,
});
const lateJob = (name: string, status: object): object => {
  const made = job(name, status) as { readonly metadata: { readonly labels: object } };
  return { ...made, metadata: { ...made.metadata, labels: { ...made.metadata.labels, 'eraser.sh/late-nodes-of': 'old' } } };
};
const condition = (type: string, status: string, message: string): object => ({
  type,
  status,
  message,
  reason: 'Why',
  lastTransitionTime: at(NOW),
});

describe('the status of a cluster', () => {
  test('a healthy installation needs nobody, and its next run is as the manager plans it', async () => {
    const { facts, problems } = await look({});
    expect(problems).toEqual([]);
    expect(facts.leader).toMatchObject({ pod: `${MANAGER}-1`, hasExpired: false });
    expect(facts.automatic).toMatchObject({ kind: 'known', next: { kind: 'waiting', at: NOW + 23 * HOUR_MS } });
  });

  test('where nothing is installed, that is what is told', async () => {
    const { client } = await startFakeCluster();
    const facts = await readStatus({ client, namespace, call: { signal: new AbortController().signal } }, NOW);
    expect(judgeStatus(facts)).toEqual([
      { what: `nothing is installed in the namespace ${namespace}`, next: 'image-cleaner cluster enable' },
    ]);
  });

  const container = (status: object): object => ({
    ready: 0,
    pod: { status: { phase: 'Pending', containerStatuses: [{ name: 'manager', ready: false, restartCount: 3, ...status }] } },
  });
  const broken = { metadata: { name: 'broken', namespace, labels: { 'eraser.sh/exclude.list': 'true' } }, data: { 'a.json': 'x' } };
  const cases: readonly (readonly [string, Change, RegExp, RegExp])[] = [
    [
      'an image that cannot be had',
      container({ state: { waiting: { reason: 'ImagePullBackOff', message: 'not found' } } }),
      /manager does not start: ImagePullBackOff: not found/,
      /describe pod/,
    ],
    [
      'a manager that ends again and again',
      container({
        state: { waiting: { reason: 'CrashLoopBackOff' } },
        lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } },
      }),
      /ended with 137 \(OOMKilled\)/,
      /kubectl logs .* -c manager --previous/,
    ],
    [
      'a pod that fits on no node',
      { ready: 0, pod: { status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', message: '0/3 nodes' }] } } },
      /is on no node: 0\/3 nodes/,
      /describe pod/,
    ],
    ['nobody who leads', { lease: { renewTime: at(NOW - HOUR_MS) } }, /no manager leads since/, /kubectl logs/],
    [
      'a configuration that is not accepted',
      { state: { conditions: [condition('ConfigurationAccepted', 'False', 'manager.x: unknown')] } },
      /configuration is not accepted.*manager\.x/,
      /kubectl edit configmap/,
    ],
    [
      'an exclusion list that cannot be read',
      { more: (put) => put('/configmaps', broken) },
      /broken cannot be read/,
      /edit configmap .* broken/,
    ],
    [
      'a list that is stalled',
      {
        more: (put) =>
          put('eraser.sh/imagelists', {
            apiVersion: 'eraser.sh/v1',
            kind: 'ImageList',
            metadata: withUid('imagelist'),
            status: { conditions: [condition('Stalled', 'True', 'spec.images[0]: no image')] },
          }),
      },
      /imagelist imagelist is Stalled: spec/,
      /kubectl describe imagelist imagelist/,
    ],
    [
      'a last run that failed',
      {
        more: (put) =>
          put(
            'eraser.sh/imagejobs',
            job('j1', { phase: 'Failed', completionTime: at(NOW), conditions: [condition('Failed', 'True', 'n1: why')] }),
          ),
      },
      /automatic run, j1, has failed: n1: why/,
      /cluster history j1/,
    ],
  ];
  test.each(cases)('%s needs a person', async (_name, change, what, next) => {
    const { problems } = await look(change);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.what).toMatch(what);
    expect(problems[0]?.next).toMatch(next);
  });

  test('a failed run is made up for by a later one of its kind', async () => {
    const failed = {
      phase: 'Failed',
      startTime: at(NOW - 2 * HOUR_MS),
      completionTime: at(NOW),
      conditions: [condition('Failed', 'True', 'x')],
    };
    const { facts, problems } = await look({
      more: (put) => {
        put('eraser.sh/imagejobs', job('old', failed));
        put('eraser.sh/imagejobs', job('new', { phase: 'Running', startTime: at(NOW), desired: 3, succeeded: 1 }));
      },
    });
    expect(problems).toEqual([]);
    expect(facts.jobs.map(({ name }) => name)).toEqual(['new', 'old']);
    expect(facts.automatic).toMatchObject({ next: { kind: 'under-way' } });
  });

  test('a run over late nodes makes up for none over all, and what became of it counts until the next of those', async () => {
    const ended = (phase: string, hoursAgo: number): object => ({
      phase,
      startTime: at(NOW - hoursAgo * HOUR_MS),
      completionTime: at(NOW - (hoursAgo - 1) * HOUR_MS),
      conditions: phase === 'Failed' ? [condition('Failed', 'True', 'x')] : [],
    });
    const lookAt = async (...jobs: readonly object[]): Promise<string[]> => {
      const { problems } = await look({ more: (put) => jobs.forEach((one) => put('eraser.sh/imagejobs', one)) });
      return problems.map(({ what }) => what);
    };
    expect(await lookAt(job('old', ended('Failed', 5)), lateJob('late', ended('Completed', 3)))).toEqual([
      'the last automatic run, old, has failed: x',
    ]);
    expect(await lookAt(job('old', ended('Completed', 5)), lateJob('late', ended('Failed', 3)))).toHaveLength(1);
    const next = job('next', ended('Completed', 2));
    expect(await lookAt(job('old', ended('Completed', 5)), lateJob('late', ended('Failed', 3)), next)).toEqual([]);
  });

  test('what may not be read is told, and the rest is shown', async () => {
    const cluster = await startFakeCluster();
    const status = { kind: 'Status', code: 403, reason: 'Forbidden', message: 'no' };
    cluster.server.failNext({ kind: 'answer', statusCode: 403, body: JSON.stringify(status) }, ({ path }) => path.includes('/leases/'));
    const facts = await readStatus({ client: cluster.client, namespace, call: { signal: new AbortController().signal } }, NOW);
    expect(facts.leader).toBeNull();
    expect(facts.unread).toHaveLength(1);
    expect(judgeStatus(facts).at(-1)?.what).toMatch(/not all could be read/);
  });
});
