import * as z from 'zod';
import { UNSCANNED_REASONS, type ImageAnalysis } from '../scan-report.ts';
import { scanResultSchema } from '../scan-report-schemas.ts';

/**
 * `POST /v1/runs/{job}/nodes/{node}/scans`: how the nodes of a cluster share the work of scanning. A scanner says which images it wants to know of,
 * and how many it would read now; the coordinator answers with the results that there are, and with the images that are leased to this node to be
 * read. What was read of them comes with a later call, and is judged for all. An image whose lease is not renewed (`inHand`) goes to another node.
 *
 * The body is the length of a head (4 bytes, big-endian), the head (JSON), and the bytes that the head tells the lengths of, in its order.
 */
export const SCANS_TYPE = 'application/octet-stream';

/** As reports give it. */
const scannedIdSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);
/** How many images one call may ask for. */
export const MOST_IMAGES_ASKED = 1_000;
/** How many images a node may have leased at once. */
export const MOST_IN_HAND = 32;
/** Of all images in a call. An image seldom has more than a hundred layers. */
export const MOST_PARTS = 2_000;
export const LONGEST_WAIT_MS = 20_000;
/** A scanner that has images in hand calls at least as often. */
export const RENEW_MS = 10_000;
/** Some calls may fail meanwhile. */
export const LEASE_MS = 45_000;

const length = z.int().nonnegative();
const failureSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('unscanned'), reason: z.enum(UNSCANNED_REASONS), message: z.string().max(4_096) }),
  z.object({ kind: z.literal('unscannable'), error: z.string().max(4_096) }),
]);
/** Why an image could not be read. */
export type ReadFailure = z.output<typeof failureSchema>;

export const scansHeadSchema = z.object({
  /** Of Trivy on the node; null: there is none, and what the cluster's own knows is asked for. */
  scannerVersion: z.string().min(1).max(256).nullable(),
  /** Images that have no result yet, and are not being read here. */
  wanted: z.array(scannedIdSchema).max(MOST_IMAGES_ASKED),
  /** Images that are leased to this node, and being read. */
  inHand: z.array(scannedIdSchema).max(MOST_IN_HAND),
  /** How many more of the wanted ones it would read now. */
  mayTake: z.int().min(0).max(MOST_IN_HAND),
  /** How long the answer may be kept back where there is nothing to tell, ms. */
  mayWaitMs: z.int().min(0).max(LONGEST_WAIT_MS),
  /** What was read of images that are leased to this node; `parts`: positions in the list that follows. */
  analyses: z.array(z.object({ imageId: scannedIdSchema, parts: z.array(length).max(MOST_PARTS), recipeBytes: length })).max(MOST_IN_HAND),
  parts: z.array(z.object({ key: z.string().min(1).max(256), bytes: length })).max(MOST_PARTS),
  /** Images that were leased to this node, and could not be read. */
  failed: z.array(z.object({ imageId: scannedIdSchema, failure: failureSchema })).max(MOST_IN_HAND),
});
export type ScansHead = z.output<typeof scansHeadSchema>;

/** What a scanner tells and asks, before it is a head and bytes. */
export interface ScanExchange extends Readonly<Pick<ScansHead, 'scannerVersion' | 'mayTake' | 'mayWaitMs'>> {
  readonly wanted: readonly string[];
  readonly inHand: readonly string[];
  readonly analyses: readonly ImageAnalysis[];
  readonly failed: readonly { readonly imageId: string; readonly failure: ReadFailure }[];
}

export const scanAnswerSchema = z.object({
  results: z.array(z.object({ imageId: scannedIdSchema, result: scanResultSchema })),
  /** To be read by this node from now on. */
  leased: z.array(scannedIdSchema),
  /** Another node reads them. */
  elsewhere: z.array(scannedIdSchema),
  /** The answer was full: these have a result, to be asked for again. */
  rest: z.array(scannedIdSchema),
});
export type ScanAnswer = z.output<typeof scanAnswerSchema>;

const LENGTH_BYTES = 4;

/** The bytes of the recipes come first, then those of the parts. */
export function encodeScans(head: ScansHead, bytes: readonly Uint8Array[]): Buffer {
  const text = Buffer.from(JSON.stringify(head));
  const size = Buffer.alloc(LENGTH_BYTES);
  size.writeUInt32BE(text.length);
  return Buffer.concat([size, text, ...bytes]);
}

export interface ScansBody {
  /** JSON that has not been looked at yet. */
  readonly head: Buffer;
  readonly rest: Buffer;
}

/** null: it is cut off. */
export function splitScans(body: Buffer): ScansBody | null {
  if (body.length < LENGTH_BYTES) return null;
  const end = LENGTH_BYTES + body.readUInt32BE(0);
  return end > body.length ? null : { head: body.subarray(LENGTH_BYTES, end), rest: body.subarray(end) };
}
