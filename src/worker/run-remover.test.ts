import { describe, expect, test } from 'vitest';
import { FakeCoordinator } from '../../test/fakes/fake-coordinator.ts';
import { FakeRuntime } from '../../test/fakes/fake-runtime.ts';
import { container, exclusionsOf, finding, image, imageId, imageListOf, report } from '../../test/fakes/images.ts';
import { FakeTiming } from '../../test/fakes/fake-timing.ts';
import { logInTest } from '../../test/fakes/log-in-test.ts';
import { DEFAULT_SCAN_POLICY } from '../api/scan-policy.ts';
import { RoomError } from '../platform/errors.ts';
import type { HandOver } from './hand-over.ts';
import { formatImages } from './hand-over-message.ts';
import { formatScanFault, formatScanResults, type ScannerKind } from './read-handed-verdicts.ts';
import type { RemovedOnNode } from './remove-on-node.ts';
import { removeByRules, removeListed } from './run-remover.ts';

const NOW = Date.UTC(2026, 10, 1);
const never = new AbortController().signal;

/** Images 1 to 4; a container uses the first, and the second is excluded. */
function setUp() {
  const runtime = new FakeRuntime([1, 2, 3, 4].map((number) => image(number)));
  runtime.containers = [container(1, [imageId(1)])];
  const { log, lines } = logInTest();
  const coordinator = new FakeCoordinator();
  const timing = new FakeTiming();
  const surroundings = { runtime, log, now: () => NOW, timing, signal: never, exclusions: exclusionsOf('image-2') };
  const left = (): number[] => [...runtime.images.keys()].map((id) => Number.parseInt(id.slice('sha256:'.length), 16));
  return { runtime, coordinator, lines, surroundings, timing, left };
}

/** As the adapter to the coordinator says no. */
class Refused extends RoomError {}

/** What the others have written. */
function handed(text: string, offered = formatImages([image(3), image(4)])): HandOver {
  const parts: Pick<HandOver, 'readScan' | 'readOffered'> = {
    readScan: () => Promise.resolve(text),
    readOffered: () =>
      Promise.resolve(
        (JSON.parse(offered) as { image_id: string }[]).map(({ image_id: imageId }) => ({ imageId, names: [], digests: [] })),
      ),
  };
  return parts as HandOver;
}

const all = formatImages([image(1), image(2), image(3), image(4)]);

function reasonsOf({ plan }: RemovedOnNode): string[] {
  return plan.decisions.map(({ outcome, reason }) => `${outcome} ${reason.code}`);
}

