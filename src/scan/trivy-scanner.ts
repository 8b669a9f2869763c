import { resolve } from 'node:path';
import type { ScanAttempt, ScannerInfo, UnscannedReason } from '../api/scan-report.ts';
import { errorMessage } from '../platform/errors.ts';
import { classifyTrivyFailure, type TrivyFailure } from './classify-trivy-failure.ts';
import { parseTrivyReport } from './parse-trivy-report.ts';
import { JavaIndex } from './java-index.ts';
import { probeTrivy, selfTestTrivy } from './probe-trivy.ts';
import { readOomKills } from './read-oom-kills.ts';
import { runTrivy } from './run-trivy.ts';
import { ScannerFault, scannerFault } from './scanner-fault.ts';
import { sweepWorkDirectories } from './sweep-work-directories.ts';
import { scanEnvironment, scanImageArguments } from './trivy-command.ts';
import { DEFAULT_MAX_REPORT_BYTES, type TrivyOptions } from './trivy-options.ts';

export interface ImageToScan {
  /** In the runtime's own form, with or without `sha256:`; a report for another image is not accepted. */
  readonly imageId: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
}

export interface TrivyScanner {
  /** Why no image of this runtime can be scanned; null: they can. Then there is no use in a probe, which may download a database. */
  readonly unsupportedBecause: string | null;
  /** Rejects with a `ScannerFault` when Trivy cannot work at all. */
  probe(signal: AbortSignal): Promise<ScannerInfo>;
  /** Tries to scan one image, once. Rejects with a `ScannerFault`, or with the signal's reason on abort. */
  scan(image: ImageToScan, signal: AbortSignal): Promise<ScanAttempt>;
}

/** Trivy as a program of its own for each image, so that several run at once and each can be ended. */
export function createTrivyScanner(given: TrivyOptions): TrivyScanner {
  // The processes run in folders of their own, so relative paths must not reach them.
  const binary = given.binary.includes('/') ? resolve(given.binary) : given.binary;
  const options = { ...given, binary, cacheDir: resolve(given.cacheDir), tmpDir: resolve(given.tmpDir) };
  let info: ScannerInfo | null = null;
  const javaIndex = new JavaIndex(options);

  const probe = async (signal: AbortSignal): Promise<ScannerInfo> => {
    if (info === null) await sweepWorkDirectories(options.tmpDir);
    return (info = await probeTrivy(options, signal));
  };

  /** One run of Trivy under one name, with what follows from a failure that alone does not tell. */
  const scanName = async (name: string, signal: AbortSignal, scanner: ScannerInfo): Promise<NameAttempt> => {
    let attempt = await runScan({ options, name, scanner }, signal);
    if (attempt.kind === 'no-java-index') {
      const index = await javaIndex.load(signal);
      if (index.kind === 'missing') return unscanned('scan-failed', `the image holds Java archives, and ${index.problem}`);
      attempt = await runScan({ options, name, scanner }, signal);
    }
    if (attempt.kind === 'no-java-index') return unscanned('scan-failed', attempt.message);
    if (attempt.kind === 'fault') throw scannerFault(attempt.code, `Trivy cannot scan: ${attempt.message}`);
    if (attempt.kind === 'unparsable') return { ...attempt, scannedName: name };
    if (attempt.kind !== 'crashed') return attempt;
    // Some images make Trivy panic. If it still works otherwise, only this image goes without a verdict; else this throws.
    await selfTestTrivy(options, signal);
    return unscanned('scan-failed', attempt.message);
  };

  const { images } = options;
  const unsupportedBecause = images.kind === 'containerd' ? null : `Trivy cannot read the image store of ${images.runtimeName}`;

  return {
    unsupportedBecause,
    probe,
    async scan(image, signal) {
      signal.throwIfAborted();
      if (unsupportedBecause !== null) return unscanned('unsupported-runtime', unsupportedBecause);
      const names = namesOf(image);
      if (names.length === 0) return unscanned('no-scannable-name', 'the image has neither a tag nor a repository digest');
      const scanner = info ?? (await probe(signal));
      let failure = unscanned('no-scannable-name', '');
      for (const name of names) {
        const attempt = await scanName(name, signal, scanner);
        if (attempt.kind === 'no-such-name') {
          if (failure.reason === 'no-scannable-name') failure = unscanned('no-scannable-name', attempt.message);
        } else if (attempt.kind === 'scanned' && !isSameImage(attempt.report.imageId, image.imageId)) {
          failure = unscanned('report-for-another-image', `${name} is ${attempt.report.imageId} by now, not ${image.imageId}`);
        } else return attempt;
      }
      return failure;
    },
  };
}

type Unscanned = ScanAttempt & { readonly kind: 'unscanned' };
type NameAttempt = ScanAttempt | (TrivyFailure & { readonly kind: 'no-such-name' });

function unscanned(reason: UnscannedReason, message: string): Unscanned {
  return { kind: 'unscanned', reason, message };
}

/**
 * The names that Trivy finds an image by, each once: a tag, the repository digests, which cannot move to another image, then the other tags.
 * Never the image id (the config's digest), which Trivy takes for a manifest's, nor a name in which the runtime lacks a part.
 */
function namesOf({ repoTags, repoDigests }: ImageToScan): string[] {
  const names = [...repoTags.slice(0, 1), ...repoDigests, ...repoTags.slice(1)];
  return [...new Set(names)].filter((name) => name !== '' && !name.includes('<none>'));
}

/** containerd gives ids as `sha256:…`, CRI-O as bare hex. */
function isSameImage(reportId: string, imageId: string): boolean {
  return reportId.replace(/^sha256:/, '') === imageId.replace(/^sha256:/, '');
}

interface NameScan {
  readonly options: TrivyOptions;
  readonly name: string;
  readonly scanner: ScannerInfo;
}

async function runScan({ options, name, scanner }: NameScan, signal: AbortSignal): Promise<ScanAttempt | TrivyFailure> {
  const maxOutputBytes = options.maxReportBytes ?? DEFAULT_MAX_REPORT_BYTES;
  const oomKillsBefore = await readOomKills();
  const run = { args: () => scanImageArguments(options.cacheDir, name), env: scanEnvironment, maxOutputBytes };
  try {
    const end = await runTrivy(options, run, signal);
    if (end.kind === 'output-too-large') return unscanned('scan-failed', `Trivy's report is larger than ${maxOutputBytes} bytes`);
    if (end.kind === 'killed') return await killed(end.signal, oomKillsBefore);
    if (end.code !== 0) return classifyTrivyFailure(end.stderr);
    return { kind: 'scanned', report: parseTrivyReport(end.stdout, scanner) };
  } catch (error) {
    if (error instanceof ScannerFault && isDiskFull(error.cause)) return unscanned('disk-full', errorMessage(error));
    throw error;
  }
}

async function killed(signal: NodeJS.Signals, oomKillsBefore: number | null): Promise<Unscanned> {
  const oomKills = signal === 'SIGKILL' && oomKillsBefore !== null ? await readOomKills() : null;
  if (oomKills !== null && oomKillsBefore !== null && oomKills > oomKillsBefore) {
    return unscanned('out-of-memory', 'the kernel killed Trivy for want of memory');
  }
  return unscanned('killed', `Trivy was ended by ${signal}`);
}

function isDiskFull(cause: unknown): boolean {
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}
