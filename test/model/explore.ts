import { hash } from 'node:crypto';

/** What may happen next, as a whole state of its own: states are never changed in place. */
export interface Step<State> {
  readonly label: string;
  readonly next: State;
  /** A property that the step itself breaks; absent: none. */
  readonly broken?: string;
}

export interface Model<State> {
  readonly initial: State;
  /** The same text for states that nothing tells apart. */
  keyOf(state: State): string;
  /** All that may happen. None: a state in which nothing is left to do. */
  stepsOf(state: State): Promise<readonly Step<State>[]>;
  /** A property that does not hold in this state; null: all do. */
  brokenIn(state: State): string | null;
  /** By name, as in "never ends where …". */
  readonly worlds: Readonly<Record<string, World<State>>>;
}

/** In which no more goes wrong: whatever has happened before, a state that is an end has to come. */
export interface World<State> {
  /** One of the steps, the same each time for the same state. */
  choose(steps: readonly Step<State>[]): Step<State> | undefined;
  isEnd(state: State): boolean;
}

export interface Found {
  /** What does not hold. */
  readonly broken: string;
  /** The steps from the initial state, as few as it takes. */
  readonly trace: readonly string[];
}

export interface Explored {
  readonly states: number;
  readonly transitions: number;
  /** Steps to the farthest state. */
  readonly depth: number;
  /** By world: the most steps that it takes from any state to an end. */
  readonly longest: Readonly<Record<string, number>>;
  /** Absent: every property holds in every state. */
  readonly found?: Found;
}

export interface ExploreOptions {
  /** More states are no proof of anything: it is an error. */
  readonly mostStates: number;
}

/** A step that no state has. */
const NONE = -1;

/** Looks at every state that can be reached, those that take fewer steps first. */
export async function explore<State>(model: Model<State>, { mostStates }: ExploreOptions): Promise<Explored> {
  const ids = new Map<string, number>();
  const parents: number[] = [];
  const labels: string[] = [];
  const worlds = Object.entries(model.worlds).map(([name, world]) => ({ name, world, next: [] as Onward[] }));
  let transitions = 0;
  let depth = 0;
  let later: { readonly id: number; readonly state: State }[] = [];

  const trace = (id: number, last: readonly string[] = []): string[] => {
    const steps = [...last];
    for (let at = id; parents[at] !== NONE; at = parents[at] ?? NONE) steps.unshift(labels[at] ?? '');
    return steps;
  };
  const reach = (state: State, parent: number, label: string): { readonly id: number; readonly broken: string | null } => {
    // Of 160 bits: that two states have one is less likely than a fault of the machine.
    const key = hash('sha1', model.keyOf(state), 'base64');
    const known = ids.get(key);
    if (known !== undefined) return { id: known, broken: null };
    const id = ids.size;
    if (id >= mostStates) throw new Error(`there are more than ${mostStates} states`);
    ids.set(key, id);
    parents.push(parent);
    labels.push(label);
    later.push({ id, state });
    return { id, broken: model.brokenIn(state) };
  };
  const explored = (found?: Found, longest: Record<string, number> = {}): Explored => ({
    states: ids.size,
    transitions,
    depth,
    longest,
    ...(found === undefined ? {} : { found }),
  });

  const { broken } = reach(model.initial, NONE, '');
  if (broken !== null) return explored({ broken, trace: [] });
  while (later.length > 0) {
    const now = later;
    later = [];
    for (const { id, state } of now) {
      const steps = await model.stepsOf(state);
      const reached = new Map<Step<State>, number>();
      for (const step of steps) {
        transitions += 1;
        if (step.broken !== undefined) return explored({ broken: step.broken, trace: trace(id, [step.label]) });
        const { id: nextId, broken: brokenNext } = reach(step.next, id, step.label);
        if (brokenNext !== null) return explored({ broken: brokenNext, trace: trace(nextId) });
        reached.set(step, nextId);
      }
      for (const { world, next } of worlds) {
        const chosen = world.choose(steps);
        const to = chosen === undefined ? NONE : (reached.get(chosen) ?? NONE);
        next[id] = world.isEnd(state) ? END : { to, label: chosen?.label ?? '' };
      }
    }
    if (later.length > 0) depth += 1;
  }
  const longest: Record<string, number> = {};
  for (const { name, next } of worlds) {
    const lengths = lengthsOf(next);
    const stuck = lengths.indexOf(Infinity);
    if (stuck !== NONE) return explored({ broken: `never ends where ${name}`, trace: [...trace(stuck), ...onwards(stuck, next)] });
    longest[name] = lengths.reduce((most, length) => Math.max(most, length), 0);
  }
  return explored(undefined, longest);
}

/** What a world does in a state: `end` when it has nothing left to do there. */
type Onward = 'end' | { readonly to: number; readonly label: string };
const END: Onward = 'end';

/** By state: how many steps of a world it takes to an end; Infinity: none comes. */
function lengthsOf(next: readonly Onward[]): number[] {
  const lengths: number[] = next.map((onward) => (onward === 'end' ? 0 : NONE));
  for (const start of next.keys()) {
    const path: number[] = [];
    const onPath = new Set<number>();
    let at = start;
    while (at !== NONE && lengths[at] === NONE && !onPath.has(at)) {
      path.push(at);
      onPath.add(at);
      at = toOf(next[at]);
    }
    let length = at === NONE || onPath.has(at) ? Infinity : (lengths[at] ?? Infinity);
    for (const before of path.reverse()) lengths[before] = length += 1;
  }
  return lengths;
}

function toOf(onward: Onward | undefined): number {
  return onward === undefined || onward === 'end' ? NONE : onward.to;
}

/** Where it leads from there, until it comes round again or nothing is left to do. */
function onwards(start: number, next: readonly Onward[]): string[] {
  const seen = new Set<number>();
  const steps: string[] = [];
  for (let at = start; at !== NONE && !seen.has(at); at = toOf(next[at])) {
    seen.add(at);
    const onward = next[at];
    if (onward !== undefined && onward !== 'end' && onward.to !== NONE) steps.push(`… ${onward.label}`);
  }
  return [...steps, toOf(next[[...seen].at(-1) ?? NONE]) === NONE ? '… and nothing more' : '… and so on'];
}

export function formatFound({ broken, trace }: Found): string {
  return [`${broken}:`, ...trace.map((label, at) => `  ${String(at + 1).padStart(2)}. ${label}`)].join('\n');
}
