import { describe, expect, test } from 'vitest';
import type { RawObject } from '../raw-object.ts';
import { judgeExclusions } from './judge-exclusions.ts';
import { planSystemExclusion, withSystemExclusion } from './system-exclusion.ts';

const LIST = '{"excluded": ["mcr.microsoft.com/*"]}';
const STORED = { 'excluded.json': LIST };
const found = (data: Readonly<Record<string, string>>): RawObject => ({ metadata: { name: 'eraser-system-exclusion' }, data });

describe('planSystemExclusion', () => {
  test.each<[string, typeof STORED | null, RawObject | null, object]>([
    ['there is none', null, null, { kind: 'nothing' }],
    ['it is seen for the first time', null, found({ ...STORED, README: 'x' }), { kind: 'adopt', data: STORED }],
    ['it cannot be read, and is not believed', null, found({ 'excluded.json': '{' }), { kind: 'nothing' }],
    [
      'it is too large to be kept',
      null,
      found({ 'a.json': JSON.stringify({ excluded: Array(40_000).fill('nginx:1') }) }),
      { kind: 'nothing' },
    ],
    ['it is as it was', STORED, found(STORED), { kind: 'nothing' }],
    ['a list was added', STORED, found({ ...STORED, 'mine.json': '{"excluded": []}' }), { kind: 'nothing' }],
    ['an entry was taken out', STORED, found({ 'excluded.json': '{"excluded": []}' }), { kind: 'put-back', data: STORED }],
    ['a list was taken out', STORED, found({}), { kind: 'put-back', data: STORED }],
    ['it was deleted', STORED, null, { kind: 'put-back', data: STORED }],
  ])('when %s', (_case, stored, present, expected) => {
    expect(planSystemExclusion(stored, present)).toEqual(expected);
  });
});

describe('until it is put back', () => {
  const entries = (...present: RawObject[]): string[] => {
    const system = present.find(({ metadata }) => metadata.name === 'eraser-system-exclusion') ?? null;
    const judged = judgeExclusions(withSystemExclusion(present, planSystemExclusion(STORED, system), 'kube-system'));
    return judged.ok ? judged.lists.flatMap((list) => list.entries).sort() : ['(closed)'];
  };
  const mine: RawObject = { metadata: { name: 'mine' }, data: { 'a.json': '{"excluded": ["nginx"]}' } };

  test.each<[string, RawObject[], string[]]>([
    [
      'what was taken out holds, beside what was put in',
      [mine, found({ 'excluded.json': '{"excluded": ["redis"]}' })],
      ['mcr.microsoft.com/*', 'nginx', 'redis'],
    ],
    ['what was deleted holds', [mine], ['mcr.microsoft.com/*', 'nginx']],
    ['what cannot be read any more holds', [found({ 'excluded.json': '{' })], ['mcr.microsoft.com/*']],
    ['another list that cannot be read closes all', [{ ...mine, data: { 'a.json': '{' } }], ['(closed)']],
  ])('%s', (_case, present, expected) => {
    expect(entries(...present)).toEqual(expected);
  });
});
