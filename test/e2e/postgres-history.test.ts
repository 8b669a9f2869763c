import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFailed, test, vi } from 'vitest';
import * as z from 'zod';
import { startPostgres, type Postgres } from '../../lab/postgres.ts';
import { library, vulnerable } from './sample-images.ts';
import { firstNode, lacksCluster, connectSite, SOON, type Installation } from './site.ts';
import { runClusterCli } from './start-cluster-cli.ts';

const GONE = library('gone-in-postgres:1');
const PASSWORD = 'a password that nobody may see';
const argsSchema = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({
        containers: z.array(z.object({ name: z.string(), args: z.array(z.string()) })),
        volumes: z.array(z.looseObject({ name: z.string() })),
      }),
    }),
  }),
});

describe.skipIf(lacksCluster())('a history in a PostgreSQL, by options of image-cleaner cluster enable', () => {
  let site: Installation;
  let server: Postgres;
  let door: Server;
  let url: string;

  beforeAll(async () => {
    site = await connectSite();
    server = await startPostgres();
    await server.query(`CREATE ROLE cleaner LOGIN PASSWORD '${PASSWORD}'`);
    await server.query("CREATE DATABASE cleaner OWNER cleaner TEMPLATE template0 ENCODING 'UTF8'");
    // It listens on the loopback address alone, which pods have one of their own of.
    door = createServer((near) => {
      const far = connect(server.port, server.host);
      for (const socket of [near, far]) socket.on('error', () => void [near, far].map((each) => each.destroy()));
      near.pipe(far).pipe(near);
    });
    const { hostname } = new URL(await site.do(['config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}']));
    await new Promise<void>((resolve) => door.listen(0, hostname, resolve));
    url = `postgres://cleaner@${hostname}:${String((door.address() as AddressInfo).port)}/cleaner?sslmode=disable`;
  });
  afterAll(async () => {
    await site.remove();
    await site.close();
    door.close();
    await server[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
  });

  async function succeed(args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runClusterCli(args);
    expect(code, stderr).toBe(0);
    return stdout;
  }

  async function historyOfDeployment(): Promise<unknown> {
    const text = await site.do(['get', 'deployment', '-n', site.namespace, 'eraser-controller-manager', '-o', 'json']);
    const { containers, volumes } = argsSchema.parse(JSON.parse(text)).spec.template.spec;
    const args = containers.find(({ name }) => name === 'manager')?.args ?? [];
    return {
      args: args.filter((arg) => arg.startsWith('--history')),
      volumes: volumes.map(({ name }) => name).filter((name) => name.startsWith('history')),
    };
  }

  test('the password comes from its Secret, what went is in the database, and that outlasts updates and a disable', async () => {
    await runClusterCli(['disable', '--purge', '--yes']);
    await site.do(['create', 'namespace', site.namespace]);
    await site.do(['label', 'namespace', site.namespace, 'pod-security.kubernetes.io/enforce=privileged']);
    await site.do(['create', 'secret', 'generic', 'history', '-n', site.namespace, `--from-literal=word=${PASSWORD}`]);
    await firstNode(site).import([vulnerable(GONE)]);
    const { image, scannerImage, trivyCache } = inject('prepared');
    const trivy = ['--trivy-cache-host-path', trivyCache, '--trivy-arg=--skip-db-update'];
    await succeed([
      ...['enable', '--image', image, '--scanner-image', scannerImage, ...trivy, '--manager-arg=--lease-duration=8s'],
      ...['--history-url', url, '--history-password-secret', 'history:word'],
    ]);
    const inPostgres = {
      args: [`--history=${url}`, '--history-password-file=/etc/image-cleaner/history/password'],
      volumes: ['history-access'],
    };
    expect(await historyOfDeployment()).toEqual(inPostgres);
    await vi.waitFor(async () => {
      const gone = "SELECT d.removal_state FROM decision d JOIN image_name n USING (image_key) WHERE n.name LIKE '%gone-in-postgres%'";
      expect((await server.query(gone, 'cleaner')).map(({ removal_state: state }) => state)).toContain('removed');
    }, SOON);
    const uid = await site.do(['get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}']);
    expect(await server.query('SELECT cluster FROM history_schema', 'cleaner')).toEqual([{ cluster: uid }]);
    expect(await succeed(['history'])).toMatch(/automatic/);
    expect(await succeed(['enable'])).toMatch(/nothing had to be changed/);
    for (const command of ['disable', 'enable']) await succeed([command]);
    expect(await historyOfDeployment()).toEqual(inPostgres);
    await succeed(['update', '--history-url', 'none']);
    expect(await historyOfDeployment()).toEqual({ args: ['--history=/var/lib/image-cleaner/history.db'], volumes: ['history'] });
  });
});
