import { ClusterError } from '../cluster/cluster-error.ts';
import { CriError } from '../cri/cri-error.ts';
import { EngineError } from '../engine/engine-error.ts';
import { ScannerFault } from '../scan/scanner-fault.ts';
import { HistoryError } from '../store/history-error.ts';
import { CliError } from './cli-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** The exit code of a command that an error ended. Only what comes before the removals is thrown; they end with a report. */
export function exitCodeOf(error: unknown, interrupt: AbortSignal): ExitCode {
  if (interrupt.aborted && error === interrupt.reason) return EXIT.interrupted;
  if (error instanceof ScannerFault || error instanceof EngineError) return EXIT.refused;
  if (error instanceof HistoryError && error.code === 'locked') return EXIT.refused;
  if (error instanceof CriError && (error.code === 'invalid-endpoint' || error.code === 'invalid-config')) return EXIT.badUsage;
  if (error instanceof ClusterError)
    return error.code === 'bad-value' ? EXIT.badUsage : error.code === 'refused' ? EXIT.refused : EXIT.failed;
  if (!(error instanceof CliError)) return EXIT.failed;
  return error.code === 'refused' ? EXIT.refused : error.code === 'bad-usage' ? EXIT.badUsage : EXIT.failed;
}
