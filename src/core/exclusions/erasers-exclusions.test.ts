import { describe, expect, test } from 'vitest';
import type { NamedImage } from '../names.ts';
import { findLostExclusions, matchAsEraser } from './erasers-exclusions.ts';

const ID = `sha256:${'c0de'.repeat(16)}`;
const DIGEST = `sha256:${'beef'.repeat(16)}`;

function image(...names: string[]): NamedImage {
  return { id: ID, repoTags: names.filter((name) => !name.includes('@')), repoDigests: names.filter((name) => name.includes('@')) };
}

const listOf = (...entries: string[]) => [{ name: 'excluded/list.json', entries }];

describe('what Eraser keeps', () => {
  test.each([
    ['its id', ID, image('docker.io/library/nginx:1')],
    ['a tag', 'docker.io/library/nginx:1', image('docker.io/library/nginx:1')],
    ['a digest', DIGEST, image(`ghcr.io/acme/app@${DIGEST}`)],
    ['a registry', 'ghcr.io/*', image('ghcr.io/acme/app:1')],
    ['a repository', 'ghcr.io/acme/app:*', image('ghcr.io/acme/app:1')],
    ['a repository whose name begins alike', 'docker.io/library/nginx:*', image('docker.io/library/nginx-foo:1')],
    ['all of a host, by its port', 'host:5000/app:*', image('host:5000/other:1')],
    ['hosts whose names begin alike', 'host:5000/app:*', image('hostile.io/other:1')],
    ['what stands before the first star', 'ghcr.io/a*/b/*', image('ghcr.io/acme/other:1')],
  ])('by %s: %s', (_case, entry, kept) => {
    expect(matchAsEraser(listOf(entry), kept)).toEqual({ list: 'excluded/list.json', entry });
  });

  test.each([
    ['a short name', 'nginx:1', image('docker.io/library/nginx:1')],
    ['a bare name', 'docker.io/library/nginx', image('docker.io/library/nginx:1')],
    ['a registry that begins alike', 'ghcr.io/*', image('ghcr.io.example/app:1')],
    ['a repository of an image that has no tag', 'ghcr.io/acme/app:*', image(`ghcr.io/acme/app@${DIGEST}`)],
  ])('and what it does not, by %s: %s', (_case, entry, removed) => {
    expect(matchAsEraser(listOf(entry), removed)).toBeNull();
  });
});

describe('what is kept no more', () => {
  test('is told with the entry', () => {
    const other = image('host:5000/other:1');
    expect(findLostExclusions(listOf('ghcr.io/*', 'host:5000/app:*'), [image('host:5000/app:1'), other, image('quay.io/x:1')])).toEqual([
      { image: other, match: { list: 'excluded/list.json', entry: 'host:5000/app:*' } },
    ]);
  });

  test('is nothing where another entry keeps it', () => {
    expect(findLostExclusions(listOf('host:5000/app:*', 'host:5000/other'), [image('host:5000/other:1')])).toEqual([]);
  });

  test('cannot be told of lists that do not compile', () => {
    expect(() => findLostExclusions(listOf('ghcr.io'), [])).toThrow('do not compile: ghcr.io');
  });
});
