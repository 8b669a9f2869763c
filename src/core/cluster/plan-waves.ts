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
  /** The wave that it was begun with in, from 1; absent: it was not, or the run has no pauses. */
  readonly wave?: number;
}

/** A wave of which no node is in flight any more. `since`: since when that is known. */
export interface EndedWave {
  readonly wave: number;
  readonly since: number;
}

export interface WavePause {
  /** Between the end of one wave and the next; 0: there are no waves, but a sliding window. */
  readonly ms: number;
  /** As the last look told; null: none, or nothing is known of it, and the pause begins anew. */
  readonly ended: EndedWave | null;
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
  /** Absent: none. */
  readonly pause?: WavePause;
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
  /** The wave that the nodes of `start` are of; null: the run has no pauses. */
  readonly wave: number | null;
  /** To be given back at the next look. */
  readonly ended: EndedWave | null;
  /** When the pause that goes on is over; null: none goes on. */
  readonly pausedUntil: number | null;
}

const NO_PAUSE: WavePause = { ms: 0, ended: null };

/**
 * One look at a run: at most `maxParallel` nodes in flight, and a deadline for each of them. Without a pause they are a sliding window. With one, a wave is
 * at most `maxParallel` nodes; the next begins when all of them have ended, and the pause is over. A wave that was not begun in full (its controller died,
 * or the API server was away) is filled up as long as any node of it is in flight.
 */
export function planWaves({ nodes, maxParallel, pause = NO_PAUSE, timeouts, now }: WaveInput): WavePlan {
  const inFlight = nodes.flatMap(({ name, progress }) =>
    progress.kind === 'pending' || progress.kind === 'running'
      ? [{ name, phase: phaseOf(progress.kind), deadline: deadlineOf(progress, timeouts, now) }]
      : [],
  );
  const waiting = nodes.filter(({ progress }) => progress.kind === 'waiting').map(({ name }) => name);
  const most = Math.max(Math.floor(maxParallel), 1);
  const { room, ...turn } = pause.ms > 0 ? turnOfWave({ nodes, most, inFlight: inFlight.length, pause, now }) : SLIDING;
  const start = waiting.slice(0, Math.max(Math.min(most - inFlight.length, room), 0));
  const timedOut = inFlight
    .filter(({ deadline }) => deadline <= now)
    .map(({ name, phase }) => ({ name, phase, message: timeoutMessage(phase, timeouts) }));
  const deadlines = inFlight.map(({ deadline }) => Math.max(deadline, now));
  if (start.length > 0) deadlines.push(now + timeouts.startMs);
  const pausedUntil = waiting.length === 0 ? null : turn.pausedUntil;
  if (pausedUntil !== null) deadlines.push(pausedUntil);
  const lookAgainAt = deadlines.length === 0 ? null : deadlines.reduce((a, b) => Math.min(a, b));
  return { start, timedOut, lookAgainAt, ...turn, pausedUntil };
}

interface Turn extends Pick<WavePlan, 'wave' | 'ended' | 'pausedUntil'> {
  /** How many nodes may still be begun with now, whatever is in flight. */
  readonly room: number;
}

const SLIDING: Turn = { room: Infinity, wave: null, ended: null, pausedUntil: null };

interface TurnInput extends Pick<WaveInput, 'nodes' | 'now'> {
  readonly most: number;
  readonly inFlight: number;
  readonly pause: WavePause;
}

function turnOfWave({ nodes, most, inFlight, pause, now }: TurnInput): Turn {
  // One that waits again, since its pod could not be made, is of none.
  const begun = nodes.flatMap(({ progress, wave }) => (progress.kind === 'waiting' || wave === undefined ? [] : [wave]));
  const last = begun.reduce((a, b) => Math.max(a, b), 0);
  if (inFlight > 0) {
    const wave = Math.max(last, 1);
    return { room: most - begun.filter((of) => of === wave).length, wave, ended: null, pausedUntil: null };
  }
  if (last === 0) return { room: most, wave: 1, ended: null, pausedUntil: null };
  // A time that is still to come was told by another clock.
  const ended = { wave: last, since: pause.ended?.wave === last ? Math.min(pause.ended.since, now) : now };
  const overAt = ended.since + pause.ms;
  const isOver = overAt <= now;
  return { room: isOver ? most : 0, wave: last + 1, ended, pausedUntil: isOver ? null : overAt };
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