describe('an automatic run', () => {
  function run({ coordinator, surroundings }: ReturnType<typeof setUp>, scanner: ScannerKind, handOver: HandOver | null) {
    return removeByRules({ ...surroundings, coordinator, scanner, handOver });
  }

  test('of what a custom scanner rejects, only what it was offered goes; in use and excluded images stay', async () => {
    const node = setUp();
    const removed = await run(node, 'custom', handed(all, formatImages([image(3)])));
    expect(reasonsOf(removed)).toEqual(['keep in-use', 'keep excluded', 'remove rejected', 'keep unscanned']);
    expect(node.left()).toEqual([1, 2, 4]);
    expect(node.lines).toContainEqual(expect.objectContaining({ message: 'verdicts on images that were not offered are ignored' }));
  });

  test('though it was offered, an image that is used by now stays', async () => {
    const node = setUp();
    const offered = formatImages([image(1), image(2), image(3), image(4)]);
    await run(node, 'custom', handed(all, offered));
    expect(node.left()).toEqual([1, 2]);
  });

  test('what a custom scanner does not name stays as compliant', async () => {
    const node = setUp();
    const removed = await run(node, 'custom', handed(formatImages([image(4)])));
    expect(reasonsOf(removed)).toEqual(['keep in-use', 'keep excluded', 'keep compliant', 'remove rejected']);
    expect(node.left()).toEqual([1, 2, 3]);
  });

  test('with the scanner off, what the collector names goes, and what has come since stays', async () => {
    const node = setUp();
    const removed = await run(node, 'off', handed(formatImages([image(3)]), formatImages([image(3)])));
    expect(reasonsOf(removed)).toEqual(['keep in-use', 'keep excluded', 'remove unused', 'keep compliant']);
    expect(node.left()).toEqual([1, 2, 4]);
  });

  test('of our scanner the findings are judged by the policy of the run; an image without a result stays', async () => {
    const node = setUp();
    const vulnerable = report(image(3), { findings: [finding({ severity: 'HIGH' })] });
    const text = formatScanResults(new Map([[imageId(3), { kind: 'scanned', report: vulnerable }]]));
    expect(reasonsOf(await run(node, 'trivy', handed(text)))).toEqual([
      'keep in-use',
      'keep excluded',
      'remove vulnerable',
      'keep unscanned',
    ]);
    expect(node.left()).toEqual([1, 2, 4]);
    const lenient = setUp();
    lenient.coordinator.task = { ...lenient.coordinator.task, scanPolicy: { ...DEFAULT_SCAN_POLICY, severities: ['CRITICAL'] } };
    expect(reasonsOf(await run(lenient, 'trivy', handed(text)))[2]).toBe('keep compliant');
  });

  test.each([
    ['a list of a custom scanner from ours', 'trivy', all],
    ['results of ours from a custom scanner', 'custom', formatScanResults(new Map())],
    ['a list that is cut off', 'custom', all.slice(0, -1)],
    ['nothing', 'custom', ''],
    ['results that are cut off', 'trivy', formatScanResults(new Map()).slice(0, -1)],
    ['a fault of our scanner', 'trivy', formatScanFault('no database')],
  ] as const)('%s: nothing is removed', async (_what, scanner, text) => {
    const node = setUp();
    await expect(run(node, scanner, handed(text))).rejects.toMatchObject({ code: 'bad-message' });
    expect(node.left()).toEqual([1, 2, 3, 4]);
  });

  test('what a workload wants again stays, whatever the scanner says', async () => {
    const node = setUp();
    const object = { kind: 'CronJob', namespace: 'shop', name: 'report' };
    node.coordinator.task = { ...node.coordinator.task, protections: [{ object, imageReferences: ['image-3:1'] }] };
    expect(reasonsOf(await run(node, 'custom', handed(all)))[2]).toBe('keep protected');
    expect(node.left()).toEqual([1, 2, 3]);
  });

  test('the pods of the node are read again before a removal that comes later than a moment after the last time', async () => {
    const node = setUp();
    node.runtime.before = (call) => {
      if (call !== `imageStatus ${imageId(3)}`) return Promise.resolve();
      node.timing.jump(2_001);
      node.coordinator.pods = [{ namespace: 'shop', name: 'new', imageReferences: ['image-3:1', 'image-4:1'] }];
      return Promise.resolve();
    };
    const { done } = await run(node, 'custom', handed(all));
    expect(done.removals.map(({ outcome }) => outcome.kind)).toContain('kept');
    expect(node.left()).toContain(3);
  });

  test.each([
    ['within a moment: one read for the plan and all of them', 0, 1],
    ['that take longer: read anew', 3_000, 2],
  ])('ten removals %s', async (_what, removalMs, reads) => {
    const node = setUp();
    for (let number = 5; number <= 12; number++) node.runtime.images.set(imageId(number), image(number));
    const asked: string[] = [];
    node.coordinator.before = (call) => Promise.resolve(void asked.push(call));
    node.runtime.before = (call) => {
      if (call.startsWith('removeImage')) node.timing.jump(removalMs);
      return Promise.resolve();
    };
    await run(node, 'off', null);
    expect(node.left()).toEqual([1, 2]);
    // Eight removals are begun at once, and two when those are done.
    const later = Array.from({ length: reads - 1 }, () => 'listPendingPods');
    expect(asked).toEqual(['readTask', 'listPendingPods', 'reportInventory', ...later]);
  });

  test('pods are asked for when the scanner is done: those that have come meanwhile count, and their images are told as in use', async () => {
    const node = setUp();
    const handOver: HandOver = {
      ...handed(all),
      readScan: () => {
        node.coordinator.pods = [{ namespace: 'shop', name: 'new', imageReferences: ['image-3:1'] }];
        return Promise.resolve(all);
      },
    };
    expect(reasonsOf(await run(node, 'custom', handOver))[2]).toBe('keep in-use');
    expect([...(node.coordinator.inventories[0]?.inUse ?? [])]).toEqual([imageId(1), imageId(3)]);
  });

  test('what is seen of the node while the scanner scans counts for nothing: containers that have come since do', async () => {
    const node = setUp();
    const handOver: HandOver = {
      ...handed(all),
      readScan: async () => {
        await node.timing.advance(1_000);
        await node.timing.settle();
        expect(node.runtime.calls).toContain('listContainers');
        node.runtime.containers = [...node.runtime.containers, container(2, [imageId(3)])];
        return all;
      },
    };
    const asked: string[] = [];
    node.coordinator.before = (call) => Promise.resolve(void asked.push(call));
    expect(reasonsOf(await run(node, 'custom', handOver))[2]).toBe('keep in-use');
    expect(asked).toEqual(['readTask', 'listPendingPods', 'reportInventory']);
  });

  test('who has judged is told: the scanner of the reports, how many images it read, how many were known', async () => {
    const node = setUp();
    const results = new Map([
      [imageId(3), { kind: 'scanned', report: report(image(3)) }],
      [imageId(4), { kind: 'unscanned', reason: 'timeout', message: '' }],
    ] as const);
    const { scanner } = report(image(3));
    expect((await run(node, 'trivy', handed(formatScanResults(results)))).use).toEqual({ scanner, scanned: 1, verdictsReused: 0 });
    expect((await run(setUp(), 'custom', handed(all))).use).toEqual({ scanner: null, scanned: 0, verdictsReused: 0 });
    const known = await run(setUp(), 'trivy', handed(formatScanResults(results, 1)));
    expect(known.use).toEqual({ scanner, scanned: 0, verdictsReused: 1 });
    const alone = setUp();
    alone.coordinator.reports.push(report(image(3)));
    expect((await run(alone, 'trivy', null)).use).toEqual({ scanner, scanned: 0, verdictsReused: 1 });
  });

  test.each(['readTask', 'listPendingPods', 'reportInventory'] as const)(
    'a coordinator that does not answer %s: nothing is removed',
    async (silent) => {
      const node = setUp();
      node.coordinator.before = (call) => (call === silent ? Promise.reject(new Error('away')) : Promise.resolve());
      await expect(run(node, 'custom', handed(all))).rejects.toThrow('away');
      expect(node.left()).toEqual([1, 2, 3, 4]);
    },
  );

  test('a coordinator that goes away after the plan: nothing is removed', async () => {
    const node = setUp();
    let isPlanned = false;
    node.coordinator.before = (call) => {
      if (call === 'listPendingPods' && isPlanned) return Promise.reject(new Error('away'));
      if (call !== 'reportInventory') return Promise.resolve();
      isPlanned = true;
      node.timing.jump(2_001);
      return Promise.resolve();
    };
    const { done } = await run(node, 'custom', handed(all));
    expect(done.removals.map(({ outcome }) => outcome)).toEqual([
      { kind: 'failed', message: 'away' },
      { kind: 'failed', message: 'away' },
    ]);
    expect(node.left()).toEqual([1, 2, 3, 4]);
  });

  test('a pod with a scanner, in a run whose scanner is off for the coordinator: nothing is removed', async () => {
    const node = setUp();
    node.coordinator.task = { ...node.coordinator.task, scanPolicy: null };
    await expect(run(node, 'trivy', handed(formatScanResults(new Map())))).rejects.toMatchObject({ code: 'bad-input' });
  });

  describe('by a remover alone', () => {
    test('the verdicts of the cluster decide', async () => {
      const node = setUp();
      for (const number of [1, 2, 3]) {
        node.coordinator.reports.push(report(image(number), { findings: [finding()] }));
      }
      expect(reasonsOf(await run(node, 'trivy', null))).toEqual(['keep in-use', 'keep excluded', 'remove vulnerable', 'keep unscanned']);
      expect(node.left()).toEqual([1, 2, 4]);
    });

    test('of a custom scanner nothing is known, so what it would decide on stays; age still decides', async () => {
      const node = setUp();
      node.coordinator.task = { ...node.coordinator.task, maxAgeMs: 1000 };
      node.coordinator.histories = new Map([[imageId(4), { firstSeenAt: NOW - 2000, lastInUseAt: null }]]);
      expect(reasonsOf(await run(node, 'custom', null))).toEqual(['keep in-use', 'keep excluded', 'keep unscanned', 'remove expired']);
      expect(node.left()).toEqual([1, 2, 3]);
    });

    test('with the scanner off, what nothing uses goes', async () => {
      const node = setUp();
      node.coordinator.task = { ...node.coordinator.task, scanPolicy: null };
      await run(node, 'off', null);
      expect(node.left()).toEqual([1, 2]);
    });
  });
});

