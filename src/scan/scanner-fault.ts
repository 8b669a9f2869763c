import { RoomError } from '../platform/errors.ts';

/**
 * `not-found`, `not-executable`, `start-failed`: the scanner's program. `timeout`, `crashed`, `bad-output`, `unsupported-version`: how it
 * behaves. `version-changed`: it was replaced. `no-database`, `bad-database`, `download-failed`: the vulnerability database; `database-changed`: it became another in the middle,
 * so that nobody knows by which one a verdict was made. `runtime-unreachable`: it cannot talk to the container runtime. `no-work-directory`: it
 * has no place to unpack to. `server-…`: the user's Trivy server.
 */
export type ScannerFaultCode =
  | 'not-found'
  | 'not-executable'
  | 'start-failed'
  | 'timeout'
  | 'crashed'
  | 'bad-output'
  | 'unsupported-version'
  | 'version-changed'
  | 'no-database'
  | 'bad-database'
  | 'download-failed'
  | 'database-changed'
  | 'runtime-unreachable'
  | 'no-work-directory'
  | 'server-address'
  | 'server-unreachable'
  | 'server-certificate'
  | 'server-refused'
  | 'server-bad-answer'
  | 'server-failed';

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
  'version-changed': 'Trivy is being replaced, or what starts it chooses another; run again.',
  'no-database': 'Allow the download of the database, or put db/trivy.db and db/metadata.json into the cache folder.',
  'bad-database':
    'Allow the download of the database, or put a whole one of schema 2 (db/trivy.db and db/metadata.json) into the cache folder.',
  'download-failed': 'Check the way to the registry and its credentials, or mirror the database and set its repository.',
  'database-changed': 'Something else updates the database; run again, or give each its own cache folder.',
  'runtime-unreachable': 'Check that containerd runs and that the address is that of its socket; the scanner talks to it directly.',
  'no-work-directory': 'Check that the folder for temporary files can be written to, and that its filesystem has room.',
  'server-address': 'Give the address as http://host:port or https://host:port, and a token and its header of plain characters.',
  'server-unreachable': 'Check that the server runs, and the way to it: address, name, firewall.',
  'server-certificate':
    'Give the certificate of the authority that has signed the server’s, and call the server by a name in its certificate.',
  'server-refused': 'Check the token, and the header that carries it: they must be those that the server was started with.',
  'server-bad-answer':
    'Check that the address is that of a Trivy server itself, with its path if it has one, and of no page or login before it.',
  'server-failed': 'Look into the log of the server.',
};

/** What may pass by itself. */
const TRANSIENT: readonly ScannerFaultCode[] = [
  'start-failed',
  'timeout',
  'download-failed',
  'version-changed',
  'database-changed',
  'runtime-unreachable',
  'server-unreachable',
  'server-failed',
];

export function scannerFault(code: ScannerFaultCode, message: string, cause?: unknown): ScannerFault {
  return new ScannerFault({ code, message, hint: HINTS[code], action: TRANSIENT.includes(code) ? 'retry' : 'give-up', cause });
}
