import { existsSync, rmSync, symlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { image } from '../../test/fakes/images.ts';
import { openTestHistory } from '../../test/fakes/history-in-test.ts';
import { ENDPOINT, HOLDER, plan, removal, runStart } from '../../test/fakes/runs.ts';

test('one run at a time; the second is told who has it', async () => {
  const first = await openTestHistory();
  const second = await openTestHistory(first);
  const lock = await first.history.lockRuns(HOLDER);
  await expect(second.history.lockRuns({ ...HOLDER, pid: 5 })).rejects.toMatchObject({
    code: 'locked',
    message: `another run is under way with the history ${first.path}: process 4711 on node-1, which started at 2026-11-01T00:00:00.000Z`,
  });
  lock.release();
  lock.release();
  await second.history.lockRuns({ ...HOLDER, pid: 5 });
  await expect(first.history.lockRuns(HOLDER)).rejects.toMatchObject({
    code: 'locked',
    message: expect.stringContaining('process 5 on') as string,
  });
});

test('the lock ends with its history', async () => {
  const first = await openTestHistory();
  await first.history.lockRuns(HOLDER);
  await first.history.close();
  const second = await openTestHistory(first);
  await expect(second.history.lockRuns(HOLDER)).resolves.toBeDefined();
});

test('those who clean nothing read and write beside a run', async () => {
  const run = await openTestHistory();
  await run.history.lockRuns(HOLDER);
  const other = await openTestHistory(run);
  await other.history.memoryOf(ENDPOINT).recordSightings({ images: [], inUse: new Set() });
  expect(await other.history.listRuns({ limit: 1 })).toEqual([]);
});

test('who only reads takes no lock', async () => {
  const { history } = await openTestHistory({ readOnly: true });
  await expect(history.lockRuns(HOLDER)).rejects.toMatchObject({ code: 'read-only' });
});

test('a link to the history has the lock of the history', async () => {
  const first = await openTestHistory();
  const path = `${first.path}.link`;
  symlinkSync(first.path, path);
  await first.history.lockRuns(HOLDER);
  const second = await openTestHistory({ path });
  await expect(second.history.lockRuns(HOLDER)).rejects.toMatchObject({ code: 'locked' });
  expect(existsSync(`${path}.lock`)).toBe(false);
});

test('a run whose lock file was removed removes nothing more', async () => {
  const { history, path } = await openTestHistory();
  await history.lockRuns(HOLDER);
  const run = await history.beginRun(runStart());
  await run.planned(plan(removal(image(1)), removal(image(2))));
  await run.removalBegan(removal(image(1)));
  rmSync(`${path}.lock`);
  await expect(run.removalBegan(removal(image(2)))).rejects.toMatchObject({ code: 'locked' });
  const other = await openTestHistory({ path });
  await other.history.lockRuns(HOLDER);
  await expect(run.removalBegan(removal(image(2)))).rejects.toMatchObject({ code: 'locked' });
  await expect(history.beginRun(runStart())).rejects.toMatchObject({ code: 'locked' });
  expect((await history.readDecisions(1)).map(({ removal: record }) => record?.state)).toEqual(['in-hand', 'planned']);
});
