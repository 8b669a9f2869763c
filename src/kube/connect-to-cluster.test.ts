import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { satisfies } from 'semver';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { FakeApiServer } from '../../test/fakes/fake-api-server.ts';
import { QUICK_TIMING } from '../../test/fakes/fake-cluster.ts';
import { TEST_AUTHORITY } from '../../test/fakes/test-certificates.ts';
import { type Cluster, type ClusterOptions, connectToCluster } from './connect-to-cluster.ts';
import { CONFIG_MAPS } from './resource.ts';

const call = { signal: new AbortController().signal };
const ONE = { resource: CONFIG_MAPS, namespace: 'shop', name: 'one' };

let directory: string;
let server: FakeApiServer;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'image-cleaner-kube-'));
  server = await new FakeApiServer().start();
  return async () => {
    await server.stop();
    await rm(directory, { recursive: true });
  };
});

async function write(name: string, text: string): Promise<string> {
  const file = join(directory, name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  return file;
}

async function connect(options: Partial<ClusterOptions>): Promise<Cluster> {
  const cluster = await connectToCluster({
    environment: {},
    userAgent: 'image-cleaner/test',
    wallNow: Date.now,
    timing: QUICK_TIMING,
    ...options,
  });
  onTestFinished(() => cluster.client.close());
  return cluster;
}

interface Written {
  readonly name?: string;
  readonly user?: object;
  readonly cluster?: object;
  readonly context?: object;
  readonly current?: string | null;
}

/** JSON is YAML. */
function kubeconfig({ name = 'a', user = {}, cluster = {}, context = {}, current = name }: Written = {}): string {
  const ca = Buffer.from(TEST_AUTHORITY).toString('base64');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: server.url, 'certificate-authority-data': ca, ...cluster } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name, ...context } }],
    ...(current === null ? {} : { 'current-context': current }),
  });
}

const authorizations = (): string[] => server.requests.map(({ authorization }) => authorization);

test('the Node that this project asks for is one that client-node works with', async () => {
  const require = createRequire(import.meta.url);
  const { engines } = require('../../package.json') as { engines: { node: string } };
  expect(satisfies('22.18.0', engines.node)).toBe(false);
  expect(satisfies(process.versions.node, engines.node)).toBe(true);
  expect((await import('@kubernetes/client-node')).KubeConfig).toBeTypeOf('function');
});

