import { TRIVY_SERVER_NAME } from '../../api/coordinator/coordinator-api.ts';
import type { ImageAnalysis, ScannerInfo, ScanReport } from '../../api/scan-report.ts';
import { OneAtATime } from '../../coordinator/one-at-a-time.ts';
import type { Judged, ReportJson, Verdicts, WantedVerdicts } from '../../coordinator/ports.ts';
import { errorMessage } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import { reuseReads } from '../../platform/reuse-reads.ts';
import type { Timing } from '../../platform/timing.ts';
import type { AnalysisJudge } from '../../scan/analysis-judge.ts';
import { ScannerFault, scannerFault } from '../../scan/scanner-fault.ts';
import type { NodeScan, NodeScans } from '../../store/cluster-history.ts';
import { ReportCache } from './report-cache.ts';

export interface VerdictsOptions {
  /** The URL of Trivy's server, which nobody else uses. */
  readonly trivyServer: string;
  readonly scans: NodeScans;
  readonly timing: Timing;
  readonly log: Log;
}

export interface BoundVerdicts extends Verdicts {
  close(): void;
}

/** For one answer of Trivy's server. */
const ANSWER_MS = 30_000;
/** A database that was there a moment ago. */
const SCANNER_REUSED_MS = 2_000;
/** Of reports that many nodes ask for, in characters. */
const CACHED_LENGTH = 8 * 1024 * 1024;
/** An analysis of a large image has some hundred kilobytes, and what Trivy's server holds of it more. */
const ANALYSES_AT_ONCE = 20;

/** The verdicts of Trivy's server beside this process, on what the history has and what workers tell. While the history is away nothing is known. */
export function bindVerdicts({ trivyServer, scans, timing, log }: VerdictsOptions): BoundVerdicts {
  // Of use only when something is scanned: not loaded before.
  let loading: Promise<LoadedJudge> | null = null;
  const load = (): Promise<LoadedJudge> => (loading ??= loadJudge({ trivyServer, timing, log }));
  const warn =
    <Fallback>(message: string, fallback: Fallback) =>
    (error: unknown): Fallback => {
      log.warn(message, { error: errorMessage(error) });
      return fallback;
    };
  const keep = (judged: readonly NodeScan[], signal: AbortSignal): Promise<void> =>
    scans.keep(judged, signal).catch(warn('what was found in images is not kept', undefined));
  // Many nodes ask at once for what a new database says: it is asked once.
  const oneAtATime = new OneAtATime();

  const cache = new ReportCache(CACHED_LENGTH, () => timing.now());

  /** null: it cannot be told now whether anything was taken back, so nothing in memory counts. */
  const lastRevocation = (signal: AbortSignal): Promise<number | null> =>
    scans.lastRevocation(signal).catch(warn('what was taken back of what nodes told is not known', null));

  const readKnown = async (wanted: WantedVerdicts, asOf: number | null, signal: AbortSignal): Promise<ReadonlyMap<string, ReportJson>> => {
    const { judge, scannerOf } = await load();
    const scanner = await scannerOf(wanted.scannerVersion)(signal);
    const own = await scannerOf(null)(signal);
    const known = new Map<string, ReportJson>();
    // Two databases that cannot be told apart need not be one.
    const isKept = scanner.databaseMark !== null && scanner.version === own.version;
    const by = isKept && asOf !== null ? cacheKey(scanner, asOf) : null;
    const recall = (imageIds: readonly string[]): void => {
      if (by === null) return;
      cache.use(by);
      for (const id of imageIds) {
        const report = cache.get(id);
        if (report !== null) known.set(id, report);
      }
    };
    recall(wanted.imageIds);
    const note = (reports: ReadonlyMap<string, ScanReport>): void => {
      if (by !== null) cache.use(by);
      for (const [id, found] of reports) {
        const report = JSON.stringify(found);
        known.set(id, report);
        if (by !== null) cache.set(id, report);
      }
    };
    const unknown = (): string[] => wanted.imageIds.filter((id) => !known.has(id));
    const readReports = (ids: readonly string[]): Promise<ReadonlyMap<string, ScanReport>> =>
      scans.readReports({ imageIds: ids, scanner }, signal).catch(warn('what earlier scans have found is not known', new Map()));
    if (unknown().length > 0) note(await readReports(unknown()));
    if (unknown().length === 0) return known;
    await oneAtATime.run('analyses', async () => {
      signal.throwIfAborted();
      // Who had the turn before may have asked for the same.
      recall(unknown());
      const missing = unknown();
      for (let at = 0; at < missing.length; at += ANALYSES_AT_ONCE) {
        const some = missing.slice(at, at + ANALYSES_AT_ONCE);
        note(await evaluate({ scans, judge, scanner, asOf, keep, readReports, warn }, some, signal));
      }
    });
    return known;
  };

  /** What was taken back while it was read is not told. */
  const readUnrevoked = async (wanted: WantedVerdicts, signal: AbortSignal): Promise<ReadonlyMap<string, ReportJson>> => {
    for (let asOf = await lastRevocation(signal); ;) {
      const known = await readKnown(wanted, asOf, signal);
      const after = await lastRevocation(signal);
      if (after === asOf) return known;
      asOf = after;
    }
  };

  return {
    read: (wanted, signal) => judged(() => readUnrevoked(wanted, signal)),
    judge: async ({ job, node }, analyses, signal) => {
      const asOf = await lastRevocation(signal);
      // While that is not known, it counts for this node alone: it is neither kept nor in memory.
      if (asOf !== null && (await scans.isRevokedIn({ job, node }, signal))) return { kind: 'revoked' };
      return judged(async () => {
        const { judge, addressByContent, scannerOf } = await load();
        const { version } = await scannerOf(null)(signal);
        // What another Trivy reads would take the place of what is known, which is by this one.
        const ofVersion = analyses.filter(({ scannerVersion }) => scannerVersion === version);
        const addressed = ofVersion.map((analysis) => addressByContent(analysis));
        const usable = addressed.filter((analysis) => analysis !== null);
        const reports = usable.length === 0 ? [] : await judge.judge(usable, signal);
        const scanned: NodeScan[] = [];
        const byImage = new Map<string, ReportJson>();
        for (const [index, analysis] of usable.entries()) {
          const report = reports[index];
          if (report === null || report === undefined) continue;
          const text = JSON.stringify(report);
          byImage.set(analysis.imageId, text);
          if (asOf === null) continue;
          scanned.push({ reportedBy: node, report, analysis, asOf });
          // Also while the history cannot be written.
          cache.use(cacheKey(report.scanner, asOf));
          cache.set(analysis.imageId, text);
        }
        if (scanned.length > 0) await keep(scanned, signal);
        return analyses.map(({ imageId }) => byImage.get(imageId) ?? null);
      });
    },
    close: () => {
      loading?.then(
        ({ judge }) => judge.close(),
        () => undefined,
      );
    },
  };
}

