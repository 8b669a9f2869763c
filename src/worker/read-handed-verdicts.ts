import * as z from 'zod';
import type { NodeImage } from '../api/inventory.ts';
import { describeProblems } from '../api/problem.ts';
import type { ForeignVerdict, ScanResult, ScanResults, Verdicts } from '../api/scan-report.ts';
import { scanResultSchema } from '../api/scan-report-schemas.ts';
import { imageIdKey } from '../core/reference.ts';
import type { Log } from '../platform/log.ts';
import { PIPES, type HandOver } from './hand-over.ts';
import { parseImages, parseJson, refused } from './hand-over-message.ts';

/** Who writes the images to remove: the collector, our scanner, or one of the user's own. */
export const SCANNER_KINDS = ['off', 'trivy', 'custom'] as const;
export type ScannerKind = (typeof SCANNER_KINDS)[number];

type Verdict = ScanResult | ForeignVerdict;

/** What our own scanner writes: of each image what it found, where a scanner of Eraser's kind only names those that are to go. */
const scanMessageSchema = z.union([
  z.object({
    results: z.array(z.object({ image_id: z.string().min(1), result: scanResultSchema })),
    reused: z.int().nonnegative().default(0),
  }),
  z.object({ fault: z.string() }),
]);

/** `reused`: how many of the results were on record. */
export function formatScanResults(results: ScanResults, reused = 0): string {
  return JSON.stringify({ results: [...results].map(([image_id, result]) => ({ image_id, result })), reused });
}

/** The scanner cannot work: there is no verdict on any image, and the remover need not wait for one. */
export function formatScanFault(message: string): string {
  return JSON.stringify({ fault: message });
}

export interface ReadHandedVerdictsOptions {
  readonly handOver: Pick<HandOver, 'readScan' | 'readOffered'>;
  readonly scanner: ScannerKind;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What the other containers of the pod say of images. */
export interface HandedVerdicts {
  readonly verdictsOn: (images: readonly NodeImage[]) => Verdicts;
  /** Of our own scanner; empty with any other. */
  readonly scanResults: readonly ScanResult[];
  /** How many of them were on record. */
  readonly reused: number;
}

/**
 * Waits for the message of the scanner, or of the collector where there is none. An image that the collector has not offered gets no verdict,
 * whatever the message says of it: it was in use, excluded or not there when the run began.
 */
export async function readHandedVerdicts(options: ReadHandedVerdictsOptions): Promise<HandedVerdicts> {
  const { handOver, scanner, log, signal } = options;
  log.info('waiting for the verdicts', { scanner });
  const text = await handOver.readScan(signal);
  const { said, reused } =
    scanner === 'trivy' ? readResults(text) : { said: readWanted(text, scanner === 'custom' ? 'rejected' : 'unused'), reused: 0 };
  const offered = new Set((await handOver.readOffered()).map(({ imageId }) => imageIdKey(imageId)));
  const strange = [...said.keys()].filter((key) => !offered.has(key));
  log.info('verdicts read', { offered: offered.size, named: said.size });
  if (strange.length > 0) log.warn('verdicts on images that were not offered are ignored', { imageIds: strange });
  const accepted: Verdict = { kind: 'judged', verdict: 'accepted' };
  // Our scanner tells of every image; one of Eraser's kind names only what is to go, and so does the collector of all that there was.
  const unnamed = scanner === 'trivy' ? null : accepted;
  const notOffered = scanner === 'off' ? accepted : null;
  const verdictsOn = (images: readonly NodeImage[]): Verdicts => {
    const verdicts = new Map<string, Verdict>();
    for (const { id } of images) {
      const key = imageIdKey(id);
      const verdict = offered.has(key) ? (said.get(key) ?? unnamed) : notOffered;
      if (verdict !== null) verdicts.set(id, verdict);
    }
    return verdicts;
  };
  const onOffered = [...said].flatMap(([key, verdict]) => (offered.has(key) ? [verdict] : []));
  return { verdictsOn, scanResults: onOffered.filter((verdict) => verdict.kind !== 'judged'), reused };
}

function readWanted(text: string, verdict: ForeignVerdict['verdict']): Map<string, Verdict> {
  return new Map(parseImages(text, PIPES.scanErase).map(({ imageId }) => [imageIdKey(imageId), { kind: 'judged', verdict }]));
}

function readResults(text: string): { readonly said: Map<string, Verdict>; readonly reused: number } {
  const parsed = scanMessageSchema.safeParse(parseJson(text, PIPES.scanErase));
  if (!parsed.success) {
    const problem = describeProblems(parsed.error)[0];
    throw refused(PIPES.scanErase, `${problem?.path ?? ''}: ${problem?.message ?? 'no results of a scan'}`);
  }
  if ('fault' in parsed.data) throw refused(PIPES.scanErase, `the scanner has failed: ${parsed.data.fault}`);
  const { results, reused } = parsed.data;
  return { said: new Map(results.map(({ image_id, result }) => [imageIdKey(image_id), result])), reused };
}
