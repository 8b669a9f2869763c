import type { NodeVerdict } from '../api/node-verdict.ts';
import type { Queries } from './history-database.ts';
import type { HistoryTime } from './history-time.ts';
import { inBatches } from './in-batches.ts';
import { parseJson } from './pack.ts';
import { textsSchema } from './row-schemas.ts';

/** By node, then by image. `node`: of this one alone. */
export async function listNodeVerdicts(queries: Queries, time: HistoryTime, node?: string): Promise<NodeVerdict[]> {
  const [nowMs, wallAt] = [await time.read(queries), time.wallAt()];
  const analyses = await queries
    .selectFrom('analysis')
    .select(['id_key', 'image_id', 'scanner_name', 'scanner_version', 'reported_by', 'kept_ms'])
    .where('reported_by', 'is not', null)
    .$if(node !== undefined, (query) => query.where('reported_by', '=', node ?? ''))
    .execute();
  const reports = await queries
    .selectFrom('scan_report')
    .select(['id_key', 'scanner_name', 'scanner_version', 'reported_by', 'judged_at'])
    .where('reported_by', 'is not', null)
    .$if(node !== undefined, (query) => query.where('reported_by', '=', node ?? ''))
    .execute();
  const names = await readNames(queries, [...new Set([...analyses, ...reports].map(({ id_key }) => id_key))]);
  const verdicts = new Map<string, NodeVerdict>();
  const keyOf = ({ id_key, scanner_name, scanner_version, reported_by }: Omit<(typeof reports)[number], 'judged_at'>): string =>
    JSON.stringify([reported_by, id_key, scanner_name, scanner_version]);
  const common = (row: Omit<(typeof reports)[number], 'judged_at'>): Omit<NodeVerdict, 'imageId' | 'readAt' | 'judgedAt'> => ({
    node: row.reported_by ?? '',
    repoTags: names.get(row.id_key)?.repoTags ?? [],
    repoDigests: names.get(row.id_key)?.repoDigests ?? [],
    scanner: { name: row.scanner_name, version: row.scanner_version },
  });
  for (const row of analyses) {
    // How long ago is by the history's time, which no step of a clock changes.
    const readAt = wallAt - (nowMs - row.kept_ms);
    verdicts.set(keyOf(row), { ...common(row), imageId: row.image_id, readAt, judgedAt: null });
  }
  for (const row of reports) {
    const read = verdicts.get(keyOf(row));
    const imageId = read?.imageId ?? names.get(row.id_key)?.id ?? `sha256:${row.id_key}`;
    verdicts.set(keyOf(row), { ...common(row), imageId, readAt: read?.readAt ?? null, judgedAt: row.judged_at });
  }
  const order = ({ node: name, imageId }: NodeVerdict): string => `${name}\0${imageId}`;
  return [...verdicts.values()].toSorted((one, other) => (order(one) < order(other) ? -1 : 1));
}

interface Names {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
}

/** Of each image by its last decision. */
async function readNames(queries: Queries, idKeys: readonly string[]): Promise<Map<string, Names>> {
  const names = new Map<string, Names>();
  for (const batch of inBatches(idKeys)) {
    const rows = await queries
      .selectFrom('image')
      .innerJoin('decision', 'decision.image_key', 'image.key')
      .innerJoin('naming', 'naming.key', 'decision.naming_key')
      .select(['id_key', 'image.id as id', 'repo_tags', 'repo_digests'])
      .where('id_key', 'in', batch)
      .where('decision.run_id', '=', (inner) =>
        inner
          .selectFrom('decision as later')
          .select(({ fn }) => fn.max('later.run_id').as('last'))
          .whereRef('later.image_key', '=', 'image.key'),
      )
      .execute();
    for (const { id_key, id, repo_tags, repo_digests } of rows) {
      names.set(id_key, { id, repoTags: readTexts(repo_tags), repoDigests: readTexts(repo_digests) });
    }
  }
  return names;
}

/** Names that cannot be read keep nobody from taking back what they name. */
function readTexts(json: string): string[] {
  return textsSchema.catch([]).parse(parseJson(json));
}
