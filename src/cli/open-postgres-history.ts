import { HistoryTime } from '../store/history-time.ts';
import type { HistoryReader } from '../store/history.ts';
import type { PostgresPlace } from '../store/postgres/open-postgres.ts';
import { openPostgresReader } from '../store/postgres/open-postgres-reader.ts';
import { parsePostgresUrl } from '../store/postgres/parse-postgres-url.ts';
import { badUsage } from './cli-error.ts';
import type { CliContext } from './context.ts';

/** Where a cluster's history is that is in a PostgreSQL. `passwordFile` undefined: the password is in PGPASSWORD, or there is none. */
export function postgresPlace({ env }: Pick<CliContext, 'env'>, text: string, passwordFile: string | undefined): PostgresPlace {
  const parsed = parsePostgresUrl(text);
  if (!parsed.ok) throw badUsage(`--history: ${parsed.message}`);
  const inEnvironment = env['PGPASSWORD'];
  const given = inEnvironment === undefined ? null : { text: inEnvironment };
  return { url: parsed.url, password: passwordFile === undefined ? given : { file: passwordFile } };
}

export function openPostgresHistory(context: CliContext, text: string, passwordFile: string | undefined): Promise<HistoryReader> {
  const { now, machine } = context;
  return openPostgresReader(postgresPlace(context, text, passwordFile), new HistoryTime(now, machine.bootClock, true));
}
