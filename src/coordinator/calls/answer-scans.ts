import PQueue from 'p-queue';
import { CALL_LIMITS } from '../../api/coordinator/coordinator-api.ts';
import { RENEW_MS, type ReadFailure, type ScanAnswer } from '../../api/coordinator/scans-call.ts';
import type { ImageAnalysis, ScanResult } from '../../api/scan-report.ts';
import type { Timing } from '../../platform/timing.ts';
import { untilAborted } from '../../platform/until-aborted.ts';
import type { Judged, ReportJson, Runs, Verdicts, Worker } from '../ports.ts';
import { refuse, type Answer, type Refusal } from '../refusal.ts';
import type { ScanLeases } from '../scan-leases.ts';
import type { AnswerCall } from './call.ts';
import { parseScans, type AskedScans } from './parse-scans.ts';

/** Around the results: the other lists, whose ids the request held already. */
const AROUND_BYTES = 256 * 1024;
const MOST_RESULT_BYTES = CALL_LIMITS.scans.maxAnswerBytes - AROUND_BYTES;

export interface ScansOptions {
  readonly verdicts: Verdicts;
  readonly runs: Pick<Runs, 'takenUpAt'>;
  readonly leases: ScanLeases;
  readonly timing: Pick<Timing, 'now' | 'sleep'>;
  readonly maxJudgements: number;
  /** Of the results in an answer. */
  readonly mostBytes?: number;
}

/** In so long each worker that has images in hand has said so to a coordinator that went on after another one: it renews, or repeats a call that failed. */
export const HEARD_MS = RENEW_MS + 5_000;

/** Takes what a worker has read of images, tells it the results that there are, and which images it is to read next. */
export function answerScans(options: ScansOptions): AnswerCall {
  const { verdicts, runs, leases, timing, maxJudgements, mostBytes = MOST_RESULT_BYTES } = options;
  const judgements = new PQueue({ concurrency: maxJudgements });
  const unheardMs = ({ job }: Worker): number => Math.max(0, (runs.takenUpAt(job) ?? -Infinity) + HEARD_MS - timing.now());
  const exchange = async ({ head, analyses }: AskedScans, worker: Worker, signal: AbortSignal): Promise<Answer | Refusal> => {
    // What nobody has leased to this node in this run is not its to tell.
    for (const { imageId, failure } of head.failed) if (leases.mayTell(worker, imageId)) leases.fail(worker, imageId, failure);
    const held = analyses.filter(({ imageId }) => leases.mayTell(worker, imageId));
    const told = new Map<string, ResultJson>();
    if (held.length > 0) {
      const imageIds = held.map(({ imageId }) => imageId);
      const known = await verdicts.read({ imageIds, scannerVersion: head.scannerVersion }, signal);
      if (known.kind === 'away') return away(known);
      // What was read of an image before stays what is known of it, whoever says now that it has read it.
      for (const [imageId, report] of known.value) {
        told.set(imageId, scanned(report));
        leases.settle(imageId);
      }
      const own = held.filter(({ imageId }) => !told.has(imageId));
      if (own.length > 0) {
        const judged = await untilAborted(
          judgements.add(() => verdicts.judge(worker, own, signal), { signal }),
          signal,
        );
        if (judged.kind === 'away') return away(judged);
        if (judged.kind === 'revoked') failAll({ leases, worker }, own, REVOKED);
        else note({ leases, worker, told }, own, judged.value);
      }
    }
    const wanted = [...new Set([...head.wanted, ...head.failed.map(({ imageId }) => imageId), ...analyses.map(({ imageId }) => imageId)])];
    const waits = AbortSignal.any([signal, AbortSignal.timeout(analyses.length > 0 ? 0 : head.mayWaitMs)]);
    for (;;) {
      const open = wanted.filter((image) => !told.has(image));
      // A verdict on one of these may come too late to be read here: then it is asked for again, and read by nobody anew.
      const wereElsewhere = new Set(open.filter((image) => leases.isElsewhere(worker, image)));
      const known = open.length === 0 ? null : await verdicts.read({ imageIds: open, scannerVersion: head.scannerVersion }, signal);
      // Who has no scanner waits for none: its images stay.
      if (known?.kind === 'away' && head.scannerVersion !== null) return away(known);
      for (const image of open) {
        const report = known?.kind === 'judged' ? known.value.get(image) : undefined;
        const result = resultOf(report, leases.failureOf(worker, image));
        if (result !== null) told.set(image, result);
      }
      const unknown = open.filter((image) => !told.has(image));
      const free = unknown.filter((image) => !wereElsewhere.has(image));
      // Until then, any of them may be in the hands of a node that has yet to say so.
      const waitMs = head.scannerVersion === null ? 0 : unheardMs(worker);
      const leased = leases.take(worker, free, head.scannerVersion === null || waitMs > 0 ? 0 : head.mayTake);
      const elsewhere = unknown.filter((image) => waitMs > 0 || wereElsewhere.has(image) || leases.isElsewhere(worker, image));
      if (told.size > 0 || leased.length > 0 || elsewhere.length === 0 || waits.aborted) {
        return answer(fit(told, mostBytes), { leased, elsewhere });
      }
      await (waitMs > 0 ? timing.sleep(waitMs, waits).catch(() => undefined) : leases.untilChanged(elsewhere, waits));
      signal.throwIfAborted();
    }
  };
  return async ({ worker, body, signal }) => {
    const asked = parseScans(body);
    if (asked.kind === 'refused') return asked;
    const letGo = renew(leases, worker, asked);
    // For as long as what it has read is judged, its node cannot say what it has in hand.
    try {
      return await exchange(asked, worker, signal);
    } finally {
      letGo();
    }
  };
}

