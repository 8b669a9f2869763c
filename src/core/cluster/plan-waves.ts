/**
 * How far a node is in a run. `waiting`: no worker pod has been made for it. `pending`: its pod has not begun to run. `ended`: whatever came of
 * it. Times are on one clock of the caller's, best one that nobody can set.
 */
export type NodeProgress =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'pending'; readonly since: number }
  | { readonly kind: 'running'; readonly since: number }
  | { readonly kind: 'ended' };

export interface WaveNode {
  readonly name: string;
  readonly progress: NodeProgress;
}

export interface WaveTimeouts {
  /** From the making of a pod until its first container runs: scheduling, and the pull of the images. */
  readonly startMs: number;
  /** From then until it has ended. */
  readonly runMs: number;
}

export const DEFAULT_WAVE_TIMEOUTS: WaveTimeouts = { startMs: 5 * 60_000, runMs: 2 * 3_600_000 };

export interface WaveInput {
  /** Each node once, in the order in which they are to be started. */
  readonly nodes: readonly WaveNode[];
  readonly maxParallel: number;
  readonly timeouts: WaveTimeouts;
  readonly now: number;
}

/** A node that has had its time: its pod is to be deleted, and the node has failed. */
export interface TimedOutNode {
  readonly name: string;
  readonly phase: 'start' | 'run';
  readonly message: string;
}

export interface WavePlan {
  /** The nodes to make a pod for now. */
  readonly start: readonly string[];
  /** They keep their places until they are told to have ended, so that no pod that is being stopped counts as gone. */
  readonly timedOut: readonly TimedOutNode[];
  /** When to plan again even if no pod changes; null: nothing is in flight. */
  readonly lookAgainAt: number | null;
}

/** One look at a run: a sliding window of at most `maxParallel` nodes in flight, and a deadline for each of them. */
export function planWaves({ nodes, maxParallel, timeouts, now }: WaveInput): WavePlan {
  const inFlight = nodes.flatMap(({ name, progress }) =>
    progress.kind === 'pending' || progress.kind === 'running'
      ? [{ name, phase: phaseOf(progress.kind), deadline: deadlineOf(progress, timeouts, now) }]
      : [],
  );
  const waiting = nodes.filter(({ progress }) => progress.kind === 'waiting').map(({ name }) => name);
  const start = waiting.slice(0, Math.max(Math.max(Math.floor(maxParallel), 1) - inFlight.length, 0));
  const timedOut = inFlight
    .filter(({ deadline }) => deadline <= now)
    .map(({ name, phase }) => ({ name, phase, message: timeoutMessage(phase, timeouts) }));
  const deadlines = inFlight.map(({ deadline }) => Math.max(deadline, now));
  if (start.length > 0) deadlines.push(now + timeouts.startMs);
  return { start, timedOut, lookAgainAt: deadlines.length === 0 ? null : deadlines.reduce((a, b) => Math.min(a, b)) };
}

function phaseOf(kind: 'pending' | 'running'): TimedOutNode['phase'] {
  return kind === 'pending' ? 'start' : 'run';
}

/** A time that is still to come was told by another clock: the deadline counts from now. */
function deadlineOf(progress: NodeProgress & { readonly since: number }, { startMs, runMs }: WaveTimeouts, now: number): number {
  return Math.min(progress.since, now) + (progress.kind === 'pending' ? startMs : runMs);
}

function timeoutMessage(phase: TimedOutNode['phase'], { startMs, runMs }: WaveTimeouts): string {
  return phase === 'start'
    ? `its worker pod did not start within ${formatTime(startMs)}`
    : `its worker pod did not end within ${formatTime(runMs)}`;
}

/** In whole minutes, if it is any number of them. */
function formatTime(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  return seconds % 60 === 0 ? plural(seconds / 60, 'minute') : plural(seconds, 'second');
}

function plural(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
