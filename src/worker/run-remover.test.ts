import { describe, expect, test } from 'vitest';
import { FakeCoordinator } from '../../test/fakes/fake-coordinator.ts';
import { FakeRuntime } from '../../test/fakes/fake-runtime.ts';
import { container, exclusionsOf, finding, image, imageId, imageListOf, report } from '../../test/fakes/images.ts';
import { logInTest } from '../../test/fakes/log-in-test.ts';
import { DEFAULT_SCAN_POLICY } from '../api/scan-policy.ts';
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
  const surroundings = { runtime, log, now: () => NOW, signal: never, exclusions: exclusionsOf('image-2') };
  const left = (): number[] => [...runtime.images.keys()].map((id) => Number.parseInt(id.slice('sha256:'.length), 16));
  return { runtime, coordinator, lines, surroundings, left };
}

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

  test('the pods of the node are read again before each removal', async () => {
    const node = setUp();
    node.runtime.before = (call) => {
      if (call === `imageStatus ${imageId(3)}`)
        node.coordinator.pods = [{ namespace: 'shop', name: 'new', imageReferences: ['image-3:1', 'image-4:1'] }];
      return Promise.resolve();
    };
    const { done } = await run(node, 'custom', handed(all));
    expect(done.removals.map(({ outcome }) => outcome.kind)).toContain('kept');
    expect(node.left()).toContain(3);
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
    let asked = 0;
    node.coordinator.before = (call) => (call === 'listPendingPods' && ++asked > 1 ? Promise.reject(new Error('away')) : Promise.resolve());
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
        node.coordinator.verdicts.set(imageId(number), { kind: 'scanned', report: report(image(number), { findings: [finding()] }) });
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

  test('keeps what pods that are about to start want, where there is one', async () => {
    const node = setUp();
    node.coordinator.pods = [{ namespace: 'shop', name: 'new', imageReferences: ['image-3:1'] }];
    await removeListed({ ...node.surroundings, imageList: imageListOf('*'), coordinator: node.coordinator });
    expect(node.left()).toEqual([1, 2, 3]);
  });
});
