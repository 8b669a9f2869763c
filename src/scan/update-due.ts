import { stat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';

const time = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));
const metadataSchema = z.object({ Version: z.literal(2), NextUpdate: time, DownloadedAt: time });
const HOUR_MS = 3_600_000;

/**
 * Whether Trivy would load the vulnerability database anew, by Trivy's own rule: unless there is one of its schema that it has loaded itself,
 * either before its next update or within the last hour.
 */
export async function isUpdateDue(cacheDir: string, now: number): Promise<boolean> {
  const metadata = metadataSchema.safeParse(await readJson(join(cacheDir, 'db', 'metadata.json'))).data;
  const hasDatabase = await stat(join(cacheDir, 'db', 'trivy.db')).then(
    () => true,
    () => false,
  );
  // Go's zero time lies before 1970: put there by hand, in Trivy's eyes.
  if (metadata === undefined || !hasDatabase || metadata.DownloadedAt < 0) return true;
  return now >= metadata.NextUpdate && now >= metadata.DownloadedAt + HOUR_MS;
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return null;
  }
}
