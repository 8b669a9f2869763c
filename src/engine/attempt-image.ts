import type { NodeImage } from '../api/inventory.ts';
import type { ScanResult, UnparsableAttempt, UnscannedAttempt } from '../api/scan-report.ts';
import { formatDuration } from '../platform/duration.ts';
import { RoomError } from '../platform/errors.ts';
import type { NodeRuntime, ScanTarget } from './ports.ts';

/** The longest delay that a Node timer takes; a longer one would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

export interface AttemptLimits {
  readonly perImageTimeoutMs: number;
  /** For all images together; an image that has no result by then stays unscanned. */
  readonly totalTimeoutMs: number;
}

export interface AttemptSignals {
  /** The run is over: the user's abort, or a fault in another scan. */
  readonly signal: AbortSignal;
  /** The time for all images is up. */
  readonly total: AbortSignal;
}

export interface ImageAttempt<Success> {
  readonly runtime: NodeRuntime;
  readonly limits: AttemptLimits;
  /** Tries once. Rejects with the code `runtime-unreachable` where the scanner, which talks to the runtime itself, gets no answer. */
  readonly attempt: (target: ScanTarget, signal: AbortSignal) => Promise<Success | UnscannedAttempt | UnparsableAttempt>;
}

export type FailedScan = Exclude<ScanResult, { readonly kind: 'scanned' }>;

/**
 * Tries an image, and once more where it cannot be parsed: unscannable is only one whose content is complete and that fails twice alike. A runtime
 * that was away meanwhile is waited for. Rejects with what the attempt rejects with, but for the end of the time for this image or for all.
 */
export async function attemptImage<Success extends { readonly kind: 'scanned' | 'read' }>(
  options: ImageAttempt<Success>,
  image: NodeImage,
  signals: AttemptSignals,
): Promise<Success | FailedScan> {
  const { runtime, limits } = options;
  const perImage = AbortSignal.timeout(Math.min(limits.perImageTimeoutMs, MAX_TIMER_MS));
  const signal = AbortSignal.any([signals.signal, signals.total, perImage]);
  const target = { imageId: image.id, repoTags: image.repoTags, repoDigests: image.repoDigests };
  try {
    signal.throwIfAborted();
    const first = await attemptWithRuntime(options, target, signal);
    if (first.kind !== 'unparsable') return first;
    if (!(await isStillNamed(runtime, image.id, first.scannedName, signal))) return movedName(first.scannedName);
    if ((await runtime.isContentComplete(image.id, signal)) !== true)
      return notProvenUnscannable(first.error, 'its content is not known to be complete');
    const second = await attemptWithRuntime(options, target, signal);
    if (second.kind !== 'unparsable') return second;
    if (!(await isStillNamed(runtime, image.id, second.scannedName, signal))) return movedName(second.scannedName);
    if (second.error !== first.error) return notProvenUnscannable(second.error, 'two attempts failed differently');
    return { kind: 'unscannable', error: first.error };
  } catch (error) {
    if (signals.signal.aborted) throw error;
    if (signals.total.aborted) return totalTimeUp(limits);
    if (perImage.aborted) return timedOut('timeout', `the scan took longer than ${formatDuration(limits.perImageTimeoutMs)}`);
    throw error;
  }
}

/** They outlast two restarts of the runtime while one image is scanned. */
const MOST_ATTEMPTS = 3;

async function attemptWithRuntime<Success>(
  { runtime, attempt }: Pick<ImageAttempt<Success>, 'runtime' | 'attempt'>,
  target: ScanTarget,
  signal: AbortSignal,
): Promise<Success | UnscannedAttempt | UnparsableAttempt> {
  for (let left = MOST_ATTEMPTS - 1; ; left -= 1) {
    try {
      return await attempt(target, signal);
    } catch (error) {
      if (left === 0 || !(error instanceof RoomError) || error.code !== 'runtime-unreachable') throw error;
      // Answers once the runtime is there again. Where it stays away, it is the scan that found none.
      await runtime.imageStatus(target.imageId, signal).catch(() => {
        signal.throwIfAborted();
        throw error;
      });
    }
  }
}

/** Of an image that has no result when the time for all is up. */
export function totalTimeUp({ totalTimeoutMs }: AttemptLimits): FailedScan {
  return timedOut('total-timeout', `the time for all scans was up (${formatDuration(totalTimeoutMs)})`);
}

/**
 * A report says which image it is of, a failure does not: it counts only if the name that was scanned is the image's own afterwards too. A
 * tag may have moved to a broken image since the list was read.
 */
async function isStillNamed(runtime: NodeRuntime, imageId: string, name: string, signal: AbortSignal): Promise<boolean> {
  const now = await runtime.imageStatus(imageId, signal);
  return now !== null && [...now.repoTags, ...now.repoDigests].includes(name);
}

function movedName(name: string): FailedScan {
  return { kind: 'unscanned', reason: 'report-for-another-image', message: `${name} may mean another image by now` };
}

function notProvenUnscannable(error: string, because: string): FailedScan {
  return { kind: 'unscanned', reason: 'scan-failed', message: `${error} (${because})` };
}

function timedOut(reason: 'timeout' | 'total-timeout', message: string): FailedScan {
  return { kind: 'unscanned', reason, message };
}
