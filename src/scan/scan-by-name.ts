import type { ScanAttempt, UnscannedReason } from '../api/scan-report.ts';
import { errorMessage } from '../platform/errors.ts';
import { classifyTrivyFailure, type TrivyFailure } from './classify-trivy-failure.ts';
import type { Judge } from './judge.ts';
import { parseTrivyReport } from './parse-trivy-report.ts';
import { readOomKills } from './read-oom-kills.ts';
import { runImageClient } from './run-client.ts';
import { ScannerFault } from './scanner-fault.ts';
import { ScanTap } from './scan-tap.ts';
import type { TrivyOptions } from './trivy-options.ts';
import { checkSameVersion } from './trivy-version.ts';

export type Unscanned = ScanAttempt & { readonly kind: 'unscanned' };

export function unscanned(reason: UnscannedReason, message: string): Unscanned {
  return { kind: 'unscanned', reason, message };
}

export interface NameScan {
  readonly options: TrivyOptions;
  readonly judge: Judge;
  readonly name: string;
}

/** One run of Trivy on the image that the runtime knows by a name. Rejects with a `ScannerFault`, or with the signal's reason. */
export async function scanByName({ options, judge, name }: NameScan, signal: AbortSignal): Promise<ScanAttempt | TrivyFailure> {
  const oomKillsBefore = await readOomKills();
  const tap = new ScanTap(judge);
  try {
    const end = await runImageClient({ options, judge, tap }, name, signal);
    if (end.kind === 'output-too-large') return unscanned('scan-failed', "Trivy's report is too large");
    if (end.kind === 'killed') return await killed(end.signal, oomKillsBefore);
    if (end.code !== 0) return classifyTrivyFailure(end.stderr);
    const { report, version } = parseTrivyReport(end.stdout, judge.scanner);
    // What was analysed by one version must not be kept as another's.
    if (version !== null) await checkSameVersion(options, judge.scanner.version, { version, where: 'the scan' });
    await judge.server.checkDatabase(signal);
    return { kind: 'scanned', report, analysis: tap.analysis(report.imageId) };
  } catch (error) {
    if (error instanceof ScannerFault && isDiskFull(error.cause)) return unscanned('disk-full', errorMessage(error));
    throw error;
  } finally {
    tap.close();
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
