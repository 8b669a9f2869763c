import { mock } from 'node:test';
import { setImmediate as untilQuiet } from 'node:timers/promises';
import { LEASE_MS, LONGEST_WAIT_MS, scanAnswerSchema } from '../../../src/api/coordinator/scans-call.ts';
import { answerScans } from '../../../src/coordinator/calls/answer-scans.ts';
import { formatScans } from '../../../src/coordinator/client/format-scans.ts';
import type { Judged, ReportJson, Verdicts, Worker } from '../../../src/coordinator/ports.ts';
import { ScanLeases } from '../../../src/coordinator/scan-leases.ts';
import { analysisOf } from '../../fakes/fake-reader.ts';
import { image, imageId, report } from '../../fakes/images.ts';
import { FAILURES, type Asked, type CallState, type LeaseEvent, type LeaseMemory } from './state.ts';

/** A lease that is not renewed holds for one of these, and not for two. */
export const STEP_MS = Math.ceil(LEASE_MS / 2) + 500;
const START = 10_000_000;
/** Enough for all leases that have run out, one after another. */
const LONG_AGO_MS = 40 * STEP_MS;
const JOB = 'job';
const BEGUN_HERE = { takenUpAt: () => null };

export interface PlayedCalls {
  readonly calls: readonly CallState[];
  /** By image: who holds it. */
  readonly holders: readonly (number | null)[];
  /** By image: who may tell what it has read. */
  readonly tellers: readonly (readonly number[])[];
  /** By image: the nodes whose failure counts. */
  readonly failed: readonly (readonly number[])[];
  /** Once no call is under way. */
  readonly memory: LeaseMemory | null;
}

interface Size {
  readonly nodes: number;
  readonly images: number;
}

const idOf = (at: number): string => imageId(at + 1);
const workerOf = (node: number): Worker => ({ job: JOB, node: `n${String(node)}`, podName: `pod-${String(node)}`, podUid: String(node) });

/** A coordinator: the real answers to calls for scans, over leases that are real, too, and verdicts that come when the model says. */
export class PlayCalls {
  readonly #images: readonly number[];
  readonly #nodes: readonly number[];

  constructor(size: Size) {
    this.#images = Array.from({ length: size.images }, (_, at) => at);
    this.#nodes = Array.from({ length: size.nodes }, (_, at) => at);
  }

  async play(before: LeaseMemory, heard: readonly LeaseEvent[]): Promise<PlayedCalls> {
    const clock = { now: START };
    const leases = this.#recall(before, clock);
    const calls: UnderWay[] = [];
    const timing = { now: () => clock.now, sleep: () => Promise.resolve() };
    const timers = stopTime();
    try {
      const answer = answerScans({ verdicts: verdictsOf(calls), runs: BEGUN_HERE, leases, timing, maxJudgements: 4 });
      for (const event of heard) {
        if (event.kind === 'call') {
          const call = new UnderWay(event.asked);
          calls.push(call);
          call.begin(answer({ worker: call.worker, body: bodyOf(event.asked), signal: call.signal }));
        } else if (event.kind === 'time') {
          clock.now += STEP_MS;
          timers.pass(STEP_MS);
        } else calls[event.call]?.hear(event);
        await untilQuiet();
      }
      const states = calls.map((call) => call.state);
      const holders = this.#images.map((at) => this.#nodes.find((node) => leases.isHeldBy(workerOf(node), idOf(at))) ?? null);
      const failed = this.#images.map((at) => this.#nodes.filter((node) => this.#hasFailed(leases, node, at)));
      const tellers = this.#images.map((at) => this.#nodes.filter((node) => leases.mayTell(workerOf(node), idOf(at))));
      const isQuiet = states.every(({ kind }) => kind === 'answered' || kind === 'refused');
      const remembered = { clock, holders, tellers, failed, before };
      return { calls: states, holders, tellers, failed, memory: isQuiet ? this.#remember(leases, remembered) : null };
    } finally {
      for (const call of calls) call.end();
      await untilQuiet();
      timers.goOn();
    }
  }

  #hasFailed(leases: ScanLeases, node: number, at: number): boolean {
    // Of its own, what no other node's failures come to.
    const failure = leases.failureOf(workerOf(node), idOf(at));
    return failure !== null && !('message' in failure && failure.message.includes('nodes could not read it'));
  }

  #recall({ leases: held, late, failures }: LeaseMemory, clock: { now: number }): ScanLeases {
    const leases = new ScanLeases({ now: () => clock.now, sleep: () => Promise.resolve() });
    clock.now = START - LONG_AGO_MS;
    for (const [at, nodes] of late.entries()) {
      for (const node of nodes) {
        leases.take(workerOf(node), [idOf(at)], 1);
        clock.now += 2 * STEP_MS;
        leases.isHeldBy(workerOf(node), idOf(at));
      }
    }
    for (const [at, ofImage] of failures.entries())
      for (const { node, why } of ofImage) leases.fail(workerOf(node), idOf(at), FAILURES[why]);
    for (const [at, lease] of held.entries()) {
      if (lease === null) continue;
      clock.now = START - (1 - lease.left) * STEP_MS;
      leases.take(workerOf(lease.node), [idOf(at)], 1);
    }
    clock.now = START;
    return leases;
  }

  /** By looking at it, at times that are yet to come: it is not used any more afterwards. */
  #remember(
    leases: ScanLeases,
    {
      clock,
      holders,
      tellers,
      failed,
      before,
    }: Pick<PlayedCalls, 'holders' | 'tellers' | 'failed'> & { readonly clock: { now: number }; readonly before: LeaseMemory },
  ): LeaseMemory {
    const failures = failed.map((nodes, at) => {
      const known = before.failures[at] ?? [];
      const added = nodes.filter((node) => !known.some((one) => one.node === node));
      return [...known, ...added.map((node) => ({ node, why: whyOf(leases, node, at) }))];
    });
    clock.now += STEP_MS;
    const held = holders.map((node, at) => (node === null ? null : { node, left: leases.isHeldBy(workerOf(node), idOf(at)) ? 1 : 0 }));
    const late = tellers.map((nodes, at) => nodes.filter((node) => node !== holders[at]));
    return { leases: held, late, failures };
  }
}

