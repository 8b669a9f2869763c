import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { openTestClusterHistory, type TestClusterHistory } from '../../test/fakes/cluster-history-in-test.ts';
import { analysisOf } from '../../test/fakes/fake-reader.ts';
import { DAY, HOUR, openTestHistory, temporaryFolder } from '../../test/fakes/history-in-test.ts';
import { image, imageId, report } from '../../test/fakes/images.ts';
import { keptOn, lookAt, NEVER, nodeResults, workerPod } from '../../test/fakes/node-results.ts';
import type { NodeVerdict } from '../api/node-verdict.ts';
import type { ScannerInfo } from '../api/scan-report.ts';
import type { NodeScan } from './cluster-history.ts';
import { revokeInHistory } from './revoke-in-history.ts';

const scanner: ScannerInfo = {
  name: 'trivy',
  version: '0.74.0',
  databaseUpdatedAt: '2026-10-31T06:00:00Z',
  databaseMark: 'server:cluster 1',
};

/** What a node tells of an image that it has read. */
function read(node: string, number: number, asOf = 0): NodeScan {
  const analysis = analysisOf(imageId(number));
  const parts = [...analysis.parts, { key: 'a layer of all', data: Buffer.from('shared') }];
  return { reportedBy: node, report: { ...report(image(number)), scanner }, analysis: { ...analysis, parts }, asOf };
}

/** As an operator does, by a process of its own. */
function revoke({ place, clock }: TestClusterHistory, node: string): Promise<NodeVerdict[] | null> {
  return revokeInHistory({ place, now: clock.now, bootClock: clock.bootClock }, node);
}

/** The images of which something is known, by their numbers: reports, then analyses. */
async function known({ history }: TestClusterHistory): Promise<[number[], number[]]> {
  const imageIds = [1, 2, 3].map(imageId);
  const numbers = (found: ReadonlyMap<string, unknown>): number[] => [1, 2, 3].filter((number) => found.has(imageId(number)));
  const wanted = { imageIds, scanner };
  return [numbers(await history.scans.readReports(wanted, NEVER)), numbers(await history.scans.readAnalyses(wanted, NEVER))];
}

function count(path: string, table: string): number {
  const database = new DatabaseSync(path, { readOnly: true });
  const row = database.prepare(`SELECT count(*) AS count FROM ${table}`).get();
  database.close();
  return Number(row?.['count']);
}

