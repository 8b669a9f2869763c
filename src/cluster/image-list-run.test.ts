import { describe, expect, onTestFinished, test } from 'vitest';
import { clientOf } from '../../test/fakes/fake-cluster.ts';
import { type ClusterInTest, NAMESPACE, soon, startClusterInTest, startManagerInTest } from '../../test/fakes/manager-in-fake-cluster.ts';
import { SYSTEM_TIMING } from '../platform/timing.ts';
import type { ClusterSite } from './cluster-site.ts';
import { followRun } from './follow-run.ts';
import { findListJob, readImageList, refuseBadImages, writeImageList, type ListVersion } from './image-list-run.ts';
import { listImageUsers } from './list-image-users.ts';
import type { RunEnd } from './run-end.ts';

function siteOf(server: ClusterInTest): ClusterSite {
  const client = clientOf(server.url);
  onTestFinished(() => client.close());
  return { client, namespace: NAMESPACE, call: { signal: new AbortController().signal } };
}

describe('a list of images that are to go', () => {
  function remove(site: ClusterSite, images: readonly string[]): Promise<RunEnd> {
    const written: { version: ListVersion } = { version: { uid: '', generation: 0 } };
    return followRun(site, {
      begin: async () => {
        written.version = await writeImageList(site, { images, replaceList: false });
      },
      find: findListJob(
        () => written.version,
        () => readImageList(site),
      ),
      onEvent: () => undefined,
      timeoutMs: null,
      timing: SYSTEM_TIMING,
    });
  }

  test('is worked off, and followed to its end', async () => {
    const server = await startClusterInTest(['a', 'b']);
    server.configure();
    startManagerInTest(server);
    server.endPodsSoon();
    expect(await remove(siteOf(server), ['nginx:1'])).toMatchObject({ phase: 'Completed', nodes: { succeeded: 2 }, removedImages: 2 });
    expect(server.list()?.['spec']).toEqual({ images: ['nginx:1'] });
  });

  test('that is deleted before its run begins is not waited for', async () => {
    const server = await startClusterInTest(['a']);
    const end = remove(siteOf(server), ['nginx:1']);
    end.catch(() => undefined);
    await soon(() => expect(server.list()).toBeDefined());
    server.history.delete('eraser.sh/imagelists', 'imagelist');
    await expect(end).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining('deleted by somebody else') as string });
  });

  test('is refused with all that is wrong in it', () => {
    expect(() => refuseBadImages(['nginx:1', 'not an image', 'shop:*'])).toThrow(/"not an image": .+\n"shop:\*": .*no wildcards/);
    expect(() => refuseBadImages(['*', 'nginx@sha256:' + 'a'.repeat(64)])).not.toThrow();
  });
});

test('the pods that use an image are found by every name of it; those that have ended use none', async () => {
  const server = await startClusterInTest([]);
  const digest = `sha256:${'a'.repeat(64)}`;
  const pod = (name: string, image: string, status: object): void => {
    const running = { phase: 'Running', ...status };
    server.put('/pods', { metadata: { name, namespace: 'shop' }, spec: { nodeName: 'a', containers: [{ image }] }, status: running });
  };
  pod('short', 'nginx:1', {});
  pod('by-digest', 'other:1', { containerStatuses: [{ image: 'other:1', imageID: `docker.io/library/other@${digest}` }] });
  pod('ended', 'nginx:1', { phase: 'Succeeded' });
  pod('unrelated', 'redis:1', {});
  const found = await listImageUsers(siteOf(server), ['docker.io/library/nginx:1', digest, '*']);
  expect(found.map(({ pod: name, image }) => [name, image])).toEqual([
    ['by-digest', digest],
    ['short', 'docker.io/library/nginx:1'],
  ]);
});
