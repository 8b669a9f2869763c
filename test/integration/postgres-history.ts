import { onTestFinished } from 'vitest';
import type { Postgres } from '../../lab/postgres.ts';
import type { HistoryPlace } from '../../src/store/open-place.ts';
import type { PostgresPlace } from '../../src/store/postgres/open-postgres.ts';
import { HistoryTime } from '../../src/store/history-time.ts';
import { openPostgresReader } from '../../src/store/postgres/open-postgres-reader.ts';
import { parsePostgresUrl } from '../../src/store/postgres/parse-postgres-url.ts';
import {
  openTestClusterHistoryAt,
  type OpenTestClusterHistory,
  type TestClusterHistory,
  type TestClusterHistoryOptions,
} from '../fakes/cluster-history-in-test.ts';

/** Owns the databases of the tests, and may do nothing else. */
export const OWNER = 'ada';
export const PASSWORD = 'a password that nobody may see';

export async function makeOwner(server: Postgres): Promise<void> {
  await server.query(`CREATE ROLE ${OWNER} LOGIN PASSWORD '${PASSWORD}'`);
}

let databases = 0;

/** With a language's own order of texts, which the history must not go by. */
export async function makeDatabase(server: Postgres): Promise<string> {
  const name = `history_${String((databases += 1))}`;
  await server.query(`CREATE DATABASE ${name} OWNER ${OWNER} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'`);
  onTestFinished(async () => {
    await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
  });
  return name;
}

export interface PlaceOptions {
  readonly host?: string;
  readonly parameters?: string;
  readonly password?: PostgresPlace['password'];
}

export function placeOf(server: Postgres, database: string, options: PlaceOptions = {}): PostgresPlace {
  const { host = server.host, parameters = 'sslmode=disable', password = { text: PASSWORD } } = options;
  const parsed = parsePostgresUrl(`postgres://${OWNER}@${host}:${String(server.port)}/${database}?${parameters}`);
  if (!parsed.ok) throw new Error(parsed.message);
  return { url: parsed.url, password };
}

/** In a database of its own, or in that of another. */
export function openerOn(server: () => Postgres): OpenTestClusterHistory {
  return async (options: TestClusterHistoryOptions = {}): Promise<TestClusterHistory> => {
    const place = asPostgres(options.place) ?? placeOf(server(), await makeDatabase(server()));
    const { database } = place.url;
    const opened = await openTestClusterHistoryAt({ ...options, place });
    return {
      ...opened,
      name: place.url.name,
      query: (sql) => server().query(sql, database),
      // The server lets none be.
      brokenReferences: () => Promise.resolve([]),
      shown: async () => {
        const reading = await openPostgresReader(place, new HistoryTime(opened.clock.now, opened.clock.bootClock, true));
        onTestFinished(() => reading.close());
        return reading;
      },
    };
  };
}

function asPostgres(place: HistoryPlace | undefined): PostgresPlace | null {
  return place === undefined || 'path' in place ? null : place;
}
