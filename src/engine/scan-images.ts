import PQueue from 'p-queue';
import type { NodeImage } from '../api/inventory.ts';
import type { ScanAttempt, ScanResult, ScanResults } from '../api/scan-report.ts';
import { attemptImage, MAX_TIMER_MS, type AttemptLimits, type AttemptSignals } from './attempt-image.ts';
import type { OnEvent } from './events.ts';
import { judgeKnownImages } from './judge-known-images.ts';
import type { NodeRuntime, Scanner, ScanRecords, ScanTarget } from './ports.ts';

export interface ScanLimits extends AttemptLimits {
  /** Scans at once. */
  readonly concurrency: number;
}

export interface ScanImagesOptions {
  readonly scanner: Scanner;
  readonly runtime: NodeRuntime;
  /** null: nothing is remembered of earlier scans. */
  readonly records: ScanRecords | null;
  readonly images: readonly NodeImage[];
  readonly limits: ScanLimits;
  readonly onEvent: OnEvent;
  readonly signal: AbortSignal;
}

/**
 * A result for each image: what earlier scans tell, where they are remembered, and scans of the others, several at once. A fault of the scanner
 * (rejection of `probe`, `evaluate` or `scan`) ends all scans and is thrown: it is no verdict on any image, so there are no partial results.
 */
export async function scanImages(options: ScanImagesOptions): Promise<ScanResults> {
  const { scanner, records, images, limits, onEvent, signal } = options;
  const results = new Map<string, ScanResult>();
  if (images.length === 0) return results;
  const { unsupportedBecause } = scanner;
  if (unsupportedBecause !== null) {
    return new Map(images.map(({ id }) => [id, { kind: 'unscanned', reason: 'unsupported-runtime', message: unsupportedBecause }]));
  }
  const total = AbortSignal.timeout(Math.min(limits.totalTimeoutMs, MAX_TIMER_MS));
  const info = await scanner.probe(signal);
  if (records !== null) {
    const known = await judgeKnownImages({ scanner, info, records, images, signal, total });
    for (const [id, result] of known.results) results.set(id, result);
    if (results.size > 0) onEvent({ kind: 'verdicts-known', scanner: info, reused: known.reused, evaluated: known.evaluated });
  }
  const unknown = images.filter(({ id }) => !results.has(id));
  if (unknown.length === 0) return results;
  onEvent({ kind: 'scan-started', scanner: info, images: unknown.length, concurrency: limits.concurrency });
  for (const [id, result] of await scanEach({ ...options, images: unknown }, total)) results.set(id, result);
  return results;
}

async function scanEach(options: ScanImagesOptions, total: AbortSignal): Promise<ScanResults> {
  const { images, limits, onEvent } = options;
  const results = new Map<string, ScanResult>();
  const fault = new AbortController();
  const signal = AbortSignal.any([options.signal, fault.signal]);
  const queue = new PQueue({ concurrency: limits.concurrency });
  const scans = images.map((image) =>
    queue.add(async () => {
      try {
        signal.throwIfAborted();
        const result = await scanOne(options, image, { signal, total });
        results.set(image.id, result);
        onEvent({ kind: 'image-scanned', image, result, done: results.size, total: images.length });
      } catch (error) {
        fault.abort(error);
        throw error;
      }
    }),
  );
  // All are awaited before the first error is thrown, so that no scanner process outlives the call.
  await Promise.allSettled(scans);
  signal.throwIfAborted();
  return results;
}

/** Keeps a report for the next run, as soon as it is there: a run that is killed later loses none. */
async function scanOne(options: ScanImagesOptions, image: NodeImage, signals: AttemptSignals): Promise<ScanResult> {
  const { runtime, limits, scanner, records } = options;
  const attempt = (target: ScanTarget, signal: AbortSignal): Promise<ScanAttempt> => scanner.scan(target, signal);
  const ended = await attemptImage({ runtime, limits, attempt }, image, signals);
  if (ended.kind !== 'scanned') return ended;
  await records?.keep(ended.report, ended.analysis);
  return { kind: 'scanned', report: ended.report };
}
