import { describe, expect, it } from 'vitest';
import { compileExclusions } from './exclusions.ts';
import type { NamedImage } from '../names.ts';

const ID = 'c0de'.repeat(16);
const HEX = 'beef'.repeat(16);
const DIGEST = `sha256:${HEX}`;

/** An image with these names, by tag or by digest. */
function image(...names: string[]): NamedImage {
  return {
    id: `sha256:${ID}`,
    repoTags: names.filter((name) => !name.includes('@')),
    repoDigests: names.filter((name) => name.includes('@')),
  };
}

function protects(entry: string, ...names: string[]): boolean {
  const compiled = compileExclusions([{ name: 'list', entries: [entry] }]);
  if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => `${entry}: ${message}`).join());
  return compiled.exclusions.match(image(...names)) !== null;
}

describe('the forms that Eraser and the AKS Image Cleaner document', () => {
  it.each([
    ['an image id', `sha256:${ID}`, ['docker.io/library/nginx:1']],
    ['an image id without sha256:', ID, ['docker.io/library/nginx:1']],
    ['a digest', DIGEST, [`ghcr.io/acme/app@${DIGEST}`]],
    ['a digest in a repository', `ghcr.io/acme/app@${DIGEST}`, [`ghcr.io/acme/app@${DIGEST}`]],
    ['a tag and a digest', `ghcr.io/acme/app:v1@${DIGEST}`, [`ghcr.io/acme/app@${DIGEST}`]],
    ['a tag', 'docker.io/library/nginx:1.25', ['docker.io/library/nginx:1.25']],
    ['a tag, written short', 'nginx:1.25', ['docker.io/library/nginx:1.25']],
    ['a bare name, with any tag', 'excluded-image-name', ['docker.io/library/excluded-image-name:v7']],
    ['a bare name, with any digest', 'excluded-image-name', [`docker.io/library/excluded-image-name@${DIGEST}`]],
    ['every tag of a repository', 'docker.io/library/nginx:*', ['docker.io/library/nginx:1.25']],
    ['every digest of a repository', 'docker.io/library/nginx:*', [`docker.io/library/nginx@${DIGEST}`]],
    ['a registry', 'ghcr.io/*', ['ghcr.io/acme/team/app:v1']],
    ['a registry with a port', 'host:5000/*', ['host:5000/x:v1']],
    ['a repository prefix', 'ghcr.io/acme/*', ['ghcr.io/acme/app:v1']],
    ['a repository prefix, two components deep', 'ghcr.io/acme/*', [`ghcr.io/acme/team/app@${DIGEST}`]],
    ['the official images', 'library/*', ['docker.io/library/nginx:1']],
    ['a namespace of Docker Hub', 'foo/*', ['docker.io/foo/bar:1']],
    ['Docker Hub', 'docker.io/*', ['docker.io/library/nginx:1']],
  ])('%s: %s', (_form, entry, names) => {
    expect(protects(entry, ...names)).toBe(true);
    expect(protects(entry, 'quay.io/other/thing:v1')).toBe(entry.includes(ID));
  });
});

describe("Eraser's faults", () => {
  it('host:5000/x:* protects that repository, not all that begins with host', () => {
    expect(protects('host:5000/x:*', 'host:5000/x:v1')).toBe(true);
    expect(protects('host:5000/x:*', 'host:5000/y:v1')).toBe(false);
    expect(protects('host:5000/x:*', 'host:5000/x/y:v1')).toBe(false);
    expect(protects('host:5000/x:*', 'host.example.com/x:v1')).toBe(false);
    expect(protects('host:5000/x:*', 'hostile.io/x:v1')).toBe(false);
  });

  it('nginx:* does not protect nginx-foo', () => {
    expect(protects('nginx:*', 'docker.io/library/nginx:1.25')).toBe(true);
    expect(protects('nginx:*', 'docker.io/library/nginx-foo:1.25')).toBe(false);
    expect(protects('nginx:*', 'docker.io/acme/nginx:1.25')).toBe(false);
  });

  it('a prefix ends at a name boundary', () => {
    expect(protects('ghcr.io/acme/*', 'ghcr.io/acme-evil/app:1')).toBe(false);
    expect(protects('ghcr.io/acme/*', 'ghcr.io/acme:1')).toBe(false);
    expect(protects('ghcr.io/*', 'ghcr.io.example.com/app:1')).toBe(false);
    expect(protects('host/*', 'host:5000/x:1')).toBe(false);
  });

  it('an image stays under all its names, whichever of them is excluded', () => {
    const names = ['docker.io/library/nginx:1.25', 'ghcr.io/acme/web:v1', `ghcr.io/acme/web@${DIGEST}`];
    for (const entry of ['nginx:1.25', 'ghcr.io/acme/web:v1', DIGEST, `ghcr.io/acme/web@${DIGEST}`, ID, 'ghcr.io/*', 'nginx:^1']) {
      expect(protects(entry, ...names)).toBe(true);
    }
  });
});
