import { resolve } from 'node:path';
import type { ImageAnalysis, ScanAttempt, ScannerInfo, ScanReport } from '../api/scan-report.ts';
import type { TrivyFailure } from './classify-trivy-failure.ts';
import { evaluateAnalyses } from './evaluate-analyses.ts';
import { JavaIndex } from './java-index.ts';
import type { Judge } from './judge.ts';
import { JudgeKeeper } from './judge-keeper.ts';
import { selfTestClient } from './run-client.ts';
import { scanByName, unscanned } from './scan-by-name.ts';
import { ScanTap } from './scan-tap.ts';
import { scannerFault } from './scanner-fault.ts';
import type { TrivyOptions } from './trivy-options.ts';

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
  /** Judges images by earlier analyses; null for one that is of no use. Rejects like `scan`. */
  evaluate(analyses: readonly ImageAnalysis[], signal: AbortSignal): Promise<(ScanReport | null)[]>;
  /** Ends the server. A later call starts another. */
  close(): Promise<void>;
}

/**
 * Trivy as a program of its own for each image, so that several run at once and each can be ended, and one server for all of them, which holds
 * the vulnerability database. What a program sends to the server is kept: by it the server can judge the image again.
 */
export function createTrivyScanner(given: TrivyOptions): TrivyScanner {
  // The processes run in folders of their own, so relative paths must not reach them.
  const binary = given.binary.includes('/') ? resolve(given.binary) : given.binary;
  const options = { ...given, binary, cacheDir: resolve(given.cacheDir), tmpDir: resolve(given.tmpDir) };
  const keeper = new JudgeKeeper(options);
  const javaIndex = new JavaIndex(options);

  /** One run of Trivy under one name, with what follows from a failure that alone does not tell. */
  const scanName = async (judge: Judge, name: string, signal: AbortSignal): Promise<NameAttempt> => {
    let attempt = await scanByName({ options, judge, name }, signal);
    if (attempt.kind === 'no-java-index') {
      const index = await javaIndex.load(signal);
      if (index.kind === 'missing') return unscanned('scan-failed', `the image holds Java archives, and ${index.problem}`);
      attempt = await scanByName({ options, judge, name }, signal);
    }
    if (attempt.kind === 'no-java-index') return unscanned('scan-failed', attempt.message);
    if (attempt.kind === 'fault') throw scannerFault(attempt.code, `Trivy cannot scan: ${attempt.message}`);
    if (attempt.kind === 'unparsable') return { ...attempt, scannedName: name };
    if (attempt.kind !== 'crashed') return attempt;
    // Some images make Trivy panic. If it still works otherwise, only this image goes without a verdict; else this throws.
    await selfTestClient({ options, judge, tap: new ScanTap(judge) }, signal);
    return unscanned('scan-failed', attempt.message);
  };

  const scanNames = async (judge: Judge, imageId: string, { names, signal }: NamesToScan): Promise<ScanAttempt> => {
    let failure = unscanned('no-scannable-name', '');
    for (const name of names) {
      const attempt = await scanName(judge, name, signal);
      if (attempt.kind === 'no-such-name') {
        if (failure.reason === 'no-scannable-name') failure = unscanned('no-scannable-name', attempt.message);
      } else if (attempt.kind === 'scanned' && !isSameImage(attempt.report.imageId, imageId)) {
        failure = unscanned('report-for-another-image', `${name} is ${attempt.report.imageId} by now, not ${imageId}`);
      } else return attempt;
    }
    return failure;
  };

  const { images } = options;
  const unsupportedBecause = images.kind === 'containerd' ? null : `Trivy cannot read the image store of ${images.runtimeName}`;

  return {
    unsupportedBecause,
    probe: (signal) => keeper.probe(signal),
    async scan(image, signal) {
      signal.throwIfAborted();
      if (unsupportedBecause !== null) return unscanned('unsupported-runtime', unsupportedBecause);
      const names = namesOf(image);
      if (names.length === 0) return unscanned('no-scannable-name', 'the image has neither a tag nor a repository digest');
      return await keeper.use(signal, (judge) => scanNames(judge, image.imageId, { names, signal }));
    },
    async evaluate(analyses, signal) {
      signal.throwIfAborted();
      if (analyses.length === 0) return [];
      return await keeper.use(signal, (judge) => evaluateAnalyses(judge, analyses, signal));
    },
    close: () => keeper.close(),
  };
}

interface NamesToScan {
  readonly names: readonly string[];
  readonly signal: AbortSignal;
}

type NameAttempt = ScanAttempt | (TrivyFailure & { readonly kind: 'no-such-name' });

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
