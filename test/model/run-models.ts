/* eslint-disable no-console -- it talks to its terminal */
import { explore, formatFound, type Model } from './explore.ts';
import { makeLeaseModel } from './leases/lease-model.ts';
import { ALL_LEASE_FAULTS, type LeaseBounds } from './leases/state.ts';
import { makeRunModel } from './run/run-model.ts';
import { ALL_FAULTS, type Fault, type RunBounds } from './run/state.ts';

/** `npm run test:model`: the models of a cluster, at sizes that take minutes. Ends with 1 when a property does not hold. */
const WITHOUT_LATE_CALLS = ALL_FAULTS.filter((fault) => fault !== 'late-calls');
const run = (fields: Partial<RunBounds>): RunBounds => ({
  ...{ nodes: 1, jobs: 1, maxParallel: 1, faults: 1, waits: 2, mayLag: false, may: ALL_FAULTS },
  ...fields,
});
const leases = (fields: Partial<LeaseBounds>): LeaseBounds => ({
  ...{ nodes: 2, images: 1, faults: 1, waits: 0, may: ALL_LEASE_FAULTS },
  ...fields,
});
const DEADLY: readonly Fault[] = ['leader', 'lost-answer', 'deleted', 'node-away'];

const RUNS: readonly RunBounds[] = [
  run({ waits: 3 }),
  run({ faults: 0, waits: 99, mayLag: true }),
  run({ waits: 1, mayLag: true, may: DEADLY }),
  run({ faults: 2, waits: 1, may: DEADLY }),
  run({ nodes: 2, waits: 1, may: WITHOUT_LATE_CALLS }),
  run({ nodes: 2, waits: 0 }),
  run({ nodes: 2, maxParallel: 2, waits: 0, may: DEADLY }),
  run({ nodes: 3, maxParallel: 2, faults: 0, waits: 0 }),
  run({ jobs: 2, waits: 0, may: ['leader', 'deleted', 'late-calls'] }),
];
const LEASES: readonly LeaseBounds[] = [
  leases({}),
  leases({ faults: 0, waits: 1 }),
  leases({ images: 2, faults: 0 }),
  leases({ nodes: 3, faults: 0 }),
];

const MOST_STATES = 2_000_000;
let failures = 0;

async function look<State>(name: string, bounds: RunBounds | LeaseBounds, model: Model<State>): Promise<void> {
  const began = performance.now();
  const explored = await explore(model, { mostStates: MOST_STATES });
  const seconds = ((performance.now() - began) / 1_000).toFixed(0);
  const { states, transitions, depth, longest, found } = explored;
  const ends = Object.values(longest).join('/');
  const { may, ...sizes } = bounds;
  const said = Object.entries(sizes)
    .map(([size, value]) => `${size} ${String(value)}`)
    .join(', ');
  const figures = [states, transitions, depth, seconds].map((figure) => String(figure).padStart(9)).join('');
  console.log(`${name.padEnd(7)}${figures}  ${ends.padEnd(7)} ${found === undefined ? 'all hold' : 'BROKEN  '}  ${said}; ${may.join(' ')}`);
  if (found === undefined) return;
  failures += 1;
  console.log(formatFound(found));
}

console.log('model     states  transit.    depth  seconds  ends in properties  bounds');
for (const bounds of RUNS) await look('run', bounds, makeRunModel(bounds));
for (const bounds of LEASES) await look('leases', bounds, makeLeaseModel(bounds));
process.exitCode = failures > 0 ? 1 : 0;
