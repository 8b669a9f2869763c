import type { Model, Step } from '../explore.ts';
import { PlayCalls, type PlayedCalls } from './play-calls.ts';
import type { Asked, CallState, LeaseBounds, LeaseEvent, LeaseFault, LeaseMemory, ScanNode, ScanState } from './state.ts';

type Actor = 'coordinator' | 'node' | 'time' | 'silence' | 'fault';
interface LeaseStep extends Step<ScanState> {
  readonly by: Actor;
}

/** The nodes of a cluster that look at the same images, driven by the coordinator's own answers and leases. */
export function makeLeaseModel(bounds: LeaseBounds): Model<ScanState> {
  const steps = new LeaseSteps(bounds);
  return {
    initial: firstState(bounds),
    keyOf: (state) => JSON.stringify(state),
    stepsOf: (state) => steps.of(state),
    brokenIn: () => null,
    worlds: {
      'all goes well again': { choose: (open) => firstBy(open, ['coordinator', 'node', 'time']), isEnd: isDone },
      'time passes whenever it can': { choose: (open) => firstBy(open, ['coordinator', 'time', 'node']), isEnd: isDone },
    },
  };
}

function isDone({ nodes }: ScanState): boolean {
  return nodes.every(({ isDead, results }) => isDead || results.every((result) => result !== null));
}

function firstBy(steps: readonly Step<ScanState>[], order: readonly Actor[]): Step<ScanState> | undefined {
  for (const actor of order) {
    const found = steps.find((step) => (step as LeaseStep).by === actor);
    if (found !== undefined) return found;
  }
  return undefined;
}

function firstState({ nodes, images, faults, waits }: LeaseBounds): ScanState {
  const ofImages = <Value>(value: Value): Value[] => Array.from({ length: images }, () => value);
  const node: ScanNode = { isDead: false, reading: [], toTell: [], results: ofImages(null), isToRenew: false };
  return {
    nodes: Array.from({ length: nodes }, () => node),
    known: [],
    memory: nothingRemembered(images),
    heard: [],
    open: [],
    faultsLeft: faults,
    waitsLeft: waits,
    seen: { isFree: ofImages(true), unheard: ofImages(0), held: [] },
  };
}

function nothingRemembered(images: number): LeaseMemory {
  return {
    leases: Array.from({ length: images }, () => null),
    late: Array.from({ length: images }, () => []),
    failures: Array.from({ length: images }, () => []),
  };
}

class LeaseSteps {
  readonly #bounds: LeaseBounds;
  readonly #calls: PlayCalls;
  readonly #played = new Map<string, PlayedCalls>();

  constructor(bounds: LeaseBounds) {
    this.#bounds = bounds;
    this.#calls = new PlayCalls(bounds);
  }

