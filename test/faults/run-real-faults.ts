/* eslint-disable no-console -- it talks to its terminal */
import { createRandomSource } from '../../bench/random-source.ts';
import { IN_SHORT, REAL_LONG, REAL_SHORT, realFaults } from './real-faults.ts';
import { startRealFaultSite, type RealFault } from './real-site.ts';

export interface FaultRunOptions {
  readonly seed: number;
  readonly short: boolean;
  /** What the names of the faults have in them, any of these; none: all. */
  readonly only: readonly string[];
}

/** Over three real nodes; gives how many were broken. */
export async function runRealFaults({ seed, short, only }: FaultRunOptions): Promise<number> {
  const counts = { ok: 0, never: 0, BROKEN: 0 };
  await using site = await startRealFaultSite((line) => console.error(line));
  const look = async (fault: RealFault): Promise<void> => {
    const { happened, seconds, reads, failedNodes, problems } = await site.run(fault, createRandomSource(seed));
    const outcome = problems.length > 0 ? 'BROKEN' : happened === 'never' ? 'never' : 'ok';
    const cleaned = outcome === 'ok' ? ', cleaned by the next run' : '';
    const failed = failedNodes.length === 0 ? '' : `; failed${cleaned}: ${failedNodes.join(', ')}`;
    console.log(`${seconds.toFixed(1).padStart(7)} s ${String(reads).padStart(4)} reads   ${outcome.padEnd(6)}  ${fault.name}${failed}`);
    for (const problem of problems) console.log(`          ${problem}`);
    counts[outcome] += 1;
  };
  console.log(`${String(site.nodes)} real nodes, seed ${String(seed)}`);
  const isChosen = ({ name }: RealFault): boolean =>
    only.length === 0 ? !short || IN_SHORT.has(name) : only.some((text) => name.includes(text));
  for (const fault of realFaults(short ? REAL_SHORT : REAL_LONG).filter(isChosen)) await look(fault);
  console.log(`${String(counts.ok)} passed, ${String(counts.BROKEN)} failed, ${String(counts.never)} did not happen`);
  return counts.BROKEN;
}
