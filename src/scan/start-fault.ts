import type { ChildProcess } from 'node:child_process';
import { scannerFault, type ScannerFault } from './scanner-fault.ts';

/** Why a program that has no process number could not be started. */
export async function startFault(child: ChildProcess, file: string): Promise<ScannerFault> {
  const cause = await new Promise<NodeJS.ErrnoException>((resolve) => child.once('error', resolve));
  switch (cause.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return scannerFault('not-found', `The scanner's program was not found: ${file}.`, cause);
    case 'EACCES':
    case 'EPERM':
    case 'ENOEXEC':
    case 'EISDIR':
      return scannerFault('not-executable', `The scanner's program cannot be executed (${cause.code}): ${file}.`, cause);
    default:
      return scannerFault('start-failed', `The scanner's program could not be started: ${cause.message}.`, cause);
  }
}
