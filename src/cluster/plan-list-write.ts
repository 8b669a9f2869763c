import * as z from 'zod';
import type { ImageList } from '../api/image-list.ts';
import { ClusterError } from './cluster-error.ts';

/** How the list is brought into the cluster, so that a run begins for it. */
export type ListWrite =
  | { readonly kind: 'create' }
  /** Another version of it: a run begins for each. */
  | { readonly kind: 'change' }
  /** It is as it is to be, so a change would be none: it is deleted and made again. */
  | { readonly kind: 'make-anew' };

export interface ListWriteInput {
  /** The list that is there; null: none is. */
  readonly existing: ImageList | null;
  /** Whether all that wrote its images is this program. */
  readonly isOurs: boolean;
  readonly images: readonly string[];
  readonly replaceList: boolean;
}

/** Throws when somebody's list, or a run, would be lost. */
export function planListWrite({ existing, isOurs, images, replaceList }: ListWriteInput): ListWrite {
  if (existing === null) return { kind: 'create' };
  const listed = existing.spec?.images ?? [];
  if (isUnderWay(existing)) {
    throw new ClusterError({
      code: 'refused',
      message: `The ImageList ${existing.metadata.name} is being worked off: ${shortened(listed)}`,
      hint: 'Wait for its run: image-cleaner cluster run --attach',
    });
  }
  const isSame = listed.length === images.length && listed.every((image, at) => image === images[at]);
  if (!isSame && !isOurs && !replaceList && listed.length > 0) {
    throw new ClusterError({
      code: 'refused',
      message: `The ImageList ${existing.metadata.name} is somebody else's, and lists other images: ${shortened(listed)}`,
      hint: 'To put these images in the place of those: --replace-list',
    });
  }
  return { kind: isSame ? 'make-anew' : 'change' };
}

/** Until the manager has told what came of this version, its run is under way or due. One that is stalled waits for a person. */
function isUnderWay({ metadata, status }: ImageList): boolean {
  if (status?.conditions?.some(({ type, status: is }) => type === 'Reconciling' && is === 'True') === true) return true;
  // Eraser's lists have a time at their end, and no conditions.
  const hasEndedByEraser = status?.observedGeneration === undefined && status?.timestamp !== undefined;
  return status?.observedGeneration !== metadata.generation && !hasEndedByEraser;
}

const MOST_SHOWN = 10;

function shortened(images: readonly string[]): string {
  const rest = images.length - MOST_SHOWN;
  return `${images.slice(0, MOST_SHOWN).join(', ')}${rest > 0 ? ` and ${String(rest)} more` : ''}`;
}

const managedFieldsSchema = z.array(z.object({ manager: z.string().optional(), fieldsV1: z.record(z.string(), z.unknown()).optional() }));

/** Whether nobody but this field manager has a part in the spec of an object, as the API server keeps it. */
export function isSpecOf(managedFields: unknown, manager: string): boolean {
  const entries = managedFieldsSchema.safeParse(managedFields).data ?? [];
  const ofSpec = entries.filter(({ fieldsV1 = {} }) => 'f:spec' in fieldsV1);
  return ofSpec.length > 0 && ofSpec.every((entry) => entry.manager === manager);
}
