import { describe, expect, test } from 'vitest';
import type { ImageList, ImageListStatus } from '../api/image-list.ts';
import { isSpecOf, planListWrite } from './plan-list-write.ts';

const condition = (type: string, status: 'True' | 'False') => ({
  type,
  status,
  reason: 'Any',
  message: '',
  lastTransitionTime: '2026-01-01T00:00:00Z',
});
const OVER: ImageListStatus = { observedGeneration: 3, timestamp: '2026-01-01T00:00:00Z', conditions: [condition('Ready', 'True')] };

function listOf(images: readonly string[], status?: ImageListStatus): ImageList {
  const metadata = {
    name: 'imagelist',
    uid: 'u',
    resourceVersion: '1',
    generation: 3,
    creationTimestamp: '2026-01-01T00:00:00Z',
    labels: {},
    annotations: {},
  };
  return { apiVersion: 'eraser.sh/v1', kind: 'ImageList', metadata, spec: { images: [...images] }, ...(status && { status }) };
}

describe('planListWrite', () => {
  const plan = (existing: ImageList | null, more: { isOurs?: boolean; replaceList?: boolean } = {}): string => {
    try {
      return planListWrite({ existing, isOurs: false, replaceList: false, images: ['a:1', 'b:1'], ...more }).kind;
    } catch (error) {
      return (error as Error).message;
    }
  };

  test.each<[string, ImageList | null, Parameters<typeof plan>[1], string]>([
    ['makes one where there is none', null, {}, 'create'],
    ['puts other images in the place of its own, once they are worked off', listOf(['c:1'], OVER), { isOurs: true }, 'change'],
    ['makes the same anew, whoever made it', listOf(['a:1', 'b:1'], OVER), {}, 'make-anew'],
    ['replaces an empty list', listOf([], OVER), {}, 'change'],
    ["keeps somebody's list", listOf(['c:1'], OVER), {}, "The ImageList imagelist is somebody else's, and lists other images: c:1"],
    ["replaces somebody's list when it is told to", listOf(['c:1'], OVER), { replaceList: true }, 'change'],
    [
      "replaces Eraser's list when it is told to",
      listOf(['c:1'], { timestamp: '2026-01-01T00:00:00Z', success: 1 }),
      { replaceList: true },
      'change',
    ],
    [
      'replaces its own that is stalled',
      listOf(['c:1'], { observedGeneration: 3, conditions: [condition('Stalled', 'True')] }),
      { isOurs: true },
      'change',
    ],
    ...[
      ['that is worked off', listOf(['c:1'], { ...OVER, conditions: [condition('Reconciling', 'True')] })] as const,
      ['that the manager has not seen', listOf(['c:1'])] as const,
      ['of which it has seen an earlier version', listOf(['c:1'], { ...OVER, observedGeneration: 2 })] as const,
    ].map(([name, existing]): [string, ImageList, Parameters<typeof plan>[1], string] => [
      `does not disturb one ${name}`,
      existing,
      { isOurs: true, replaceList: true },
      'The ImageList imagelist is being worked off: c:1',
    ]),
  ])('%s', (_name, existing, more, expected) => {
    expect(plan(existing, more)).toBe(expected);
  });
});

test.each<[string, unknown, boolean]>([
  ['nobody is known', undefined, false],
  [
    'it alone',
    [
      { manager: 'image-cleaner', fieldsV1: { 'f:spec': {} } },
      { manager: 'eraser', fieldsV1: { 'f:status': {} } },
    ],
    true,
  ],
  ['another, too', ['image-cleaner', 'kubectl'].map((manager) => ({ manager, fieldsV1: { 'f:spec': {} } })), false],
])('whose spec it is: %s', (_name, managedFields, expected) => {
  expect(isSpecOf(managedFields, 'image-cleaner')).toBe(expected);
});
