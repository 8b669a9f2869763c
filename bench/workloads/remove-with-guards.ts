import { compileExclusions } from '../../src/core/exclusions/exclusions.ts';
import { removals } from '../../src/core/plan-removal.ts';
import { connectToRuntime } from '../../src/cri/connect-to-runtime.ts';
import { planNode } from '../../src/engine/clean-node.ts';
import { removeImages } from '../../src/engine/remove-images.ts';
import { tellUsage } from './tell-usage.ts';

/** Removes every unused image as `clean` does: several at once, each after its guards. Arguments: the socket, how many must go. */
const [socketPath = '', expected = ''] = process.argv.slice(2);
/** As in `commands/clean.ts`. */
const CONCURRENCY = 8;

const { signal } = new AbortController();
const onEvent = (): void => undefined;
const runtime = await connectToRuntime({ socketPath }, signal);
const exclusions = compileExclusions([]);
if (!exclusions.ok) throw new Error('no exclusions, and yet some are wrong');
const plan = await planNode({
  runtime,
  scan: null,
  memory: null,
  diskLimits: null,
  settings: { exclusions: exclusions.exclusions, imageList: null, pendingPods: [], protections: [], minAgeMs: 0, maxAgeMs: null },
  now: Date.now,
  onEvent,
  signal,
});
const decisions = removals(plan.decisions);
await tellUsage(async () => {
  const done = await removeImages({
    runtime,
    decisions,
    facts: plan.facts,
    staying: new Map(),
    listPendingPods: () => Promise.resolve([]),
    journal: null,
    concurrency: CONCURRENCY,
    perImageTimeoutMs: 120_000,
    onEvent,
    signal,
  });
  const removed = done.filter(({ outcome }) => outcome.kind === 'removed').length;
  if (removed !== Number(expected)) throw new Error(`${String(removed)} of ${expected} images were removed`);
});
runtime.close();
