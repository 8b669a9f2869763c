import { describe, expect, test } from 'vitest';
import { eventually } from '../../test/fakes/eventually.ts';
import { type FakeCluster, startFakeCluster } from '../../test/fakes/fake-cluster.ts';
import { FakeTiming } from '../../test/fakes/fake-timing.ts';
import { type EventFacts, eventObject } from './event-object.ts';
import { EventRecorder } from './event-recorder.ts';
import type { KubeObject } from './kube-object.ts';

const EVENTS = 'events.k8s.io/events';
const { signal } = new AbortController();
const FACTS: EventFacts = {
  regarding: { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'shop', name: 'one', uid: 'u1' },
  type: 'Warning',
  reason: 'BadConfiguration',
  action: 'Read',
  note: 'spec.images[3]: no reference',
};

function record(cluster: FakeCluster): { recorder: EventRecorder; timing: FakeTiming; faults: unknown[]; events: () => KubeObject[] } {
  const timing = new FakeTiming();
  const faults: unknown[] = [];
  const recorder = new EventRecorder({
    client: cluster.client,
    reportingController: 'image-cleaner/controller',
    reportingInstance: 'pod-1',
    timing,
    wallNow: () => 1_000_000 + timing.now(),
    onFault: (error) => faults.push(error),
  });
  return { recorder, timing, faults, events: () => cluster.server.history.list(EVENTS).map(([, event]) => event) };
}

const seriesCount = (event: KubeObject | undefined): number => (event?.['series'] as { count: number } | undefined)?.count ?? 1;

describe('EventRecorder', () => {
  test('writes an event, and counts the same one up: at once the first time, then every half minute', async () => {
    const cluster = await startFakeCluster();
    const { recorder, timing, events, faults } = record(cluster);
    recorder.record(FACTS);
    await eventually(() => events().length).toBe(1);
    expect(events()[0]).toMatchObject({ ...FACTS, eventTime: '1970-01-01T00:16:40.000000Z', reportingInstance: 'pod-1' });
    timing.jump(60_000);
    recorder.record(FACTS);
    await eventually(() => seriesCount(events()[0])).toBe(2);
    expect(events()[0]?.['series']).toEqual({ count: 2, lastObservedTime: '1970-01-01T00:17:40.000000Z' });
    for (let i = 0; i < 10; i++) recorder.record(FACTS);
    await timing.advance(29_000);
    expect(seriesCount(events()[0])).toBe(2);
    await timing.advance(1_500);
    await eventually(() => seriesCount(events()[0])).toBe(12);
    expect(cluster.server.requests.map(({ method }) => method)).toEqual(['POST', 'PATCH', 'PATCH']);
    expect(faults).toEqual([]);
  });

  test('another object, reason or note is another event', async () => {
    const cluster = await startFakeCluster();
    const { recorder, events } = record(cluster);
    recorder.record(FACTS);
    recorder.record({ ...FACTS, note: 'spec.images[4]: no reference' });
    recorder.record({ ...FACTS, regarding: { ...FACTS.regarding, uid: 'u2' } });
    await recorder.close(signal);
    expect(events()).toHaveLength(3);
  });

  test('what comes again after six minutes is a new one', async () => {
    const cluster = await startFakeCluster();
    const { recorder, timing, events } = record(cluster);
    recorder.record(FACTS);
    await eventually(() => events().length).toBe(1);
    timing.jump(6 * 60_000);
    recorder.record(FACTS);
    await eventually(() => events().length).toBe(2);
  });

  test('an event that has expired is written anew, with its count', async () => {
    const cluster = await startFakeCluster();
    const { recorder, events } = record(cluster);
    recorder.record(FACTS);
    await eventually(() => events().length).toBe(1);
    cluster.server.history.delete(EVENTS, `shop/${events()[0]?.metadata.name ?? ''}`);
    recorder.record(FACTS);
    await eventually(() => seriesCount(events()[0])).toBe(2);
  });

  test('of an object without a namespace it is in default', async () => {
    const cluster = await startFakeCluster();
    const { recorder, events } = record(cluster);
    recorder.record({ ...FACTS, regarding: { apiVersion: 'v1', kind: 'Node', name: 'node-1' } });
    await recorder.close(signal);
    expect(events()[0]?.metadata.namespace).toBe('default');
  });

  test('one that is refused is told and lost, the next is written', async () => {
    const cluster = await startFakeCluster();
    const { recorder, events, faults } = record(cluster);
    cluster.server.failNext({ kind: 'answer', statusCode: 403 });
    recorder.record(FACTS);
    await eventually(() => faults.length).toBe(1);
    recorder.record({ ...FACTS, note: 'next' });
    await eventually(() => events().length).toBe(1);
  });

  test('closing writes counts that still wait, and takes no more', async () => {
    const cluster = await startFakeCluster();
    const { recorder, events } = record(cluster);
    for (let count = 1; count <= 2; count++) {
      recorder.record(FACTS);
      await eventually(() => seriesCount(events()[0])).toBe(count);
    }
    for (let i = 0; i < 5; i++) recorder.record(FACTS);
    await recorder.close(signal);
    recorder.record(FACTS);
    expect(seriesCount(events()[0])).toBe(7);
  });

  test('closing with an aborted signal does not wait for an API server that is away', async () => {
    const cluster = await startFakeCluster();
    const { recorder, faults } = record(cluster);
    cluster.server.failNext({ kind: 'stall' });
    recorder.record(FACTS);
    await recorder.close(AbortSignal.abort(new Error('no time')));
    expect(faults).toHaveLength(1);
  });
});

test('what the API server would refuse is cut to its limits', () => {
  const regarding = { ...FACTS.regarding, name: 'n'.repeat(253) };
  const facts = { ...FACTS, regarding, note: 'ü'.repeat(2_000), reason: 'R'.repeat(300) };
  const event = eventObject(facts, { reportingController: 'c', reportingInstance: 'i', suffix: 'abc', at: 0 }) as KubeObject;
  expect(event.metadata.name).toHaveLength(253);
  expect(event.metadata.name.endsWith('.abc')).toBe(true);
  expect(Buffer.byteLength(event['note'] as string)).toBeLessThanOrEqual(1_024);
  expect(event['reason']).toHaveLength(128);
});