describe('what a node has told of images', () => {
  test('is taken back, and nothing of what others have told; pieces that these share stay', async () => {
    const it = await openTestClusterHistory();
    await it.history.scans.keep([read('node-1', 1), read('node-2', 2), read('node-1', 3)], NEVER);
    expect(await known(it)).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(count(it.path, 'part')).toBe(4);
    expect((await revoke(it, 'node-1'))?.map(({ imageId: id }) => id)).toEqual([imageId(1), imageId(3)].toSorted());
    expect(await known(it)).toEqual([[2], [2]]);
    expect([count(it.path, 'analysis_part'), count(it.path, 'part')]).toEqual([2, 2]);
    expect(await revoke(it, 'node-2')).toHaveLength(1);
    expect([count(it.path, 'analysis'), count(it.path, 'part'), count(it.path, 'scan_report')]).toEqual([0, 0, 0]);
  });

  test('does not come back by what was made of it before: that is not kept, what is told of others is', async () => {
    const it = await openTestClusterHistory();
    await it.history.scans.keep([read('node-1', 1), read('node-2', 2)], NEVER);
    const before = await it.history.scans.lastRevocation(NEVER);
    expect(before).toBe(0);
    await revoke(it, 'node-1');
    const after = await it.history.scans.lastRevocation(NEVER);
    await Promise.all([
      it.history.scans.keep([{ ...read('node-1', 1, before), analysis: null }], NEVER),
      it.history.scans.keep([read('node-1', 3, before)], NEVER),
      it.history.scans.keep([read('node-2', 2, before)], NEVER),
    ]);
    expect(await known(it)).toEqual([[2], [2]]);
    await it.history.scans.keep([read('node-1', 1, after)], NEVER);
    expect(await known(it)).toEqual([
      [1, 2],
      [1, 2],
    ]);
    await revoke(it, 'node-1');
    expect(await it.history.scans.lastRevocation(NEVER)).toBeGreaterThan(after);
  });

  test('is shown with the names of the images, and when they were read, whatever the clock says', async () => {
    const it = await openTestClusterHistory();
    await it.history.scans.keep([read('node-2', 2), read('node-1', 1)], NEVER);
    await it.history.results.record(workerPod('node-3'), nodeResults([keptOn(image(1))]), 'digest', NEVER);
    const judgedAt = it.clock.now();
    it.clock.pass(HOUR);
    it.clock.step(20 * DAY);
    const { history } = await openTestHistory({ path: it.path, clock: it.clock, readOnly: true });
    const common = { scanner: { name: 'trivy', version: '0.74.0' }, readAt: it.clock.now() - HOUR, judgedAt };
    const { repoTags, repoDigests } = image(1);
    expect(await history.readVerdicts()).toEqual([
      { node: 'node-1', imageId: imageId(1), repoTags, repoDigests, ...common },
      { node: 'node-2', imageId: imageId(2), repoTags: [], repoDigests: [], ...common },
    ]);
    expect((await history.readVerdicts('node-2'))?.map(({ node }) => node)).toEqual(['node-2']);
    expect(await history.readVerdicts('node-9')).toBeNull();
  });

  test('of a node that was never heard of, nothing is changed; one that has told nothing yet may go on to read', async () => {
    const it = await openTestClusterHistory();
    await it.history.scans.keep([read('node-1', 1)], NEVER);
    expect(await revoke(it, 'node-9')).toBeNull();
    expect(count(it.path, 'revocation')).toBe(0);
    await it.history.images.observe(workerPod('node-2'), lookAt([image(1)]), NEVER);
    expect(await revoke(it, 'node-2')).toEqual([]);
    expect(count(it.path, 'revocation')).toBe(1);
    expect(await known(it)).toEqual([[1], [1]]);
    const absent = join(temporaryFolder(), 'history.db');
    expect(await revoke({ ...it, place: { path: absent } }, 'node-1')).toBeNull();
    expect(existsSync(absent)).toBe(false);
  });
});

describe('a run', () => {
  const isRevoked = ({ history }: TestClusterHistory, job: string, node = 'node-1'): Promise<boolean> =>
    history.scans.isRevokedIn({ job, node }, NEVER);
  const begin = ({ history, clock }: TestClusterHistory, uid: string, startedAt = clock.now()): Promise<void> =>
    history.recordJobBegan({ uid, name: uid, mode: 'automatic', startedAt }, NEVER);

  test('that had begun when a node was revoked hears nothing more from it, a later one does', async () => {
    const it = await openTestClusterHistory();
    await it.history.scans.keep([read('node-1', 1)], NEVER);
    await begin(it, 'before');
    expect(await isRevoked(it, 'before')).toBe(false);
    it.clock.pass(1_000);
    await revoke(it, 'node-1');
    it.clock.pass(1_000);
    await begin(it, 'after');
    expect([await isRevoked(it, 'before'), await isRevoked(it, 'after')]).toEqual([true, false]);
    expect(await isRevoked(it, 'before', 'node-2')).toBe(false);
  });

  test('of which it is not on record when it began, or that began before by either clock, hears nothing from it either', async () => {
    const it = await openTestClusterHistory();
    await it.history.scans.keep([read('node-1', 1)], NEVER);
    const startedAt = it.clock.now();
    it.clock.pass(1_000);
    await revoke(it, 'node-1');
    expect(await isRevoked(it, 'unknown')).toBe(true);
    it.clock.pass(1_000);
    await it.history.results.record(workerPod('node-2', 'told-by-a-node'), nodeResults([]), 'digest', NEVER);
    expect(await isRevoked(it, 'told-by-a-node')).toBe(true);
    await begin(it, 'told-late', startedAt);
    expect(await isRevoked(it, 'told-late')).toBe(true);
  });
});
