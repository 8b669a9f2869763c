import { describe, expect, test } from 'vitest';
import { defaultCacheDir } from './bind-scanner.ts';
import type { CliContext } from './context.ts';

const cacheDirIn = (env: CliContext['env']): string =>
  defaultCacheDir({ env, machine: { homeDirectory: '/home/me' } as CliContext['machine'] } as CliContext);

describe("Trivy's cache folder", () => {
  test.each([
    [{}, '/home/me/.cache/trivy'],
    [{ TRIVY_CACHE_DIR: '', XDG_CACHE_HOME: '' }, '/home/me/.cache/trivy'],
    [{ TRIVY_CACHE_DIR: '', XDG_CACHE_HOME: '/caches' }, '/caches/trivy'],
    [{ TRIVY_CACHE_DIR: '/trivy', XDG_CACHE_HOME: '/caches' }, '/trivy'],
  ])('%j: %s', (env, folder) => {
    expect(cacheDirIn(env)).toBe(folder);
  });
});
