/* eslint-disable no-console -- it talks to its terminal */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleWorkloads } from '../../bench/bundle-workloads.ts';
import { createRandomSource } from '../../bench/random-source.ts';
import { requireRoot } from '../../lab/lab-error.ts';
import { runAttached } from '../../lab/run-attached.ts';
import { startFaultSite, type Fault } from './fault-site.ts';
import { faultsOf, killedAfter, LONG, NOTHING_HAPPENS, SHORT } from './faults.ts';
import { runRealFaults } from './run-real-faults.ts';

/**
 * `npm run test:faults [-- --real] [--short] [--seed N] [--only TEXT]`: runs over simulated nodes, or over three real ones, during each of which something goes wrong. Ends with
 * 1 when a run did not come to its end with one result of each node, each image read once, and a whole history; over real ones also when an image is
 * gone that had to stay, or is there that had to go.
 */
const NODES = 12;
const root = fileURLToPath(new URL('../..', import.meta.url));
const { values } = parseArgs({
  options: {
    real: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true },
  },
});
const seed = Number(values.seed);
if (!Number.isInteger(seed)) throw new Error(`--seed ${values.seed}: allowed is a whole number`);
requireRoot('npm run test:faults');
if (values.real) process.exit((await runRealFaults({ seed, short: values.short, only: values.only ?? [] })) > 0 ? 1 : 0);
await runAttached(process.execPath, [join(root, 'scripts/build.ts')]);
const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-faults-'));
const counts = { ok: 0, never: 0, BROKEN: 0 };
try {
  await bundleWorkloads(folder);
  await using site = await startFaultSite({
    nodes: NODES,
    workers: join(folder, 'simulate-workers.mjs'),
    say: (line) => console.error(line),
  });
  const look = async (fault: Fault, usualWrites?: number): Promise<number> => {
    const { happened, seconds, writes, problems } = await site.run(fault, createRandomSource(seed), usualWrites);
    const outcome = problems.length > 0 ? 'BROKEN' : happened === 'never' ? 'never' : 'ok';
    const when = happened === 'after-its-end' ? ', after the end of the run' : '';
    console.log(`${seconds.toFixed(1).padStart(7)} s ${String(writes).padStart(4)} writes  ${outcome.padEnd(6)}  ${fault.name}${when}`);
    for (const problem of problems) console.log(`          ${problem}`);
    counts[outcome] += 1;
    return writes;
  };
  console.log(`${String(NODES)} nodes, seed ${String(seed)}`);
  const writes = await look(NOTHING_HAPPENS);
  const kills = Array.from({ length: writes }, (_, at) => killedAfter(at + 1));
  const random = createRandomSource(seed);
  const chosen = values.short ? Array.from({ length: 3 }, () => killedAfter(1 + random.below(writes))) : kills;
  const { only = [''] } = values;
  const faults = [...chosen, ...faultsOf(values.short ? SHORT : LONG)].filter(({ name }) => only.some((text) => name.includes(text)));
  for (const fault of faults) await look(fault, writes);
  console.log(`${String(counts.ok)} passed, ${String(counts.BROKEN)} failed, ${String(counts.never)} did not happen`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.exitCode = counts.BROKEN > 0 ? 1 : 0;
