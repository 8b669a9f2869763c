import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileImageList, type ImageList } from './image-list.ts';
import type { NamedImage } from './names.ts';

const ID = 'c0de'.repeat(16);
const DIGEST = `sha256:${'beef'.repeat(16)}`;

function compile(...entries: string[]): ImageList {
  const compiled = compileImageList(entries);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
  return compiled.list;
}

const alpine: NamedImage = {
  id: `sha256:${ID}`,
  repoTags: ['docker.io/library/alpine:3.7.3', 'ghcr.io/acme/base:v1'],
  repoDigests: [`docker.io/library/alpine@${DIGEST}`],
};
const latest: NamedImage = { id: 'ffff'.repeat(16), repoTags: ['docker.io/library/busybox:latest'], repoDigests: [] };
const nameless: NamedImage = { id: 'eeee'.repeat(16), repoTags: [], repoDigests: [] };

describe('compileImageList', () => {
  it.each([
    'alpine:3.7.3',
    'docker.io/alpine:3.7.3',
    'docker.io/library/alpine:3.7.3',
    'ghcr.io/acme/base:v1',
    `sha256:${ID}`,
    ID,
    DIGEST,
    DIGEST.slice('sha256:'.length),
    `alpine@${DIGEST}`,
    `alpine:3.7.3@${DIGEST}`,
    '*',
    ' alpine:3.7.3 ',
  ])('%s means the image', (entry) => {
    expect(compile(entry).match(alpine)).toBe(entry);
  });

  it.each([
    'alpine',
    'alpine:3.7',
    'ghcr.io/acme/alpine:3.7.3',
    `ghcr.io/acme/base@${DIGEST}`,
    `sha256:${'0'.repeat(64)}`,
    'ghcr.io/acme/base',
  ])('%s does not', (entry) => {
    expect(compile(entry).match(alpine)).toBeNull();
  });

  it('takes a bare name for :latest', () => {
    expect(compile('busybox').match(latest)).toBe('busybox');
    expect(compile('busybox:latest').match(latest)).toBe('busybox:latest');
  });

  it('means also an image without a name by *, and by its id', () => {
    expect(compile('*').match(nameless)).toBe('*');
    expect(compile(nameless.id).match(nameless)).toBe(nameless.id);
  });

  it('cites the first entry that means the image', () => {
    expect(compile('*', 'alpine:3.7.3').match(alpine)).toBe('*');
    expect(compile('busybox', ID, 'alpine:3.7.3').match(alpine)).toBe(ID);
  });

  it('means nothing without entries', () => {
    expect(compile().match(alpine)).toBeNull();
    expect(compile().unmatchedEntries([alpine])).toEqual([]);
  });

  it.each([
    ['', 'empty'],
    ['nginx:*', 'no wildcards'],
    ['ghcr.io/acme/*', 'no wildcards'],
    ['sha256:abc', '64'],
    ['Nginx', 'upper-case'],
    ['nginx:<1.25', 'the tag "<1.25"'],
    ['nginx@sha256:abc', 'the digest "sha256:abc"'],
  ])('refuses %j: %s', (entry, message) => {
    expect(compileImageList(['alpine', entry])).toEqual({
      ok: false,
      errors: [{ entry, message: expect.stringContaining(message) as string }],
    });
  });

  it('never throws on entries, nor on the names of an image', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.string(), fc.array(fc.string()), (entries, id, repoTags) => {
        const compiled = compileImageList(entries);
        if (compiled.ok) compiled.list.match({ id, repoTags, repoDigests: repoTags });
      }),
    );
  });
});

describe('unmatchedEntries', () => {
  it('are those that mean no image, whatever other entry means the same, but not *', () => {
    const list = compile('alpine:3.7.3', 'docker.io/library/alpine:3.7.3', 'nginx:1', ID, '*', 'busybox:1');
    expect(list.unmatchedEntries([alpine, latest])).toEqual(['nginx:1', 'busybox:1']);
    expect(list.unmatchedEntries([])).toEqual(['alpine:3.7.3', 'docker.io/library/alpine:3.7.3', 'nginx:1', ID, 'busybox:1']);
  });
});
