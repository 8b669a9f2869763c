import { expect, test } from 'vitest';
import { HOUR } from '../../fakes/history-in-test.ts';
import { image } from '../../fakes/images.ts';
import { NEVER, nodeResults, removedOn, workerPod } from '../../fakes/node-results.ts';
import type { HistoryReader } from '../../../src/store/history.ts';
import type { OpenTestClusterHistory, TestClusterHistory } from '../../fakes/cluster-history-in-test.ts';

/** Two jobs, an hour apart, on two nodes. */
async function twoJobs(open: OpenTestClusterHistory): Promise<{ readonly it: TestClusterHistory; readonly history: HistoryReader }> {
  const it = await open();
  for (const [uid, name] of [
    ['job-1', 'imagejob-one'],
    ['job-2', 'imagejob-two'],
  ] as const) {
    await it.history.recordJobBegan({ uid, name, mode: 'automatic', startedAt: it.clock.now() }, NEVER);
    for (const node of ['b', 'a']) {
      await it.history.results.record(workerPod(node, uid), nodeResults([removedOn(image(1))]), `${node} ${uid}`, NEVER);
      await it.history.logs.append(workerPod(node, uid), { container: 'remover', sequence: 0, lines: [`of ${node}`, uid] }, NEVER);
    }
    it.clock.pass(HOUR);
    await it.history.recordJobEnded(uid, it.clock.now(), NEVER);
  }
  return { it, history: await it.shown() };
}

/** What a history is asked for of jobs. */
export function readJobsContract(open: OpenTestClusterHistory): void {
  test('jobs are listed newest first, with the sums over their nodes, and by their start', async () => {
    const { it, history } = await twoJobs(open);
    const jobs = await history.listJobs({ limit: 9 });
    expect(jobs.map(({ name }) => name)).toEqual(['imagejob-two', 'imagejob-one']);
    expect(jobs[0]).toMatchObject({ uid: 'job-2', nodes: 2, states: { completed: 2 }, sums: { removed: 2 }, endedAt: it.clock.now() });
    expect(await history.listJobs({ limit: 1 })).toHaveLength(1);
    expect((await history.listJobs({ limit: 9, since: it.clock.now() - HOUR })).map(({ uid }) => uid)).toEqual(['job-2']);
    expect((await history.listJobs({ limit: 9, until: it.clock.now() - HOUR - 1 })).map(({ uid }) => uid)).toEqual(['job-1']);
  });

  test('a job is found by its name and its uid', async () => {
    const { history } = await twoJobs(open);
    expect(await history.findJob('imagejob-one')).toMatchObject({ uid: 'job-1' });
    expect(await history.findJob('job-2')).toMatchObject({ name: 'imagejob-two' });
    expect(await history.findJob('job-3')).toBeNull();
  });

  test('runs and decisions are listed of one job and of one node', async () => {
    const { history } = await twoJobs(open);
    const places = async (query: { job?: string; node?: string }): Promise<string[]> =>
      (await history.listRuns({ limit: 9, ...query })).map(({ node }) => `${node?.job.uid ?? ''} ${node?.name ?? ''}`);
    expect(await places({ job: 'job-1' })).toEqual(['job-1 a', 'job-1 b']);
    expect(await places({ node: 'a' })).toEqual(['job-2 a', 'job-1 a']);
    expect(await places({ job: 'job-2', node: 'b' })).toEqual(['job-2 b']);
    const ids = [image(1).id];
    expect(await history.readImageDecisions({ imageIds: ids, limit: 9 })).toHaveLength(4);
    expect(await history.readImageDecisions({ imageIds: ids, node: 'a', limit: 9 })).toHaveLength(2);
    expect(await history.readImageDecisions({ imageIds: ids, node: 'c', limit: 9 })).toEqual([]);
  });

  test('the logs of a job are listed node by node', async () => {
    const { history } = await twoJobs(open);
    expect(await history.listLoggedNodes('job-1')).toEqual(['a', 'b']);
    expect(await history.readLogs({ job: 'job-1', node: 'a' })).toMatchObject([{ container: 'remover', lines: ['of a', 'job-1'] }]);
  });
}
