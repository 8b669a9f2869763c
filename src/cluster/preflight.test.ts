import { describe, expect, test } from 'vitest';
import type { KubeClient } from '../kube/kube-client.ts';
import type { ClusterSite } from './cluster-site.ts';
import { requireFitNamespace, requireServerVersion } from './preflight.ts';

/** The end-to-end tests ask a real API server, which is of a version that is fit. */
function siteOf(major: string, minor: string): ClusterSite {
  const client: Pick<KubeClient, 'getPath' | 'server'> = {
    server: 'https://cluster.example',
    getPath: () => Promise.resolve({ major, minor, gitVersion: `v${major}.${minor}.0` }),
  };
  return { client: client as KubeClient, namespace: 'eraser-system', call: { signal: new AbortController().signal } };
}

test.each([
  ['1', '28'],
  ['1', '28+'],
  ['1', '35'],
  ['2', '0'],
])('version %s.%s is fit', async (major, minor) => {
  await expect(requireServerVersion(siteOf(major, minor))).resolves.toBeUndefined();
});

test.each(['27', '27+', '9', ''])('version 1.%s is not', async (minor) => {
  await expect(requireServerVersion(siteOf('1', minor))).rejects.toMatchObject({
    code: 'unfit',
    message: expect.stringContaining('1.28') as string,
  });
});

describe('a namespace', () => {
  const found = { madeBy: 'others', podSecurity: null, isBeingDeleted: false } as const;
  test.each([null, found, { ...found, podSecurity: 'privileged' }, { ...found, madeBy: 'us', podSecurity: 'restricted' }] as const)(
    '%j is fit',
    (place) => {
      expect(() => requireFitNamespace('shop', place)).not.toThrow();
    },
  );

  test.each([
    [{ ...found, podSecurity: 'baseline' }, /"baseline"/],
    [{ ...found, isBeingDeleted: true }, /being deleted/],
  ] as const)('%j is not', (place, message) => {
    expect(() => requireFitNamespace('shop', place)).toThrow(message);
  });
});
