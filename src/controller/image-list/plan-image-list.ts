import type { ImageList } from '../../api/image-list.ts';
import { imageListDue, type ImageListVersion } from '../../core/cluster/image-list-due.ts';
import { compileImageList } from '../../core/image-list.ts';
import { type ClosedReason, formatProblems, type Gate } from '../configuration/inputs.ts';
import type { ManagerState } from '../state/manager-state.ts';

export interface ImageListInput {
  readonly list: ImageList;
  readonly state: Pick<ManagerState, 'lastBegun' | 'manual'>;
  readonly gate: Gate;
}

export type ImageListStep =
  | { readonly kind: 'begin'; readonly version: ImageListVersion }
  /** Its run is over; the status says what came of it. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'under-way'; readonly message: string }
  | { readonly kind: 'empty' }
  /** Until someone changes something. */
  | { readonly kind: 'stalled'; readonly reason: 'UnsupportedName' | 'InvalidImages' | ClosedReason; readonly message: string };

/** What is to be done for a list, beside what is done for a run that is under way. */
export function planImageList({ list, state, gate }: ImageListInput): ImageListStep {
  const due = imageListDue({ list: list.metadata, lastBegun: state.lastBegun, isRunUnderWay: state.manual !== null });
  switch (due.kind) {
    case 'refused':
      return { kind: 'stalled', reason: due.reason, message: due.message };
    case 'being-deleted':
      return { kind: 'nothing' };
    case 'begun':
      return state.manual === null ? { kind: 'nothing' } : { kind: 'under-way', message: `The run ${state.manual.job} is under way.` };
    case 'waiting':
      return { kind: 'under-way', message: 'The run of an earlier version of the list is under way; this version is next.' };
    case 'due':
      return planDueList(list, gate);
  }
}

function planDueList({ metadata: { uid, generation }, spec }: ImageList, gate: Gate): ImageListStep {
  const images = spec?.images ?? [];
  if (images.length === 0) return { kind: 'empty' };
  const compiled = compileImageList(images);
  if (!compiled.ok) {
    const problems = compiled.errors.map(({ entry, message }) => ({
      path: `spec.images[${images.indexOf(entry)}]`,
      message: `"${entry}": ${message}`,
    }));
    return { kind: 'stalled', reason: 'InvalidImages', message: formatProblems(problems) };
  }
  if (gate.kind === 'closed') return { kind: 'stalled', reason: gate.reason, message: gate.message };
  return { kind: 'begin', version: { uid, generation } };
}
