import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleWorkloads } from '../../bench/bundle-workloads.ts';
import { createRandomSource } from '../../bench/random-source.ts';
import { lacksNodeAccess } from '../../lab/real-cluster.ts';
import { startFaultSite, type FaultSite } from '../faults/fault-site.ts';
import { faultsOf, KILLED_SOMEWHERE, NOTHING_HAPPENS, SHORT } from '../faults/faults.ts';

const NODES = 12;
const SEED = 1;
const LONGEST_MS = 400_000;

/** The short form of `npm run test:faults`. */
describe.skipIf(lacksNodeAccess())('a run comes to its end, with one result of each node and a whole history, though', () => {
  let site: FaultSite;
  let folder: string;
  let usualWrites: number;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-faults-'));
    await bundleWorkloads(folder);
    site = await startFaultSite({ nodes: NODES, workers: join(folder, 'simulate-workers.mjs'), say: () => undefined });
    const { problems, writes } = await site.run(NOTHING_HAPPENS, createRandomSource(SEED));
    expect(problems).toEqual([]);
    usualWrites = writes;
  }, LONGEST_MS);
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  test.each([KILLED_SOMEWHERE, ...faultsOf(SHORT)].map((fault) => [fault.name, fault] as const))(
    '%s',
    async (_, fault) => {
      const { happened, problems } = await site.run(fault, createRandomSource(SEED), usualWrites);
      expect(problems).toEqual([]);
      expect(happened).toBe('during');
    },
    LONGEST_MS,
  );
});
