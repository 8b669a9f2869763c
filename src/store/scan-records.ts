import type { ImageAnalysis, ScannerInfo, ScanReport } from '../api/scan-report.ts';
import type { ScanRecords } from './history.ts';
import type { Changes, HistoryDatabase } from './history-database.ts';
import type { HistoryTime } from './history-time.ts';
import { idKey } from './id-key.ts';
import { inBatches } from './in-batches.ts';
import { keepAnalysis, readStoredAnalyses, readStoredPart } from './stored-analyses.ts';
import { readStoredJson, storeJson } from './pack.ts';
import { formatStoredReport, parseStoredReport } from './report-codec.ts';
import type { ScanReportTable } from './tables.ts';

/** A report says whether the system is past its end of life, which comes without a new database: it holds for a day. */
const REPORT_HOLDS_MS = 24 * 3_600_000;

/** Bytes of a report from which on it is packed: some 300 findings. Unpacking hundreds of small ones takes longer than reading them does. */
const PACKED_FROM = 16_000;

export interface ScanRecordsOptions {
  readonly database: HistoryDatabase;
  readonly time: HistoryTime;
  /** Does the work, unless there is no space for it. */
  readonly ifSpace: (work: () => Promise<void>) => Promise<void>;
  readonly isReadOnly: boolean;
}

export function createScanRecords(options: ScanRecordsOptions): ScanRecords {
  const { database, time, ifSpace } = options;
  return {
    readReports: async (imageIds, scanner) => {
      const { found, unusable } = await readScanReports(options, imageIds, scanner);
      await dropReports(options, unusable, scanner.name);
      return found;
    },
    readAnalyses: async (imageIds, scanner) => {
      const stored = await readStoredAnalyses(options, imageIds, scanner);
      return new Map([...stored].map(([id, { analysis }]) => [id, analysis]));
    },
    readPart: (key, scanner) => readStoredPart(options, key, scanner),
    keep: (report, analysis) => ifSpace(() => keep(options, [report], analysis)),
    keepReports: (reports) => ifSpace(() => keep(options, reports, null)),
    rememberScannerVersion: (identity, version) =>
      ifSpace(() =>
        database.write('process', async (changes) => {
          const values = { version, told_ms: await time.record(changes) };
          await changes
            .insertInto('scanner_version')
            .values({ identity, ...values })
            .onConflict((conflict) => conflict.column('identity').doUpdateSet(values))
            .execute();
        }),
      ),
    readScannerVersion: async (identity) => {
      const row = await database.queries
        .selectFrom('scanner_version')
        .select('version')
        .where('identity', '=', identity)
        .executeTakeFirst();
      return row?.version ?? null;
    },
  };
}

/** `unusable`: keys of what is too old or damaged. */
export async function readScanReports(
  { database, time }: Pick<ScanRecordsOptions, 'database' | 'time'>,
  imageIds: readonly string[],
  scanner: ScannerInfo,
): Promise<{ readonly found: ReadonlyMap<string, ScanReport>; readonly unusable: readonly string[] }> {
  const found = new Map<string, ScanReport>();
  const unusable: string[] = [];
  const { databaseUpdatedAt, databaseMark } = scanner;
  // Two databases that cannot be told apart need not be one.
  if (databaseUpdatedAt === null || databaseMark === null) return { found, unusable };
  const nowMs = await time.read(database.queries);
  for (const batch of inBatches(imageIds)) {
    const rows = await database.queries
      .selectFrom('scan_report')
      .select(['id_key', 'judged_ms', 'judged_at', 'json', 'packed'])
      .where('id_key', 'in', batch.map(idKey))
      .where('scanner_name', '=', scanner.name)
      .where('scanner_version', '=', scanner.version)
      .where('database_updated_at', '=', databaseUpdatedAt)
      .where('database_mark', '=', databaseMark)
      .execute();
    const byKey = new Map(rows.map((row) => [row.id_key, row]));
    for (const id of batch) {
      const row = byKey.get(idKey(id));
      if (row === undefined) continue;
      const report = holds(row.judged_ms, nowMs) && holds(row.judged_at, time.wallAt()) ? parseStoredReport(readStoredJson(row)) : null;
      if (report !== null && idKey(report.imageId) === row.id_key) found.set(id, { ...report, scanner });
      else unusable.push(row.id_key);
    }
  }
  return { found, unusable };
}

/** In either direction: a report from the future was judged by another clock. */
function holds(judged: number, now: number): boolean {
  return Math.abs(now - judged) <= REPORT_HOLDS_MS;
}

async function dropReports(
  { database, ifSpace, isReadOnly }: ScanRecordsOptions,
  idKeys: readonly string[],
  scanner: string,
): Promise<void> {
  if (isReadOnly || idKeys.length === 0) return;
  await ifSpace(() =>
    database.write('process', async (changes) => {
      for (const batch of inBatches(idKeys)) {
        await changes.deleteFrom('scan_report').where('id_key', 'in', batch).where('scanner_name', '=', scanner).execute();
      }
    }),
  );
}

async function keep({ database, time }: ScanRecordsOptions, reports: readonly ScanReport[], analysis: ImageAnalysis | null): Promise<void> {
  await database.write('process', async (changes) => {
    if (analysis !== null) await keepAnalysis(changes, { analysis, reportedBy: null }, await time.record(changes));
    await keepScanReports(changes, { time, reportedBy: null }, reports);
  });
}

/** The last one of an image and a scanner is kept. `reportedBy`: the node; null: this machine. */
export async function keepScanReports(
  changes: Changes,
  { time, reportedBy }: { readonly time: HistoryTime; readonly reportedBy: string | null },
  reports: readonly ScanReport[],
): Promise<void> {
  const judged = { judged_ms: await time.record(changes), judged_at: time.wallAt(), reported_by: reportedBy };
  const rows = new Map<string, ScanReportTable>();
  for (const row of reports.flatMap(storedRow)) rows.set(`${row.scanner_name} ${row.id_key}`, { ...row, ...judged });
  for (const batch of inBatches([...rows.values()])) await writeReports(changes, batch);
}

/** None of a report that cannot be stored, or would not be found again. */
function storedRow(report: ScanReport): Omit<ScanReportTable, 'judged_ms' | 'judged_at' | 'reported_by'>[] {
  const { name, version, databaseUpdatedAt, databaseMark } = report.scanner;
  if (databaseUpdatedAt === null || databaseMark === null) return [];
  const stored = formatStoredReport(report);
  if (stored === null) return [];
  const of = { id_key: idKey(report.imageId), scanner_name: name, scanner_version: version };
  return [{ ...of, database_updated_at: databaseUpdatedAt, database_mark: databaseMark, ...storeJson(stored, PACKED_FROM) }];
}

async function writeReports(changes: Changes, rows: readonly ScanReportTable[]): Promise<void> {
  await changes
    .insertInto('scan_report')
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(['id_key', 'scanner_name']).doUpdateSet((row) => ({
        scanner_version: row.ref('excluded.scanner_version'),
        database_updated_at: row.ref('excluded.database_updated_at'),
        database_mark: row.ref('excluded.database_mark'),
        judged_ms: row.ref('excluded.judged_ms'),
        judged_at: row.ref('excluded.judged_at'),
        reported_by: row.ref('excluded.reported_by'),
        json: row.ref('excluded.json'),
        packed: row.ref('excluded.packed'),
      })),
    )
    .execute();
}
