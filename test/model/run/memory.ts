import { type Age, type Memory, type RunMemory } from './state.ts';
import { podNameOf } from './raw-objects.ts';
import { indexOf, jobUid } from './state.ts';
import type { Run } from '../../../src/controller/image-job/run.ts';

/** The clock of a process stands here whenever it is looked at: what it remembers is so long ago. */
export const NOW = 10_000_000;
/** Longer ago than any time that counts. */
const LONG_AGO_MS = 10 * 60_000;

export function ageOf(time: number): Age {
  if (time === Infinity) return 'Infinity';
  return time === -Infinity ? '-Infinity' : Math.min(NOW - time, LONG_AGO_MS);
}

export function timeOf(age: Age): number {
  return typeof age === 'number' ? NOW - age : Number(age);
}

function later<Of extends Age | null>(age: Of, ms: number): Of | number {
  return typeof age === 'number' ? Math.min(age + ms, LONG_AGO_MS) : age;
}

/** What is remembered when so much time has passed. */
export function memoryAfter(memory: Memory, ms: number): Memory {
  return {
    ...memory,
    runs: memory.runs.map((run) => (run === null ? null : runAfter(run, ms))),
    leaving: memory.leaving.map((age) => later(age, ms)),
    cleared: memory.cleared.map((age) => later(age, ms)),
  };
}

function runAfter(run: RunMemory, ms: number): RunMemory {
  return {
    ...run,
    unwritten: { ...run.unwritten, since: later(run.unwritten.since, ms) },
    statusTold: later(run.statusTold, ms),
    known: later(run.known, ms),
    sightings: run.sightings.map(([name, phase, age]) => [name, phase, later(age, ms)]),
    unready: run.unready.map(([name, age]) => [name, later(age, ms)]),
    unmade: run.unmade.map(([name, age]) => [name, later(age, ms)]),
    nodesSeen: later(run.nodesSeen, ms),
  };
}

export function rememberRun(run: Run): RunMemory {
  const [version] = run.versions;
  return {
    nodes: run.parts.flat(),
    unwritten: { parts: [...run.unwritten.parts], outcomes: run.unwritten.outcomes, since: ageOf(run.unwritten.since) },
    version: typeof version === 'string' ? Number(version) : null,
    isInDoubt: run.isInDoubt,
    isStatusTold: run.isStatusTold,
    statusTold: ageOf(run.statusToldAt),
    known: ageOf(run.knownSince),
    sightings: [...run.sightings].map(([name, { phase, since }]) => [name, phase, ageOf(since)]),
    unready: [...run.unreadySince].map(([name, since]) => [name, ageOf(since)]),
    unmade: [...run.unmadeSince].map(([name, since]) => [name, ageOf(since)]),
    nodesSeen: ageOf(run.nodesSeenAt),
    isEndTold: run.isEndTold,
  };
}

/** `frozen`: any run of the same job, of which that is taken which is always the same. */
export function recallRun(memory: RunMemory, frozen: Run): Run {
  const times = (ages: RunMemory['unready']): Map<string, number> => new Map(ages.map(([name, age]) => [name, timeOf(age)]));
  return {
    ...frozen,
    podNames: new Map(memory.nodes.map(({ name }) => [name, podNameOf(indexOf(frozen.job.uid), indexOf(name))])),
    parts: [memory.nodes],
    unwritten: { ...memory.unwritten, parts: new Set(memory.unwritten.parts), since: timeOf(memory.unwritten.since) },
    versions: [memory.version === null ? null : String(memory.version)],
    isInDoubt: memory.isInDoubt,
    isStatusTold: memory.isStatusTold,
    statusToldAt: timeOf(memory.statusTold),
    knownSince: timeOf(memory.known),
    sightings: new Map(memory.sightings.map(([name, phase, age]) => [name, { phase, since: timeOf(age) }])),
    unreadySince: times(memory.unready),
    unmadeSince: times(memory.unmade),
    nodesSeenAt: timeOf(memory.nodesSeen),
    isEndTold: memory.isEndTold,
  };
}

export function rememberTimes(times: ReadonlyMap<string, number>, jobs: number): (Age | null)[] {
  return Array.from({ length: jobs }, (_, job) => {
    const time = times.get(jobUid(job));
    return time === undefined ? null : ageOf(time);
  });
}

export function recallTimes(ages: readonly (Age | null)[]): Map<string, number> {
  return new Map(ages.flatMap((age, job) => (age === null ? [] : [[jobUid(job), timeOf(age)] as const])));
}
