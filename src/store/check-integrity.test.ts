import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { image } from '../../test/fakes/images.ts';
import { openTestHistory, temporaryFolder } from '../../test/fakes/history-in-test.ts';
import { ending, HOLDER, plan, removal, runStart } from '../../test/fakes/runs.ts';
import { checkIntegrity, type IntegrityCheck, type IntegrityResult } from './check-integrity.ts';

const PAGE = 4096;

async function closedHistory(): Promise<string> {
  const { history, path } = await openTestHistory();
  await history.lockRuns(HOLDER);
  const run = await history.beginRun(runStart());
  await run.planned(plan(...Array.from({ length: 2_000 }, (_, number) => removal(image(number)))));
  await run.end(ending());
  await history.close();
  return path;
}

const check = (path: string, other: Partial<IntegrityCheck> = {}): Promise<IntegrityResult> =>
  checkIntegrity({ path, timeoutMs: 60_000, signal: new AbortController().signal, ...other });

describe('checkIntegrity', () => {
  test('finds a history whole, and does not change it', async () => {
    const path = await closedHistory();
    const before = readFileSync(path);
    expect(await check(path)).toEqual({ kind: 'whole' });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test('reads beside a run, with what is only in the log', async () => {
    const { history, path } = await openTestHistory();
    await history.lockRuns(HOLDER);
    await history.beginRun(runStart());
    expect(await check(path)).toEqual({ kind: 'whole' });
  });

  test.each([
    ['the middle of a page', 40, 100],
    ['all but the beginning', 1, Number.POSITIVE_INFINITY],
    ['the header', 0, 16],
  ])('finds damage: %s', async (_, page, bytes) => {
    const path = await closedHistory();
    const content = readFileSync(path);
    content.fill(0xa5, page * PAGE, Math.min(page * PAGE + bytes, content.length));
    writeFileSync(path, content);
    const result = await check(path);
    expect(result).toEqual({ kind: 'damaged', faults: expect.arrayContaining([expect.stringMatching(/\w/)]) as string[] });
  });

  test('stops when it takes too long, or is interrupted', async () => {
    const path = await closedHistory();
    expect(await check(path, { timeoutMs: 1 })).toEqual({ kind: 'timed-out' });
    const reason = new Error('stopped');
    await expect(check(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('what is no file is told', async () => {
    expect(await check(temporaryFolder())).toEqual({ kind: 'unreadable', message: expect.stringMatching(/\w/) as string });
  });
});