function whyOf(leases: ScanLeases, node: number, at: number): keyof typeof FAILURES {
  const failure = leases.failureOf(workerOf(node), idOf(at));
  return JSON.stringify(failure) === JSON.stringify(FAILURES['not-read']) ? 'not-read' : 'of-no-use';
}

/** A call that is being answered. */
class UnderWay {
  readonly worker: Worker;
  state: CallState = { kind: 'waits' };
  readonly #gone = new AbortController();
  #answerPort: (event: LeaseEvent) => void = () => undefined;

  constructor({ node }: Asked) {
    this.worker = workerOf(node);
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  begin(answered: Promise<Awaited<ReturnType<ReturnType<typeof answerScans>>>>): void {
    answered.then(
      (answer) => (this.state = answer.kind === 'refused' ? { kind: 'refused' } : readAnswer(answer.body)),
      () => (this.state = { kind: 'refused' }),
    );
  }

  ask<Value>(kind: 'reads' | 'judges', images: readonly number[], valueOf: (event: LeaseEvent) => Value): Promise<Judged<Value>> {
    this.state = { kind, images };
    return new Promise((resolve) => {
      this.#answerPort = (event) => {
        this.#answerPort = () => undefined;
        this.state = { kind: 'waits' };
        resolve(event.kind === 'away' ? { kind: 'away', why: 'it is away', mayPass: true } : { kind: 'judged', value: valueOf(event) });
      };
    });
  }

  hear(event: LeaseEvent): void {
    if (event.kind === 'ended') this.end();
    else this.#answerPort(event);
  }

  end(): void {
    this.#gone.abort(new Error('the caller is gone'));
    this.#answerPort({ kind: 'away', call: 0 });
  }
}

/** Whose call asks: the reads of a call come one after another, and begin in it. */
function verdictsOf(calls: readonly UnderWay[]): Verdicts {
  const ask = <Value>(
    kind: 'reads' | 'judges',
    ids: readonly string[],
    { signal, valueOf }: { readonly signal: AbortSignal; readonly valueOf: (event: LeaseEvent) => Value },
  ): Promise<Judged<Value>> => {
    const call = calls.find((one) => one.signal === signal);
    if (call === undefined) throw new Error('a question of no call');
    return call.ask(kind, ids.map(indexOf), valueOf);
  };
  return {
    read: ({ imageIds }, signal) =>
      ask('reads', imageIds, {
        signal,
        valueOf: (event) =>
          new Map<string, ReportJson>(event.kind === 'known' ? event.images.map((at): [string, string] => [idOf(at), reportOf(at)]) : []),
      }),
    judge: (_worker, analyses, signal) =>
      ask(
        'judges',
        analyses.map(({ imageId: id }) => id),
        {
          signal,
          valueOf: (event) => analyses.map(({ imageId: id }) => (event.kind === 'judged' && event.isUsed ? reportOf(indexOf(id)) : null)),
        },
      ),
  };
}

const IDS = Array.from({ length: 8 }, (_, at) => idOf(at));
const indexOf = (id: string): number => IDS.indexOf(id);
const reportOf = (at: number): string => JSON.stringify(report(image(1), { imageId: idOf(at) }));

function bodyOf({ wanted, inHand, told }: Asked): Buffer {
  const analyses = told.flatMap(({ image: at, outcome }) => (outcome === 'read' ? [analysisOf(idOf(at))] : []));
  const failed = told.flatMap(({ image: at, outcome }) =>
    outcome === 'failed' ? [{ imageId: idOf(at), failure: FAILURES['not-read'] }] : [],
  );
  const isBusy = inHand.length + told.length > 0;
  return formatScans({
    scannerVersion: '0.74.0',
    wanted: wanted.map(idOf),
    inHand: inHand.map(idOf),
    mayTake: inHand.length === 0 ? 1 : 0,
    mayWaitMs: isBusy ? 0 : LONGEST_WAIT_MS,
    analyses,
    failed,
  });
}

function readAnswer(body: Buffer | Uint8Array | null): CallState {
  const { results, leased } = scanAnswerSchema.parse(JSON.parse(Buffer.from(body ?? []).toString()));
  return {
    kind: 'answered',
    results: results.map(({ imageId: id, result }) => [indexOf(id), result.kind === 'scanned' ? 'scanned' : 'failed'] as const),
    leased: leased.map(indexOf),
  };
}

/** Until it goes on, timers fire when the model says so. */
function stopTime(): { pass: (ms: number) => void; goOn: () => void } {
  const real = Object.getOwnPropertyDescriptor(AbortSignal, 'timeout');
  mock.timers.enable({ apis: ['setTimeout'] });
  AbortSignal.timeout = (ms) => {
    const over = new AbortController();
    if (ms === 0) over.abort();
    else setTimeout(() => over.abort(), ms);
    return over.signal;
  };
  return {
    pass: (ms) => mock.timers.tick(ms),
    goOn: () => {
      mock.timers.reset();
      if (real !== undefined) Object.defineProperty(AbortSignal, 'timeout', real);
    },
  };
}
