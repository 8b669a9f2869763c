import type { HistoryReader } from '../store/history.ts';
import { openPostgresReader } from '../store/postgres/open-postgres-reader.ts';
import { parsePostgresUrl } from '../store/postgres/parse-postgres-url.ts';
import { badUsage } from './cli-error.ts';

/** A cluster's history in a PostgreSQL. `passwordFile` undefined: the password is in PGPASSWORD, or there is none. */
export async function openPostgresHistory(
  text: string,
  { passwordFile, env }: { readonly passwordFile: string | undefined; readonly env: Readonly<Record<string, string | undefined>> },
): Promise<HistoryReader> {
  const parsed = parsePostgresUrl(text);
  if (!parsed.ok) throw badUsage(`--history: ${parsed.message}`);
  const inEnvironment = env['PGPASSWORD'];
  const given = inEnvironment === undefined ? null : { text: inEnvironment };
  return openPostgresReader({ url: parsed.url, password: passwordFile === undefined ? given : { file: passwordFile } });
}
