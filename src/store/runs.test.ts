import { describe, expect, test } from 'vitest';
import type { Decision, KeepReason, RemoveReason } from '../api/decision.ts';
import { digest, finding, image, imageId } from '../../test/fakes/images.ts';
import { DAY, openTestHistory, type TestHistory } from '../../test/fakes/history-in-test.ts';
import { ending, HOLDER, plan, removal, runStart } from '../../test/fakes/runs.ts';

const [one, two, three, four] = [image(1), image(2), image(3), image(4)];

async function lockedHistory(options: Parameters<typeof openTestHistory>[0] = {}): Promise<TestHistory> {
  const it = await openTestHistory(options);
  await it.history.lockRuns(HOLDER);
  return it;
}

/** The process of a run dies: its history is closed without an end, and another is opened. */
async function afterKill({ history, path, clock }: TestHistory): Promise<TestHistory> {
  await history.close();
  return lockedHistory({ path, clock });
}

describe('a run', () => {
  test('is on record from its beginning to its end', async () => {
    const { history } = await lockedHistory();
    const run = await history.beginRun(runStart());
    const begun = { ...runStart(), id: 1, endedAt: null, state: 'running', message: null, runtime: null, scanner: null, summary: null };
    expect(await history.readRun(1)).toEqual({ ...begun, filesystem: null });
    const planned = plan(removal(one));
    await run.planned(planned);
    expect(await history.readRun(1)).toMatchObject({ runtime: planned.runtime, scanner: planned.scanner });
    const usage = { mountpoint: '/', usedBytes: 1, availableBytes: 2, capacityBytes: 3 };
    const summary = {
      ...{ images: 1, keep: 0, remove: 1, removed: 1, absent: 0, keptAfterAll: 0, failed: 0, notAttempted: 0 },
      ...{ scanned: 1, verdictsReused: 0, estimatedBytes: 100, reclaimedBytes: 90 },
    };
    const end = ending({ state: 'interrupted', message: 'told to stop', summary, filesystem: { before: usage, after: usage } });
    await run.end(end);
    const { reclaimedBytes, ...ended } = end;
    expect(reclaimedBytes.size).toBe(0);
    expect(await history.readRun(1)).toEqual({ ...begun, ...ended, runtime: planned.runtime, scanner: planned.scanner });
    expect(await history.readRun(2)).toBeNull();
  });

  test('that goes on is not taken for a dead one', async () => {
    const { history } = await lockedHistory();
    await history.beginRun(runStart());
    expect(await history.unfinishedRuns()).toEqual([]);
  });

  test('has a number of its own', async () => {
    const it = await lockedHistory();
    const first = await it.history.beginRun(runStart());
    await first.end(ending());
    expect([first.runId, (await it.history.beginRun(runStart())).runId]).toEqual([1, 2]);
    const { history } = await afterKill(it);
    expect((await history.beginRun(runStart())).runId).toBe(3);
  });

  test('needs the lock', async () => {
    const { history } = await openTestHistory();
    await expect(history.beginRun(runStart())).rejects.toThrow('the lock of runs is not held');
    await expect(history.unfinishedRuns()).rejects.toThrow('the lock of runs is not held');
    await expect(history.settleKilledRun(1, new Set(), 0)).rejects.toThrow('the lock of runs is not held');
    const lock = await history.lockRuns(HOLDER);
    lock.release();
    await expect(history.beginRun(runStart())).rejects.toThrow('the lock of runs is not held');
  });

  test('are listed newest first, between two times, and no more than wanted', async () => {
    const { history } = await lockedHistory();
    for (let number = 1; number <= 5; number += 1) await (await history.beginRun(runStart({ startedAt: number * DAY }))).end(ending());
    const ids = async (query: Parameters<typeof history.listRuns>[0]): Promise<number[]> =>
      (await history.listRuns(query)).map(({ id }) => id);
    expect(await ids({ limit: 10 })).toEqual([5, 4, 3, 2, 1]);
    expect(await ids({ limit: 2 })).toEqual([5, 4]);
    expect(await ids({ since: 2 * DAY, until: 4 * DAY, limit: 10 })).toEqual([4, 3, 2]);
    expect(await ids({ until: 2 * DAY, limit: 1 })).toEqual([2]);
  });
});

