import { expect, test } from 'vitest';
import { parseImageList, type ImageList } from '../../api/image-list.ts';
import { hasStatusOfEraser, isChangedSince } from './worked-off-before.ts';

const ENDED = '2026-01-01T12:00:00Z';
const COUNTS = { success: 3, failed: 1, skipped: 0 };

function listWith(status: object | undefined): ImageList {
  const metadata = { name: 'imagelist', uid: 'u', resourceVersion: '1', generation: 4, creationTimestamp: '2025-01-01T00:00:00Z' };
  const parsed = parseImageList({ apiVersion: 'eraser.sh/v1', kind: 'ImageList', metadata, spec: { images: ['a'] }, status });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.value;
}

test.each<[string, object | undefined, boolean]>([
  ['worked off', { ...COUNTS, timestamp: ENDED }, true],
  ['that Eraser never came to', undefined, false],
  ['without a time', COUNTS, false],
  ['of ours', { ...COUNTS, timestamp: ENDED, observedGeneration: 4 }, false],
  ['that tells why it stalls', { ...COUNTS, timestamp: ENDED, conditions: [] }, false],
])('tells a list %s', (_case, status, expected) => {
  expect(hasStatusOfEraser(listWith(status))).toBe(expected);
});

const written = (time: string, fields: object = {}): object => ({ manager: 'kubectl', time, fieldsV1: { 'f:spec': {} }, ...fields });

test.each<[string, unknown, boolean]>([
  ['written before its end', [written('2026-01-01T11:00:00Z')], false],
  ['written after it', [written('2026-01-01T11:00:00Z'), written('2026-01-01T12:30:00Z')], true],
  ['written in the second of it', [written(ENDED)], true],
  ['whose status was written after it', [written('2026-01-01T12:30:00Z', { subresource: 'status', fieldsV1: { 'f:status': {} } })], false],
  ['whose labels were written after it', [written('2026-01-01T12:30:00Z', { fieldsV1: { 'f:metadata': {} } })], false],
  ['of which nothing is said', undefined, false],
  ['of which nonsense is said', ['x'], false],
])('a list %s', (_case, managedFields, expected) => {
  expect(isChangedSince(ENDED, { metadata: { name: 'imagelist', managedFields } })).toBe(expected);
});
