import { describe, expect, test } from 'vitest';
import { FakeCoordinator } from '../../test/fakes/fake-coordinator.ts';
import { FakeRuntime } from '../../test/fakes/fake-runtime.ts';
import { container, exclusionsOf, image, imageId } from '../../test/fakes/images.ts';
import { logInTest } from '../../test/fakes/log-in-test.ts';
import type { NodeImage } from '../api/inventory.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import type { HandOver } from './hand-over.ts';
import type { ScannerKind } from './read-handed-verdicts.ts';
import { runCollector } from './run-collector.ts';

/** Images 1 to 6: in use, excluded, pinned, wanted again, and two that nothing speaks for. */
async function collect(
  scanner: ScannerKind,
  coordinator = new FakeCoordinator(),
): Promise<{ calls: string[]; coordinator: FakeCoordinator }> {
  const runtime = new FakeRuntime([image(1), image(2), image(3, { pinned: true }), image(4), image(5), image(6)]);
  runtime.containers = [container(1, [imageId(1)], { state: 'exited' })];
  const object = { kind: 'CronJob', namespace: 'shop', name: 'report' };
  coordinator.task = { ...coordinator.task, protections: [{ object, imageReferences: ['image-4:1'] }] };
  const calls: string[] = [];
  const record =
    (name: string) =>
    (images: readonly NodeImage[]): Promise<void> => {
      calls.push(`${name} ${images.map(({ id }) => Number.parseInt(id.slice(7), 16)).join(' ')}`);
      return Promise.resolve();
    };
  const handOver: Pick<HandOver, 'open' | 'offer' | 'offerToRemove' | 'awaitCollectorRelease'> = {
    open: (reader) => Promise.resolve(void calls.push(`open for ${reader}`)),
    offer: record('offer'),
    offerToRemove: record('remove'),
    awaitCollectorRelease: () => Promise.resolve(void calls.push('wait')),
  };
  const signal = new AbortController().signal;
  await runCollector({
    runtime,
    coordinator,
    scanner,
    exclusions: exclusionsOf('image-2'),
    handOver: handOver as HandOver,
    log: logInTest().log,
    now: () => Date.UTC(2026, 10, 1),
    timing: SYSTEM_TIMING,
    signal,
  });
  return { calls, coordinator };
}

describe('the collector', () => {
  test.each([
    ['trivy', 'scanner'],
    ['custom', 'scanner-of-another'],
  ] as const)('offers a scanner (%s) what only a verdict can decide on', async (scanner, reader) => {
    expect((await collect(scanner)).calls).toEqual([`open for ${reader}`, 'offer 5 6', 'wait']);
  });

  test('names what nothing uses to the remover itself where the scanner is off', async () => {
    expect((await collect('off')).calls).toEqual(['open for remover', 'remove 5 6', 'wait']);
  });

  test('tells the coordinator what is on the node, and what is in use', async () => {
    const { coordinator } = await collect('trivy');
    expect(coordinator.inventories).toHaveLength(1);
    expect(coordinator.inventories[0]?.inventory.images).toHaveLength(6);
    expect([...(coordinator.inventories[0]?.inUse ?? [])]).toEqual([imageId(1)]);
  });

  test('offers nothing that is too young', async () => {
    const young = new FakeCoordinator();
    young.task = { ...young.task, minAgeMs: 1000 };
    expect((await collect('custom', young)).calls).toContain('offer ');
  });

  test('leaves it to the remover to ask for the pods of the node', async () => {
    const coordinator = new FakeCoordinator();
    const asked: string[] = [];
    coordinator.before = (call) => Promise.resolve(void asked.push(call));
    coordinator.pods = [{ namespace: 'shop', name: 'new', imageReferences: ['image-5:1'] }];
    expect((await collect('custom', coordinator)).calls).toContain('offer 5 6');
    expect(asked).toEqual(['readTask', 'reportInventory']);
  });

  test('offers nothing when the coordinator cannot be asked', async () => {
    const coordinator = new FakeCoordinator();
    coordinator.before = () => Promise.reject(new Error('away'));
    await expect(collect('custom', coordinator)).rejects.toThrow('away');
  });
});