describe('decisions', () => {
  const manyFindings = Array.from({ length: 300 }, (_, number) => finding({ id: `CVE-2026-${number}`, fixedVersion: null }));
  const keepReasons: KeepReason[] = [
    {
      code: 'in-use',
      users: [
        { kind: 'container', containerId: 'c', container: 'app', pod: 'default/web', state: 'exited' },
        { kind: 'pending-pod', pod: 'default/new' },
      ],
    },
    { code: 'pinned', by: 'maybe-sandbox-image' },
    { code: 'excluded', list: 'site', entry: 'docker.io/*' },
    { code: 'not-listed' },
    { code: 'protected', objects: [{ kind: 'CronJob', namespace: 'default', name: 'nightly' }] },
    { code: 'too-young', ageMs: null, minAgeMs: 5 },
    { code: 'unscanned', why: 'timeout', message: 'took too long' },
    { code: 'compliant', ignoredFindings: 3 },
  ];
  const removeReasons: RemoveReason[] = [
    { code: 'listed', entry: '*' },
    { code: 'expired', unusedMs: 10, maxAgeMs: 5 },
    { code: 'disk-pressure', usedBytes: 9, highBytes: 8, lowBytes: 7 },
    { code: 'vulnerable', findings: manyFindings },
    { code: 'end-of-life', os: 'alpine 3.4' },
    { code: 'unscannable', error: 'bad layer' },
    { code: 'unused' },
  ];

  test('come back whole, in the order of the plan, each with its reason', async () => {
    const { history } = await lockedHistory();
    const run = await history.beginRun(runStart());
    const decisions: Decision[] = [
      ...removeReasons.map((reason, at) => removal(image(100 - at), { reason, estimatedBytes: at })),
      ...keepReasons.map((reason, at): Decision => ({ outcome: 'keep', image: image(50 - at, { repoDigests: ['a@b'] }), reason })),
    ];
    await run.planned(plan(...decisions));
    const records = await history.readDecisions(1);
    expect(records.map(({ ruling }) => ruling)).toEqual(decisions.map(({ outcome, reason }) => ({ outcome, reason })));
    expect(records[4]).toEqual({
      runId: 1,
      imageId: imageId(96),
      repoTags: ['docker.io/library/image-96:1'],
      repoDigests: [],
      sizeBytes: 1096,
      estimatedBytes: 4,
      ruling: { outcome: 'remove', reason: removeReasons[4] },
      removal: { state: 'planned', at: null, message: null, keptBy: null, reclaimedBytes: 0 },
    });
    expect(records[7]).toMatchObject({ estimatedBytes: 0, repoDigests: ['a@b'], removal: null });
  });

  test('on thousands of images', async () => {
    const { history } = await lockedHistory();
    const run = await history.beginRun(runStart());
    await run.planned(plan(...Array.from({ length: 2_000 }, (_, number) => removal(image(number)))));
    expect((await history.readDecisions(1)).map(({ imageId: id }) => id)).toEqual(
      Array.from({ length: 2_000 }, (_, number) => imageId(number)),
    );
  });

  test('of an image are found by its id, a part of it, its tag and its digest, a dozen runs after it went', async () => {
    const { history } = await lockedHistory();
    const name = `docker.io/library/app@${digest(1)}`;
    const gone = image(0xabc, { repoTags: ['docker.io/library/app:1'], repoDigests: [name] });
    const heir = image(0xdef, { repoTags: ['docker.io/library/app:1'] });
    const runOn = async (...decisions: Decision[]): Promise<void> => {
      const run = await history.beginRun(runStart());
      await run.planned(plan(...decisions));
      await run.end(ending());
    };
    await runOn(removal(gone), removal(two));
    for (let count = 0; count < 12; count += 1) await runOn(removal(three));
    const runsOf = async (query: object): Promise<[number, string][]> =>
      (await history.readImageDecisions({ limit: 100, ...query })).map(({ runId, imageId: id }) => [runId, id]);
    for (const query of [
      { names: ['docker.io/library/app:1'] },
      { names: [name] },
      { imageIds: [gone.id] },
      { imageIds: [gone.id.slice(7)] },
      { idPrefix: gone.id },
      { idPrefix: gone.id.slice(7) },
    ]) {
      expect(await runsOf(query)).toEqual([[1, gone.id]]);
    }
    expect(await runsOf({ idPrefix: 'sha256:0000' })).toHaveLength(14);
    expect(await runsOf({ idPrefix: 'sha256:0000', limit: 3 })).toEqual([13, 12, 11].map((run) => [run, three.id]));
    for (const query of [{}, { idPrefix: '' }, { idPrefix: 'sha256:' }, { idPrefix: '%' }, { names: ['docker.io/library/app'] }]) {
      expect(await runsOf(query)).toEqual([]);
    }
    await runOn(removal(heir));
    expect(await runsOf({ names: ['docker.io/library/app:1'] })).toEqual([
      [14, heir.id],
      [1, gone.id],
    ]);
  });

  test('show the names that the image had in each run, and are found by any of them', async () => {
    const { history } = await lockedHistory();
    for (const repoTags of [['docker.io/library/app:1'], []]) {
      const run = await history.beginRun(runStart());
      await run.planned(plan(removal(image(1, { repoTags }))));
      await run.end(ending());
    }
    const found = await history.readImageDecisions({ names: ['docker.io/library/app:1'], limit: 10 });
    expect(found.map(({ repoTags }) => repoTags)).toEqual([[], ['docker.io/library/app:1']]);
  });
});

