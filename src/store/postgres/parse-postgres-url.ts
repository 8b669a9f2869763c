import * as z from 'zod';
import { isPostgresUrl } from '../is-postgres-url.ts';

/** Where a history is in a PostgreSQL, and by what name one comes in; without the password. */
export interface PostgresUrl {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** null: none, all goes over the network as it is. Else the server has to prove that it is this host; `caFile` null: to what the system trusts. */
  readonly tls: { readonly caFile: string | null } | null;
  /** For messages. */
  readonly name: string;
}

export type ParsedPostgresUrl = { readonly ok: true; readonly url: PostgresUrl } | { readonly ok: false; readonly message: string };

const ALLOWED = 'postgres://USER@HOST[:PORT]/DATABASE[?sslmode=verify-full|disable][&sslrootcert=/PATH/OF/CA.crt]';
const DEFAULT_PORT = 5432;

const decoded = z.string().transform((text, context) => {
  try {
    const plain = decodeURIComponent(text);
    // A NUL would end the name in what is sent to the server, and begin something else.
    if (!/\p{Cc}/u.test(plain)) return plain;
  } catch {
    // Told below.
  }
  context.addIssue({ code: 'custom', message: 'is not encoded as in a URL' });
  return z.NEVER;
});

const parameters = z
  .strictObject(
    {
      sslmode: z.enum(['verify-full', 'disable'], { error: 'is verify-full or disable' }).default('verify-full'),
      sslrootcert: z.string().startsWith('/', 'is no absolute path').optional(),
    },
    { error: (issue) => (issue.code === 'unrecognized_keys' ? 'has parameters other than sslmode and sslrootcert' : undefined) },
  )
  .refine(({ sslmode, sslrootcert }) => sslmode !== 'disable' || sslrootcert === undefined, {
    error: 'has an sslrootcert, which sslmode=disable would not look at',
  });

/** The parts of a URL, as `URL` has them; messages never repeat what is in it, which may be a password. */
const schema = z.object({
  username: decoded.pipe(z.string().min(1, 'names no user')),
  password: z.literal('', { error: 'holds a password: that belongs in a file of its own, or in PGPASSWORD' }),
  hostname: z.string().regex(/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)$/i, 'names no host, or more than one'),
  port: z.string().transform((text) => (text === '' ? DEFAULT_PORT : Number(text))),
  pathname: z
    .string()
    .regex(/^\/[^/]+$/, 'names no database')
    .transform((text) => text.slice(1))
    .pipe(decoded),
  hash: z.literal('', { error: 'has a fragment' }),
  parameters,
});

export function parsePostgresUrl(text: string): ParsedPostgresUrl {
  const url = URL.parse(text);
  if (url === null || !isPostgresUrl(text)) return refused('is no URL');
  const given = [...url.searchParams];
  if (new Set(given.map(([key]) => key)).size < given.length) return refused('has a parameter twice');
  const { username, password, hostname, port, pathname, hash } = url;
  const parsed = schema.safeParse({ username, password, hostname, port, pathname, hash, parameters: Object.fromEntries(given) });
  if (!parsed.success) return refused(...parsed.error.issues.map(describeIssue));
  const { data } = parsed;
  const { sslmode, sslrootcert } = data.parameters;
  return {
    ok: true,
    url: {
      host: hostname.replaceAll(/[[\]]/g, ''),
      port: data.port,
      user: data.username,
      database: data.pathname,
      tls: sslmode === 'disable' ? null : { caFile: sslrootcert ?? null },
      name: `postgres://${username}@${hostname}:${data.port}${pathname}`,
    },
  };
}

function describeIssue({ path, message }: z.core.$ZodIssue): string {
  return path.length === 2 ? `its ${String(path[1])} ${message}` : message;
}

function refused(...problems: readonly string[]): ParsedPostgresUrl {
  return { ok: false, message: `the URL of the history ${problems.join(', ')}; allowed is ${ALLOWED}` };
}
