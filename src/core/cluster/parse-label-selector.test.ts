import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { matchesLabels, type Labels } from './label-selector.ts';
import { parseLabelSelector } from './parse-label-selector.ts';

function matches(text: string, labels: Labels): boolean {
  const parsed = parseLabelSelector(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.message}`);
  return matchesLabels(parsed.selector, labels);
}

/** Each answer is apimachinery's own (`labels.Parse`, 0.36). */
describe('matchesLabels', () => {
  test.each<[string, Labels, boolean]>([
    ['a', { a: '' }, true],
    ['a', { b: 'a' }, false],
    ['!a', {}, true],
    ['! a', { a: '' }, false],
    ['a=b', { a: 'b' }, true],
    ['a==b', { a: 'b' }, true],
    ['a = b', { a: 'B' }, false],
    ['a=', { a: '' }, true],
    ['a=', {}, false],
    ['a!=b', { a: 'c' }, true],
    ['a!=b', {}, true],
    ['a!=b', { a: 'b' }, false],
    ['a!=', { a: 'b' }, true],
    ['a in (b,c)', { a: 'c' }, true],
    ['a in (b, c )', { a: 'd' }, false],
    ['a in (b)', {}, false],
    ['a in ()', { a: '' }, true],
    ['a in (,b)', { a: '' }, true],
    ['a in (b,,c)', { a: '' }, true],
    ['a notin (b,c)', { a: 'd' }, true],
    ['a notin (b,c)', {}, true],
    ['a notin (b,c)', { a: 'b' }, false],
    ['a>5', { a: '7' }, true],
    ['a>5', { a: '5' }, false],
    ['a < 5', { a: '-1' }, true],
    ['a>5', { a: 'seven' }, false],
    ['a>5', {}, false],
    ['a>5', { a: '99999999999999999999' }, false],
    ['a>05', { a: '6' }, true],
    ['a=b,c', { a: 'b', c: '' }, true],
    ['a=b,c', { a: 'b' }, false],
    ['a=b,!c', { a: 'b' }, true],
    ['a=,b', { a: '', b: '' }, true],
    ['in in (in,notin)', { in: 'notin' }, true],
    ['notin=in', { notin: 'in' }, true],
    ['kubernetes.io/os=windows', { 'kubernetes.io/os': 'windows' }, true],
    ['constructor', {}, false],
    ['constructor!=x', { a: 'b' }, true],
  ])('%s of %j: %s', (text, labels, expected) => {
    expect(matches(text, labels)).toBe(expected);
  });
});

describe('parseLabelSelector refuses', () => {
  test.each([
    ['', /empty/],
    ['  ', /empty/],
    [',', /"," stands where a label is expected/],
    ['a,', /ends where a label is expected/],
    ['a,,b', /"," stands where a label/],
    ['!', /ends where a label after "!"/],
    ['!a=b', /"=" stands where "," or the end/],
    ['a b', /"b" stands where =, ==, !=, in, notin, > or </],
    ['a=b c', /"c" stands where "," or the end/],
    ['a in b', /"b" stands where "\("/],
    ['a in (b', /ends where "," or "\)"/],
    ['a in (b c)', /"c" stands where "," or "\)"/],
    ['a in ((b))', /"\(" stands where/],
    ['a in (b))', /"\)" stands where "," or the end/],
    ['a in', /ends where "\("/],
    ['a===b', /"=" stands where a value/],
    ['a=!b', /"!" stands where a value/],
    ['=b', /"=" stands where a label/],
    ['a>b', /"b" is not a whole number/],
    ['a>', /"" is not a whole number/],
    ['a>-1', /"-1" is no value/],
    ['a>9223372036854775808', /not a whole number/],
    ['a/b/c=d', /"a\/b\/c" is no label/],
    ['/a', /no label/],
    ['a/', /no label/],
    ['Upper.case/a', /no label/],
    ['-a', /no label/],
    ['é', /no label/],
    ['a\u00a0=b', /no label/],
    ['a'.repeat(64), /no label/],
    [`${'a'.repeat(254)}/b`, /no label/],
    ['a=-b', /"-b" is no value/],
    ['a=b/c', /"b\/c" is no value/],
    [`a=${'b'.repeat(64)}`, /no value/],
    ['a in (b,-c)', /"-c" is no value/],
  ])('"%s"', (text, message) => {
    const parsed = parseLabelSelector(text);
    expect(parsed.ok ? 'parsed' : parsed.message).toMatch(message);
  });
});

const word = fc.stringMatching(/^[a-z0-9]([-a-z0-9_.]{0,10}[a-z0-9])?$/);
const labelsArbitrary = fc.dictionary(word, fc.oneof(word, fc.constant('')), { maxKeys: 4 });

test('no text makes it fail otherwise than by a message', () => {
  const text = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom('a', '=', '!', '(', ')', ',', '<', 'in', ' ')).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (given) => {
      const parsed = parseLabelSelector(given);
      expect(parsed.ok || parsed.message.length > 0).toBe(true);
    }),
  );
});

test('each operator and its opposite divide all labels between them', () => {
  fc.assert(
    fc.property(word, word, word, labelsArbitrary, (key, a, b, labels) => {
      expect(matches(key, labels)).toBe(!matches(`!${key}`, labels));
      expect(matches(`${key}=${a}`, labels)).toBe(!matches(`${key}!=${a}`, labels));
      expect(matches(`${key} in (${a},${b})`, labels)).toBe(!matches(`${key} notin (${b},${a})`, labels));
      expect(matches(`${key} in (${a},${b})`, labels)).toBe(matches(`${key}=${a}`, labels) || matches(`${key}==${b}`, labels));
      expect(matches(`${key}=${a},${b}`, labels)).toBe(matches(`${key}=${a}`, labels) && matches(b, labels));
    }),
  );
});
