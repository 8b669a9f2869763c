import { RoomError } from '../platform/errors.ts';

/**
 * `not-found`, `not-executable`, `start-failed`: the scanner's program. `timeout`, `crashed`, `bad-output`, `unsupported-version`: how it
 * behaves. `no-database`, `bad-database`, `download-failed`: the vulnerability database. `runtime-unreachable`: it cannot talk to the
 * container runtime. `no-work-directory`: it has no place to unpack to.
 */
export type ScannerFaultCode =
  | 'not-found'
  | 'not-executable'
  | 'start-failed'
  | 'timeout'
  | 'crashed'
  | 'bad-output'
  | 'unsupported-version'
  | 'no-database'
  | 'bad-database'
  | 'download-failed'
  | 'runtime-unreachable'
  | 'no-work-directory';

/** The scanner itself does not work. It is no verdict on any image: the run fails and removes nothing. */
export class ScannerFault extends RoomError<ScannerFaultCode> {}

const HINTS: Readonly<Record<ScannerFaultCode, string>> = {
  'not-found': 'Install Trivy, or set the path of its binary.',
  'not-executable':
    'Check that it is a binary for this machine, that its mode allows execution, and that its filesystem is not mounted noexec.',
  'start-failed': 'The machine may be short of processes, memory or open files.',
  timeout: 'The machine may be overloaded, or the binary may not be Trivy: run it by hand.',
  crashed: 'Run it by hand; the memory limit may be too low.',
  'bad-output': 'Check that the binary is Trivy, and of a supported version.',
  'unsupported-version': 'Use Trivy 0.74 or a later version.',
  'no-database': 'Allow the download of the database, or put db/trivy.db and db/metadata.json into the cache folder.',
  'bad-database':
    'Allow the download of the database, or put a whole one of schema 2 (db/trivy.db and db/metadata.json) into the cache folder.',
  'download-failed': 'Check the way to the registry and its credentials, or mirror the database and set its repository.',
  'runtime-unreachable': 'Check that containerd runs and that the address is that of its socket; the scanner talks to it directly.',
  'no-work-directory': 'Check that the folder for temporary files can be written to, and that its filesystem has room.',
};

/** What may pass by itself. */
const TRANSIENT: readonly ScannerFaultCode[] = ['start-failed', 'timeout', 'download-failed', 'runtime-unreachable'];

export function scannerFault(code: ScannerFaultCode, message: string, cause?: unknown): ScannerFault {
  return new ScannerFault({ code, message, hint: HINTS[code], action: TRANSIENT.includes(code) ? 'retry' : 'give-up', cause });
}
