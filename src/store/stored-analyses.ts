import type { AnalysisPart, ImageAnalysis, ScannerInfo } from '../api/scan-report.ts';
import type { Changes, HistoryDatabase } from './history-database.ts';
import { idKey } from './id-key.ts';
import { inBatches } from './in-batches.ts';
import { pack, unpack } from './pack.ts';

type ScannerVersion = Pick<ScannerInfo, 'name' | 'version'>;

export interface StoredAnalysesOptions {
  readonly database: HistoryDatabase;
  readonly ifSpace: (work: () => Promise<void>) => Promise<void>;
  readonly isReadOnly: boolean;
}

export interface StoredAnalysis {
  readonly analysis: ImageAnalysis;
  /** The node that read the image; null: this machine. */
  readonly reportedBy: string | null;
}

/** The analyses of these images by this version of the scanner; one with a piece that is missing or damaged counts as absent, and goes. */
export async function readStoredAnalyses(
  options: StoredAnalysesOptions,
  imageIds: readonly string[],
  scanner: ScannerVersion,
): Promise<Map<string, StoredAnalysis>> {
  const analyses = new Map<string, StoredAnalysis>();
  const damaged: string[] = [];
  for (const batch of inBatches(imageIds, 50)) {
    const heads = await options.database.queries
      .selectFrom('analysis')
      .select(['id_key', 'image_id', 'recipe', 'reported_by'])
      .where('id_key', 'in', batch.map(idKey))
      .where('scanner_name', '=', scanner.name)
      .where('scanner_version', '=', scanner.version)
      .execute();
    const parts = await readParts(
      options.database,
      heads.map(({ id_key }) => id_key),
      scanner,
    );
    const byKey = new Map(heads.map((head) => [head.id_key, head]));
    for (const id of batch) {
      const head = byKey.get(idKey(id));
      if (head === undefined) continue;
      const recipe = unpack(head.recipe);
      const own = parts.get(head.id_key) ?? [];
      if (recipe === null || own.includes(null)) damaged.push(head.id_key);
      else {
        const whole = own.filter((part) => part !== null);
        const analysis = { imageId: head.image_id, scannerName: scanner.name, scannerVersion: scanner.version, parts: whole, recipe };
        analyses.set(id, { analysis, reportedBy: head.reported_by });
      }
    }
  }
  await dropAnalyses(options, damaged, scanner.name);
  return analyses;
}

/** By image, in their order; null stands for a damaged one. */
async function readParts(
  { queries }: HistoryDatabase,
  idKeys: readonly string[],
  scanner: ScannerVersion,
): Promise<Map<string, (AnalysisPart | null)[]>> {
  const byImage = new Map<string, (AnalysisPart | null)[]>();
  if (idKeys.length === 0) return byImage;
  const uses = await queries
    .selectFrom('analysis_part')
    .select(['id_key', 'part_key'])
    .where('id_key', 'in', idKeys)
    .where('scanner_name', '=', scanner.name)
    .orderBy('id_key')
    .orderBy('position')
    .execute();
  const parts = new Map<number, AnalysisPart | null>();
  for (const keys of inBatches([...new Set(uses.map(({ part_key }) => part_key))])) {
    const rows = await queries.selectFrom('part').select(['key', 'content_key', 'packed']).where('key', 'in', keys).execute();
    for (const { key, content_key, packed } of rows) {
      const data = unpack(packed);
      parts.set(key, data === null ? null : { key: content_key, data });
    }
  }
  for (const { id_key, part_key } of uses) {
    const list = byImage.get(id_key) ?? [];
    list.push(parts.get(part_key) ?? null);
    byImage.set(id_key, list);
  }
  return byImage;
}

export async function readStoredPart(options: StoredAnalysesOptions, key: string, scanner: ScannerVersion): Promise<Uint8Array | null> {
  const row = await options.database.queries
    .selectFrom('part')
    .select('packed')
    .where('content_key', '=', key)
    .where('scanner_name', '=', scanner.name)
    .where('scanner_version', '=', scanner.version)
    .executeTakeFirst();
  return row === undefined ? null : unpack(row.packed);
}

/** In place of what the same scanner read before. A piece that is there already is not written again. */
export async function keepAnalysis(changes: Changes, { analysis, reportedBy }: StoredAnalysis, nowMs: number): Promise<void> {
  const id = { id_key: idKey(analysis.imageId), scanner_name: analysis.scannerName };
  const partKeys: number[] = [];
  for (const part of analysis.parts) partKeys.push(await partKey(changes, analysis, part));
  const before = await deleteAnalyses(changes, [id.id_key], id.scanner_name);
  await changes
    .insertInto('analysis')
    .values({
      ...id,
      scanner_version: analysis.scannerVersion,
      kept_ms: nowMs,
      image_id: analysis.imageId,
      recipe: pack(analysis.recipe),
      reported_by: reportedBy,
    })
    .execute();
  for (const [position, part_key] of partKeys.entries()) {
    await changes
      .insertInto('analysis_part')
      .values({ ...id, position, part_key })
      .execute();
  }
  await deleteUnusedParts(changes, before);
}

async function partKey(changes: Changes, { scannerName, scannerVersion }: ImageAnalysis, part: AnalysisPart): Promise<number> {
  const known = await changes
    .selectFrom('part')
    .select(['key', 'packed'])
    .where('content_key', '=', part.key)
    .where('scanner_name', '=', scannerName)
    .where('scanner_version', '=', scannerVersion)
    .executeTakeFirst();
  if (known === undefined) {
    const { key } = await changes
      .insertInto('part')
      .values({ scanner_name: scannerName, scanner_version: scannerVersion, content_key: part.key, packed: pack(part.data) })
      .returning('key')
      .executeTakeFirstOrThrow();
    return key;
  }
  // A damaged piece is mended by the next scan that makes it.
  if (unpack(known.packed) === null)
    await changes
      .updateTable('part')
      .set({ packed: pack(part.data) })
      .where('key', '=', known.key)
      .execute();
  return known.key;
}

/** With the pieces that no other analysis has. */
export async function forgetAnalyses(changes: Changes, idKeys: readonly string[], scannerName: string): Promise<void> {
  await deleteUnusedParts(changes, await deleteAnalyses(changes, idKeys, scannerName));
}

/** Gives the keys of their pieces. */
async function deleteAnalyses(changes: Changes, idKeys: readonly string[], scannerName: string): Promise<number[]> {
  const used = await changes
    .selectFrom('analysis_part')
    .select('part_key')
    .distinct()
    .where('id_key', 'in', idKeys)
    .where('scanner_name', '=', scannerName)
    .execute();
  await changes.deleteFrom('analysis').where('id_key', 'in', idKeys).where('scanner_name', '=', scannerName).execute();
  return used.map(({ part_key }) => part_key);
}

async function deleteUnusedParts(changes: Changes, keys: readonly number[]): Promise<void> {
  for (const batch of inBatches(keys)) {
    await changes
      .deleteFrom('part')
      .where('key', 'in', batch)
      .where((is) => is.not(is.exists(is.selectFrom('analysis_part').select('part_key').whereRef('part_key', '=', 'part.key'))))
      .execute();
  }
}

async function dropAnalyses(
  { database, ifSpace, isReadOnly }: StoredAnalysesOptions,
  idKeys: readonly string[],
  scanner: string,
): Promise<void> {
  if (isReadOnly || idKeys.length === 0) return;
  await ifSpace(() => database.write('process', (changes) => forgetAnalyses(changes, idKeys, scanner)));
}