describe('a kubeconfig', () => {
  test('names server, CA, token and namespace', async () => {
    const file = await write('config', kubeconfig({ user: { token: 'secret' }, context: { namespace: 'shop' } }));
    const { client, namespace } = await connect({ kubeconfig: file });
    await client.find(ONE, call);
    expect([client.server, namespace]).toEqual([server.url, 'shop']);
    expect(authorizations()).toEqual(['Bearer secret']);
  });

  test('is found as kubectl finds it: named, KUBECONFIG (the first to name something wins), home', async () => {
    const first = await write('first', kubeconfig({ name: 'a', user: { token: 'first' } }));
    const second = await write('second', kubeconfig({ name: 'b', user: { token: 'second' } }));
    const shadowed = await write('third', kubeconfig({ name: 'a', user: { token: 'third' } }));
    await write('.kube/config', kubeconfig({ user: { token: 'home' } }));
    const environment = { KUBECONFIG: ['/missing', first, second, shadowed].join(':'), HOME: directory };
    for (const options of [
      { environment },
      { environment, context: 'b' },
      { environment, kubeconfig: second },
      { environment: { HOME: directory } },
    ]) {
      await (await connect(options)).client.find(ONE, call);
    }
    expect(authorizations()).toEqual(['Bearer first', 'Bearer second', 'Bearer second', 'Bearer home']);
  });

  test('may name files, relative to itself; a token file is read for each request', async () => {
    await write('deep/ca.crt', TEST_AUTHORITY);
    const token = await write('deep/token', 'one\n');
    const cluster = { 'certificate-authority': 'ca.crt', 'certificate-authority-data': undefined };
    const file = await write('deep/config', kubeconfig({ user: { tokenFile: 'token', token: 'of the file itself' }, cluster }));
    const { client } = await connect({ kubeconfig: file });
    await client.find(ONE, call);
    await writeFile(token, 'two\n');
    await client.find(ONE, call);
    expect(authorizations()).toEqual(['Bearer one', 'Bearer two']);
  });

  test('may name a password, and whom to act as', async () => {
    const file = await write('config', kubeconfig({ user: { username: 'jane', password: 'pass', as: 'root' } }));
    await (await connect({ kubeconfig: file })).client.find(ONE, call);
    expect(authorizations()).toEqual([`Basic ${Buffer.from('jane:pass').toString('base64')}`]);
  });

  test('may name a plugin: it is run once for all, and again after a refusal', async () => {
    const runs = join(directory, 'runs');
    const plugin = await write(
      'plugin',
      `#!/bin/sh\necho run >> ${runs}\nn=$(wc -l < ${runs})\necho '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"token-'$n'"}}'\n`,
    );
    await chmod(plugin, 0o755);
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: plugin, interactiveMode: 'Never' };
    const file = await write('config', kubeconfig({ user: { exec } }));
    const { client } = await connect({ kubeconfig: file });
    await Promise.all([client.find(ONE, call), client.find(ONE, call), client.find(ONE, call)]);
    expect(authorizations()).toEqual(['Bearer token-1', 'Bearer token-1', 'Bearer token-1']);
    server.tokens = new Set(['token-2']);
    await Promise.all([client.find(ONE, call), client.find(ONE, call)]);
    expect(authorizations().slice(-2)).toEqual(['Bearer token-2', 'Bearer token-2']);
  });

  test('with a plugin that fails says what it said', async () => {
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: '/bin/sh', args: ['-c', 'echo please log in >&2; exit 1'] };
    const file = await write('config', kubeconfig({ user: { exec } }));
    const { client } = await connect({ kubeconfig: file });
    const failing = client.get(ONE, { ...call, retryBudgetMs: 0 });
    await expect(failing).rejects.toMatchObject({
      code: 'credentials-failed',
      message: expect.stringContaining('please log in') as string,
    });
  });

  test.each<[string, string, Written | string]>([
    ['no YAML', 'config:', ': : :'],
    ['without a current context', 'no current context', { current: null }],
    ['with a context that is not there', 'there is no context "b", only: a', { current: 'b' }],
    ['with a cluster that is not there', 'there is no cluster "x"', { context: { cluster: 'x' } }],
    ['with a user that is not there', 'there is no user "x"', { context: { user: 'x' } }],
    ['without https', 'without https', { cluster: { server: 'http://k8s' } }],
    ['with a proxy that is none', 'only http and https', { cluster: { 'proxy-url': 'socks5://p' } }],
    ['with groups to act as, which would be left out', 'as-groups is not supported', { user: { as: 'a', 'as-groups': ['b'] } }],
  ])('%s is refused', async (_, message, written) => {
    const file = await write('config', typeof written === 'string' ? written : kubeconfig(written));
    await expect(connect({ kubeconfig: file })).rejects.toMatchObject({
      code: 'invalid-kubeconfig',
      message: expect.stringContaining(message) as string,
    });
  });

  test('that is named and missing is refused', async () => {
    await expect(connect({ kubeconfig: '/missing/config' })).rejects.toMatchObject({
      code: 'invalid-kubeconfig',
      hint: expect.any(String) as string,
    });
  });
});

describe('in a pod', () => {
  async function mount(token: string): Promise<Partial<ClusterOptions>> {
    await write('sa/ca.crt', TEST_AUTHORITY);
    await write('sa/namespace', 'image-cleaner\n');
    await write('sa/token', token);
    const { hostname, port } = new URL(server.url);
    return {
      environment: { HOME: directory, KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
      serviceAccountDirectory: join(directory, 'sa'),
    };
  }

  test('the service account is used, and its token read again as it rotates', async () => {
    let now = 0;
    const { client, namespace } = await connect({ ...(await mount('one\n')), timing: { ...QUICK_TIMING, now: () => now } });
    await client.find(ONE, call);
    await write('sa/token', 'two\n');
    now = 9_000;
    await client.find(ONE, call);
    now = 10_000;
    await client.find(ONE, call);
    expect(authorizations()).toEqual(['Bearer one', 'Bearer one', 'Bearer two']);
    expect(namespace).toBe('image-cleaner');
    expect(server.connections).toBeLessThanOrEqual(2);
  });

  test('a refused token is read once more, and a new one goes through', async () => {
    server.tokens = new Set(['new']);
    const { client } = await connect(await mount('old'));
    server.failNext({ kind: 'slow', ms: 100 });
    const finding = client.find(ONE, call);
    await expect.poll(() => server.requests.length, { timeout: 10_000 }).toBe(1);
    await write('sa/token', 'new');
    expect(await finding).toBeNull();
    expect(authorizations()).toEqual(['Bearer old', 'Bearer new']);
  });

  test('a token that cannot be read is told', async () => {
    const { client } = await connect(await mount('one'));
    await rm(join(directory, 'sa/token'));
    await expect(client.get(ONE, { ...call, retryBudgetMs: 0 })).rejects.toMatchObject({ code: 'credentials-failed', action: 'retry' });
  });
});

test('without any of these there is no cluster', async () => {
  await expect(connect({ environment: { HOME: directory } })).rejects.toMatchObject({
    code: 'no-cluster',
    message: expect.stringContaining('.kube/config') as string,
  });
});
