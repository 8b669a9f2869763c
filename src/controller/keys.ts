import { IMAGE_LIST_NAME } from '../api/image-list.ts';

/** The keys of the work queue: what is to be looked at. */
export const KEYS = {
  configuration: 'configuration',
  schedule: 'schedule',
  /** The list that acts, and its run; looked at also when the list is gone. */
  actingList: `list/${IMAGE_LIST_NAME}`,
  list: (name: string): string => `list/${name}`,
  job: (name: string): string => `job/${name}`,
} as const;

export type ParsedKey = { readonly kind: 'configuration' | 'schedule' } | { readonly kind: 'list' | 'job'; readonly name: string };

export function parseKey(key: string): ParsedKey {
  if (key === KEYS.configuration || key === KEYS.schedule) return { kind: key };
  const [kind, ...name] = key.split('/');
  if (kind !== 'list' && kind !== 'job') throw new TypeError(`${key} is no key of the queue`);
  return { kind, name: name.join('/') };
}
