import { describe, expect, it, test } from 'vitest';
import { parseYaml } from './parse-yaml.ts';

describe('parseYaml', () => {
  test.each([
    ['a: {b: [1, "2", true]}\n', { a: { b: [1, '2', true] } }],
    ['{"json": null}', { json: null }],
    ['--- \na: yes\n...\n', { a: 'yes' }],
    ['# nothing\n', null],
    ['', null],
    ['a:\n', { a: null }],
    ['text', 'text'],
  ])('%j', (text, value) => {
    expect(parseYaml(text)).toEqual({ ok: true, value });
  });

  test.each([
    ['two documents', 'a: 1\n---\nb: 2\n', /more than one YAML document.+line 2/],
    ['an alias', 'a: &x [1]\nb: *x\n', /alias \*x is not allowed.+line 2, column 4/],
    ['an alias as a key', 'a: &x b\n*x : 1\n', /alias \*x is not allowed/],
    ['an alias to nothing', 'a: *x\n', /\*x.+line 1/],
    ['a key twice', 'a: 1\nb:\n  c: 1\n  c: 2\n', /"c" is there twice.+line 4, column 3/],
    ['a key twice in other words', '"1": a\n1: b\n', /"1" is there twice/],
    ['a list as a key', '? [a]\n: b\n', /key is no plain text/],
    ['a tab for an indent', 'a:\n\tb: 1\n', /not YAML.+line 2/],
    ['an open bracket', 'a: [1\n', /not YAML/],
    ['a bare colon', 'a: b: c\n', /not YAML.+line 1/],
    ['a hundred and one levels', `${'['.repeat(101)}${']'.repeat(101)}`, /nested more than 100 deep/],
  ])('refuses %s', (_name, text, message) => {
    expect(parseYaml(text)).toEqual({ ok: false, message: expect.stringMatching(message) as string });
  });

  it('reads a hundred levels, and a long text', () => {
    expect(parseYaml(`${'['.repeat(100)}${']'.repeat(100)}`).ok).toBe(true);
    expect(parseYaml(`a: "${'x'.repeat(1_000_000)}"`).ok).toBe(true);
  });

  // Each of these takes minutes, gigabytes or the whole stack of the package when it is given to it as it is.
  const MIB = 1024 * 1024;
  const stairs = Array.from({ length: 1_400 }, (_value, level) => `${' '.repeat(level)}a:\n`).join('');
  const laughs = Array.from({ length: 30 }, (_value, at) => `a${at}: &a${at} [${`*a${at - 1}, `.repeat(9)}x]\n`).join('');
  test.each([
    ['brackets', '['.repeat(MIB)],
    ['some thousand brackets', '['.repeat(10_000)],
    ['braces', '{a: '.repeat(MIB / 4)],
    ['dashes', '- '.repeat(MIB / 2)],
    ['some thousand dashes', '- '.repeat(9_000)],
    ['questions', '? '.repeat(9_000)],
    ['stairs', stairs],
    ['quotes', '"'.repeat(MIB)],
    ['anchors', '&a '.repeat(MIB / 4)],
    ['aliases', '*a '.repeat(MIB / 4)],
    ['documents', '---\n'.repeat(MIB / 4)],
    ['keys', Array.from({ length: 100_000 }, (_value, at) => `k${at}:\n`).join('')],
    ['errors', 'a: b: c\n'.repeat(2_000)],
    ['a billion laughs', laughs.replace('*a-1, ', '')],
  ])('refuses a bomb of %s in no time', { timeout: 5_000 }, (_name, text) => {
    expect(parseYaml(text)).toMatchObject({ ok: false });
  });

  it('gives a key of every object as a key', () => {
    const parsed = parseYaml('__proto__: {polluted: true}\n');
    expect(parsed.ok && Object.keys(parsed.value as object)).toEqual(['__proto__']);
    expect({}).not.toHaveProperty('polluted');
  });
});
