import PQueue from 'p-queue';
import type { NodeImage } from '../api/inventory.ts';
import type { ScanAttempt, ScanResult, ScanResults } from '../api/scan-report.ts';
import { formatDuration } from '../platform/duration.ts';
import type { OnEvent } from './events.ts';
import { judgeKnownImages } from './judge-known-images.ts';
import type { NodeRuntime, Scanner, ScanRecords } from './ports.ts';

export interface ScanLimits {
  /** Scans at once. */
  readonly concurrency: number;
  readonly perImageTimeoutMs: number;
  /** For all images together; an image that has no result by then stays unscanned. */
  readonly totalTimeoutMs: number;
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

/** The longest delay that a Node timer takes; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

interface ScanSignals {
  /** The run is over: the user's abort, or a fault in another scan. */
  readonly signal: AbortSignal;
  /** The time for all images is up. */
  readonly total: AbortSignal;
}

async function scanOne(options: ScanImagesOptions, image: NodeImage, signals: ScanSignals): Promise<ScanResult> {
  const { runtime, limits } = options;
  const perImage = AbortSignal.timeout(Math.min(limits.perImageTimeoutMs, MAX_TIMER_MS));
  const signal = AbortSignal.any([signals.signal, signals.total, perImage]);
  const attempt = (): Promise<ScanAttempt> =>
    options.scanner.scan({ imageId: image.id, repoTags: image.repoTags, repoDigests: image.repoDigests }, signal);
  try {
    signal.throwIfAborted();
    const first = await attempt();
    if (first.kind !== 'unparsable') return await kept(options, first);
    if (!(await isStillNamed(runtime, image.id, first.scannedName, signal))) return movedName(first.scannedName);
    if ((await runtime.isContentComplete(image.id, signal)) !== true)
      return notProvenUnscannable(first.error, 'its content is not known to be complete');
    const second = await attempt();
    if (second.kind !== 'unparsable') return await kept(options, second);
    if (!(await isStillNamed(runtime, image.id, second.scannedName, signal))) return movedName(second.scannedName);
    if (second.error !== first.error) return notProvenUnscannable(second.error, 'two attempts failed differently');
    return { kind: 'unscannable', error: first.error };
  } catch (error) {
    if (signals.signal.aborted) throw error;
    if (signals.total.aborted) return timedOut('total-timeout', `the time for all scans was up (${formatDuration(limits.totalTimeoutMs)})`);
    if (perImage.aborted) return timedOut('timeout', `the scan took longer than ${formatDuration(limits.perImageTimeoutMs)}`);
    throw error;
  }
}

/** Keeps a report for the next run, as soon as it is there: a run that is killed later loses none. */
async function kept(
  { records }: ScanImagesOptions,
  attempt: ScanAttempt & { readonly kind: 'scanned' | 'unscanned' },
): Promise<ScanResult> {
  if (attempt.kind === 'unscanned') return attempt;
  await records?.keep(attempt.report, attempt.analysis);
  return { kind: 'scanned', report: attempt.report };
}

/**
 * A report says which image it is of, a failure does not: it counts only if the name that was scanned is the image's own afterwards too. A
 * tag may have moved to a broken image since the list was read.
 */
async function isStillNamed(runtime: NodeRuntime, imageId: string, name: string, signal: AbortSignal): Promise<boolean> {
  const now = await runtime.imageStatus(imageId, signal);
  return now !== null && [...now.repoTags, ...now.repoDigests].includes(name);
}

function movedName(name: string): ScanResult {
  return { kind: 'unscanned', reason: 'report-for-another-image', message: `${name} may mean another image by now` };
}

function notProvenUnscannable(error: string, because: string): ScanResult {
  return { kind: 'unscanned', reason: 'scan-failed', message: `${error} (${because})` };
}

function timedOut(reason: 'timeout' | 'total-timeout', message: string): ScanResult {
  return { kind: 'unscanned', reason, message };
}