  async of(state: ScanState): Promise<LeaseStep[]> {
    const { calls } = await this.#play(state.memory, state.heard);
    const steps: LeaseStep[] = [];
    for (const [at, call] of calls.entries()) if (state.open[at] === true) steps.push(...(await this.#goesOn(state, at, call)));
    for (const [node, one] of state.nodes.entries()) if (!one.isDead) steps.push(...(await this.#acts(state, node, one)));
    const isBusy = steps.some(({ by }) => by === 'coordinator' || by === 'node');
    if (!isBusy || state.waitsLeft > 0) steps.push(await this.#time(state, isBusy));
    if (this.#may(state, 'leader')) steps.push(this.#leaderChanges(state));
    // One after another: calls are played on timers of one process.
    const settledSteps: LeaseStep[] = [];
    for (const step of steps) settledSteps.push({ ...step, next: settled(step.next, await this.#play(step.next.memory, step.next.heard)) });
    return settledSteps;
  }

  async #play(memory: LeaseMemory, heard: readonly LeaseEvent[]): Promise<PlayedCalls> {
    const key = JSON.stringify([memory, heard]);
    const played = this.#played.get(key) ?? (await this.#calls.play(memory, heard));
    this.#played.set(key, played);
    return played;
  }

  #may({ faultsLeft }: ScanState, fault: LeaseFault): boolean {
    return faultsLeft > 0 && this.#bounds.may.includes(fault);
  }

  async #goesOn(state: ScanState, call: number, now: CallState): Promise<LeaseStep[]> {
    const steps: LeaseStep[] = [];
    const of = `the call of ${nameOf(nodeOf(state, call))}`;
    if (now.kind === 'reads') {
      const images = now.images.filter((image) => state.known.includes(image));
      steps.push(await this.#hears(state, { kind: 'known', call, images }, { by: 'coordinator', label: `${of} learns what is known` }));
    }
    if (now.kind === 'judges') {
      const known = [...new Set([...state.known, ...now.images])].sort();
      const held = state.seen.held[call] ?? [];
      const isHolder = now.images.every((image) => held.includes(image));
      const judged = await this.#hears(
        { ...state, known },
        { kind: 'judged', call, isUsed: true },
        { by: 'coordinator', label: `${of} is judged` },
      );
      steps.push(isHolder ? judged : { ...judged, broken: 'a node that holds no lease changes a verdict' });
      if (this.#may(state, 'of-no-use'))
        steps.push(
          await this.#hears(worse(state), { kind: 'judged', call, isUsed: false }, { by: 'fault', label: `${of} tells what is of no use` }),
        );
    }
    if (now.kind === 'answered' || now.kind === 'refused') {
      steps.push(this.#answered(state, call, now));
      if (this.#may(state, 'lost-answer')) {
        steps.push({ by: 'fault', label: `the answer to ${of} is lost`, next: closed(worse(state), call) });
      }
    } else {
      if (this.#may(state, 'away') && now.kind !== 'waits')
        steps.push(await this.#hears(worse(state), { kind: 'away', call }, { by: 'fault', label: `Trivy's server is away for ${of}` }));
      if (this.#may(state, 'call-ends')) {
        const ended = await this.#hears(worse(state), { kind: 'ended', call }, { by: 'fault', label: `${of} ends in its middle` });
        steps.push({ ...ended, next: closed(ended.next, call) });
      }
    }
    return steps;
  }

  /** Something comes to the coordinator: what it does of that, and whether that may be. */
  async #hears(state: ScanState, event: LeaseEvent, { by, label }: Pick<LeaseStep, 'by' | 'label'>): Promise<LeaseStep> {
    const before = await this.#play(state.memory, state.heard);
    const heard = [...state.heard, event];
    const after = await this.#play(state.memory, heard);
    const asked = event.kind === 'call' ? event.asked : 'call' in event ? askedIn(state, event.call) : null;
    const unheard = state.seen.unheard.map((times, image) => {
      if (event.kind === 'time') return Math.min(times + 1, 2);
      const isOwn = after.holders[image] === asked?.node && (before.holders[image] !== after.holders[image] || isNamed(event, image));
      return isOwn ? 0 : times;
    });
    const given = after.holders.flatMap((node, image) => (node !== null && before.holders[image] === null ? [image] : []));
    // Of those that a node says it has in hand its word is taken, though others have told of them meanwhile.
    const isTwice = given.some((image) => state.seen.isFree[image] !== true && !isNamed(event, image));
    const isFree = state.seen.isFree.map((free, image) => {
      const isLost = event.kind === 'time' && before.holders[image] !== null && after.holders[image] === null;
      const isGivenUp = (after.failed[image]?.length ?? 0) > (before.failed[image]?.length ?? 0);
      const isLeft = event.kind === 'call' && before.holders[image] === event.asked.node && !isNamed(event, image);
      return (free && !given.includes(image)) || isLost || isGivenUp || isLeft;
    });
    const held =
      event.kind === 'call'
        ? [...state.seen.held, after.tellers.flatMap((nodes, image) => (nodes.includes(event.asked.node) ? [image] : []))]
        : state.seen.held;
    const open = event.kind === 'call' ? [...state.open, true] : state.open;
    const next = { ...state, heard, open, seen: { ...state.seen, unheard, isFree, held } };
    const broken = this.#brokenBetween({ state, event, before, after }) ?? (isTwice ? 'an image is given out again for no reason' : null);
    return { by, label, next, ...(broken === null ? {} : { broken }) };
  }

  #brokenBetween({
    state,
    event,
    before,
    after,
  }: {
    readonly state: ScanState;
    readonly event: LeaseEvent;
    readonly before: PlayedCalls;
    readonly after: PlayedCalls;
  }): string | null {
    for (const [image, holder] of before.holders.entries()) {
      const then = after.holders[image] ?? null;
      if (holder !== null && then !== null && holder !== then) return 'an image is leased to a node while another has it';
      if (event.kind === 'time' && holder !== null && then === null && (state.seen.unheard[image] ?? 0) < 1)
        return 'a lease that was renewed in time has run out';
      const failed = (after.failed[image] ?? []).filter((node) => !(before.failed[image] ?? []).includes(node));
      if (failed.some((node) => before.tellers[image]?.includes(node) !== true)) return 'a node that holds no lease has an image given up';
    }
    for (const [call, now] of after.calls.entries()) {
      if (now.kind !== 'answered' || before.calls[call]?.kind === 'answered') continue;
      const node = askedIn({ heard: [...state.heard, event] }, call).node;
      if (now.leased.some((image) => (after.holders[image] ?? node) !== node)) return 'an image is leased to a node while another has it';
      if (now.leased.some((image) => state.known.includes(image))) return 'an image that there is a verdict on is given out to be read';
    }
    return null;
  }

  /** A node has its answer. */
  #answered(state: ScanState, call: number, now: CallState): LeaseStep {
    const node = nodeOf(state, call);
    const label = `${nameOf(node)} is answered`;
    const without = closed(state, call);
    const one = without.nodes[node];
    if (one === undefined || now.kind !== 'answered') return { by: 'coordinator', label: `${nameOf(node)} is refused`, next: without };
    const { told } = askedIn(state, call);
    const toTell = one.toTell.filter(({ image }) => !told.some((other) => other.image === image));
    const results = one.results.map((result, image) => result ?? now.results.find(([of]) => of === image)?.[1] ?? null);
    const news = now.leased.filter((image) => !one.reading.includes(image) && results[image] === null);
    const reading = [...one.reading, ...news].sort();
    const leased = news.length === 0 ? '' : `, and reads ${news.map(imageOf).join(', ')}`;
    const next = withNode(without, node, { ...one, toTell, results, reading, isToRenew: false });
    return { by: 'coordinator', label: `${label}${leased}`, next };
  }

  async #acts(state: ScanState, node: number, one: ScanNode): Promise<LeaseStep[]> {
    const steps: LeaseStep[] = [];
    const name = nameOf(node);
    const isCalling = state.open.some((open, call) => open && nodeOf(state, call) === node);
    const wanted = one.results.flatMap((result, image) =>
      result === null && !one.reading.includes(image) && !one.toTell.some((told) => told.image === image) ? [image] : [],
    );
    const isWorthACall =
      one.toTell.length > 0 || (one.reading.length === 0 && wanted.length > 0) || (one.reading.length > 0 && one.isToRenew);
    if (!isCalling && isWorthACall) {
      const asked: Asked = { node, wanted, inHand: one.reading, told: one.toTell };
      const calling = withNode(state, node, { ...one, isToRenew: false });
      steps.push(await this.#hears(calling, { kind: 'call', asked }, { by: 'node', label: `${name} ${describe(asked)}` }));
    }
    for (const image of one.reading) {
      const done = (outcome: 'read' | 'failed'): ScanState =>
        withNode(state, node, {
          ...one,
          reading: one.reading.filter((other) => other !== image),
          toTell: [...one.toTell, { image, outcome }],
        });
      steps.push({ by: 'node', label: `${name} has read ${imageOf(image)}`, next: done('read') });
      if (this.#may(state, 'not-read'))
        steps.push({ by: 'fault', label: `${name} cannot read ${imageOf(image)}`, next: worse(done('failed')) });
    }
    if (this.#may(state, 'node-dies')) steps.push(await this.#dies(state, node, one));
    return steps;
  }

  async #dies(state: ScanState, node: number, one: ScanNode): Promise<LeaseStep> {
    let next = withNode(worse(state), node, { ...one, isDead: true, reading: [], toTell: [] });
    for (const [call, open] of state.open.entries()) {
      if (!open || nodeOf(state, call) !== node) continue;
      ({ next } = await this.#hears(next, { kind: 'ended', call }, { by: 'fault', label: '' }));
      next = closed(next, call);
    }
    return { by: 'fault', label: `${nameOf(node)} dies`, next };
  }

  async #time(state: ScanState, isBusy: boolean): Promise<LeaseStep> {
    const nodes = state.nodes.map((one) => ({ ...one, isToRenew: one.reading.length > 0 }));
    const passing = { ...state, nodes, waitsLeft: isBusy ? state.waitsLeft - 1 : state.waitsLeft };
    return this.#hears(passing, { kind: 'time' }, { by: 'time', label: 'half the time of a lease passes' });
  }

  #leaderChanges(state: ScanState): LeaseStep {
    const isFree = state.seen.isFree.map(() => true);
    const next = {
      ...worse(state),
      memory: nothingRemembered(this.#bounds.images),
      heard: [],
      open: [],
      seen: { ...state.seen, isFree, held: [] },
    };
    return { by: 'fault', label: 'another process leads', next };
  }
}

/** When no call is under way any more, what came of them is all there is. */
function settled(state: ScanState, { memory }: PlayedCalls): ScanState {
  return memory === null || state.open.some((open) => open)
    ? state
    : { ...state, memory, heard: [], open: [], seen: { ...state.seen, held: [] } };
}

/** Nobody waits for the call any more. */
function closed(state: ScanState, call: number): ScanState {
  return { ...state, open: state.open.map((open, at) => open && at !== call) };
}

function worse(state: ScanState): ScanState {
  return { ...state, faultsLeft: state.faultsLeft - 1 };
}

function withNode(state: ScanState, node: number, one: ScanNode): ScanState {
  return { ...state, nodes: state.nodes.map((other, at) => (at === node ? one : other)) };
}

function askedIn({ heard }: Pick<ScanState, 'heard'>, call: number): Asked {
  const asked = heard.flatMap((event) => (event.kind === 'call' ? [event.asked] : []))[call];
  if (asked === undefined) throw new Error(`there is no call ${String(call)}`);
  return asked;
}

function nodeOf(state: ScanState, call: number): number {
  return askedIn(state, call).node;
}

/** Whether the call says that its node has it in hand. */
function isNamed(event: LeaseEvent, image: number): boolean {
  if (event.kind !== 'call') return false;
  const { inHand, told } = event.asked;
  return inHand.includes(image) || told.some((one) => one.image === image && one.outcome === 'read');
}

const nameOf = (node: number): string => `n${String(node)}`;
const imageOf = (image: number): string => `image ${String(image)}`;

function describe({ wanted, inHand, told }: Asked): string {
  const parts = [
    told.map(({ image, outcome }) => `tells that it ${outcome === 'read' ? 'has read' : 'cannot read'} ${imageOf(image)}`).join(' and '),
    inHand.length > 0 ? `says that it reads ${inHand.map(imageOf).join(', ')}` : '',
    wanted.length > 0 ? `asks for ${wanted.map(imageOf).join(', ')}` : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}
