import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { DAY, HOUR } from '../../fakes/history-in-test.ts';
import { finding, image, imageId } from '../../fakes/images.ts';
import { lookAt, NEVER, nodeResults, removedOn, workerPod } from '../../fakes/node-results.ts';
import type { ClusterRetention } from '../../../src/store/cluster-history.ts';
import type { PruneResult } from '../../../src/store/history.ts';
import type { OpenTestClusterHistory, TestClusterHistory } from '../../fakes/cluster-history-in-test.ts';

const KEEP_ALL: ClusterRetention = { maxAgeMs: 400 * DAY, maxBytes: 2 ** 40 };

/** A job over so many nodes, each with an image and findings of its own. */
async function runJob({ history }: TestClusterHistory, job: string, { nodes = 5, findings = 200, hasEnded = true } = {}): Promise<void> {
  await history.recordJobBegan({ uid: job, name: job, mode: 'automatic', startedAt: 0 }, NEVER);
  for (let node = 0; node < nodes; node += 1) {
    const own = Array.from({ length: findings }, () => finding({ id: `CVE-${randomBytes(20).toString('hex')}` }));
    const decision = removedOn(image(node), { ruling: { outcome: 'remove', reason: { code: 'vulnerable', findings: own } } });
    await history.results.record(workerPod(`node-${node}`, job), nodeResults([decision]), 'a', NEVER);
  }
  if (hasEnded) await history.recordJobEnded(job, 1, NEVER);
}

async function log({ history }: TestClusterHistory, job: string, bytes = 10): Promise<void> {
  await history.logs.append(
    workerPod('node-0', job),
    { container: 'remover', sequence: 0, lines: [randomBytes(bytes).toString('hex').slice(bytes)] },
    NEVER,
  );
}

const prune = ({ history }: TestClusterHistory, retention: Partial<ClusterRetention>): Promise<PruneResult> =>
  history.prune({ ...KEEP_ALL, ...retention }, NEVER);

async function rows(it: TestClusterHistory): Promise<Record<string, unknown>> {
  const tables = ['job', 'run', 'node_run', 'decision', 'reason', 'log', 'log_piece', 'sighting', 'sighted_runtime'];
  const counts = await it.query(`SELECT ${tables.map((table) => `(SELECT count(*) FROM ${table}) AS ${table}`).join(', ')}`);
  const off = await it.query('SELECT bytes FROM log_size WHERE bytes <> coalesce((SELECT sum(length(packed)) FROM log_piece), 0)');
  expect([await it.brokenReferences(), off]).toEqual([[], []]);
  return Object.fromEntries(Object.entries(counts[0] ?? {}).map(([table, count]) => [table, Number(count)]));
}

