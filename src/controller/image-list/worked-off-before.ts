import * as z from 'zod';
import type { ImageList } from '../../api/image-list.ts';
import type { RawObject } from '../raw-object.ts';

/**
 * Whether the status looks as Eraser leaves it once it has worked a list off: with the time and the counts, and nothing of ours. Eraser says nowhere
 * which version of the list that was.
 */
export function hasStatusOfEraser({ status }: ImageList): boolean {
  return status?.timestamp !== undefined && status.observedGeneration === undefined && status.conditions === undefined;
}

const entrySchema = z.object({
  time: z.string().nullish(),
  subresource: z.string().nullish(),
  fieldsV1: z.record(z.string(), z.unknown()).nullish(),
});

/**
 * Whether a list with such a status was changed since: by the times at which the API server saw its spec written. Where it does not say, it was not: a list
 * that is not run again can be changed, an image that was removed is gone.
 */
export function isChangedSince(timestamp: string, raw: RawObject): boolean {
  const entries = z.array(entrySchema).safeParse(raw.metadata['managedFields']).data ?? [];
  const times = entries.flatMap(({ time, subresource, fieldsV1 }) => {
    const isOfSpec = (subresource ?? '') === '' && fieldsV1 !== null && fieldsV1 !== undefined && 'f:spec' in fieldsV1;
    return isOfSpec && typeof time === 'string' ? [Date.parse(time)] : [];
  });
  // Times of seconds: one of the same second as the end of a run cannot be what that run was for.
  return times.some((time) => time >= Date.parse(timestamp));
}
