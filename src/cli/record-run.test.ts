import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FakeRuntime } from '../../test/fakes/fake-runtime.ts';
import { openTestHistory, temporaryFolder } from '../../test/fakes/history-in-test.ts';
import { image } from '../../test/fakes/images.ts';
import { ENDPOINT, HOLDER, plan, removal, runStart } from '../../test/fakes/runs.ts';
import type { History } from '../store/history.ts';
import { historyError } from '../store/history-error.ts';
import { EXIT } from './exit-codes.ts';
import { formatUnsettledRun } from './output/describe-run.ts';
import { recordRun, type RecordContext, type RecordRunOptions } from './record-run.ts';

const [one, two] = [image(1), image(2)];
const context: RecordContext = {
  now: () => Date.UTC(2026, 10, 2),
  version: '1.2.3',
  env: { LOGNAME: 'bob' },
  commandLine: ['clean', '--yes'],
  signal: new AbortController().signal,
  machine: { userId: 0, pid: 4712, hostName: 'node-1' },
};

function optionsOf(history: History | null, fields: Partial<RecordRunOptions> = {}): RecordRunOptions {
  const retention = { maxAgeMs: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER };
  return { history, auditLog: undefined, runtimeEndpoint: ENDPOINT, mode: 'automatic', retention, ...fields };
}

function auditedLines(path: string): Record<string, unknown>[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** A history in which ada's run was killed with one removal in hand. */
async function historyWithKilledRun(): Promise<History> {
  const { history, path } = await openTestHistory();
  await history.lockRuns(HOLDER);
  const killed = await history.beginRun(runStart({ user: 'ada' }));
  await killed.planned(plan(removal(one)));
  await killed.removalBegan(removal(one));
  await history.close();
  return (await openTestHistory({ path })).history;
}

const signal = new AbortController().signal;

describe('recordRun', () => {
  test('a removal is in the audit log although the history fails right then', async () => {
    const auditLog = join(temporaryFolder(), 'audit.jsonl');
    const { history } = await openTestHistory();
    const failing: History = {
      ...history,
      beginRun: async (start) => ({
        ...(await history.beginRun(start)),
        removalEnded: () => Promise.reject(historyError('busy', 'the history is busy')),
      }),
    };
    await recordRun(context, optionsOf(failing, { auditLog }), async ({ journal }) => {
      await expect(journal.removalEnded({ decision: removal(one), outcome: { kind: 'removed' } })).rejects.toMatchObject({ code: 'busy' });
      return EXIT.failed;
    });
    expect(auditedLines(auditLog)).toMatchObject([{ imageId: one.id, outcome: 'removed', runId: 1, user: 'bob', settled: false }]);
  });

  test('without a history removals are in the audit log all the same', async () => {
    const auditLog = join(temporaryFolder(), 'audit.jsonl');
    await recordRun(context, optionsOf(null, { auditLog }), async ({ journal }) => {
      await journal.removalBegan(removal(two));
      await journal.removalEnded({ decision: removal(two), outcome: { kind: 'removed' } });
      return EXIT.done;
    });
    expect(auditedLines(auditLog)).toMatchObject([{ imageId: two.id, outcome: 'removed', runId: null }]);
  });

  test("a killed run's removal is audited under the name of who ran it", async () => {
    const auditLog = join(temporaryFolder(), 'audit.jsonl');
    const history = await historyWithKilledRun();
    await recordRun(context, optionsOf(history, { auditLog }), async (run) => {
      expect(await run.settleKilledRuns(new FakeRuntime([two]), signal)).toMatchObject({
        settled: [{ id: 1, state: 'killed' }],
        unsettled: [],
      });
      return EXIT.done;
    });
    expect(auditedLines(auditLog)).toMatchObject([{ runId: 1, user: 'ada', imageId: one.id, outcome: 'removed', settled: true }]);
  });

  test('a killed run that was settled without an audit log is in that of the next run that has one, once', async () => {
    const auditLog = join(temporaryFolder(), 'audit.jsonl');
    const history = await historyWithKilledRun();
    const goOn = (fields: Partial<RecordRunOptions>): Promise<unknown> =>
      recordRun(context, optionsOf(history, fields), async (run) => {
        await run.settleKilledRuns(new FakeRuntime([]), signal);
        return EXIT.done;
      });
    await goOn({});
    expect(await history.readRun(1)).toMatchObject({ state: 'killed' });
    // On whatever runtime: the image is gone.
    await goOn({ auditLog, runtimeEndpoint: 'unix:///run/crio/crio.sock' });
    const lines = [{ runId: 1, user: 'ada', imageId: one.id, outcome: 'removed', settled: true }];
    expect(auditedLines(auditLog)).toMatchObject(lines);
    await goOn({ auditLog });
    expect(auditedLines(auditLog)).toHaveLength(1);
  });

  test('a killed run that there is no space to settle does not stop the next one, and is settled later', async () => {
    const history = await historyWithKilledRun();
    const told: string[] = [];
    const full: History = { ...history, settleKilledRun: () => Promise.reject(historyError('full', 'no space is left')) };
    const goOn = (given: History): Promise<unknown> =>
      recordRun(context, optionsOf(given), async (run) => {
        const { unsettled } = await run.settleKilledRuns(new FakeRuntime([]), signal);
        told.push(...unsettled.map(formatUnsettledRun));
        return EXIT.done;
      });
    expect(await goOn(full)).toBe(EXIT.done);
    expect(await history.readRun(1)).toMatchObject({ state: 'running' });
    expect(told).toEqual([expect.stringMatching(/^Warning: Run 1 of .+ the 1 removal .+ not on record: no space is left\. Make room/)]);
    await goOn(history);
    expect(told).toHaveLength(1);
    expect(await history.readRun(1)).toMatchObject({ state: 'killed' });
  });

  test("another runtime's killed run is left to a run on that one", async () => {
    const history = await historyWithKilledRun();
    await recordRun(context, optionsOf(history, { runtimeEndpoint: 'unix:///run/crio/crio.sock' }), async (run) => {
      expect(await run.settleKilledRuns(new FakeRuntime([]), signal)).toEqual({ settled: [], unsettled: [] });
      return EXIT.done;
    });
    expect(await history.readRun(1)).toMatchObject({ state: 'running' });
  });

  test('a run that was not carried out is on record with why, and none of its removals as attempted', async () => {
    const { history } = await openTestHistory();
    await recordRun(context, optionsOf(history), (run) => {
      run.note('not confirmed');
      return Promise.resolve(EXIT.refused);
    });
    expect(await history.readRun(1)).toMatchObject({ state: 'refused', message: 'not confirmed' });
  });
});
