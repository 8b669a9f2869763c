import { describe, expect, test } from 'vitest';
import { digest, image, imageId } from '../../test/fakes/images.ts';
import { indexImages } from './image-index.ts';

describe('indexImages', () => {
  const tagged = image(1, {
    repoTags: ['docker.io/library/nginx:1.25', 'ghcr.io/acme/web:2'],
    repoDigests: [`docker.io/library/nginx@${digest(1)}`],
  });
  const latest = image(2, { repoTags: ['docker.io/library/nginx:latest'] });
  // As CRI-O has it: an id of bare hex, a digest for its only name.
  const bare = image(3, { id: imageId(3).slice(7), repoTags: [], repoDigests: [`quay.io/acme/job@${digest(3)}`] });
  const odd = image(4, { repoTags: ['Not A Name'] });
  const index = indexImages([tagged, latest, bare, odd]);
  const resolve = (reference: string): string[] => [...index.resolve(reference)];

  test.each([
    ['an id', imageId(1), [tagged.id]],
    ['an id without sha256:', imageId(1).slice(7), [tagged.id]],
    ['an id with sha256: of an image listed without', imageId(3), [bare.id]],
    ['a tag in normal form', 'docker.io/library/nginx:1.25', [tagged.id]],
    ['a short tag', 'nginx:1.25', [tagged.id]],
    ['a name alone, which means latest', 'nginx', [latest.id]],
    ['a repository digest', `nginx@${digest(1)}`, [tagged.id]],
    ['a digest in another repository', `ghcr.io/other/nginx@${digest(1)}`, [tagged.id]],
    ['a bare digest', digest(3), [bare.id]],
    ['a tag and a digest', `nginx:gone@${digest(1)}`, [tagged.id]],
    ['a tag and an unknown digest', `nginx:1.25@${digest(9)}`, [tagged.id]],
    ['a name that is no reference, literally', 'Not A Name', [odd.id]],
    ['another tag', 'nginx:1.26', []],
    ['another repository', 'nginx-foo:1.25', []],
    ['nothing', '', []],
  ])('resolves %s', (_way, reference, ids) => {
    expect(resolve(reference)).toEqual(ids);
  });

  test('resolves a repository at its name boundary', () => {
    expect([...index.resolveRepository('nginx:9')]).toEqual([tagged.id, latest.id]);
    expect([...index.resolveRepository('nginx-foo:9')]).toEqual([]);
    expect([...index.resolveRepository(imageId(1))]).toEqual([]);
  });
});
