import PQueue from 'p-queue';
import { CALL_LIMITS } from '../api/coordinator/coordinator-api.ts';
import { LONGEST_WAIT_MS, MOST_IMAGES_ASKED, MOST_IN_HAND, MOST_PARTS, RENEW_MS, type ScanAnswer } from '../api/coordinator/scans-call.ts';
import type { NodeImage } from '../api/inventory.ts';
import type { ImageAnalysis, ScannerInfo, ScanResult, ScanResults } from '../api/scan-report.ts';
import { imageIdKey } from '../core/reference.ts';
import { attemptImage, MAX_TIMER_MS, totalTimeUp, type FailedScan } from '../engine/attempt-image.ts';
import type { OnEvent } from '../engine/events.ts';
import type { ImageReader, NodeRuntime } from '../engine/ports.ts';
import type { ScanLimits } from '../engine/scan-images.ts';
import type { Timing } from '../platform/timing.ts';
import { untilAborted } from '../platform/until-aborted.ts';
import type { Coordinator } from './ports.ts';
import { WorkerError } from './worker-error.ts';

export interface SharedScanOptions {
  readonly reader: ImageReader;
  readonly coordinator: Pick<Coordinator, 'exchangeScans'>;
  readonly runtime: NodeRuntime;
  readonly images: readonly NodeImage[];
  readonly limits: ScanLimits;
  readonly timing: Timing;
  readonly onEvent: OnEvent;
  readonly signal: AbortSignal;
}

export interface SharedScans {
  readonly results: ScanResults;
  /** How many of the reports this node has not read the image for. */
  readonly reused: number;
}

/** Beside what is being read: so that a program that ends finds the next image there, and little is left to one node. */
const WAITING_IMAGES = 6;
/** No image waits here for its turn for longer: another node may have nothing to do. Exported for its test. */
export const LONGEST_TURN_MS = 60_000;
/** What is read of images is told together: each call costs both sides something. */
const TOLD_TOGETHER = 4;
/** Other nodes wait for it. Exported for its test. */
export const TOLD_AFTER_MS = 500;
/** Once the time is up, for a last call. Exported for its test. */
export const LAST_CALL_MS = 10_000;
/** For the head of a call. */
const HEAD_BYTES = 1024 * 1024;
const MOST_BYTES = CALL_LIMITS.scans.maxRequestBytes - HEAD_BYTES;
/** Where an answer holds nothing at all. */
const PAUSE_MS = 1_000;

/**
 * A result for each image, which all nodes of the cluster work for together: each image is read by one of them, and judged by the coordinator. A fault
 * of the reader or of the coordinator is thrown: it is no verdict on any image.
 */
export async function shareScans(options: SharedScanOptions): Promise<SharedScans> {
  if (options.images.length === 0) return { results: new Map(), reused: 0 };
  const { version } = options.reader.unsupportedBecause === null ? await options.reader.probe(options.signal) : { version: null };
  return new SharedScan(options, version).run();
}

class SharedScan {
  readonly #options: SharedScanOptions;
  readonly #version: string | null;
  /** By the ids that reports give. */
  readonly #images: ReadonlyMap<string, NodeImage>;
  readonly #results = new Map<string, ScanResult>();
  /** What is leased to this node, and has come to nothing yet. */
  readonly #reading = new Set<string>();
  /** Those of them that no program reads yet, and since when, by the clock of `timing`. */
  readonly #waiting = new Map<string, number>();
  readonly #own = new Set<string>();
  readonly #queue: PQueue;
  readonly #fault = new AbortController();
  readonly #signal: AbortSignal;
  readonly #total: AbortSignal;
  #analyses: ImageAnalysis[] = [];
  #failed: { readonly imageId: string; readonly failure: FailedScan }[] = [];
  #wake = Promise.withResolvers<undefined>();
  #reused = 0;
  #mostWaiting = WAITING_IMAGES;
  #hasBegun = false;

  constructor(options: SharedScanOptions, version: string | null) {
    const { images, limits, signal } = options;
    this.#options = options;
    this.#version = version;
    this.#images = new Map(images.map((image) => [`sha256:${imageIdKey(image.id)}`, image]));
    this.#queue = new PQueue({ concurrency: limits.concurrency });
    this.#signal = AbortSignal.any([signal, this.#fault.signal]);
    this.#total = AbortSignal.timeout(Math.min(limits.totalTimeoutMs, MAX_TIMER_MS));
  }