describe('a manual run', () => {
  test('needs no coordinator', async () => {
    const node = setUp();
    const removed = await removeListed({ ...node.surroundings, imageList: imageListOf('*'), coordinator: null });
    expect(reasonsOf(removed)).toEqual(['keep in-use', 'keep excluded', 'remove listed', 'remove listed']);
    expect(node.left()).toEqual([1, 2]);
  });

  test('goes on without one that does not answer, and says so', async () => {
    const node = setUp();
    node.coordinator.before = () => Promise.reject(new Error('away'));
    await removeListed({ ...node.surroundings, imageList: imageListOf('image-3:1'), coordinator: node.coordinator });
    expect(node.left()).toEqual([1, 2, 4]);
    expect(node.lines).toContainEqual(expect.objectContaining({ level: 'warn', error: 'away' }));
  });

  test.each(['run-ended', 'refused'])('is no run any more where there is one that says so (%s): nothing is removed', async (code) => {
    const node = setUp();
    node.coordinator.before = () => Promise.reject(new Refused({ code, message: 'The run is over.' }));
    const removing = removeListed({ ...node.surroundings, imageList: imageListOf('*'), coordinator: node.coordinator });
    await expect(removing).rejects.toThrow('The run is over.');
    expect(node.left()).toEqual([1, 2, 3, 4]);
  });

  test('keeps what pods that are about to start want, where there is one, which it asks once', async () => {
    const node = setUp();
    node.coordinator.pods = [{ namespace: 'shop', name: 'new', imageReferences: ['image-3:1'] }];
    const asked: string[] = [];
    node.coordinator.before = (call) => Promise.resolve(void asked.push(call));
    await removeListed({ ...node.surroundings, imageList: imageListOf('*'), coordinator: node.coordinator });
    expect(node.left()).toEqual([1, 2, 3]);
    expect(asked).toEqual(['listPendingPods']);
  });
});
