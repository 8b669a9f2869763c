import { describe, expect, test } from 'vitest';
import type { ClusterHistory } from '../../../src/store/cluster-history.ts';
import type { OpenTestClusterHistory } from '../../fakes/cluster-history-in-test.ts';
import { image } from '../../fakes/images.ts';
import { NEVER, nodeResults, removedOn, workerPod } from '../../fakes/node-results.ts';

const record = ({ results }: ClusterHistory, node: string): Promise<void> =>
  results.record(workerPod(node, 'job-1'), nodeResults([removedOn(image(1))]), `digest of ${node}`, NEVER);

const cluster = (name: string, from: string | null = null): { readonly cluster: string; readonly from: string | null } => ({
  cluster: name,
  from,
});

/** A history is of one cluster. `release`: makes it one that nobody has said whose it is, as an older version leaves it. */
export function ownerContract(open: OpenTestClusterHistory, release: string): void {
  const nodes = (it: { readonly query: (sql: string) => Promise<Record<string, unknown>[]> }): Promise<unknown[]> =>
    it.query('SELECT node FROM node_run ORDER BY node').then((rows) => rows.map(({ node }) => node));

  describe('a history is of one cluster', () => {
    test('which goes on with it after every restart', async () => {
      const it = await open({ owner: cluster('ours') });
      await record(it.history, 'node-1');
      await it.history.close();
      const again = await open({ place: it.place, owner: cluster('ours') });
      await record(again.history, 'node-2');
      expect([again.faults, await nodes(it)]).toEqual([[], ['node-1', 'node-2']]);
    });

    test.each([null, 'a third', 'theirs'])('another is refused, and told what to do instead (it would take over: %s)', async (from) => {
      const it = await open({ owner: cluster('ours') });
      await record(it.history, 'node-1');
      await it.history.close();
      const refused: unknown = await open({ place: it.place, owner: cluster('theirs', from) }).catch((error: unknown) => error);
      expect(refused).toMatchObject({
        code: 'other-cluster',
        action: 'give-up',
        message: expect.stringMatching(/is that of another cluster \(ours; this one is theirs,/) as string,
        hint: expect.stringContaining('--history-from-cluster=ours') as string,
      });
      expect((refused as Error).message).toContain(it.name);
      const again = await open({ place: it.place, owner: cluster('ours') });
      await record(again.history, 'node-2');
      expect(await nodes(it)).toEqual(['node-1', 'node-2']);
    });

    test('one that was made before that was written down is of the first that opens it', async () => {
      const it = await open({ owner: cluster('ours') });
      await record(it.history, 'node-1');
      await it.history.close();
      await it.query(release);
      const adopted = await open({ place: it.place, owner: cluster('theirs') });
      await record(adopted.history, 'node-2');
      expect(await nodes(it)).toEqual(['node-1', 'node-2']);
      await adopted.history.close();
      await expect(open({ place: it.place, owner: cluster('ours') })).rejects.toMatchObject({ code: 'other-cluster' });
    });

    test('and of another that says from which one it takes it, each time and without an end', async () => {
      const it = await open({ owner: cluster('ours') });
      await record(it.history, 'node-1');
      await it.history.close();
      for (const node of ['node-2', 'node-3']) {
        const taken = await open({ place: it.place, owner: cluster('theirs', 'ours') });
        await record(taken.history, node);
        await taken.history.close();
      }
      expect(await nodes(it)).toEqual(['node-1', 'node-2', 'node-3']);
      await expect(open({ place: it.place, owner: cluster('ours') })).rejects.toMatchObject({ code: 'other-cluster' });
    });
  });
}
