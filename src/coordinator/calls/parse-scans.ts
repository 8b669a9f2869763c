import { CALL_LIMITS } from '../../api/coordinator/coordinator-api.ts';
import { MOST_PARTS, scansHeadSchema, splitScans, type ScansHead } from '../../api/coordinator/scans-call.ts';
import type { ImageAnalysis } from '../../api/scan-report.ts';
import { refuse, type Refusal } from '../refusal.ts';
import { parseBody } from './call.ts';

const FORM = 'The length of the head (4 bytes, big-endian), the head (JSON), and the bytes that it tells the lengths of.';

export interface AskedScans {
  readonly kind: 'asked';
  readonly head: ScansHead;
  readonly analyses: readonly ImageAnalysis[];
}

/** The head of such a call, and what it tells that was read of images. */
export function parseScans(body: Buffer): AskedScans | Refusal {
  const split = splitScans(body);
  if (split === null) return refuse('invalid', { detail: 'The body is cut off.', allowed: FORM });
  const parsed = parseBody(scansHeadSchema, split.head);
  if (parsed.kind === 'refused') return parsed;
  const head = parsed.value;
  const lengths = [...head.analyses.map(({ recipeBytes }) => recipeBytes), ...head.parts.map(({ bytes }) => bytes)];
  const pieces = cut(split.rest, lengths);
  if (pieces === null) return refuse('invalid', { detail: 'The body has another length than its head tells.', allowed: FORM });
  if (isTooMuch(head))
    return refuse('invalid', { detail: 'The images have more parts, or larger ones, than a call may hold.', allowed: FORM });
  const analyses: ImageAnalysis[] = [];
  for (const [index, { imageId, parts }] of head.analyses.entries()) {
    // One that is named twice is one: each costs whoever judges.
    const own = [...new Set(parts)].map((at) => ({ key: head.parts[at]?.key, data: pieces[head.analyses.length + at] }));
    const whole = own.flatMap(({ key, data }) => (key === undefined || data === undefined ? [] : [{ key, data }]));
    const recipe = pieces[index];
    if (recipe === undefined || whole.length < own.length || head.scannerVersion === null) {
      return refuse('invalid', { detail: `What was read of ${imageId} has parts that are not there, or no version.`, allowed: FORM });
    }
    analyses.push({ imageId, scannerName: 'trivy', scannerVersion: head.scannerVersion, parts: whole, recipe });
  }
  return { kind: 'asked', head, analyses };
}

/** A part that many images name is in the body once, and costs whoever judges as often as it is named. */
function isTooMuch({ analyses, parts }: ScansHead): boolean {
  const named = analyses.flatMap((analysis) => [...new Set(analysis.parts)]);
  const bytes = named.reduce((sum, at) => sum + (parts[at]?.bytes ?? 0), 0);
  return named.length > MOST_PARTS || bytes > CALL_LIMITS.scans.maxRequestBytes;
}

/** null: the lengths do not come to that of the whole. */
function cut(whole: Buffer, lengths: readonly number[]): Buffer[] | null {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const length of lengths) {
    pieces.push(whole.subarray(at, at + length));
    at += length;
  }
  return at === whole.length ? pieces : null;
}
