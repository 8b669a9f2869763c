import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { namesOf } from './names.ts';

const HEX = 'c0de'.repeat(16);
const OTHER = `sha256:${'beef'.repeat(16)}`;

describe('namesOf', () => {
  it('gives every name in normal form, each key once', () => {
    const image = {
      id: `sha256:${HEX}`,
      repoTags: ['nginx:1.25', 'docker.io/library/nginx:1.25', 'ghcr.io/acme/app:v1', 'busybox'],
      repoDigests: [`nginx@${OTHER}`, `ghcr.io/acme/app@${OTHER}`],
    };
    expect(namesOf(image)).toMatchObject({
      id: `sha256:${HEX}`,
      tagKeys: ['docker.io/library/nginx:1.25', 'ghcr.io/acme/app:v1', 'docker.io/library/busybox:latest'],
      digestKeys: [`docker.io/library/nginx@${OTHER}`, `ghcr.io/acme/app@${OTHER}`],
      repositories: ['docker.io/library/nginx', 'ghcr.io/acme/app', 'docker.io/library/busybox'],
      digests: [OTHER],
      literals: [],
    });
  });

  it('gives both keys of a name with a tag and a digest', () => {
    const names = namesOf({ id: HEX, repoTags: [`nginx:1.25@${OTHER}`], repoDigests: [] });
    expect(names.tagKeys).toEqual(['docker.io/library/nginx:1.25']);
    expect(names.digestKeys).toEqual([`docker.io/library/nginx@${OTHER}`]);
  });

  it('gives the same forms however a name is written', () => {
    const written = fc
      .tuple(
        fc.constantFrom('', 'docker.io/', 'index.docker.io/', 'ghcr.io/', 'localhost:5000/', 'a.b/'),
        fc.constantFrom('nginx', 'library/nginx', 'acme/app', 'a'),
        fc.constantFrom('', ':1', ':latest', ':v1.2.3-alpine'),
        fc.constantFrom('', `@${OTHER}`),
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(written, (text) => {
        const names = namesOf({ id: HEX, repoTags: [text], repoDigests: [] });
        for (const { registry, repository, tag, digest } of names.references) {
          const name = `${registry}/${repository}`;
          expect(names.repositories).toEqual([name]);
          expect(names.tagKeys).toEqual(tag !== null ? [`${name}:${tag}`] : digest === null ? [`${name}:latest`] : []);
          expect(names.digestKeys).toEqual(digest === null ? [] : [`${name}@${digest}`]);
        }
        expect(names.references).toHaveLength(1);
      }),
    );
  });

  it('parses the names of an image object once', () => {
    const image = { id: HEX, repoTags: ['nginx'], repoDigests: [] };
    expect(namesOf(image)).toBe(namesOf(image));
    expect(namesOf({ ...image })).not.toBe(namesOf(image));
  });

  it('keeps names that are no references as they are, but knows their digests', () => {
    const strange = ['<none>:<none>', 'Old Import', 'x'.repeat(4096), ''];
    const names = namesOf({ id: HEX, repoTags: strange, repoDigests: [`<none>@${OTHER}`] });
    expect(names).toMatchObject({
      references: [],
      tagKeys: [],
      repositories: [],
      literals: [...strange, `<none>@${OTHER}`],
      digests: [OTHER],
    });
  });

  it('never throws', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 300 }));
    fc.assert(
      fc.property(text, fc.array(text), fc.array(text), (id, repoTags, repoDigests) => {
        const names = namesOf({ id, repoTags, repoDigests });
        expect(names.references.length + names.literals.length).toBeLessThanOrEqual(repoTags.length + repoDigests.length);
      }),
    );
  });
});
