import { expect, test } from 'vitest';
import { FakeTiming } from '../../test/fakes/fake-timing.ts';
import { RecentAnswers } from './recent-answers.ts';

function setUp(answers: readonly (number | Error)[]) {
  const timing = new FakeTiming();
  let asked = 0;
  const recent = new RecentAnswers<number>(timing, (answer) => answer > 0);
  const get = (token = 'a'): Promise<number> =>
    recent.get(token, () => {
      const answer = answers[asked++] ?? 0;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    });
  return { timing, get, asked: () => asked };
}

test('an answer counts for ten seconds, for just its token, and is shared by who asks meanwhile', async () => {
  const { timing, get, asked } = setUp([1, 2, 3]);
  expect(await Promise.all([get(), get()])).toEqual([1, 1]);
  expect(await get('b')).toBe(2);
  timing.jump(9_999);
  expect(await get()).toBe(1);
  timing.jump(1);
  expect(await get()).toBe(3);
  expect(asked()).toBe(3);
});

test('one that rejects, or that is not to be kept, is asked for again', async () => {
  const { get } = setUp([new Error('away'), 0, 1]);
  await expect(get()).rejects.toThrow('away');
  expect(await get()).toBe(0);
  expect(await get()).toBe(1);
});
