import { EXCLUSION_LABEL, parseExclusionConfigMap, SYSTEM_EXCLUSION_NAME } from '../../api/exclusion-config-map.ts';
import type { RawObject } from '../raw-object.ts';

/** What the system's list held when it was first seen, by key. */
export type SystemExclusion = Readonly<Record<string, string>>;

export type SystemExclusionStep =
  /** There is none, or it cannot be read, or it is as it was. */
  | { readonly kind: 'nothing' }
  /** It is seen for the first time. */
  | { readonly kind: 'adopt'; readonly data: SystemExclusion }
  /** Someone has changed or deleted it. What was added beside it stays. */
  | { readonly kind: 'put-back'; readonly data: SystemExclusion };

/** The state that it is kept in has other things to hold, and a configmap has an end. */
const MOST_BYTES = 256 * 1024;

export function planSystemExclusion(stored: SystemExclusion | null, found: RawObject | null): SystemExclusionStep {
  if (stored === null) return found === null ? { kind: 'nothing' } : planAdoption(found);
  const data = dataOf(found);
  const isWhole = Object.entries(stored).every(([key, text]) => data[key] === text);
  return isWhole ? { kind: 'nothing' } : { kind: 'put-back', data: stored };
}

function planAdoption(found: RawObject): SystemExclusionStep {
  const data = Object.fromEntries(Object.entries(dataOf(found)).filter(([key]) => key.endsWith('.json')));
  const isKept = parseExclusionConfigMap(found).ok && Buffer.byteLength(JSON.stringify(data)) <= MOST_BYTES;
  return isKept ? { kind: 'adopt', data } : { kind: 'nothing' };
}

function dataOf(found: RawObject | null): SystemExclusion {
  return (found?.['data'] ?? {}) as SystemExclusion;
}

/** The configmap as it is to be. */
export function systemExclusionObject(data: SystemExclusion, namespace: string): RawObject {
  const labels = { [EXCLUSION_LABEL.name]: EXCLUSION_LABEL.value };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: SYSTEM_EXCLUSION_NAME, namespace, labels }, data };
}

/** The configmaps that hold exclusions now: until it is put back, what was taken out of the system's list holds beside what is in it. */
export function withSystemExclusion(found: readonly RawObject[], step: SystemExclusionStep, namespace: string): RawObject[] {
  if (step.kind !== 'put-back') return [...found];
  const present = found.find(({ metadata }) => metadata.name === SYSTEM_EXCLUSION_NAME);
  const isReadable = present !== undefined && parseExclusionConfigMap(present).ok;
  const others = found.filter((configMap) => configMap !== present || isReadable);
  return [...others, systemExclusionObject(step.data, namespace)];
}
