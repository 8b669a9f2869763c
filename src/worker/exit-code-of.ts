import type { RunEnd } from '../api/run-record.ts';
import { EngineError } from '../engine/engine-error.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { WorkerError } from './worker-error.ts';

/** Of an error that ended a program before anything was removed. */
export function exitCodeOf(error: unknown, signal: AbortSignal): ExitCode {
  if (signal.aborted) return EXIT.interrupted;
  if (error instanceof EngineError) return EXIT.refused;
  if (!(error instanceof WorkerError)) return EXIT.failed;
  switch (error.code) {
    case 'bad-usage':
    case 'bad-input':
      return EXIT.badUsage;
    case 'bad-message':
      return EXIT.refused;
    case 'pipe-failed':
    case 'no-verdicts':
      return EXIT.failed;
  }
}

const STATES: Readonly<Record<ExitCode, RunEnd['state']>> = {
  [EXIT.done]: 'completed',
  [EXIT.failed]: 'failed',
  [EXIT.badUsage]: 'refused',
  [EXIT.refused]: 'refused',
  [EXIT.interrupted]: 'interrupted',
};

export function stateOf(code: ExitCode): RunEnd['state'] {
  return STATES[code];
}
