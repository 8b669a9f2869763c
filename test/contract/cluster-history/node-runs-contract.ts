import { describe, expect, test } from 'vitest';
import { HOUR } from '../../fakes/history-in-test.ts';
import { digest, finding, image, imageId } from '../../fakes/images.ts';
import { keptOn, NEVER, nodeResults, removedOn, workerPod } from '../../fakes/node-results.ts';
import type { NodeResults } from '../../../src/api/coordinator/results-call.ts';
import type { OpenTestClusterHistory, TestClusterHistory } from '../../fakes/cluster-history-in-test.ts';

async function record({ history }: TestClusterHistory, node: string, results: NodeResults, job = 'job-1'): Promise<void> {
  await history.results.record(workerPod(node, job), results, `digest of ${node} ${job}`, NEVER);
}

/** The runs of nodes, and their jobs. */
export function nodeRunsContract(open: OpenTestClusterHistory): void {
  describe('the results of a node', () => {
    test('are a run on record, with its node, its job and all its decisions', async () => {
      const it = await open();
      await it.history.recordJobBegan({ uid: 'job-1', name: 'imagejob-abcde', mode: 'automatic', startedAt: 1 }, NEVER);
      it.clock.pass(HOUR);
      const kept = { state: 'kept', at: 7, message: null, keptBy: { code: 'pinned', by: 'runtime' }, reclaimedBytes: 0 } as const;
      const usage = { mountpoint: '/var', usedBytes: 5, availableBytes: 5, capacityBytes: 10 };
      const decisions = [
        removedOn(image(1), { ruling: { outcome: 'remove', reason: { code: 'vulnerable', findings: [finding()] } } }),
        keptOn(image(2)),
        removedOn(image(3), { removal: kept }),
        removedOn(image(4), { removal: null }),
        keptOn(image(5), { ruling: { outcome: 'keep', reason: { code: 'unreadable', recordedCode: 'whim' } } }),
      ];
      const filesystem = { before: usage, after: { ...usage, usedBytes: 4 } };
      await record(it, 'node-1', nodeResults(decisions, { state: 'failed', message: 'one failed', filesystem, omittedFindings: 3 }));
      const history = await it.shown();
      const run = await history.readRun(1);
      expect(run).toEqual({
        id: 1,
        ...{
          startedAt: Date.UTC(2026, 10, 1),
          endedAt: Date.UTC(2026, 10, 1, 1),
          state: 'failed',
          mode: 'automatic',
          message: 'one failed',
        },
        ...{ version: '1.2.3', pid: 0, host: 'node-1', user: '', runtimeEndpoint: 'node://node-1', command: [], filesystem },
        ...{ runtime: { name: 'containerd', version: '2.2.3' }, scanner: null, summary: nodeResults(decisions).summary },
        node: { name: 'node-1', job: { uid: 'job-1', name: 'imagejob-abcde' }, recordedAt: it.clock.now(), omittedFindings: 3 },
      });
      expect(await history.readDecisions(1)).toEqual(decisions.map((decision) => ({ runId: 1, ...decision })));
    });

    test('without a plan are a run without decisions', async () => {
      const it = await open();
      await record(it, 'node-1', nodeResults([], { state: 'refused', message: 'no list', runtime: null, summary: null }));
      const history = await it.shown();
      expect(await history.readRun(1)).toMatchObject({ state: 'refused', summary: null, runtime: null, node: { job: { name: null } } });
      expect(await history.readDecisions(1)).toEqual([]);
      expect(await it.history.readTotals('job-1')).toMatchObject({ nodes: 1, states: { refused: 1, completed: 0 }, sums: { images: 0 } });
    });

    test('are read back by node where they came to their end, those of this job alone', async () => {
      const it = await open();
      const completed = (): Promise<ReadonlyMap<string, unknown>> => it.history.readCompleted('job-1', NEVER);
      expect(await completed()).toEqual(new Map());
      await record(it, 'node-1', nodeResults([removedOn(image(1))]));
      await record(it, 'node-2', nodeResults([], { state: 'failed', message: 'no runtime', summary: null }));
      await record(it, 'node-3', nodeResults([], { summary: null }));
      await record(it, 'node-4', nodeResults([removedOn(image(1))]), 'job-2');
      const found = await completed();
      expect([...found.keys()].sort()).toEqual(['node-1', 'node-3']);
      expect(found.get('node-1')).toMatchObject({ removed: 1, reclaimedBytes: 90 });
      expect(found.get('node-3')).toBeNull();
    });

    test('count once, whatever is sent again', async () => {
      const it = await open();
      const results = nodeResults([removedOn(image(1))]);
      const pod = workerPod('node-1');
      const ask = (): Promise<string | null> => it.history.results.recordedDigest(pod, NEVER);
      expect(await ask()).toBeNull();
      await it.history.results.record(pod, results, 'one', NEVER);
      await it.history.results.record(pod, results, 'one', NEVER);
      expect(await ask()).toBe('one');
      const other = it.history.results.record(pod, nodeResults([]), 'two', NEVER);
      await expect(other).rejects.toMatchObject({ code: 'recorded-otherwise', action: 'retry' });
      expect(await ask()).toBe('one');
      const history = await it.shown();
      expect((await history.listRuns({ limit: 9 })).map(({ id }) => id)).toEqual([1]);
      expect(await it.history.readTotals('job-1')).toMatchObject({ nodes: 1, sums: { removed: 1, reclaimedBytes: 90 } });
    });

    test('are of one job each: two that go on at once do not mix', async () => {
      const it = await open();
      await Promise.all([
        record(it, 'node-1', nodeResults([removedOn(image(1))]), 'job-1'),
        record(it, 'node-1', nodeResults([keptOn(image(1))], { mode: 'manual' }), 'job-2'),
        record(it, 'node-2', nodeResults([removedOn(image(2)), removedOn(image(3))]), 'job-2'),
      ]);
      const totals = ['job-1', 'job-2', 'job-3'].map(async (job) => {
        const known = await it.history.readTotals(job);
        return known === null ? null : [known.nodes, known.sums.images, known.sums.removed];
      });
      expect(await Promise.all(totals)).toEqual([[1, 1, 1], [2, 3, 2], null]);
      const runs = await (await it.shown()).listRuns({ limit: 9 });
      expect(runs.map(({ node, mode }) => `${node?.job.uid ?? ''} ${node?.name ?? ''} ${mode}`).sort()).toEqual([
        'job-1 node-1 automatic',
        'job-2 node-1 manual',
        'job-2 node-2 automatic',
      ]);
    });

    const odd = [
      "node'); DROP TABLE run; --",
      'knoten-ä-日本',
      'a/b c%20d',
      '',
      'node://node-1',
      'line\nbreak',
      'x'.repeat(300),
      '__proto__',
    ];
    test.each(odd)('are of the node with just that name: %j', async (name) => {
      const it = await open();
      await record(it, name, nodeResults([removedOn(image(1))]));
      await record(it, `${name}-2`, nodeResults([keptOn(image(1))]));
      expect(await it.history.results.recordedDigest(workerPod(name), NEVER)).toBe(`digest of ${name} job-1`);
      const runs = await (await it.shown()).listRuns({ limit: 9 });
      expect(runs.map(({ node }) => node?.name)).toEqual([`${name}-2`, name]);
    });

    test('of many nodes at once are all there, and one that cannot be recorded holds up none', async () => {
      const it = await open();
      await it.history.results.record(workerPod('node-7'), nodeResults([]), 'other results', NEVER);
      const images = Array.from({ length: 20 }, (_, number) => image(number));
      const outcomes = await Promise.all(
        Array.from({ length: 200 }, (_, number) =>
          record(it, `node-${number}`, nodeResults([...images.map((known) => keptOn(known)), removedOn(image(1_000 + number))])).then(
            () => 'done',
            (error: unknown) => (error as { code?: unknown }).code,
          ),
        ),
      );
      expect(outcomes).toEqual(outcomes.map((_, number) => (number === 7 ? 'recorded-otherwise' : 'done')));
      expect(await it.history.readTotals('job-1')).toMatchObject({ nodes: 200, sums: { images: 199 * 21, removed: 199 } });
      const history = await it.shown();
      const runs = await history.listRuns({ limit: 1_000 });
      expect(new Set(runs.map(({ node }) => node?.name)).size).toBe(200);
      for (const { id, node } of runs.slice(0, 20)) {
        const decided = await history.readDecisions(id);
        expect([node?.name, decided.length, decided.at(-1)?.imageId]).toEqual([
          node?.name,
          21,
          imageId(1_000 + Number(node?.name.slice(5))),
        ]);
      }
    });

    test('name an image as each node does', async () => {
      const it = await open();
      const [tagged, pulled] = [image(1), image(1, { repoTags: [], repoDigests: [`docker.io/library/other@${digest(1)}`] })];
      await Promise.all([record(it, 'node-1', nodeResults([keptOn(tagged)])), record(it, 'node-2', nodeResults([keptOn(pulled)]))]);
      const history = await it.shown();
      for (const name of ['docker.io/library/image-1:1', `docker.io/library/other@${digest(1)}`]) {
        const found = await history.readImageDecisions({ names: [name], limit: 9 });
        expect([name, found.map(({ repoTags }) => repoTags.length).sort()]).toEqual([name, [0, 1]]);
      }
    });

    test('that are no sensible numbers hide nothing', async () => {
      const it = await open();
      const { removal } = removedOn(image(1));
      const wild = removedOn(image(1), {
        ...{ sizeBytes: 2 ** 60, estimatedBytes: 1.5 },
        removal: removal === null ? null : { ...removal, at: -1e300, reclaimedBytes: Number.MAX_VALUE },
      });
      await record(it, 'node-1', nodeResults([wild], { startedAt: 1e300, endedAt: -1e300 }));
      const history = await it.shown();
      const [run] = await history.listRuns({ limit: 9 });
      expect(new Date(run?.startedAt ?? Number.NaN).toISOString()).toBe('+275760-09-13T00:00:00.000Z');
      const [decision] = await history.readDecisions(1);
      expect(decision).toMatchObject({ sizeBytes: Number.MAX_SAFE_INTEGER, removal: { reclaimedBytes: Number.MAX_SAFE_INTEGER } });
      expect(new Date(decision?.removal?.at ?? Number.NaN).getTime()).not.toBeNaN();
    });

    test('are found by when they were recorded, however wrong the clock of the node', async () => {
      const it = await open();
      await record(it, 'node-1', nodeResults([], { startedAt: 0, endedAt: 1 }));
      const history = await it.shown();
      expect(await history.listRuns({ since: it.clock.now() - HOUR, until: it.clock.now(), limit: 9 })).toHaveLength(1);
      expect(await history.listRuns({ until: it.clock.now() - HOUR, limit: 9 })).toEqual([]);
    });
  });

  describe('a job', () => {
    test('may be told of after its nodes, and again', async () => {
      const it = await open();
      await record(it, 'node-1', nodeResults([removedOn(image(1))]));
      expect(await it.history.readTotals('job-1')).toMatchObject({ name: null, mode: null, startedAt: null, endedAt: null, nodes: 1 });
      const facts = { uid: 'job-1', name: 'imagejob-abcde', mode: 'manual', startedAt: 1 } as const;
      await it.history.recordJobBegan(facts, NEVER);
      await it.history.recordJobBegan(facts, NEVER);
      await it.history.recordJobEnded('job-1', 2, NEVER);
      await it.history.recordJobEnded('job-1', 3, NEVER);
      expect(await it.history.readTotals('job-1')).toMatchObject({
        name: 'imagejob-abcde',
        mode: 'manual',
        startedAt: 1,
        endedAt: 3,
        nodes: 1,
      });
      expect((await (await it.shown()).readRun(1))?.node?.job).toEqual({ uid: 'job-1', name: 'imagejob-abcde' });
    });

    test('whose totals are damaged is told with the file', async () => {
      const it = await open();
      await record(it, 'node-1', nodeResults([]));
      await it.query(`UPDATE job SET totals = '{}'`);
      await expect(it.history.readTotals('job-1')).rejects.toMatchObject({
        code: 'corrupt',
        message: expect.stringContaining(it.name) as string,
      });
    });
  });
}