describe('removals', () => {
  const keptBy: KeepReason = { code: 'pinned', by: 'runtime' };

  test('are on record as they happen', async () => {
    const { history, clock } = await lockedHistory();
    const run = await history.beginRun(runStart());
    const decisions = [one, two, three, four].map((target) => removal(target));
    const [first, second, third, fourth] = decisions as [
      (typeof decisions)[0],
      (typeof decisions)[0],
      (typeof decisions)[0],
      (typeof decisions)[0],
    ];
    await run.planned(plan(...decisions));
    const states = async (): Promise<unknown[]> =>
      (await history.readDecisions(1)).map(({ removal: record }) => [record?.state, record?.at, record?.message, record?.keptBy]);
    const beganAt = clock.now();
    await run.removalBegan(first);
    expect((await states())[0]).toEqual(['in-hand', beganAt, null, null]);
    clock.pass(5);
    await run.removalEnded({ decision: first, outcome: { kind: 'removed' } });
    await run.removalEnded({ decision: second, outcome: { kind: 'kept', reason: keptBy } });
    await run.removalEnded({ decision: third, outcome: { kind: 'failed', message: 'the runtime said no' } });
    await run.removalEnded({ decision: fourth, outcome: { kind: 'not-attempted' } });
    const at = clock.now();
    expect(await states()).toEqual([
      ['removed', at, null, null],
      ['kept', at, null, keptBy],
      ['failed', at, 'the runtime said no', null],
      ['not-attempted', at, null, null],
    ]);
    await run.end(ending({ reclaimedBytes: new Map([[one.id, 77]]) }));
    expect((await history.readDecisions(1)).map(({ removal: record }) => record?.reclaimedBytes)).toEqual([77, 0, 0, 0]);
  });

  test('several at once are each on record', async () => {
    const { history } = await lockedHistory();
    const run = await history.beginRun(runStart());
    const decisions = Array.from({ length: 50 }, (_, number) => removal(image(number)));
    await run.planned(plan(...decisions));
    await Promise.all(
      decisions.map(async (decision) => {
        await run.removalBegan(decision);
        await run.removalEnded({ decision, outcome: { kind: 'removed' } });
      }),
    );
    expect((await history.readDecisions(1)).every(({ removal: record }) => record?.state === 'removed')).toBe(true);
  });

  test('none is left open by a run that ends', async () => {
    const { history } = await lockedHistory();
    const run = await history.beginRun(runStart());
    await run.planned(plan(removal(one), removal(two)));
    await run.removalBegan(removal(one));
    await run.end(ending({ state: 'refused' }));
    expect((await history.readDecisions(1)).map(({ removal: record }) => [record?.state, record?.at])).toEqual([
      ['failed', ending().endedAt],
      ['not-attempted', ending().endedAt],
    ]);
  });
});

