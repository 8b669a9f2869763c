import { expect, test } from 'vitest';
import { startFakeCluster } from '../../test/fakes/fake-cluster.ts';
import { KubeError } from './kube-error.ts';
import { readClusterUid } from './read-cluster-uid.ts';

const { signal } = new AbortController();

test('a cluster is known by the uid of its namespace kube-system', async () => {
  const { server, client } = await startFakeCluster();
  server.put('/namespaces', { metadata: { name: 'default' } });
  const uid = server.put('/namespaces', { metadata: { name: 'kube-system' } }).metadata.uid;
  expect(uid).toMatch(/./);
  expect(await readClusterUid(client, signal)).toBe(uid);
});

test.each([null, { metadata: { name: 'kube-system' } }, { metadata: { name: 'kube-system', uid: '' } }])(
  'what tells no uid is an error, and no cluster: %j',
  async (answer) => {
    const client = { server: 'https://here', find: () => Promise.resolve(answer) };
    await expect(readClusterUid(client, signal)).rejects.toMatchObject({ code: 'bad-answer' });
  },
);

test('without the right the roles are named, in the words of the answer', async () => {
  const refused = new KubeError({ code: 'forbidden', message: 'cannot get namespaces', hint: 'Grant it' });
  const client = { server: 'https://here', find: () => Promise.reject(refused) };
  await expect(readClusterUid(client, signal)).rejects.toMatchObject({
    code: 'forbidden',
    message: 'cannot get namespaces',
    hint: expect.stringMatching(/roles .*"get" on the namespace kube-system/) as string,
  });
});
