import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { imageListDue, type ImageListDue, type ImageListDueInput, type ImageListVersion } from './image-list-due.ts';

const LIST: ImageListDueInput['list'] = { name: 'imagelist', uid: 'one', generation: 2 };

describe('imageListDue', () => {
  const one = (generation: number): Partial<ImageListDueInput> => ({ lastBegun: { uid: 'one', generation } });
  test.each<[string, Partial<ImageListDueInput['list']>, Partial<ImageListDueInput>, ImageListDue['kind']]>([
    ['nothing is known of it', {}, {}, 'due'],
    ['the same spec, as after a restart', {}, one(2), 'begun'],
    ['the same spec, while it runs', {}, { ...one(2), isRunUnderWay: true }, 'begun'],
    ['a changed spec', {}, one(1), 'due'],
    ['a changed spec, while the one before it runs', {}, { ...one(1), isRunUnderWay: true }, 'waiting'],
    ['deleted and made again, with the same spec', { uid: 'two', generation: 1 }, one(1), 'due'],
    ['deleted and made again, with a lower generation', { uid: 'two', generation: 1 }, one(7), 'due'],
    ['made again, while the one before it runs', { uid: 'two' }, { ...one(2), isRunUnderWay: true }, 'waiting'],
    ['an earlier spec, as a watch that lags behind shows it', { generation: 1 }, one(2), 'begun'],
    ['being deleted', { deletionTimestamp: '2026-11-21T12:00:00Z' }, {}, 'being-deleted'],
    ['of another name', { name: 'images' }, {}, 'refused'],
    ['of almost the name', { name: 'imagelist2' }, {}, 'refused'],
  ])('%s', (_case, fields, known, kind) => {
    expect(imageListDue({ list: { ...LIST, ...fields }, lastBegun: null, isRunUnderWay: false, ...known }).kind).toBe(kind);
  });

  test('says why a list of another name does nothing', () => {
    expect(imageListDue({ list: { ...LIST, name: 'images' }, lastBegun: null, isRunUnderWay: false })).toEqual({
      kind: 'refused',
      reason: 'UnsupportedName',
      message: 'Nothing is done for the ImageList "images": only the one named "imagelist" acts. Put its images there.',
    });
  });
});

/** What happens to a list, as its controller may see it. */
const event = fc.constantFrom('change', 'recreate', 'restart', 'stale', 'run-ends');

test('a spec runs once, whatever happens, and the last one runs', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      let current = { uid: 'uid-0', generation: 1 };
      let [lastBegun, isRunUnderWay]: [ImageListVersion | null, boolean] = [null, false];
      const begun: string[] = [];
      const look = (seen: ImageListVersion): void => {
        if (imageListDue({ list: { name: 'imagelist', ...seen }, lastBegun, isRunUnderWay }).kind !== 'due') return;
        begun.push(JSON.stringify(seen));
        [lastBegun, isRunUnderWay] = [seen, true];
      };
      look(current);
      for (const [at, happened] of events.entries()) {
        if (happened === 'change') current = { ...current, generation: current.generation + 1 };
        if (happened === 'recreate') current = { uid: `uid-${String(at + 1)}`, generation: 1 };
        if (happened === 'run-ends') isRunUnderWay = false;
        look(happened === 'stale' ? { ...current, generation: Math.max(current.generation - 1, 1) } : current);
      }
      isRunUnderWay = false;
      look(current);
      expect(new Set(begun).size).toBe(begun.length);
      expect(begun.at(-1)).toBe(JSON.stringify(current));
    }),
  );
});
