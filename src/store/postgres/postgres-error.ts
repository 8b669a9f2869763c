import { HistoryError, historyError, type HistoryErrorCode } from '../history-error.ts';

interface Known {
  readonly code: HistoryErrorCode;
  readonly what: string;
  /** Instead of the one for a file. */
  readonly hint?: string;
}

const SERVER_HINT = 'Look at the log of the PostgreSQL server.';
const ACCESS_HINT =
  'Check the user, the password and the database of the history, and what the server lets that user do (pg_hba.conf, GRANT).';
const TLS_HINT =
  'Name the CA of the server with sslrootcert in the URL of the history, and the server by a name that is in its certificate; sslmode=disable does without TLS.';

const AWAY: Known = { code: 'away', what: 'cannot be reached' };
const NO_ACCESS: Known = { code: 'unreadable', what: 'cannot be used', hint: ACCESS_HINT };
const NO_TLS: Known = { code: 'unreadable', what: 'cannot be reached over TLS', hint: TLS_HINT };
const BUSY: Known = { code: 'busy', what: 'is being written by another process for too long' };

/** By SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html), or by its class of two letters. */
const STATES: Readonly<Record<string, Known>> = {
  '08': AWAY,
  '25006': { code: 'read-only', what: 'cannot be written to', hint: 'Name the server that takes writes, not a copy of it for reading.' },
  '28': NO_ACCESS,
  '3D': NO_ACCESS,
  '3F': NO_ACCESS,
  '40': BUSY,
  '42501': NO_ACCESS,
  '53': { code: 'away', what: 'takes no more for now' },
  '53100': {
    code: 'full',
    what: 'cannot be written to: no space is left on the disk of its server',
    hint: 'Make room on the disk of the server.',
  },
  '55P03': BUSY,
  '57': { code: 'away', what: 'does not answer' },
  XX001: { code: 'corrupt', what: 'is damaged', hint: 'Restore a copy of the database. ' + SERVER_HINT },
  XX002: { code: 'corrupt', what: 'is damaged', hint: 'Restore a copy of the database. ' + SERVER_HINT },
};

/** Errors of Node's TLS and OpenSSL, by how their codes begin; a server without TLS has none. */
const TLS_CODES = /^(ERR_TLS|ERR_SSL|EPROTO|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|CERT_|HOSTNAME_MISMATCH)/;
const TLS_MESSAGES = /does not support SSL|establishing an SSL connection/;
/** What `pg` says of a password that it lacks, or that it does not send as the server wants it. */
const PASSWORD_MESSAGES = /^SASL|[Pp]assword must be/;

/** Anything that the server or the way to it came back with, as a `HistoryError` about this history. */
export function asPostgresError(error: unknown, name: string): HistoryError {
  if (error instanceof HistoryError) return error;
  const { code, what, hint } = knownOf(error);
  return historyError(code, `the history ${name} ${what} (${messageOf(error)})`, error, hint);
}

function knownOf(error: unknown): Known {
  const state = sqlState(error);
  if (state !== null)
    return STATES[state] ?? STATES[state.slice(0, 2)] ?? { code: 'unreadable', what: 'cannot be used', hint: SERVER_HINT };
  const [code, message] = [codeOf(error), messageOf(error)];
  if (TLS_CODES.test(code) || TLS_MESSAGES.test(message)) return NO_TLS;
  return PASSWORD_MESSAGES.test(message) ? NO_ACCESS : AWAY;
}

/** Whether the connection is of no more use: it is only after an error that the server has told of a statement. */
export function endsConnection(error: unknown): boolean {
  const severity = error instanceof Error && 'severity' in error ? error.severity : null;
  return sqlState(error) === null || severity !== 'ERROR';
}

/** null: it is none of the server's. */
function sqlState(error: unknown): string | null {
  const code = codeOf(error);
  return error instanceof Error && 'severity' in error && /^[0-9A-Z]{5}$/.test(code) ? code : null;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function messageOf(error: unknown): string {
  // One for each address of the host; itself it says nothing.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
