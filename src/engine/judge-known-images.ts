import type { NodeImage } from '../api/inventory.ts';
import type { ImageAnalysis, ScannerInfo, ScanReport, ScanResult } from '../api/scan-report.ts';
import { sameImageId } from '../core/reference.ts';
import type { Scanner, ScanRecords } from './ports.ts';

export interface JudgeKnownImagesOptions {
  readonly scanner: Scanner;
  /** As the scanner gave it for this run. */
  readonly info: ScannerInfo;
  readonly records: ScanRecords;
  readonly images: readonly NodeImage[];
  readonly signal: AbortSignal;
  /** The time for all scans is up: what has no verdict by then is left to its fate as an image to scan. */
  readonly total: AbortSignal;
}

export interface KnownVerdicts {
  /** By image id in the runtime's form; an image without an entry has to be scanned. */
  readonly results: ReadonlyMap<string, ScanResult>;
  /** Reports of just this database. */
  readonly reused: number;
  /** Analyses of earlier runs, judged by the database of now. */
  readonly evaluated: number;
}

/** What earlier scans tell of these images: nothing is read out of an image again. */
export async function judgeKnownImages(options: JudgeKnownImagesOptions): Promise<KnownVerdicts> {
  const { records, images, info } = options;
  const results = new Map<string, ScanResult>();
  const reports = await records.readReports(images.map(recordId), info);
  for (const image of images) accept(results, image, reports.get(recordId(image)));
  const reused = results.size;
  const unjudged = images.filter(({ id }) => !results.has(id));
  for (let start = 0; start < unjudged.length; start += ANALYSES_AT_ONCE) {
    await evaluate(options, unjudged.slice(start, start + ANALYSES_AT_ONCE), results);
  }
  return { results, reused, evaluated: results.size - reused };
}

/** An analysis of a large image is some hundred kilobytes: this many at once stay small beside a scan. */
const ANALYSES_AT_ONCE = 50;

async function evaluate(options: JudgeKnownImagesOptions, images: readonly NodeImage[], results: Map<string, ScanResult>): Promise<void> {
  const { scanner, records, info, signal, total } = options;
  const known = await records.readAnalyses(images.map(recordId), info);
  const pairs: { image: NodeImage; analysis: ImageAnalysis }[] = [];
  for (const image of images) {
    const analysis = known.get(recordId(image));
    if (analysis !== undefined) pairs.push({ image, analysis });
  }
  if (pairs.length === 0) return;
  const analyses = pairs.map(({ analysis }) => analysis);
  const reports = await scanner.evaluate(analyses, AbortSignal.any([signal, total])).catch((error: unknown) => {
    if (total.aborted && !signal.aborted && error === total.reason) return [];
    throw error;
  });
  const accepted: ScanReport[] = [];
  for (const [index, { image }] of pairs.entries()) {
    const report = reports[index] ?? undefined;
    if (accept(results, image, report) && report !== undefined) accepted.push(report);
  }
  if (accepted.length > 0) await records.keepReports(accepted);
}

/** A report counts only for the image that it says it is of. */
function accept(results: Map<string, ScanResult>, image: NodeImage, report: ScanReport | undefined): boolean {
  if (report === undefined || !sameImageId(report.imageId, image.id)) return false;
  results.set(image.id, { kind: 'scanned', report });
  return true;
}

/** The image id as reports give it; CRI-O's are bare hex. */
function recordId({ id }: NodeImage): string {
  return id.startsWith('sha256:') ? id : `sha256:${id}`;
}
