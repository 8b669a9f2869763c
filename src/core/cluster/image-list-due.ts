import { IMAGE_LIST_NAME } from '../../api/image-list.ts';
import type { ObjectMeta } from '../../api/object-fields.ts';

/** One spec of one ImageList object: a list that is deleted and made again has another uid, a changed one a higher generation. */
export type ImageListVersion = Pick<ObjectMeta, 'uid' | 'generation'>;

export interface ImageListDueInput {
  readonly list: Pick<ObjectMeta, 'name' | 'uid' | 'generation' | 'deletionTimestamp'>;
  /** The version for which a run was begun last, as stored before it was begun; null: none ever was. */
  readonly lastBegun: ImageListVersion | null;
  /** Whether a run of any version of the list is under way. */
  readonly isRunUnderWay: boolean;
}

export type ImageListDue =
  | { readonly kind: 'due' }
  /** Its run has begun, and perhaps ended: a restart of the controller does not run it again. */
  | { readonly kind: 'begun' }
  /** Another version runs; this one is due when that has ended. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'being-deleted' }
  /** For the condition `Stalled`. */
  | { readonly kind: 'refused'; readonly reason: 'UnsupportedName'; readonly message: string };

export function imageListDue({ list, lastBegun, isRunUnderWay }: ImageListDueInput): ImageListDue {
  if (list.name !== IMAGE_LIST_NAME) return { kind: 'refused', reason: 'UnsupportedName', message: refusal(list.name) };
  if (list.deletionTimestamp !== undefined) return { kind: 'being-deleted' };
  if (hasBegun(list, lastBegun)) return { kind: 'begun' };
  return { kind: isRunUnderWay ? 'waiting' : 'due' };
}

/** A lower generation of the same object is what a watch that lags behind shows. */
function hasBegun(list: ImageListVersion, last: ImageListVersion | null): boolean {
  return last?.uid === list.uid && list.generation <= last.generation;
}

function refusal(name: string): string {
  return `Nothing is done for the ImageList "${name}": only the one named "${IMAGE_LIST_NAME}" acts. Put its images there.`;
}