describe('a run that was killed', () => {
  test('is found by the next, which sees in the runtime what became of it', async () => {
    const killed = await lockedHistory();
    const run = await killed.history.beginRun(runStart());
    const images = [1, 2, 3, 4, 5].map((number) => image(number));
    await run.planned(
      plan({ outcome: 'keep', image: image(9), reason: { code: 'not-listed' } }, ...images.map((target) => removal(target))),
    );
    const [removed, gone, there] = images as [typeof one, typeof one, typeof one];
    await run.removalBegan(removal(removed));
    await run.removalEnded({ decision: removal(removed), outcome: { kind: 'removed' } });
    await run.removalBegan(removal(gone));
    await run.removalBegan(removal(there));

    const { history, clock } = await afterKill(killed);
    const [unfinished] = await history.unfinishedRuns();
    expect(unfinished?.run).toMatchObject({ id: 1, state: 'running', pid: 4711 });
    expect(unfinished?.open.map(({ imageId: id, state }) => [id, state])).toEqual([
      [imageId(2), 'in-hand'],
      [imageId(3), 'in-hand'],
      [imageId(4), 'planned'],
      [imageId(5), 'planned'],
    ]);
    const settled = await history.settleKilledRun(1, new Set([3, 4].map(imageId)), clock.now());
    expect(settled).toMatchObject({ state: 'killed', endedAt: clock.now() });
    expect(settled.message).toContain('process 4711 on node-1');
    expect(settled.summary).toEqual({
      ...{ images: 6, keep: 1, remove: 5, removed: 2, absent: 0, keptAfterAll: 0, failed: 1, notAttempted: 2 },
      ...{ scanned: 0, verdictsReused: 0, estimatedBytes: 500, reclaimedBytes: 200 },
    });
    expect(
      (await history.readDecisions(1)).slice(1).map(({ removal: record }) => [record?.state, record?.message, record?.reclaimedBytes]),
    ).toEqual([
      ['removed', null, 100],
      ['removed', 'the run was killed while this was under way; the runtime no longer has the image', 100],
      ['failed', 'the run was killed while this was under way; the runtime has the image now', 0],
      ['not-attempted', null, 0],
      ['not-attempted', 'not on record as begun when the run was killed, yet the image is gone', 0],
    ]);
    expect(await history.unfinishedRuns()).toEqual([]);
  });

  test('before it had a plan, has no summary', async () => {
    const killed = await lockedHistory();
    await killed.history.beginRun(runStart());
    const { history } = await afterKill(killed);
    expect(await history.settleKilledRun(1, new Set(), 5)).toMatchObject({ state: 'killed', endedAt: 5, summary: null });
  });

  test('is settled once; a run that ended is left as it was', async () => {
    const { history } = await lockedHistory();
    const run = await history.beginRun(runStart());
    await run.planned(plan(removal(one)));
    await run.end(ending({ state: 'failed', message: 'no runtime' }));
    expect(await history.settleKilledRun(1, new Set(), 5)).toMatchObject({ state: 'failed', message: 'no runtime' });
  });
});