/** What it is by: another scanner or database, or what was taken back since, makes all that is in memory void. */
function cacheKey(scanner: ScannerInfo, asOf: number): string {
  return JSON.stringify([asOf, scanner]);
}

interface LoadedJudge {
  readonly judge: AnalysisJudge;
  readonly addressByContent: (analysis: ImageAnalysis) => ImageAnalysis | null;
  /** By the version of the Trivy that reads; null: the server's own. */
  readonly scannerOf: (version: string | null) => (signal: AbortSignal) => Promise<ScannerInfo>;
}

async function loadJudge({ trivyServer: url, timing, log }: Omit<VerdictsOptions, 'scans'>): Promise<LoadedJudge> {
  const [{ createAnalysisJudge }, { addressByContent }] = await Promise.all([
    import('../../scan/analysis-judge.ts'),
    import('../../scan/address-by-content.ts'),
  ]);
  const now = (): number => timing.now();
  const judge = createAnalysisJudge({
    url,
    name: TRIVY_SERVER_NAME,
    timeoutMs: ANSWER_MS,
    now,
    onGivenUp: (image, fault) =>
      log.warn("Trivy's server gives no verdict on an image, which stays", { image, error: errorMessage(fault) }),
  });
  const own = reuseReads(() => answerInTime((signal) => judge.scanner(signal)), { mostAgeMs: SCANNER_REUSED_MS, now });
  const scannerOf =
    (version: string | null) =>
    async (signal: AbortSignal): Promise<ScannerInfo> => {
      const scanner = await own(signal);
      return version === null ? scanner : { ...scanner, version };
    };
  return { judge, addressByContent, scannerOf };
}

/** A server that hangs is away, as one that is not there. */
async function answerInTime<Value>(ask: (signal: AbortSignal) => Promise<Value>): Promise<Value> {
  const signal = AbortSignal.timeout(ANSWER_MS);
  try {
    return await ask(signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw scannerFault('server-unreachable', `it has said nothing for ${ANSWER_MS / 1_000} s`, error);
  }
}

interface Evaluating {
  readonly scans: NodeScans;
  readonly judge: AnalysisJudge;
  readonly scanner: ScannerInfo;
  /** null: what comes of it is not kept. */
  readonly asOf: number | null;
  readonly keep: (judged: readonly NodeScan[], signal: AbortSignal) => Promise<void>;
  readonly readReports: (imageIds: readonly string[]) => Promise<ReadonlyMap<string, ScanReport>>;
  readonly warn: <Fallback>(message: string, fallback: Fallback) => (error: unknown) => Fallback;
}

/** What the present database says of images that were read under another one. */
async function evaluate(
  { scans, judge, scanner, asOf, keep, readReports, warn }: Evaluating,
  imageIds: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ScanReport>> {
  const stored = await scans
    .readAnalyses({ imageIds, scanner }, signal)
    .catch(warn('what was read of images is not known', new Map<never, never>()));
  if (stored.size === 0) return new Map();
  // Somebody else may have asked for them meanwhile.
  const known = new Map(await readReports([...stored.keys()]));
  const left = [...stored].filter(([id]) => !known.has(id));
  if (left.length === 0) return known;
  const reports = await judge.judge(
    left.map(([, { analysis }]) => analysis),
    signal,
  );
  const judged: NodeScan[] = [];
  for (const [index, [id, { reportedBy }]] of left.entries()) {
    const report = reports[index];
    if (report === null || report === undefined) continue;
    known.set(id, report);
    if (asOf !== null) judged.push({ reportedBy, report, analysis: null, asOf });
  }
  if (judged.length > 0) await keep(judged, signal);
  return known;
}

/** A server that does not work is away. */
async function judged<Value>(work: () => Promise<Value>): Promise<Judged<Value>> {
  try {
    return { kind: 'judged', value: await work() };
  } catch (error) {
    if (!(error instanceof ScannerFault)) throw error;
    return { kind: 'away', why: error.message, mayPass: error.action === 'retry' };
  }
}
