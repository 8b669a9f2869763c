import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startControlPlane, type ControlPlane } from '../../lab/control-plane.ts';
import { lacksNodeAccess } from '../../lab/real-cluster.ts';
import { describeContent } from './bad-input/content.ts';
import { describeMissing } from './bad-input/missing.ts';
import { NODES, rideOut, type RodeOut } from './bad-input/ride-out.ts';
import { TROUBLES } from './bad-input/troubles.ts';

// What takes a minute goes on beside all other tests of this file, on API servers of its own, and is told by the last.
describe.skipIf(lacksNodeAccess())('bad input of a cluster', () => {
  const rides = new Map<string, Promise<RodeOut>>();
  let controlPlane: ControlPlane;

  beforeAll(async () => {
    for (const [name, troubles] of Object.entries(TROUBLES)) {
      const ride = rideOut(troubles);
      // Told by its test.
      ride.catch(() => undefined);
      rides.set(name, ride);
    }
    controlPlane = await startControlPlane();
  });
  afterAll(async () => {
    await Promise.allSettled(rides.values());
    await controlPlane.stop();
  });

  describeContent(() => controlPlane.kubeconfig);

  describeMissing(() => controlPlane.kubeconfig);

  describe('an API server that is in trouble for a minute, in the middle of a run', () => {
    const rode = async (name: string): Promise<RodeOut> => (await rides.get(name)) ?? Promise.reject(new Error(`no ride ${name}`));

    describe.each(Object.entries(TROUBLES))('%s', (name, troubles) => {
      test('the run ends, and nothing is done twice', async () => {
        const { jobs, podsOfNodes, mostAtOnce, sharedNodes, secondsAfter } = await rode(name);
        expect(jobs.map(({ status: is }) => is)).toEqual([
          expect.objectContaining({ phase: 'Completed', succeeded: NODES, failed: 0, skipped: 0 }),
        ]);
        expect(podsOfNodes).toEqual(Array<number>(NODES).fill(1));
        expect(mostAtOnce).toBeLessThanOrEqual(2);
        expect(sharedNodes).toBe(0);
        expect(secondsAfter).toBeLessThan(60);
      }, 240_000);

      test('who can renew the lease no more leads no more, and leads again afterwards', async () => {
        const { exitCodes, logs } = await rode(name);
        expect(exitCodes.length).toBeGreaterThanOrEqual(1);
        expect(new Set(exitCodes)).toEqual(new Set([1]));
        const terms = logs.flatMap(({ message, term }) => (message === 'this process leads' ? [Number(term)] : []));
        expect(terms.length).toBeGreaterThanOrEqual(2);
        expect(terms).toEqual([...new Set(terms)].sort((a, b) => a - b));
      }, 240_000);

      test.each(troubles.map(({ name: trouble, seconds }) => [trouble, seconds] as const))(
        '%s: it does not ask without end',
        async (trouble, seconds) => {
          const { requests, connections } = await rode(name);
          const seen = requests.get(trouble) ?? [];
          expect(seen.length).toBeLessThan(seconds * 6 + 60);
          expect(connections).toBeLessThan(500);
          const inSecond = Map.groupBy(seen, ({ at }) => Math.floor(at / 1_000));
          for (const [, those] of inSecond) expect(those.length).toBeLessThan(60);
        },
        240_000,
      );
    });
  });
});
