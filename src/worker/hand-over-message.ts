import * as z from 'zod';
import type { NodeImage } from '../api/inventory.ts';
import { describeProblems } from '../api/problem.ts';
import { WorkerError } from './worker-error.ts';

/** An image as Eraser's collector and scanners tell of it. */
export interface HandedImage {
  readonly imageId: string;
  readonly names: readonly string[];
  readonly digests: readonly string[];
}

/** What the remover writes when it is done. */
export const COMPLETE = 'complete';

/** A list that is empty in Go is `null`, or absent. */
const texts = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);
const imageSchema = z
  .object({ image_id: z.string().min(1), names: texts, digests: texts })
  .transform(({ image_id: imageId, names, digests }): HandedImage => ({ imageId, names, digests }));
const messageSchema = z
  .array(imageSchema)
  .nullable()
  .transform((list) => list ?? []);

export function formatImages(images: readonly Pick<NodeImage, 'id' | 'repoTags' | 'repoDigests'>[]): string {
  return JSON.stringify(
    images.map(({ id, repoTags, repoDigests }) => ({ image_id: id, names: repoTags, digests: repoDigests.map(digestOf) })),
  );
}

/** Eraser hands on the digest alone: `docker.io/library/alpine@sha256:…` is `sha256:…`. */
function digestOf(repoDigest: string): string {
  return repoDigest.slice(repoDigest.lastIndexOf('@') + 1);
}

/**
 * The whole list or none: a writer that died midway leaves the beginning of one, which no reader may take for a shorter list. `source`: for the
 * message of the error.
 */
export function parseImages(text: string, source: string): HandedImage[] {
  const parsed = messageSchema.safeParse(parseJson(text, source));
  if (parsed.success) return parsed.data;
  const problem = describeProblems(parsed.error)[0];
  throw refused(source, `${problem?.path ?? ''}: ${problem?.message ?? 'no list of images'}`);
}

export function parseJson(text: string, source: string): unknown {
  if (text === '') throw refused(source, 'it is empty: who was to write it ended without a word');
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw refused(source, `it is not JSON, or not all of it: ${(cause as SyntaxError).message}`, cause);
  }
}

export function refused(source: string, why: string, cause?: unknown): WorkerError {
  return new WorkerError({ code: 'bad-message', message: `the message of ${source} is refused: ${why}`, cause });
}
