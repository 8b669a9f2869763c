import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { freezeExclusions, freezeImageList, thawExclusions, thawImageList } from './frozen-lists.ts';

const lists = [
  { name: 'eraser-system-exclusion/excluded.json', entries: ['mcr.microsoft.com/*', 'registry.k8s.io/pause:*'] },
  { name: 'team/empty.json', entries: [] },
  { name: 'team/images.json', entries: ['ghcr.io/acme/app:1'] },
];

describe('frozen lists', () => {
  test('what was frozen is what is thawed, in one part or in many', () => {
    expect(freezeExclusions(lists)).toHaveLength(1);
    expect(freezeExclusions(lists, 60).length).toBeGreaterThan(2);
    for (const most of [1, 60, 1_000_000]) expect(thawExclusions(freezeExclusions(lists, most))).toEqual({ ok: true, value: lists });
    expect(thawExclusions(freezeExclusions([]))).toEqual({ ok: true, value: [] });
  });

  test('an image list, of any entries and any size of the parts', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.integer({ min: 1, max: 50 }), (images, most) => {
        expect(thawImageList(freezeImageList(images, most))).toEqual({ ok: true, value: images });
      }),
    );
  });

  test('a part is no larger than asked, where its entries allow that', () => {
    const images = Array.from({ length: 50_000 }, (_, at) => `registry.example.com/team/image-${String(at)}:latest`);
    const parts = freezeImageList(images);
    expect(parts.length).toBeGreaterThan(1);
    for (const part of parts) expect(Buffer.byteLength(part)).toBeLessThan(1_000_000 + 100);
  });

  test('a part that is missing, doubled, in another place, cut off or of another kind is refused', () => {
    const [first = '', second = '', ...rest] = freezeExclusions(lists, 60);
    for (const parts of [
      [first],
      [first, ...rest],
      [second, first, ...rest],
      [first, first, ...rest],
      [first.slice(0, -1), second, ...rest],
      [freezeImageList(['a'])[0] ?? ''],
      ['null'],
      [''],
    ]) {
      expect(thawExclusions(parts)).toMatchObject({ ok: false });
    }
  });
});
