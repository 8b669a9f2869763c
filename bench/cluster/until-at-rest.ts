import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_MS = 2_000;
/** Of all processors together. */
const AT_REST = 0.1;
const LONGEST_MS = 120_000;

/** Until this machine has little to do: a cluster that has just been made, or a manager that has just begun, still works on that. Not longer than two minutes. */
export async function untilAtRest(): Promise<void> {
  const until = performance.now() + LONGEST_MS;
  for (let before = times(); performance.now() < until;) {
    await sleep(LOOK_MS);
    const now = times();
    if ((now.busy - before.busy) / (now.all - before.all) < AT_REST) return;
    before = now;
  }
}

function times(): { readonly busy: number; readonly all: number } {
  const each = cpus().map(({ times: { idle, ...others } }) => ({ idle, busy: Object.values(others).reduce((sum, ms) => sum + ms, 0) }));
  const busy = each.reduce((sum, one) => sum + one.busy, 0);
  return { busy, all: busy + each.reduce((sum, one) => sum + one.idle, 0) };
}
