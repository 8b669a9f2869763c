import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileExclusions, type Exclusions } from './exclusions.ts';
import type { NamedImage } from '../names.ts';

const ID = 'c0de'.repeat(16);
const HEX = 'beef'.repeat(16);
const DIGEST = `sha256:${HEX}`;

function compile(...entries: string[]): Exclusions {
  const compiled = compileExclusions([{ name: 'list', entries }]);
  if (!compiled.ok) throw new Error(compiled.errors.map(({ entry, message }) => `${entry}: ${message}`).join('\n'));
  return compiled.exclusions;
}

/** An image with these names, by tag or by digest. */
function image(...names: string[]): NamedImage {
  return {
    id: `sha256:${ID}`,
    repoTags: names.filter((name) => !name.includes('@')),
    repoDigests: names.filter((name) => name.includes('@')),
  };
}

function protects(entry: string, ...names: string[]): boolean {
  return compile(entry).match(image(...names)) !== null;
}

describe('wildcards and ranges', () => {
  it.each([
    ['nginx:1.2*', 'docker.io/library/nginx:1.25', true],
    ['nginx:1.2*', 'docker.io/library/nginx:1.3', false],
    ['nginx:1.2*', 'docker.io/library/nginx-foo:1.25', false],
    ['nginx*', 'docker.io/library/nginx-foo:1', true],
    ['nginx*', 'docker.io/acme/nginx-foo:1', false],
    ['*/pause:3.*', 'registry.k8s.io/pause:3.10', true],
    ['*/pause:3.*', 'registry.k8s.io/pause:4', false],
    ['*/pause', 'mcr.microsoft.com/oss/kubernetes/pause:3.9', false],
    ['**/pause', 'mcr.microsoft.com/oss/kubernetes/pause:3.9', true],
    ['**/debug-*', 'ghcr.io/acme/team/debug-tools:1', true],
    ['**/debug-*', 'docker.io/library/debug-tools:1', true],
    ['**/debug-*', 'ghcr.io/debug-x/app:1', false],
    ['*.azurecr.io/*', 'acme.azurecr.io/team/app:1', true],
    ['*.azurecr.io/*', 'acme.azurecr.io.evil.com/app:1', false],
    ['ghcr.io/*/app', 'ghcr.io/acme/app:1', true],
    ['ghcr.io/*/app', 'ghcr.io/acme/team/app:1', false],
    ['*:latest', 'ghcr.io/acme/app:latest', true],
    ['*:latest', 'ghcr.io/acme/app:v1', false],
    ['ghcr.io/acme/*:stable', 'ghcr.io/acme/team/app:stable', true],
    ['ghcr.io/acme/*:stable', 'ghcr.io/acme/team/app:v1', false],
    [`ghcr.io/acme/*@${DIGEST}`, `ghcr.io/acme/app@${DIGEST}`, true],
    ['nginx:<1.25', 'docker.io/library/nginx:1.24-alpine', true],
    ['nginx:<1.25', 'docker.io/library/nginx:1.25.1', false],
    ['nginx:<1.25', 'docker.io/library/nginx:latest', false],
    ['nginx:>=0', `docker.io/library/nginx@${DIGEST}`, false],
    ['nginx:>=1.20 <1.25', 'docker.io/library/nginx:1.22', true],
    ['ghcr.io/acme/app:^2.1', 'ghcr.io/acme/app:v2.9.0', true],
    ['ghcr.io/acme/app:^2.1', 'ghcr.io/acme/app:v3.0.0-rc1', false],
    ['**:~1.4', 'quay.io/x/y:1.4.9', true],
    ['ghcr.io/acme/*:=1.2.3 || =2', 'ghcr.io/acme/app:2.0.1', true],
  ])('%s and %s: %s', (entry, name, expected) => {
    expect(protects(entry, name)).toBe(expected);
  });

  it('compares the tag with the repository that it belongs to', () => {
    expect(protects('nginx:1.2*', 'docker.io/library/nginx:1.30', 'ghcr.io/acme/web:1.25')).toBe(false);
    expect(protects('nginx:1.25', 'docker.io/library/nginx:1.30', 'ghcr.io/acme/web:1.25')).toBe(false);
  });
});

