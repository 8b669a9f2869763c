import { describe, expect, test } from 'vitest';
import { freezeExclusions, thawExclusions } from '../../api/frozen-lists.ts';
import type { NamedImage } from '../names.ts';
import { asErasers, erasersListOf } from './erasers-matching.ts';
import { compileExclusions, type ExclusionMatch } from './exclusions.ts';

const DIGEST = `sha256:${'beef'.repeat(16)}`;

function image(...names: string[]): NamedImage {
  const id = `sha256:${'c0de'.repeat(16)}`;
  return { id, repoTags: names.filter((name) => !name.includes('@')), repoDigests: names.filter((name) => name.includes('@')) };
}

const listOf = (...entries: string[]) => ({ name: 'excluded/list.json', entries });

/** By the list as it is, then as Eraser matches it, read back from a run's configmaps. */
function match(entry: string, kept: NamedImage): ExclusionMatch | null {
  const thawed = thawExclusions(freezeExclusions([listOf(entry), ...asErasers([listOf(entry)])]));
  if (!thawed.ok) throw new Error(JSON.stringify(thawed.errors));
  const compiled = compileExclusions(thawed.value);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
  return compiled.exclusions.match(kept);
}

describe('what only Eraser would keep', () => {
  test.each([
    ['a repository whose name begins alike', 'docker.io/library/nginx:*', image('docker.io/library/nginx-foo:1')],
    ['all of a host, by its port', 'host:5000/app:*', image('host:5000/other:1')],
    ['hosts whose names begin alike', 'host:5000/app:*', image('hostile.io/other:1')],
    ['what stands before the first star', 'ghcr.io/a*/b/*', image('ghcr.io/acme/other:1')],
    ['one of its tags', 'host:5000/app:*', image('quay.io/x:1', 'host:5000/other:1')],
  ])('%s: %s', (_case, entry, kept) => {
    expect(match(entry, kept)).toEqual({ list: 'excluded/list.json, as Eraser matches it', entry });
  });

  test.each([
    ['a registry', 'ghcr.io/*', image('ghcr.io/acme/app:1')],
    ['a repository', 'ghcr.io/acme/app:*', image('ghcr.io/acme/app:1')],
    ['a repository of an image that has no tag', 'ghcr.io/acme/app:*', image(`ghcr.io/acme/app@${DIGEST}`)],
    ['a short name', 'nginx:*', image('docker.io/library/nginx:1')],
  ])('is not what both keep: %s: %s', (_case, entry, kept) => {
    expect(match(entry, kept)).toEqual({ list: 'excluded/list.json', entry });
  });

  test.each([
    ['a short name', 'nginx:1', image('docker.io/library/other:1')],
    ['a registry that begins alike', 'ghcr.io/*', image('ghcr.io.example/app:1')],
    ['a name without a wildcard', 'docker.io/library/nginx', image('docker.io/library/nginx-foo:1')],
  ])('is not what neither keeps: %s: %s', (_case, entry, gone) => {
    expect(match(entry, gone)).toBeNull();
  });
});

test('a list that is matched so is told by its name', () => {
  const [list] = asErasers([listOf('nginx', 'nginx:*'), listOf('nginx')]);
  expect(list).toMatchObject({ entries: ['nginx:*'], matching: 'eraser' });
  expect(erasersListOf(list?.name ?? '')).toBe('excluded/list.json');
  expect(erasersListOf('excluded/list.json')).toBeNull();
});
