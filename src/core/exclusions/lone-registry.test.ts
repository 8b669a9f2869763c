import { describe, expect, it } from 'vitest';
import { parseExclusion } from './exclusion-pattern.ts';
import { compileExclusions } from './exclusions.ts';
import { findLoneRegistry } from './lone-registry.ts';

describe('findLoneRegistry', () => {
  const registries: [entry: string, registry: string][] = [
    ['ghcr.io', 'ghcr.io'],
    ['GHCR.IO', 'GHCR.IO'],
    ['docker.io', 'docker.io'],
    ['localhost', 'localhost'],
    ['localhost:5000', 'localhost:5000'],
    ['registry.example.com:5000', 'registry.example.com:5000'],
    ['my_registry.local', 'my_registry.local'],
    ['harbor.dc1', 'harbor.dc1'],
    ['10.0.0.1', '10.0.0.1'],
    ['10.0.0.1:5000', '10.0.0.1:5000'],
    ['10.0.0.?:5000', '10.0.0.?:5000'],
    ['my.app:8080', 'my.app:8080'],
    // Patterns of the like, which match no more.
    ['ghcr.io*', 'ghcr.io'],
    ['ghcr.io:*', 'ghcr.io'],
    ['ghcr.io:**', 'ghcr.io'],
    ['ghcr.io:443*', 'ghcr.io:443'],
    ['localhost*', 'localhost'],
    ['localhost:*', 'localhost'],
    ['*.azurecr.io', '*.azurecr.io'],
    ['*.azurecr.io:443', '*.azurecr.io:443'],
    ['*azurecr.io*', '*azurecr.io'],
    ['ghcr.i?', 'ghcr.i?'],
    ['ghcr.*', 'ghcr.*'],
    ['*.*', '*.*'],
    ['10.0.*', '10.0.*'],
  ];

  it.each(registries)('%s looks like %s', (entry, registry) => {
    expect(findLoneRegistry(entry)).toBe(registry);
  });

  it.each(registries)('%s is refused, and both ways to write it that the message names protect what they say', (entry, registry) => {
    const parsed = parseExclusion(entry);
    const [, all = '', repository = ''] =
      (parsed.ok ? null : /write "(.+)" for all in it, or "(.+)" for a repository/.exec(parsed.message)) ?? [];
    expect([all, repository]).toEqual([`${registry}/*`, `docker.io/library/${entry}`]);
    const plain = registry.replaceAll('*', 'aa').replaceAll('?', '1');
    expect(protects(all, `${plain}/acme/app:1`)).toBe(true);
    if (entry === entry.toLowerCase()) expect(parseExclusion(repository).ok).toBe(true);
  });

  it.each([
    ['nginx', 'nginx:1'],
    ['nginx:5000', 'nginx:5000'],
    ['nginx*', 'nginx-slim:1'],
    ['host:5000', 'host:5000'],
    ['my.app:2', 'my.app:2'],
    ['my.app:0080', 'my.app:0080'],
    ['my.app:20240101', 'my.app:20240101'],
    ['my.app:65536', 'my.app:65536'],
    ['my.app:latest', 'my.app:latest'],
    ['my.app:1.25', 'my.app:1.25'],
    ['my.app:2*', 'my.app:2.1'],
    ['my.app:<3', 'my.app:2.1'],
    ['python3.11', 'python3.11:1'],
    ['python3.1*', 'python3.12:1'],
    ['app.v', 'app.v:1'],
    ['localhost:latest', 'localhost:latest'],
    ['docker.io/library/ghcr.io', 'docker.io/library/ghcr.io:1'],
    ['ghcr.io/*', 'ghcr.io/acme/app:1'],
    ['*.azurecr.io/*', 'acme.azurecr.io/app:1'],
  ])('%s is what it says, and protects %s', (entry, image) => {
    expect(protects(entry, image)).toBe(true);
  });
});

function protects(entry: string, image: string): boolean {
  const compiled = compileExclusions([{ name: 'test', entries: [entry] }]);
  return compiled.ok && compiled.exclusions.match({ id: 'sha256:1', repoTags: [image], repoDigests: [] }) !== null;
}
