import { describe, expect, test } from 'vitest';
import type { ImageAnalysis, ScannerInfo, ScanReport } from '../../../src/api/scan-report.ts';
import type { ClusterHistory, NodeScan } from '../../../src/store/cluster-history.ts';
import type { OpenTestClusterHistory, TestClusterHistory } from '../../fakes/cluster-history-in-test.ts';
import { revokeInHistory } from '../../../src/store/revoke-in-history.ts';
import { analysisOf } from '../../fakes/fake-reader.ts';
import { DAY, HOUR } from '../../fakes/history-in-test.ts';
import { finding, image, imageId, report } from '../../fakes/images.ts';
import { lookAt, NEVER, nodeResults, removedOn, workerPod } from '../../fakes/node-results.ts';

const POD = workerPod('node-1');
const RESULTS = nodeResults([removedOn(image(1))]);

const record = ({ results }: ClusterHistory, job: string): Promise<void> =>
  results.record(workerPod('node-1', job), RESULTS, 'digest', NEVER);

/** What the manager counts on, wherever its history is kept: ages, what is known of scans, and that several may write. */
export function clusterHistoryContract(open: OpenTestClusterHistory): void {
  describe('ages', () => {
    test('are of one node each', async () => {
      const { history, clock } = await open();
      await history.images.observe(POD, lookAt([image(1), image(2)], [image(2)]), NEVER);
      clock.pass(10 * DAY);
      const other = await history.images.observe(workerPod('node-2'), lookAt([image(1)]), NEVER);
      expect(other).toEqual(new Map([[imageId(1), { firstSeenAt: clock.now(), lastInUseAt: null }]]));
      const again = await history.images.observe(POD, lookAt([image(1), image(2)]), NEVER);
      const then = clock.now() - 10 * DAY;
      expect(again).toEqual(
        new Map([
          [imageId(1), { firstSeenAt: then, lastInUseAt: null }],
          [imageId(2), { firstSeenAt: then, lastInUseAt: then }],
        ]),
      );
    });

    test('begin anew with an image that was gone, or that a run removed', async () => {
      const { history, clock, query } = await open();
      const look = (...numbers: number[]): ReturnType<ClusterHistory['images']['observe']> =>
        history.images.observe(POD, lookAt(numbers.map((number) => image(number))), NEVER);
      await look(1, 2, 3);
      clock.pass(DAY);
      await look(2, 3);
      const failed = { state: 'failed', at: 0, message: 'in use', keptBy: null, reclaimedBytes: 0 } as const;
      const results = nodeResults([removedOn(image(2)), removedOn(image(3), { removal: failed })]);
      await history.results.record(POD, results, 'a', NEVER);
      clock.pass(DAY);
      const ages = [...(await look(1, 2, 3))].map(([id, { firstSeenAt }]) => [id, clock.now() - firstSeenAt]);
      expect(ages).toEqual([
        [imageId(1), 0],
        [imageId(2), 0],
        [imageId(3), 2 * DAY],
      ]);
      // What a node once had is not kept: one that told of ever new images would fill the disk.
      clock.pass(1);
      await look(3);
      expect(await rowsIn(query, 'sighting')).toBe(1);
    });

    test('do not jump when the manager moves to a machine that has been up for long, or whose clock was set', async () => {
      const { history, clock } = await open();
      await history.images.observe(POD, lookAt([image(1)]), NEVER);
      clock.reboot(HOUR);
      clock.uptimeMs = 300 * DAY;
      const moved = await history.images.observe(POD, lookAt([image(1)]), NEVER);
      expect(clock.now() - (moved.get(imageId(1))?.firstSeenAt ?? 0)).toBe(HOUR);
      clock.step(200 * DAY);
      const stepped = await history.images.observe(POD, lookAt([image(1)]), NEVER);
      expect(clock.now() - (stepped.get(imageId(1))?.firstSeenAt ?? 0)).toBe(HOUR);
    });
  });

  describe('reports', () => {
    const scanner = { name: 'trivy', version: '0.74.0', databaseUpdatedAt: '2026-10-31T06:00:00Z', databaseMark: 'server:cluster 1' };
    const found = { ...report(image(1)), scanner, findings: [finding()] };
    const told = (reportedBy: string, ...reports: ScanReport[]): NodeScan[] =>
      reports.map((each) => ({ reportedBy, report: each, analysis: null, asOf: 0 }));

    test('of one node count for all, by just this scanner and database, for a day', async () => {
      const { history, clock } = await open();
      await history.scans.keep(told('node-1', found, { ...report(image(3)), scanner }), NEVER);
      const ask = async (by: ScannerInfo): Promise<string[]> => [
        ...(await history.scans.readReports({ imageIds: [imageId(1)], scanner: by }, NEVER)).keys(),
      ];
      const bare = imageId(1).slice('sha256:'.length);
      expect(await history.scans.readReports({ imageIds: [bare, imageId(2)], scanner }, NEVER)).toEqual(new Map([[bare, found]]));
      expect(await ask({ ...scanner, databaseMark: 'server:cluster 2' })).toEqual([]);
      expect(await ask({ ...scanner, databaseUpdatedAt: '2026-11-01T06:00:00Z' })).toEqual([]);
      expect(await ask({ ...scanner, version: '0.75.0' })).toEqual([]);
      expect(await ask({ ...scanner, databaseMark: null })).toEqual([]);
      expect(await ask(scanner)).toEqual([imageId(1)]);
      clock.pass(2 * DAY);
      expect(await ask(scanner)).toEqual([]);
    });

    test('are written over by later ones; of each it is on record which node told it', async () => {
      const { history, query } = await open();
      await history.scans.keep(told('node-1', found), NEVER);
      await Promise.all([
        history.scans.keep(told('node-2', { ...found, findings: [] }), NEVER),
        history.scans.keep(told('node-3', { ...report(image(2)), scanner }), NEVER),
      ]);
      const [known] = (await history.scans.readReports({ imageIds: [imageId(1)], scanner }, NEVER)).values();
      expect(known?.findings).toEqual([]);
      const rows = await query('SELECT reported_by FROM scan_report ORDER BY id_key');
      expect(rows.map(({ reported_by: node }) => node)).toEqual(['node-2', 'node-3']);
    });

    test('by a database that cannot be told from others are not kept', async () => {
      const { history } = await open();
      const vague = { ...scanner, databaseMark: null };
      await history.scans.keep(told('node-1', { ...found, scanner: vague }), NEVER);
      expect(await history.scans.readReports({ imageIds: [imageId(1)], scanner: vague }, NEVER)).toEqual(new Map());
    });
  });

  describe('analyses', () => {
    const scanner = { name: 'trivy', version: '0.74.0', databaseUpdatedAt: '2026-10-31T06:00:00Z', databaseMark: 'server:cluster 1' };
    const found = { ...report(image(1)), scanner };

    test('are kept with the node that read the image, for that version of the scanner, whatever the database', async () => {
      const { history } = await open();
      const analysis = analysisOf(imageId(1));
      await history.scans.keep([{ reportedBy: 'node-1', report: found, analysis, asOf: 0 }], NEVER);
      const ask = (version: string) =>
        history.scans.readAnalyses({ imageIds: [imageId(1), imageId(2)], scanner: { name: 'trivy', version } }, NEVER);
      const stored = { reportedBy: 'node-1', analysis: expect.objectContaining({ imageId: imageId(1) }) as ImageAnalysis };
      expect(await ask('0.74.0')).toEqual(new Map([[imageId(1), stored]]));
      const [{ analysis: kept } = { analysis: null }] = (await ask('0.74.0')).values();
      expect(kept?.parts.map(({ key, data }) => [key, Buffer.from(data)])).toEqual(analysis.parts.map(({ key, data }) => [key, data]));
      expect(Buffer.from(kept?.recipe ?? [])).toEqual(analysis.recipe);
      expect(await ask('0.75.0')).toEqual(new Map());
    });

    test('stay when a report by another database is kept; a later reading takes the place of an earlier one', async () => {
      const { history } = await open();
      const wanted = { imageIds: [imageId(1)], scanner };
      const readers = async (): Promise<unknown[]> =>
        [...(await history.scans.readAnalyses(wanted, NEVER)).values()].map(({ reportedBy, analysis }) => [
          reportedBy,
          analysis.parts.length,
        ]);
      await history.scans.keep([{ reportedBy: 'node-1', report: found, analysis: analysisOf(imageId(1)), asOf: 0 }], NEVER);
      const updated = { ...scanner, databaseMark: 'server:cluster 2' };
      await history.scans.keep([{ reportedBy: 'node-1', report: { ...found, scanner: updated }, analysis: null, asOf: 0 }], NEVER);
      expect(await readers()).toEqual([['node-1', 1]]);
      await history.scans.keep(
        [{ reportedBy: 'node-2', report: found, analysis: { ...analysisOf(imageId(1)), parts: [] }, asOf: 0 }],
        NEVER,
      );
      expect(await readers()).toEqual([['node-2', 0]]);
    });

    test('that are damaged are not there: the image is read again', async () => {
      const { history, query } = await open();
      await history.scans.keep([{ reportedBy: 'node-1', report: found, analysis: analysisOf(imageId(1), 1_000), asOf: 0 }], NEVER);
      await query('UPDATE part SET packed = substr(packed, 2)');
      const count = async (): Promise<number> => Number((await query('SELECT count(*) AS count FROM analysis'))[0]?.['count']);
      expect(await history.scans.readAnalyses({ imageIds: [imageId(1)], scanner }, NEVER)).toEqual(new Map());
      // Who reads does not write: that has its turn with what others write.
      expect(await count()).toBe(1);
      await history.scans.keep([{ reportedBy: 'node-2', report: found, analysis: analysisOf(imageId(1), 1_000), asOf: 0 }], NEVER);
      expect([...(await history.scans.readAnalyses({ imageIds: [imageId(1)], scanner }, NEVER)).keys()]).toEqual([imageId(1)]);
    });

    test('that a node has told are taken back, and those of others stay', async () => {
      const { history, place, clock, shown } = await open();
      const scanOf = (number: number): NodeScan => ({
        reportedBy: `node-${number}`,
        report: { ...report(image(number)), scanner },
        analysis: analysisOf(imageId(number)),
        asOf: 0,
      });
      await history.scans.keep([scanOf(1), scanOf(2)], NEVER);
      const revoke = (node: string): ReturnType<typeof revokeInHistory> =>
        revokeInHistory({ place, now: clock.now, bootClock: clock.bootClock }, node);
      expect(await revoke('node-9')).toBeNull();
      expect(await history.scans.lastRevocation(NEVER)).toBe(0);
      expect((await revoke('node-1'))?.map(({ imageId: id }) => id)).toEqual([imageId(1)]);
      expect(await history.scans.lastRevocation(NEVER)).toBeGreaterThan(0);
      expect(await history.scans.isRevokedIn({ job: 'job', node: 'node-1' }, NEVER)).toBe(true);
      const wanted = { imageIds: [imageId(1), imageId(2)], scanner };
      expect([...(await history.scans.readReports(wanted, NEVER)).keys()]).toEqual([imageId(2)]);
      expect([...(await history.scans.readAnalyses(wanted, NEVER)).keys()]).toEqual([imageId(2)]);
      expect((await (await shown()).readVerdicts())?.map(({ node }) => node)).toEqual(['node-2']);
      // What rests on what was taken back comes too late.
      await history.scans.keep([scanOf(1)], NEVER);
      expect([...(await history.scans.readReports(wanted, NEVER)).keys()]).toEqual([imageId(2)]);
    });
  });

  describe('two processes', () => {
    test('may write at once: each record is there once, with a number of its own', async () => {
      const one = await open();
      const two = await open({ place: one.place });
      const nodes = Array.from({ length: 60 }, (_, number) => `node-${number}`);
      await Promise.all(
        nodes.flatMap((node) =>
          [one, two].map(({ history }) => history.results.record(workerPod(node), RESULTS, `digest of ${node}`, NEVER)),
        ),
      );
      expect([await rowsIn(one.query, 'node_run'), await rowsIn(one.query, 'run'), await rowsIn(one.query, 'decision')]).toEqual([
        60, 60, 60,
      ]);
      expect(await two.history.readTotals('job-1')).toMatchObject({ nodes: 60, sums: { removed: 60 } });
    });
  });

  test('a call that is given up before its turn leaves nothing', async () => {
    const { history, query } = await open();
    const given = new AbortController();
    const calls = [
      history.results.record(POD, RESULTS, 'a', given.signal),
      history.images.observe(POD, lookAt([image(1)]), given.signal),
      history.logs.append(POD, { container: 'remover', sequence: 0, lines: ['one'] }, given.signal),
    ];
    given.abort(new Error('gone'));
    for (const call of calls) await expect(call).rejects.toThrow('gone');
    for (const table of ['node_run', 'run', 'sighting', 'log', 'job']) expect([table, await rowsIn(query, table)]).toEqual([table, 0]);
  });

  test('closing writes what was taken on, and nothing after', async () => {
    const { history, query } = await open();
    const taken = record(history, 'job-1');
    await history.close();
    await taken;
    expect(await rowsIn(query, 'node_run')).toBe(1);
    await expect(record(history, 'job-2')).rejects.toThrow('is closed');
  });
}

async function rowsIn(query: TestClusterHistory['query'], table: string): Promise<number> {
  return Number((await query(`SELECT count(*) AS rows FROM ${table}`))[0]?.['rows']);
}
