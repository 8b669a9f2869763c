import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startContainerd, type PrivateContainerd } from '../../../lab/containerd.ts';
import { buildImage, importImages, listImageIds } from '../../../lab/images.ts';
import { lacksRealPart } from '../../../lab/real-parts.ts';
import { waitUntil } from '../../../lab/wait-until.ts';
import { RuntimeService as OldRuntimeService } from '../../../src/cri/gen/cri_v1alpha2_pb.js';
import { listen, TestRuntimeServer } from '../../fakes/test-runtime-server.ts';
import { CLI, cliEnvironment, runCli, type CliResult } from '../run-cli.ts';
import { fastClock } from './fake-clock.ts';
import { expectOneMessage } from './one-message.ts';

/** Sockets that are none of a container runtime, or not for us. */

const CLEAN = ['clean', '--yes', '--scanner', 'none'];
const clean = (endpoint: string, env: Readonly<Record<string, string>> = {}): Promise<CliResult> =>
  runCli([...CLEAN, '--runtime-endpoint', endpoint], env);

describe('the socket of the runtime', { concurrent: true }, () => {
  let folder: string;
  const servers: Server[] = [];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-sockets-'));
  });
  afterAll(async () => {
    for (const server of servers) server.close();
    await rm(folder, { recursive: true });
  });
  const serve = async (name: string, server: Server): Promise<string> => {
    servers.push(server);
    await listen(server, join(folder, name));
    return join(folder, name);
  };

  test('is nowhere: none is named, and none is where runtimes have theirs', async () => {
    // A mount namespace in which /run is empty, whatever this machine has there.
    const hide = 'mount -t tmpfs tmpfs /run && { [ ! -e /etc/crictl.yaml ] || mount --bind /dev/null /etc/crictl.yaml; } && exec "$@"';
    const child = spawn('unshare', ['-m', 'sh', '-c', hide, 'sh', process.execPath, CLI, ...CLEAN], {
      env: { ...cliEnvironment(), PATH: process.env['PATH'] },
    });
    const result = await collect(child);
    expectOneMessage(result, { code: 1, message: /\/run\/containerd\/containerd\.sock.+\n.+CONTAINER_RUNTIME_ENDPOINT/ });
  });

  test('is not there, or below a file', async () => {
    for (const path of ['/nonexistent/containerd.sock', '/etc/passwd/containerd.sock']) {
      expectOneMessage(await clean(path), { code: 1, message: new RegExp(`no socket ${path}\n.+name its socket`) });
    }
  });

  test('is a folder, a file, or left over from a runtime that has stopped', async () => {
    const left = join(folder, 'left.sock');
    const stopped = spawn(process.execPath, ['-e', 'require("net").createServer().listen(process.argv[1])', left], { stdio: 'ignore' });
    await waitUntil('the socket is there', () => Promise.resolve(existsSync(left)));
    stopped.kill('SIGKILL');
    await once(stopped, 'exit');
    await writeFile(join(folder, 'file'), '');
    for (const path of [folder, join(folder, 'file'), left]) {
      expectOneMessage(await clean(path), { code: 1, message: new RegExp(`Nothing listens on ${path}\n.+not a socket`) });
    }
  });

  test.each([
    ['has a scheme that is not supported', 'tcp://127.0.0.1:1', /"tcp:\/\/127\.0\.0\.1:1".+"tcp" is not supported\n.+unix:\/\/\//],
    ['is a path that is not absolute', 'run/containerd.sock', /"run\/containerd\.sock".+not absolute\n.+unix:\/\/\//],
    ['is a path that is too long for a socket', `/${'a'.repeat(200)}`, /201 bytes long.+at most 107\n.+unix:\/\/\//],
    ['is empty, as from an unset variable', '', /--runtime-endpoint <endpoint> has an empty value/],
  ])('as it is named, %s: bad usage', async (_what, endpoint, message) => {
    expectOneMessage(await clean(endpoint), { code: 2, message });
  });

  test('belongs to an HTTP server', async () => {
    const path = await serve(
      'http.sock',
      createHttpServer((_request, response) => response.end('hello')),
    );
    expectOneMessage(await clean(path), { code: 1, message: /http\.sock does not speak gRPC.*\nName the socket of the container runtime/ });
  });

  test('belongs to an HTTP/2 server without gRPC', async () => {
    const path = await serve(
      'http2.sock',
      createHttp2Server((_request, response) => response.end('hello')),
    );
    expectOneMessage(await clean(path), { code: 1, message: /http2\.sock does not speak gRPC.*\nName the socket/ });
  });

  test('belongs to a server that greets, as an SSH agent or a mail server does', async () => {
    const path = await serve(
      'greets.sock',
      createServer((socket) => socket.end('hello\n')),
    );
    expectOneMessage(await clean(path), { code: 1, message: /greets\.sock does not speak gRPC.*\nName the socket/ });
  });

  test('belongs to a server that closes each connection', async () => {
    const path = await serve(
      'closes.sock',
      createServer((socket) => socket.destroy()),
    );
    expectOneMessage(await clean(path), { code: 1, message: /closes\.sock does not speak gRPC.*\nName the socket/ });
  });

  test.skipIf(lacksRealPart('fake-clock'))('belongs to a server that says nothing', async () => {
    const path = await serve(
      'silent.sock',
      createServer((socket) => socket.resume()),
    );
    const started = performance.now();
    const result = await clean(path, await fastClock(20));
    // After ten seconds of its own, and not the two minutes of other calls.
    expect(performance.now() - started).toBeLessThan(4_000);
    expectOneMessage(result, { code: 1, message: /silent\.sock did not answer in time\n.+another program/ });
  });

  test('belongs to a gRPC server that is no container runtime', async () => {
    await using server = await TestRuntimeServer.start(() => undefined);
    const message = new RegExp(`${server.socketPath} does not offer the Container Runtime Interface\n.+disabled_plugins`);
    expectOneMessage(await clean(server.socketPath), { code: 1, message });
  });

  test('belongs to a runtime with CRI v1alpha2 only', async () => {
    await using server = await TestRuntimeServer.start((router) => {
      router.service(OldRuntimeService, { version: () => ({ runtimeName: 'containerd', runtimeVersion: '1.5.18' }) });
    });
    expectOneMessage(await clean(server.socketPath), {
      code: 1,
      message: /containerd 1\.5\.18 at .+ offers only CRI v1alpha2\nUpdate the container runtime.+containerd 1\.6/,
    });
  });

  describe.skipIf(lacksRealPart('containerd-debian'))('of a real runtime', () => {
    let containerd: PrivateContainerd;
    const image = buildImage({ refs: ['docker.io/library/unused:1'], layers: [{ files: { 'app/content': 'x' } }] });
    beforeAll(async () => {
      containerd = await startContainerd({ version: 'debian' });
      await importImages(containerd, [image]);
    });
    afterAll(() => containerd.stop());

    test('is not to be opened by this user: no permission', async () => {
      // What nobody may read, wherever this project is.
      const home = join(folder, 'of-nobody');
      await mkdir(home, { mode: 0o777 });
      await chmod(folder, 0o755);
      await chmod(home, 0o777);
      await cp(dirname(CLI), join(home, 'program'), { recursive: true });
      const asNobody = 'process.setgroups([]),process.setgid(65534),process.setuid(65534)';
      const child = spawn(
        process.execPath,
        [
          `--import=data:text/javascript,${asNobody}`,
          join(home, 'program', basename(CLI)),
          ...CLEAN,
          '--runtime-endpoint',
          containerd.endpoint,
        ],
        { cwd: '/', env: { ...cliEnvironment(), IMAGE_CLEANER_HISTORY: join(home, 'history.db') } },
      );
      expectOneMessage(await collect(child), { code: 1, message: new RegExp(`No permission.+${containerd.socket}\nRun as root`) });
      expect(await listImageIds(containerd)).toEqual([image.id]);
    });
  });
});

function collect(child: ReturnType<typeof spawn>): Promise<CliResult> {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
