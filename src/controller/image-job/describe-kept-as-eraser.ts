import { shorten } from '../../api/problem.ts';
import type { EventFacts } from '../ports.ts';
import type { JobIdentity } from './frozen-config-maps.ts';

/** An image that stays only since its exclusion matches as it does for Eraser. */
export interface KeptAsEraser {
  /** `CONFIGMAP/KEY`. */
  readonly list: string;
  readonly entry: string;
  /** Its tags. */
  readonly tags: readonly string[];
}

export function describeKeptAsEraser({ name, uid }: JobIdentity, { list, entry, tags }: KeptAsEraser): EventFacts {
  const [tag = 'an image'] = tags;
  const note =
    `"${shorten(entry)}" in ${shorten(list)} keeps ${shorten(tag)} only as Eraser matches it, which holds until an automatic run has completed. ` +
    'To keep it longer, add an entry that names it.';
  return {
    regarding: { apiVersion: 'eraser.sh/v1', kind: 'ImageJob', name, uid },
    type: 'Warning',
    reason: 'ExclusionNarrower',
    action: 'Clean',
    note,
  };
}