  async run(): Promise<SharedScans> {
    try {
      while (this.#results.size < this.#images.size && !this.#total.aborted) await this.#goOn();
      if (this.#results.size < this.#images.size) await this.#tellLast();
    } finally {
      // No program of the reader outlives the call.
      this.#fault.abort(new Error('the scan is over'));
      await this.#queue.onIdle();
    }
    const results = new Map<string, ScanResult>();
    for (const [id, image] of this.#images) results.set(image.id, this.#results.get(id) ?? totalTimeUp(this.#options.limits));
    return { results, reused: this.#reused };
  }

  async #goOn(): Promise<void> {
    const until = AbortSignal.any([this.#signal, this.#total]);
    try {
      this.#giveBack();
      const wanted = this.#wanted();
      const isEmpty = this.#note(await this.#exchange(wanted, until), wanted);
      if (isEmpty && this.#reading.size === 0) await this.#options.timing.sleep(PAUSE_MS, until);
      await this.#untilWorthACall(until);
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!this.#total.aborted) throw error;
    }
  }

  /**
   * The time for all is up: what was read by then is judged yet, and nothing more is taken. Where nobody judges any more, that is a fault: what has no
   * verdict then has none for another reason than want of time.
   */
  async #tellLast(): Promise<void> {
    this.#reading.clear();
    for (let isOver = false; !isOver;) {
      const before = this.#results.size;
      const late = setAlarm(this.#options.timing, LAST_CALL_MS);
      const answer = await this.#exchange(this.#wanted(), AbortSignal.any([this.#signal, late.signal]), 0)
        .catch((cause: unknown) => {
          if (!late.signal.aborted) throw cause;
          throw new WorkerError({
            code: 'no-verdicts',
            message: 'the time for all scans is up, and the coordinator does not answer',
            cause,
          });
        })
        .finally(late.stop);
      this.#note(answer, []);
      // More than a call or an answer holds.
      isOver = this.#analyses.length === 0 && (answer.rest.length === 0 || this.#results.size === before);
    }
  }

  /** Those that wait for their turn for too long are for others; from then on no more are taken than are read at once. */
  #giveBack(): void {
    const now = this.#options.timing.now();
    for (const [imageId, since] of this.#waiting) {
      if (now - since < LONGEST_TURN_MS) continue;
      for (const kept of [this.#waiting, this.#reading, this.#own]) kept.delete(imageId);
      this.#mostWaiting = 0;
    }
  }

  /** All that there is to tell goes with it, as far as it is not too large. */
  async #exchange(wanted: readonly string[], signal: AbortSignal, most = Infinity): Promise<ScanAnswer> {
    const analyses = this.#takeAnalyses();
    const failed = this.#failed.splice(0);
    const inHand = [...this.#reading, ...this.#analyses.map(({ imageId }) => imageId)];
    const room = Math.min(this.#options.limits.concurrency + this.#mostWaiting, MOST_IN_HAND) - inHand.length;
    const mayTake = this.#version === null ? 0 : Math.min(most, Math.max(0, room));
    const mayWaitMs = most > 0 && inHand.length + analyses.length + failed.length === 0 ? LONGEST_WAIT_MS : 0;
    const exchange = { scannerVersion: this.#version, wanted, inHand, mayTake, mayWaitMs, analyses, failed };
    try {
      return await this.#options.coordinator.exchangeScans(exchange, signal);
    } catch (error) {
      // The time for all may have come to its end in the middle.
      this.#analyses.unshift(...analyses);
      this.#failed.unshift(...failed);
      throw error;
    }
  }

  /** Those that nothing is known of yet, and nothing told. */
  #wanted(): string[] {
    const toTell = new Set([...this.#analyses, ...this.#failed].map(({ imageId }) => imageId));
    const isWanted = (id: string): boolean => !this.#results.has(id) && !this.#reading.has(id) && !toTell.has(id);
    return [...this.#images.keys()].filter(isWanted).slice(0, MOST_IMAGES_ASKED);
  }

  #takeAnalyses(): ImageAnalysis[] {
    const taken: ImageAnalysis[] = [];
    let [bytes, parts] = [0, 0];
    for (const analysis of this.#analyses) {
      bytes += sizeOf(analysis);
      parts += analysis.parts.length;
      if (bytes > MOST_BYTES || parts > MOST_PARTS) break;
      taken.push(analysis);
    }
    this.#analyses.splice(0, taken.length);
    return taken;
  }

  /** Whether there was nothing in it. */
  #note({ results, leased, elsewhere, rest }: ScanAnswer, wanted: readonly string[]): boolean {
    const before = this.#results.size;
    const reused: ScannerInfo[] = [];
    for (const { imageId, result } of results) {
      const image = this.#images.get(imageId);
      if (image === undefined || this.#results.has(imageId)) continue;
      this.#results.set(imageId, result);
      if (this.#own.has(imageId)) this.#tell(image, result);
      else if (result.kind === 'scanned') reused.push(result.report.scanner);
    }
    const [scanner] = reused;
    this.#reused += reused.length;
    if (scanner !== undefined) this.#options.onEvent({ kind: 'verdicts-known', scanner, reused: reused.length, evaluated: 0 });
    for (const imageId of leased) this.#read(imageId);
    const { unsupportedBecause } = this.#options.reader;
    if (unsupportedBecause !== null) {
      const awaited = new Set([...elsewhere, ...rest]);
      for (const id of wanted) {
        if (this.#results.has(id) || awaited.has(id)) continue;
        this.#results.set(id, { kind: 'unscanned', reason: 'unsupported-runtime', message: unsupportedBecause });
      }
    }
    return this.#results.size === before && leased.length === 0;
  }

  #tell(image: NodeImage, result: ScanResult): void {
    this.#options.onEvent({ kind: 'image-scanned', image, result, done: this.#results.size, total: this.#images.size });
  }

  #read(imageId: string): void {
    const image = this.#images.get(imageId);
    if (image === undefined || this.#reading.has(imageId) || this.#results.has(imageId)) return;
    const { reader, runtime, limits } = this.#options;
    if (!this.#hasBegun && this.#version !== null) {
      this.#hasBegun = true;
      const scanner = { name: 'trivy', version: this.#version, databaseUpdatedAt: null, databaseMark: null };
      const images = this.#images.size - this.#results.size;
      this.#options.onEvent({ kind: 'scan-started', scanner, images, concurrency: limits.concurrency });
    }
    this.#reading.add(imageId);
    this.#waiting.set(imageId, this.#options.timing.now());
    this.#own.add(imageId);
    const attempt: ImageReader['read'] = (target, signal) => reader.read(target, signal);
    const read = async (): Promise<void> => {
      // It was given back.
      if (!this.#waiting.delete(imageId)) return;
      try {
        const ended = await attemptImage({ runtime, limits, attempt }, image, { signal: this.#signal, total: this.#total });
        if (ended.kind !== 'read') this.#failed.push({ imageId, failure: ended });
        else if (isTooLarge(ended.analysis)) this.#failed.push({ imageId, failure: tooLarge(ended.analysis) });
        else this.#analyses.push(ended.analysis);
      } catch (error) {
        this.#fault.abort(error);
      } finally {
        this.#reading.delete(imageId);
        this.#wake.resolve(undefined);
      }
    };
    void this.#queue.add(read);
  }

  /** Until there is enough to tell, or for long enough, or nothing else to do, or the leases have to be renewed. */
  async #untilWorthACall(signal: AbortSignal): Promise<void> {
    const { timing } = this.#options;
    const alarms = [setAlarm(timing, RENEW_MS)];
    try {
      for (;;) {
        signal.throwIfAborted();
        const toTell = this.#analyses.length + this.#failed.length;
        const isDue = alarms.some((alarm) => alarm.signal.aborted);
        if (this.#reading.size === 0 || toTell >= TOLD_TOGETHER || isDue) return;
        if (toTell > 0 && alarms.length === 1) alarms.push(setAlarm(timing, TOLD_AFTER_MS));
        this.#wake = Promise.withResolvers();
        // Why it ended is looked at above.
        await untilAborted(this.#wake.promise, AbortSignal.any([signal, ...alarms.map((alarm) => alarm.signal)])).catch(() => undefined);
      }
    } finally {
      for (const { stop } of alarms) stop();
    }
  }
}

interface Alarm {
  /** Aborts when the time is up. */
  readonly signal: AbortSignal;
  readonly stop: () => void;
}

function setAlarm(timing: Timing, ms: number): Alarm {
  const [rings, stopped] = [new AbortController(), new AbortController()];
  timing.sleep(ms, stopped.signal).then(
    () => rings.abort(),
    () => undefined,
  );
  return { signal: rings.signal, stop: () => stopped.abort() };
}

function sizeOf({ parts, recipe }: ImageAnalysis): number {
  return parts.reduce((sum, { data }) => sum + data.length, recipe.length);
}

function isTooLarge(analysis: ImageAnalysis): boolean {
  return sizeOf(analysis) > MOST_BYTES || analysis.parts.length > MOST_PARTS;
}

function tooLarge(analysis: ImageAnalysis): FailedScan {
  const has = `${sizeOf(analysis)} bytes in ${analysis.parts.length} parts`;
  const message = `what was read of it has ${has}, of which at most ${MOST_BYTES} in ${MOST_PARTS} can be told`;
  return { kind: 'unscanned', reason: 'scan-failed', message };
}
