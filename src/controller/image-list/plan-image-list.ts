import type { ImageList } from '../../api/image-list.ts';
import { imageListDue, type ImageListVersion } from '../../core/cluster/image-list-due.ts';
import { compileImageList } from '../../core/image-list.ts';
import { type ClosedReason, formatProblems, type Gate } from '../configuration/inputs.ts';
import type { ManagerState } from '../state/manager-state.ts';

export interface ImageListInput {
  readonly list: ImageList;
  readonly state: Pick<ManagerState, 'lastBegun' | 'manual'>;
  readonly gate: Gate;
  /** Whether it was worked off, as it is, before this manager first came. */
  readonly isWorkedOffBefore: boolean;
  /** Why its job, which has been made, does not begin; null: nothing is in its way. */
  readonly waitsFor: string | null;
}

export type ImageListStep =
  | { readonly kind: 'begin'; readonly version: ImageListVersion }
  /** It is taken for one that has run. */
  | { readonly kind: 'adopt'; readonly version: ImageListVersion }
  /** Its run is over; the status says what came of it. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'under-way'; readonly message: string }
  | { readonly kind: 'empty' }
  /** Until someone changes something. */
  | { readonly kind: 'stalled'; readonly reason: 'UnsupportedName' | 'InvalidImages' | ClosedReason; readonly message: string };

/** What is to be done for a list, beside what is done for a run that is under way. */
export function planImageList({ list, state, gate, isWorkedOffBefore, waitsFor }: ImageListInput): ImageListStep {
  const due = imageListDue({ list: list.metadata, lastBegun: state.lastBegun, isRunUnderWay: state.manual !== null });
  switch (due.kind) {
    case 'refused':
      return { kind: 'stalled', reason: due.reason, message: due.message };
    case 'being-deleted':
      return { kind: 'nothing' };
    case 'begun':
      return state.manual === null ? { kind: 'nothing' } : { kind: 'under-way', message: describeRun(state.manual.job, waitsFor) };
    case 'waiting':
      return { kind: 'under-way', message: 'The run of an earlier version of the list is under way; this version is next.' };
    case 'due': {
      const { uid, generation } = list.metadata;
      return isWorkedOffBefore ? { kind: 'adopt', version: { uid, generation } } : planDueList(list, gate);
    }
  }
}

function describeRun(job: string, waitsFor: string | null): string {
  return waitsFor === null ? `The run ${job} is under way.` : `The run ${job} waits. ${waitsFor}`;
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
