import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { checkIntegrity } from '../../store/check-integrity.ts';
import type { ImageHistory } from '../../store/history.ts';
import { MIGRATIONS } from '../../store/migrations.ts';
import { historyPath, openHistoryToRead } from '../bind-history.ts';
import type { CliContext } from '../context.ts';
import type { HistoryOptions, RecordOptions } from '../parsed-options.ts';
import { attempt, type Attempt } from './attempt.ts';
import type { HistoryFacts, IntegrityFacts } from './judge-history.ts';

/** null: none is kept. Throws only the reason of the signal. */
export async function readHistory(context: CliContext, options: RecordOptions): Promise<Attempt<HistoryFacts> | null> {
  if (options.history === false) return null;
  const path = resolve(historyPath(context, options));
  return attempt(context.signal, async () => {
    const history = await openHistoryToRead(context, options, () => undefined);
    try {
      const runs = await history.listRuns({ limit: Number.MAX_SAFE_INTEGER });
      return { path, sizeBytes: await sizeOf(path), mostBytes: options.historyMaxSize, schema: MIGRATIONS.length, runs };
    } finally {
      await history.close();
    }
  });
}

/** With what is not yet written back into it; null: there is no such file. */
async function sizeOf(path: string): Promise<number | null> {
  const size = (file: string): Promise<number | null> =>
    stat(file).then(
      (found) => found.size,
      () => null,
    );
  const main = await size(path);
  return main === null ? null : main + ((await size(`${path}-wal`)) ?? 0);
}

/** Half a gigabyte, the most by default, takes a second or two from a disk. */
const INTEGRITY_TIMEOUT_MS = 20_000;

/** null: none is kept. Throws only the reason of the signal. */
export async function readIntegrity(context: CliContext, options: HistoryOptions): Promise<IntegrityFacts | null> {
  if (options.history === false) return null;
  const [path, timeoutMs] = [resolve(historyPath(context, options)), INTEGRITY_TIMEOUT_MS];
  const isFile = await stat(path).then(
    (found) => found.isFile() && found.size > 0,
    () => false,
  );
  return { path, timeoutMs, result: isFile ? await checkIntegrity({ path, timeoutMs, signal: context.signal }) : null };
}

/** What is remembered of the images; null: nothing can be read. Throws only the reason of the signal. */
export async function readAges(
  context: CliContext,
  options: HistoryOptions,
  { endpoint, imageIds }: { readonly endpoint: string; readonly imageIds: readonly string[] },
): Promise<ReadonlyMap<string, ImageHistory> | null> {
  if (options.history === false) return null;
  const histories = await attempt(context.signal, async () => {
    const history = await openHistoryToRead(context, options, () => undefined);
    try {
      return await history.memoryOf(endpoint).readImageHistories(imageIds);
    } finally {
      await history.close();
    }
  });
  return histories.ok ? histories.value : null;
}
