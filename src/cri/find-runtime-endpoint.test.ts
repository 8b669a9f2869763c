import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findRuntimeEndpoint } from './find-runtime-endpoint.ts';
import { parseEndpoint } from './parse-endpoint.ts';
import { listen } from '../../test/fakes/test-runtime-server.ts';

let folder = '';
let crictlConfigPath = '';
const servers: net.Server[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'cri-test-'));
  crictlConfigPath = path.join(folder, 'crictl.yaml');
  for (const name of ['first.sock', 'second.sock']) {
    const server = net.createServer();
    servers.push(server);
    await listen(server, path.join(folder, name));
  }
  await writeFile(path.join(folder, 'file.sock'), '');
});

afterAll(async () => {
  for (const server of servers) server.close();
  await rm(folder, { recursive: true });
});

const at = (name: string): string => path.join(folder, name);

describe('findRuntimeEndpoint', () => {
  test('goes by option, environment, configuration of crictl, default, in this order', async () => {
    await writeFile(crictlConfigPath, 'runtime-endpoint: unix:///configured.sock\ntimeout: 2\n');
    const defaultSockets = [at('absent.sock'), at('file.sock'), at('first.sock'), at('second.sock')];
    const given = { endpoint: '/given.sock', environmentEndpoint: 'unix:///environment.sock', crictlConfigPath, defaultSockets };
    expect(await findRuntimeEndpoint(given)).toEqual({ socketPath: '/given.sock', source: 'as given' });
    expect(await findRuntimeEndpoint({ ...given, endpoint: '' })).toEqual({
      socketPath: '/environment.sock',
      source: 'CONTAINER_RUNTIME_ENDPOINT',
    });
    expect(await findRuntimeEndpoint({ crictlConfigPath, defaultSockets })).toEqual({
      socketPath: '/configured.sock',
      source: crictlConfigPath,
    });
    expect(await findRuntimeEndpoint({ crictlConfigPath: at('absent.yaml'), defaultSockets })).toEqual({
      socketPath: at('first.sock'),
      source: 'found',
    });
  });

  test.each(['', '# nothing\n', 'runtime-endpoint: ""\n', 'image-endpoint: unix:///other.sock\n', 'runtime-endpoint:\n'])(
    'a configuration without an endpoint leaves the defaults: %j',
    async (text) => {
      await writeFile(crictlConfigPath, text);
      expect(await findRuntimeEndpoint({ crictlConfigPath, defaultSockets: [at('second.sock')] })).toEqual({
        socketPath: at('second.sock'),
        source: 'found',
      });
    },
  );

  test.each(['runtime-endpoint: [1\n', 'runtime-endpoint: 7\n', '- a\n', 'just text'])(
    'a malformed configuration is an error that names the file: %j',
    async (text) => {
      await writeFile(crictlConfigPath, text);
      const failure = findRuntimeEndpoint({ crictlConfigPath, defaultSockets: [at('first.sock')] });
      await expect(failure).rejects.toMatchObject({ code: 'invalid-config' });
      await expect(failure).rejects.toThrow(crictlConfigPath);
    },
  );

  test('without any socket the error names those that were tried', async () => {
    const failure = findRuntimeEndpoint({ crictlConfigPath: at('absent.yaml'), defaultSockets: [at('absent.sock')] });
    await expect(failure).rejects.toMatchObject({ code: 'no-endpoint' });
    await expect(failure).rejects.toThrow(at('absent.sock'));
  });
});

describe('parseEndpoint', () => {
  test.each([
    ['unix:///run/crio/crio.sock', '/run/crio/crio.sock'],
    ['unix:/run/crio/crio.sock', '/run/crio/crio.sock'],
    ['/run/crio/crio.sock', '/run/crio/crio.sock'],
  ])('%s', (endpoint, socketPath) => {
    expect(parseEndpoint(endpoint, 'test')).toBe(socketPath);
  });

  test.each(['tcp://localhost:10010', 'npipe:////./pipe/containerd', 'http://x/y', 'run/crio.sock', 'unix://run/crio.sock', 'unix://'])(
    'not %s',
    (endpoint) => {
      expect(() => parseEndpoint(endpoint, 'test')).toThrow(expect.objectContaining({ code: 'invalid-endpoint' }));
    },
  );
});