/** Gives the call that ends what the leases are held by. */
function renew(leases: ScanLeases, worker: Worker, { head, analyses }: AskedScans): () => void {
  // Of what its pod has in hand, only a scanner can tell.
  if (head.scannerVersion === null) return () => undefined;
  const inHand = [...head.inHand, ...analyses.map(({ imageId }) => imageId)];
  leases.keepOnly(worker, [...inHand, ...head.failed.map(({ imageId }) => imageId)]);
  leases.renew(worker, inHand);
  return leases.hold(worker, inHand);
}

interface Noting {
  readonly leases: ScanLeases;
  readonly worker: Worker;
  readonly told: Map<string, ResultJson>;
}

function note({ leases, worker, told }: Noting, analyses: readonly ImageAnalysis[], reports: readonly (ReportJson | null)[]): void {
  for (const [index, { imageId }] of analyses.entries()) {
    const report = reports[index] ?? null;
    if (report === null) failAll({ leases, worker }, [{ imageId }], OF_NO_USE);
    else {
      told.set(imageId, scanned(report));
      leases.settle(imageId);
    }
  }
}

const OF_NO_USE = "Trivy's server cannot use what was read of it";
const REVOKED = 'what this node tells of images was revoked in this run';

/** Others may read them. */
function failAll(
  { leases, worker }: Pick<Noting, 'leases' | 'worker'>,
  images: readonly Pick<ImageAnalysis, 'imageId'>[],
  message: string,
): void {
  for (const { imageId } of images) leases.fail(worker, imageId, { kind: 'unscanned', reason: 'scan-failed', message });
}

/** A `ScanResult`. */
type ResultJson = string;

function scanned(report: ReportJson): ResultJson {
  return `{"kind":"scanned","report":${report}}`;
}

function resultOf(report: ReportJson | undefined, failure: ReadFailure | null): ResultJson | null {
  if (report !== undefined) return scanned(report);
  return failure === null ? null : JSON.stringify(failure);
}

interface FittedResults {
  readonly results: readonly (readonly [imageId: string, result: ResultJson])[];
  readonly rest: readonly string[];
}

/** As many results as an answer holds. One that no answer holds is no verdict to the worker: its image stays. */
function fit(told: ReadonlyMap<string, ResultJson>, mostBytes: number): FittedResults {
  const results: [string, ResultJson][] = [];
  const rest: string[] = [];
  let size = 0;
  for (const [imageId, result] of told) {
    const length = Buffer.byteLength(result);
    if (length > mostBytes) {
      const message = `its report has ${length} bytes, of which at most ${mostBytes} can be told`;
      results.push([imageId, JSON.stringify({ kind: 'unscanned', reason: 'scan-failed', message } satisfies ScanResult)]);
    } else if (size + length > mostBytes) rest.push(imageId);
    else {
      size += length;
      results.push([imageId, result]);
    }
  }
  return { results, rest };
}

/** The results are JSON already, which most nodes are told alike. */
function answer({ results, rest }: FittedResults, others: Pick<ScanAnswer, 'leased' | 'elsewhere'>): Answer {
  const texts = results.map(([imageId, result]) => `{"imageId":${JSON.stringify(imageId)},"result":${result}}`);
  const around = JSON.stringify({ ...others, rest } satisfies Omit<ScanAnswer, 'results' | 'rest'> & { readonly rest: readonly string[] });
  const body = Buffer.from(`{"results":[${texts.join(',')}],${around.slice(1)}`);
  return { kind: 'answer', status: 200, type: 'application/json', body, headers: {} };
}

function away({ why, mayPass }: Judged<unknown> & { readonly kind: 'away' }): Refusal {
  const detail = `Trivy's server beside the coordinator does not answer: ${why}`;
  if (!mayPass) return refuse('trivy-failed', { detail, allowed: 'The same call, when it has been mended.' });
  return refuse('trivy-away', { detail, allowed: 'The same call, when it is back.', retryAfterSeconds: 2 });
}
