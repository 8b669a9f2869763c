import { expect, test } from 'vitest';
import { acceptInTest } from '../../../test/fakes/cluster.ts';
import { rememberingConfigurations } from './accept-configuration.ts';

const configuration = (interval: string): string =>
  JSON.stringify({ apiVersion: 'eraser.sh/v1alpha3', kind: 'EraserConfig', manager: { scheduling: { repeatInterval: interval } } });

test('a text is judged once, each by itself, and one that was not asked about for long is judged again', () => {
  const judged: string[] = [];
  const accept = rememberingConfigurations((text) => {
    judged.push(text);
    return acceptInTest(text);
  });
  const [first, bad, ...others] = ['1h', 'often', '2h', '3h', '4h'].map(configuration) as [string, string, ...string[]];
  for (let time = 0; time < 2; time += 1) {
    expect(accept(first)).toMatchObject({ ok: true, accepted: { text: first } });
    expect(accept(bad)).toMatchObject({ ok: false });
  }
  expect(judged).toEqual([first, bad]);
  accept(first);
  for (const text of others) expect(accept(text)).toMatchObject({ ok: true, accepted: { text } });
  accept(first);
  accept(bad);
  expect(judged).toEqual([first, bad, ...others, bad]);
});
