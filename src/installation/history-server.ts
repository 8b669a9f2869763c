import * as z from 'zod';

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

const keyOfObject = z.object({ name: z.string().min(1), key: z.string().min(1) });

export const historyServerSchema = z.object({
  url: z.string().min(1),
  passwordSecret: keyOfObject.nullable(),
  ca: keyOfObject.extend({ kind: z.enum(['ConfigMap', 'Secret']) }).nullable(),
}) satisfies z.ZodType<HistoryServer>;

export const HISTORY_FILE = '/var/lib/image-cleaner/history.db';

/** The volume of password and CA, and where it is: a whole folder, since single files would not follow what becomes of a Secret. */
const VOLUME = 'history-access';
const FOLDER = '/etc/image-cleaner/history';
const FILES = { password: 'password', ca: 'ca.crt' };
const PASSWORD_FLAG = `--history-password-file=${FOLDER}/${FILES.password}`;
const CA_PARAMETER = `sslrootcert=${FOLDER}/${FILES.ca}`;

/** Of the manager. */
export function historyFlags({ url, passwordSecret, ca }: HistoryServer): string[] {
  const whole = ca === null ? url : `${url}${url.includes('?') ? '&' : '?'}${CA_PARAMETER}`;
  return [`--history=${whole}`, ...(passwordSecret === null ? [] : [PASSWORD_FLAG])];
}

/** The volume, and where the manager has it; null: it needs nothing. */
export function historyAccess({ passwordSecret, ca }: HistoryServer): { readonly volume: object; readonly mount: object } | null {
  const source = ({ name, key }: KeyOfObject, path: string): object => ({ name, items: [{ key, path }] });
  const sources = [
    ...(passwordSecret === null ? [] : [{ secret: source(passwordSecret, FILES.password) }]),
    ...(ca === null ? [] : [{ [ca.kind === 'Secret' ? 'secret' : 'configMap']: source(ca, FILES.ca) }]),
  ];
  if (sources.length === 0) return null;
  return { volume: { name: VOLUME, projected: { sources } }, mount: { name: VOLUME, mountPath: FOLDER, readOnly: true } };
}

const itemsSchema = z.object({ name: z.string(), items: z.array(z.object({ key: z.string(), path: z.string() })) });
const volumeSchema = z.object({
  name: z.literal(VOLUME),
  projected: z.object({ sources: z.array(z.object({ secret: itemsSchema.optional(), configMap: itemsSchema.optional() })) }),
});

/** Reads back what `historyFlags` and `historyAccess` have made, and leaves the other flags; null: the history is a file. */
export function readHistoryServer(
  args: readonly string[],
  volumes: readonly unknown[],
): { readonly server: HistoryServer; readonly others: string[] } | null {
  const at = args.findIndex((arg) => arg.startsWith('--history='));
  const [whole = '', next = ''] = args.slice(at, at + 2).map((arg) => arg.replace(/^--history=/, ''));
  // A further one, behind that of the installation, is a flag that an operator has given.
  if (at < 0 || !/^postgres(ql)?:\/\//i.test(whole)) return null;
  const volume = volumes.map((one) => volumeSchema.safeParse(one).data).find((one) => one !== undefined);
  const keyAt = (kind: 'secret' | 'configMap', path: string): KeyOfObject | null => {
    for (const source of volume?.projected.sources ?? []) {
      const item = source[kind]?.items.find((one) => one.path === path);
      if (item !== undefined) return { name: source[kind]?.name ?? '', key: item.key };
    }
    return null;
  };
  const secret = keyAt('secret', FILES.ca);
  const configMap = keyAt('configMap', FILES.ca);
  const ca =
    secret !== null ? { kind: 'Secret' as const, ...secret } : configMap !== null ? { kind: 'ConfigMap' as const, ...configMap } : null;
  const end = [`?${CA_PARAMETER}`, `&${CA_PARAMETER}`].find((parameter) => whole.endsWith(parameter));
  return {
    server: {
      url: ca === null || end === undefined ? whole : whole.slice(0, -end.length),
      passwordSecret: keyAt('secret', FILES.password),
      ca,
    },
    others: [...args.slice(0, at), ...args.slice(at + (next === PASSWORD_FLAG ? 2 : 1))],
  };
}