/** What is forgotten, and when. */
export function pruneContract(open: OpenTestClusterHistory): void {
  describe('what is forgotten', () => {
    test('by age: runs with their decisions, logs, and then the job', async () => {
      const it = await open();
      await runJob(it, 'old');
      await log(it, 'old');
      it.clock.pass(50 * DAY);
      await runJob(it, 'young');
      await log(it, 'young');
      expect(await prune(it, { maxAgeMs: 30 * DAY })).toMatchObject({ runs: 5 });
      expect(await rows(it)).toMatchObject({ job: 1, run: 5, node_run: 5, decision: 5, reason: 5, log: 1, log_piece: 1 });
      expect([await it.history.readTotals('old'), (await it.history.readTotals('young'))?.nodes]).toEqual([null, 5]);
    });

    test('by size: logs first, then the oldest runs; the totals of their job stay', async () => {
      const it = await open();
      for (const job of ['one', 'two', 'three']) await runJob(it, job, { nodes: 10, findings: 300 });
      const { bytes } = await prune(it, {});
      await log(it, 'three', 200_000);
      expect(await prune(it, { maxBytes: bytes + 8_192 })).toMatchObject({ runs: 0 });
      expect(await rows(it)).toMatchObject({ run: 30, log: 0, log_piece: 0 });
      const pruned = await prune(it, { maxBytes: bytes / 2 });
      expect(pruned.bytes).toBeLessThanOrEqual(bytes / 2);
      expect(pruned.runs).toBeGreaterThan(10);
      expect(pruned.runs).toBeLessThan(28);
      expect(await rows(it)).toMatchObject({ run: 30 - pruned.runs, node_run: 30 - pruned.runs, job: 3 });
      expect(await it.history.readTotals('one')).toMatchObject({ nodes: 10, sums: { removed: 10 } });
    });

    test('of a job that goes on nothing: its nodes may send the same results again', async () => {
      const it = await open();
      await runJob(it, 'one', { hasEnded: false });
      await runJob(it, 'two', { nodes: 2 });
      expect(await prune(it, { maxBytes: 0 })).toMatchObject({ runs: 1 });
      expect(await it.history.results.recordedDigest(workerPod('node-0', 'one'), NEVER)).toBe('a');
      await it.history.recordJobEnded('one', 1, NEVER);
      expect(await prune(it, { maxBytes: 0 })).toMatchObject({ runs: 5 });
    });

    test('of a job whose end never came, after a week', async () => {
      const it = await open();
      await runJob(it, 'one', { hasEnded: false });
      await log(it, 'one', 100_000);
      it.clock.pass(6 * DAY);
      await runJob(it, 'two', { nodes: 1 });
      expect(await prune(it, { maxBytes: 0 })).toMatchObject({ runs: 0 });
      // The number of the next piece is still known.
      expect(await it.history.logs.position(workerPod('node-0', 'one'), 'remover', NEVER)).toMatchObject({ pieces: 1 });
      it.clock.pass(2 * DAY);
      expect(await prune(it, { maxBytes: 0 })).toMatchObject({ runs: 5 });
      expect(await rows(it)).toMatchObject({ log: 0 });
    });

    test('of nodes: those that are no more, after a day', async () => {
      const it = await open();
      const see = (node: string): Promise<unknown> => it.history.images.observe(workerPod(node), lookAt([image(1), image(2)]), NEVER);
      await see('gone');
      await see('there');
      it.clock.pass(2 * DAY);
      await see('not in the list yet');
      await prune(it, { nodes: new Set() });
      expect(await rows(it)).toMatchObject({ sighted_runtime: 3, sighting: 6 });
      await prune(it, { nodes: new Set(['there']) });
      expect(await rows(it)).toMatchObject({ sighted_runtime: 2, sighting: 4 });
      const known = await it.history.images.observe(workerPod('there'), lookAt([image(1)]), NEVER);
      expect(it.clock.now() - (known.get(imageId(1))?.firstSeenAt ?? 0)).toBe(2 * DAY);
    });

    test('of nodes of which nothing is known: those that were not heard of for longer than any pause between runs', async () => {
      const it = await open();
      await it.history.images.observe(workerPod('node-1'), lookAt([image(1)]), NEVER);
      it.clock.pass(99 * DAY);
      await prune(it, { maxAgeMs: DAY });
      expect(await rows(it)).toMatchObject({ sighted_runtime: 1, sighting: 1 });
      it.clock.pass(2 * DAY);
      await prune(it, {});
      expect(await rows(it)).toMatchObject({ sighted_runtime: 0, sighting: 0 });
    });
  });

  test('forgetting lets others have their turns, and ends when it is told to', async () => {
    const it = await open();
    await runJob(it, 'one', { nodes: 60, findings: 2 });
    await runJob(it, 'two', { nodes: 1 });
    it.clock.pass(HOUR);
    let turns = 0;
    const ticking = setInterval(() => (turns += 1), 0);
    const pruning = prune(it, { maxAgeMs: 0 });
    await it.history.results.record(workerPod('node-1', 'three'), nodeResults([]), 'a', NEVER);
    expect(await it.history.results.recordedDigest(workerPod('node-1', 'three'), NEVER)).toBe('a');
    const { runs } = await pruning;
    clearInterval(ticking);
    expect(runs).toBeGreaterThan(50);
    expect(turns).toBeGreaterThan(5);
    await runJob(it, 'four', { nodes: 60, findings: 2 });
    it.clock.pass(HOUR);
    const stop = new AbortController();
    const stopped = it.history.prune({ ...KEEP_ALL, maxAgeMs: 0 }, stop.signal);
    setImmediate(() => stop.abort(new Error('enough')));
    await expect(stopped).rejects.toThrow('enough');
    expect((await rows(it))['run']).toBeGreaterThan(50);
  });
}