describe('images with strange names', () => {
  const strange = ['Old Import', '<none>:<none>', 'x'.repeat(4096), `${'a/'.repeat(2000)}B`, ''];

  it('are protected by id and by *, and by no wildcard', () => {
    expect(protects(ID, ...strange)).toBe(true);
    expect(protects('*', ...strange)).toBe(true);
    expect(protects('*')).toBe(true);
    for (const entry of ['**/*', '*:*', 'old*', '**:**']) expect(protects(entry, ...strange)).toBe(false);
  });

  it('are protected by an entry of equal text', () => {
    expect(protects('nginx:<1.25', 'nginx:<1.25')).toBe(true);
  });

  it('do not hide the names beside them', () => {
    expect(protects('nginx', ...strange, 'docker.io/library/nginx:1')).toBe(true);
  });

  it('are protected by a digest that they have', () => {
    expect(protects(DIGEST, `<none>@${DIGEST}`)).toBe(true);
  });
});

describe('compileExclusions', () => {
  it('cites the first list and entry that match, as they were written', () => {
    const lists = [
      { name: 'system', entries: ['quay.io/*', ' nginx:1.* '] },
      { name: 'mine', entries: ['docker.io/library/nginx', '*', DIGEST] },
    ];
    const compiled = compileExclusions(lists);
    if (!compiled.ok) throw new Error('expected to compile');
    expect(compiled.exclusions.match(image('nginx:1.25'))).toEqual({ list: 'system', entry: ' nginx:1.* ' });
    expect(compiled.exclusions.match(image('nginx:2'))).toEqual({ list: 'mine', entry: 'docker.io/library/nginx' });
    expect(compiled.exclusions.match(image(`busybox@${DIGEST}`))).toEqual({ list: 'mine', entry: '*' });
  });

  it('reports every wrong entry with its list, and excludes nothing by half', () => {
    const lists = [
      { name: 'a', entries: ['nginx', 'Bad'] },
      { name: 'b', entries: ['nginx:>x', 'sha256:1'] },
    ];
    expect(compileExclusions(lists)).toEqual({
      ok: false,
      errors: [
        { list: 'a', entry: 'Bad', message: expect.stringContaining('upper-case') as string },
        { list: 'b', entry: 'nginx:>x', message: expect.stringContaining('range') as string },
        { list: 'b', entry: 'sha256:1', message: expect.stringContaining('digest') as string },
      ],
    });
  });

  it('excludes nothing without entries', () => {
    expect(compile().match(image('nginx:1'))).toBeNull();
  });

  const entries = [
    '*',
    'nginx',
    'nginx:1',
    'nginx:1.*',
    'nginx:>=1',
    'ghcr.io/*',
    'ghcr.io/a/*',
    '**/app',
    '*/b',
    '*:latest',
    ID,
    DIGEST,
    `nginx@${DIGEST}`,
    '**/a*',
  ];
  const names = [
    'nginx:1',
    'nginx:1.2',
    'nginx',
    'ghcr.io/a/app:1',
    'ghcr.io/b:latest',
    'quay.io/a/b/app:2',
    `nginx@${DIGEST}`,
    'Bad Name',
    'ghcr.io/a',
  ];
  const someEntries = fc.array(fc.constantFrom(...entries), { maxLength: 6 });
  const someNames = fc.subarray(names);

  it('matches as its entries do one by one, the first first', () => {
    fc.assert(
      fc.property(someEntries, someNames, (list, subject) => {
        const first = list.find((entry) => protects(entry, ...subject));
        expect(compile(...list).match(image(...subject))?.entry).toBe(first);
      }),
    );
  });

  it('protects an image with more names no less, and does not depend on their order', () => {
    fc.assert(
      fc.property(someEntries, someNames, someNames, (list, some, more) => {
        const exclusions = compile(...list);
        if (exclusions.match(image(...some)) !== null) expect(exclusions.match(image(...more, ...some))).not.toBeNull();
        expect(exclusions.match(image(...some, ...more))).toEqual(exclusions.match(image(...more, ...some)));
      }),
    );
  });

  it('never throws on the names of an image', () => {
    const exclusions = compile(...entries.slice(1));
    const text = fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 300 }));
    fc.assert(
      fc.property(text, fc.array(text), fc.array(text), (id, repoTags, repoDigests) => {
        expect(() => exclusions.match({ id, repoTags, repoDigests })).not.toThrow();
      }),
    );
  });
});
