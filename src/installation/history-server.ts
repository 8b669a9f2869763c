/** One key of an object of the installation's namespace. */
export interface KeyOfObject {
  readonly name: string;
  readonly key: string;
}

/** A PostgreSQL that holds the history, in the place of a file, and what the manager shows to it. */
export interface HistoryServer {
  /** `postgres://USER@HOST[:PORT]/DATABASE`, never with a password. */
  readonly url: string;
  /** null: the server asks for none. */
  readonly passwordSecret: KeyOfObject | null;
  /** By which the server is known; null: by what the system trusts, or what the URL says. */
  readonly ca: (KeyOfObject & { readonly kind: 'ConfigMap' | 'Secret' }) | null;
}

export const HISTORY_FILE = '/var/lib/image-cleaner/history.db';

const FOLDER = '/etc/image-cleaner/history';
const FILES = { password: 'password', ca: 'ca.crt' };

/** Where the manager finds password and CA: in a volume, since single files would not follow what becomes of a Secret. */
export const HISTORY_ACCESS = {
  volume: 'history-access',
  files: FILES,
  passwordFlag: `--history-password-file=${FOLDER}/${FILES.password}`,
  caParameter: `sslrootcert=${FOLDER}/${FILES.ca}`,
} as const;

/** Of the manager. */
export function historyFlags({ url, passwordSecret, ca }: HistoryServer): string[] {
  const whole = ca === null ? url : `${url}${url.includes('?') ? '&' : '?'}${HISTORY_ACCESS.caParameter}`;
  return [`--history=${whole}`, ...(passwordSecret === null ? [] : [HISTORY_ACCESS.passwordFlag])];
}

/** The volume, and where the manager has it; null: it needs nothing. */
export function historyAccess({ passwordSecret, ca }: HistoryServer): { readonly volume: object; readonly mount: object } | null {
  const source = ({ name, key }: KeyOfObject, path: string): object => ({ name, items: [{ key, path }] });
  const sources = [
    ...(passwordSecret === null ? [] : [{ secret: source(passwordSecret, FILES.password) }]),
    ...(ca === null ? [] : [{ [ca.kind === 'Secret' ? 'secret' : 'configMap']: source(ca, FILES.ca) }]),
  ];
  if (sources.length === 0) return null;
  const { volume: name } = HISTORY_ACCESS;
  return { volume: { name, projected: { sources } }, mount: { name, mountPath: FOLDER, readOnly: true } };
}
