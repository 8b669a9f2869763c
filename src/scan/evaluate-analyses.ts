import type { AnalysisPart, ImageAnalysis, ScanReport } from '../api/scan-report.ts';
import { decodePart, decodeRecipe, type Recipe } from './analysis-form.ts';
import type { Judge } from './judge.ts';
import { parseScanResponse } from './scan-response.ts';
import { RPC } from './trivy-rpc.ts';

/** What it takes of a judge. */
export type AnalysisJudging = Pick<Judge, 'scanner' | 'server' | 'blobs'>;

/** Calls at once: the server works in parallel, and Node prepares the next ones meanwhile. */
const CALLS_AT_ONCE = 8;

/**
 * Has images judged by what was read out of them before: the requests that Trivy sent then are sent again. null for an analysis that is of no
 * use: by another scanner or version, of an unknown form, garbled, or refused by the server.
 */
export async function evaluateAnalyses(
  judge: AnalysisJudging,
  analyses: readonly ImageAnalysis[],
  signal: AbortSignal,
): Promise<(ScanReport | null)[]> {
  const { blobs } = judge;
  const recipes = analyses.map((analysis) => usableRecipe(judge, analysis));
  const parts = new Map<string, AnalysisPart>();
  for (const [index, analysis] of analyses.entries())
    if (recipes[index] !== null) for (const part of analysis.parts) parts.set(part.key, part);
  const release = blobs.hold([...parts.keys()]);
  try {
    const missing = parts.size === 0 ? new Set<string>() : await blobs.missing([...parts.keys()], signal);
    const unusable = new Set<string>();
    await forEachAtOnce([...missing], signal, async (key, signal) => {
      const part = parts.get(key);
      const request = part === undefined ? null : decodePart(part);
      if (request === null || (await blobs.put(key, request, signal)).kind === 'refused') unusable.add(key);
    });
    const reports: (ScanReport | null)[] = analyses.map(() => null);
    await forEachAtOnce([...recipes.entries()], signal, async ([index, recipe], signal) => {
      if (recipe === null || recipe.partKeys.some((key) => unusable.has(key))) return;
      reports[index] = await judgeRecipe(judge, recipe, signal);
    });
    await judge.server.checkDatabase(signal);
    return reports;
  } finally {
    release();
  }
}

function usableRecipe({ scanner }: AnalysisJudging, analysis: ImageAnalysis): Recipe | null {
  if (analysis.scannerName !== scanner.name || analysis.scannerVersion !== scanner.version) return null;
  const recipe = decodeRecipe(analysis.recipe);
  const keys = new Set(analysis.parts.map(({ key }) => key));
  return recipe !== null && recipe.imageId === analysis.imageId && recipe.partKeys.every((key) => keys.has(key)) ? recipe : null;
}

async function judgeRecipe({ server, scanner }: AnalysisJudging, recipe: Recipe, signal: AbortSignal): Promise<ScanReport | null> {
  const stored = await server.client.call(RPC.putArtifact, recipe.putArtifact, signal);
  if (stored.kind === 'refused') return null;
  const verdict = await server.client.call(RPC.scan, recipe.scan, signal);
  if (verdict.kind === 'answered') return parseScanResponse(verdict.body, recipe.imageId, scanner);
  const fault = await server.databaseFault(verdict.message);
  if (fault !== null) throw fault;
  return null;
}

/** Several at once. A failure ends all that was begun, and is thrown when that has ended. */
async function forEachAtOnce<Item>(
  items: readonly Item[],
  signal: AbortSignal,
  act: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const waiting = items.values();
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (const item of waiting) {
      if (failures.length > 0) return;
      try {
        await act(item, either);
      } catch (error) {
        failures.push(error);
        failed.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, work));
  if (failures.length > 0) throw failures[0];
}
