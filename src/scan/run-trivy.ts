import { dirname } from 'node:path';
import { errorMessage } from '../platform/errors.ts';
import { runProcess, type ProcessEnd } from './run-process.ts';
import { scannerFault } from './scanner-fault.ts';
import { DEFAULT_GRACE_MS, type TrivyOptions } from './trivy-options.ts';
import { withWorkDirectory } from './work-directory.ts';

export interface TrivyRun {
  /** `workDir`: a new empty folder of the process's own, its working folder too, so that no trivy.yaml or .trivyignore is found. */
  readonly args: (workDir: string) => readonly string[];
  readonly env: (options: TrivyOptions, workDir: string) => Record<string, string>;
  /** Prepares the working folder. */
  readonly prepare?: (workDir: string) => Promise<void>;
  readonly maxOutputBytes: number;
}

export async function runTrivy(options: TrivyOptions, run: TrivyRun, signal: AbortSignal): Promise<ProcessEnd> {
  return await withWorkDirectory(options.tmpDir, async (workDir) => {
    await prepare(run, workDir);
    const command = {
      file: options.binary,
      args: run.args(workDir),
      cwd: workDir,
      env: run.env(options, workDir),
      graceMs: options.graceMs ?? DEFAULT_GRACE_MS,
      maxOutputBytes: run.maxOutputBytes,
    };
    return await runProcess(command, signal);
  });
}

/** A folder can be made on a full disk, and nothing written into it. */
async function prepare(run: TrivyRun, workDir: string): Promise<void> {
  try {
    await run.prepare?.(workDir);
  } catch (cause) {
    throw scannerFault('no-work-directory', `Nothing can be written to ${dirname(workDir)}: ${errorMessage(cause)}.`, cause);
  }
}

/** As `runTrivy`, with a time of its own: running out of it is a `ScannerFault` with `timeout`. `what`: for the message. */
export async function runTrivyWithin(
  options: TrivyOptions,
  run: TrivyRun & { readonly timeoutMs: number; readonly what: string },
  signal: AbortSignal,
): Promise<ProcessEnd> {
  const timeout = AbortSignal.timeout(run.timeoutMs);
  try {
    return await runTrivy(options, run, AbortSignal.any([signal, timeout]));
  } catch (error) {
    if (signal.aborted || !timeout.aborted) throw error;
    throw scannerFault('timeout', `Trivy did not finish ${run.what} within ${run.timeoutMs / 1_000} s and was ended.`, error);
  }
}
