import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExclusion, type ExclusionPattern } from './exclusion-pattern.ts';
import { parseRepositoryPattern, type RepositoryPattern } from './exclusion-repository.ts';

const HEX = 'ab01'.repeat(16);
const DIGEST = `sha256:${HEX}`;

describe('entries that look right and would protect nothing', () => {
  it.each([
    ['1dfc32189877', 'the beginning of an image id'],
    [HEX.slice(0, 63), 'the beginning of an image id'],
    ['ghcr.io', 'write "ghcr.io/*"'],
    ['registry.example.com:5000', 'write "registry.example.com:5000/*"'],
    ['localhost', 'write "localhost/*"'],
    ['localhost:5000', 'write "localhost:5000/*"'],
  ])('%s is refused', (entry, message) => {
    expect(parseExclusion(entry)).toMatchObject({ ok: false, message: expect.stringContaining(message) as unknown });
  });

  it.each(['1dfc32189877:*', 'docker.io/library/ghcr.io', 'nginx:5000', 'facade', 'deadbeef'])('%s is a repository', (entry) => {
    expect(parseExclusion(entry).ok).toBe(true);
  });
});

describe('parseRepositoryPattern', () => {
  const exact = (name: string): RepositoryPattern => ({ kind: 'exact', name });
  const below = (prefix: string): RepositoryPattern => ({ kind: 'below', prefix });
  const glob = (...components: string[]): RepositoryPattern => ({ kind: 'glob', components });

  const cases: [string, RepositoryPattern][] = [
    ['*', { kind: 'every' }],
    ['**', { kind: 'every' }],
    ['nginx', exact('docker.io/library/nginx')],
    ['docker.io/nginx', exact('docker.io/library/nginx')],
    ['acme/app', exact('docker.io/acme/app')],
    ['host:5000/x', exact('host:5000/x')],
    ['ghcr.io/*', below('ghcr.io')],
    ['ghcr.io/**', below('ghcr.io')],
    ['ghcr.io/acme/*', below('ghcr.io/acme')],
    ['host:5000/x/*', below('host:5000/x')],
    ['[::1]:5000/*', below('[::1]:5000')],
    ['localhost/*', below('localhost')],
    ['docker.io/*', below('docker.io')],
    ['index.docker.io/*', below('docker.io')],
    ['library/*', below('docker.io/library')],
    ['docker.io/library/*', below('docker.io/library')],
    ['foo/*', below('docker.io/foo')],
    ['nginx*', glob('docker.io', 'library', 'nginx*')],
    ['docker.io/nginx*', glob('docker.io', 'library', 'nginx*')],
    ['foo/b?r', glob('docker.io', 'foo', 'b?r')],
    ['ghcr.io/acme/*-debug', glob('ghcr.io', 'acme', '*-debug')],
    ['ghcr.io/**/app', glob('ghcr.io', '**', 'app')],
    ['ghcr.io/*/app', glob('ghcr.io', '*', 'app')],
    ['ghcr.io/*/*', glob('ghcr.io', '*', '*', '**')],
    ['*/pause', glob('*', 'pause')],
    ['**/debug-*', glob('**', 'debug-*')],
    ['*/*', glob('*', '*', '**')],
    ['*.azurecr.io/*', glob('*.azurecr.io', '*', '**')],
    ['host:*/x', glob('host:*', 'x')],
  ];
  it.each(cases)('%s', (text, pattern) => {
    expect(parseRepositoryPattern(text)).toEqual({ ok: true, pattern });
  });

  it('asks what a wildcard in the first component stands for', () => {
    for (const text of ['acme-*/app', 'gcr*/app', 'nginx*/*', '?/app']) {
      expect(parseRepositoryPattern(text)).toMatchObject({ ok: false, message: expect.stringContaining('may be a registry') as string });
    }
  });
});

describe('parseExclusion', () => {
  const kinds: [string, ExclusionPattern['kind'], string | null][] = [
    ['*', 'everything', null],
    ['**', 'everything', null],
    [HEX, 'digest', null],
    [DIGEST, 'digest', null],
    [`  ${DIGEST}\n`, 'digest', null],
    ['nginx', 'repository', 'every'],
    ['nginx:*', 'repository', 'every'],
    ['nginx:1.25', 'repository', 'tag'],
    ['nginx:1.x', 'repository', 'tag'],
    ['host:5000', 'repository', 'tag'],
    [`nginx@${DIGEST}`, 'repository', 'digest'],
    [`nginx:1.25@${DIGEST}`, 'repository', 'digest'],
    [`ghcr.io/acme/*@${DIGEST}`, 'repository', 'digest'],
    ['nginx:1.2*', 'repository', 'tag-glob'],
    ['*/pause:3.*', 'repository', 'tag-glob'],
    ['nginx:<1.25', 'repository', 'tag-range'],
    ['nginx:>=1.20 <1.25', 'repository', 'tag-range'],
    ['host:5000/acme/app:1 || 2', 'repository', 'tag-range'],
  ];
  it.each(kinds)('%j is %s, %s', (entry, kind, version) => {
    const parsed = parseExclusion(entry);
    expect(parsed).toMatchObject({ ok: true, pattern: version === null ? { kind } : { kind, version: { kind: version } } });
  });

  it.each([
    ['', 'it is empty'],
    ['   ', 'it is empty'],
    ['x'.repeat(1025), 'at most 1024'],
    ['sha256:abc', '64'],
    ['sha256:*', '64'],
    [`SHA256:${HEX}`, 'lower-case hex'],
    ['nginx@sha256:abc', 'the digest "sha256:abc"'],
    [`nginx:1.*@${DIGEST}`, 'the tag "1.*" can only be a plain one'],
    ['nginx:', 'the tag ""'],
    ['nginx:-*', 'the tag "-*"'],
    ['nginx:<1.x.y', 'the range of tags "<1.x.y"'],
    ['ghcr.io/Acme/*', 'upper-case'],
    ['Foo/*', 'upper-case'],
    ['-bad.io/*', 'the registry "-bad.io"'],
    ['ghcr.io//x', 'the repository "/x"'],
    ['ghcr.io/', 'the repository ""'],
    ['/*', 'the repository ""'],
    ['ghcr.io/a[bc]/d', 'wildcards are "*" and "?"'],
    ['ghcr.io/a**/b', '"**" is not a component by itself'],
    ['https://ghcr.io/acme', 'the registry "https:"'],
    ['Old Import', 'can be given by its id'],
    [`foo/${'x'.repeat(300)}*`, 'at most 255'],
  ])('refuses %j: %s', (entry, message) => {
    expect(parseExclusion(entry)).toMatchObject({ ok: false, message: expect.stringContaining(message) as string });
  });

  it('never throws', () => {
    const pieces = ['a', 'A', '*', '**', '?', '/', ':', '@', '<', '>=', '||', ' ', '1.2', '.', '-', 'ghcr.io', 'docker.io', DIGEST];
    const text = fc.oneof(
      fc.string(),
      fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (entry) => {
        const parsed = parseExclusion(entry);
        if (!parsed.ok) expect(parsed.message.length).toBeGreaterThan(10);
      }),
      { numRuns: 2_000 },
    );
  });
});
