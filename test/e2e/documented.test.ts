import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFailed, test, vi } from 'vitest';
import { healthy, library, vulnerable } from './sample-images.ts';
import { firstNode, AUTOMATIC, connectSite, lacksCluster, SOON, type InspectedNode, type Installation } from './site.ts';
import { CLI, runClusterCli, startClusterCli, type ClusterCliResult } from './start-cluster-cli.ts';

const DOCUMENT = fileURLToPath(new URL('../../docs/cluster.md', import.meta.url));
/** As the document names them. */
const REGISTRY = 'registry.example/team';
const ALPINE = library('alpine:3.7.3');
const NGINX = library('nginx:1.25');

/** The commands in the blocks of a document, and those in its tables, in their order; without comments. */
function commandsIn(markdown: string): string[] {
  const lines = markdown.split('\n');
  const blocks = lines.flatMap((line) => /^ {4}(image-cleaner .+?)(?: +#.*)?$/.exec(line)?.[1] ?? []);
  const tables = lines
    .filter((line) => line.startsWith('|'))
    .flatMap((line) => [...line.matchAll(/`(image-cleaner [^`]+)`/g)].map(([, command]) => command ?? ''));
  return [...new Set([...blocks, ...tables])];
}

describe.skipIf(lacksCluster())('the commands in the blocks and tables of docs/cluster.md, as they are written there', () => {
  let site: Installation;
  let node: InspectedNode;
  let folder: string;

  beforeAll(async () => {
    site = await connectSite();
    node = firstNode(site);
    folder = await mkdtemp(join(tmpdir(), 'image-cleaner-documented-'));
    await writeFile(join(folder, 'image-cleaner'), `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`);
    await chmod(join(folder, 'image-cleaner'), 0o755);
    await writeFile(join(folder, 'eraser.yaml'), JSON.stringify(AUTOMATIC));
    const { image, scannerImage, trivyCache } = inject('prepared');
    for (const { containerd } of site.nodes) {
      await containerd.ctr(['images', 'tag', '--force', image, `${REGISTRY}/image-cleaner:0.1.0`]);
      await containerd.ctr(['images', 'tag', '--force', scannerImage, `${REGISTRY}/image-cleaner-scanner:0.1.0`]);
    }
    // This cluster has no way to a vulnerability database: which one there is, is remembered over the disable.
    await runClusterCli(['disable', '--purge', '--yes']);
    const trivy = ['--trivy-cache-host-path', trivyCache, '--trivy-arg=--skip-db-update', '--manager-arg=--lease-duration=8s'];
    const enabled = await runClusterCli([
      'enable',
      '--config',
      join(folder, 'eraser.yaml'),
      ...['--image', image, '--scanner-image', scannerImage],
      ...trivy,
    ]);
    expect(enabled.code, enabled.stderr).toBe(0);
    expect((await runClusterCli(['disable'])).code).toBe(0);
    await site.do(['delete', 'imagejobs', '--all', '--wait']);
  });
  afterAll(async () => {
    await site.remove();
    for (const { containerd } of site.nodes) {
      await containerd.ctr(['images', 'rm', '--sync', `${REGISTRY}/image-cleaner:0.1.0`, `${REGISTRY}/image-cleaner-scanner:0.1.0`]);
    }
    await site.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    onTestFailed(async () => void process.stderr.write(await site.logs()));
  });

  /** As an operator types it. */
  function shell(command: string): Promise<ClusterCliResult> {
    const path = [folder, dirname(process.execPath), '/usr/bin', '/bin'].join(':');
    const env = { PATH: path, HOME: folder, KUBECONFIG: inject('prepared').cluster.kubeconfig };
    return new Promise((resolve, reject) => {
      execFile('bash', ['-c', command], { cwd: folder, env }, (error, stdout, stderr) => {
        if (error === null) resolve({ code: 0, stdout, stderr });
        else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
        else reject(new Error('ended by a signal', { cause: error }));
      });
    });
  }

  const interval = async (): Promise<string> => (await shell('image-cleaner cluster config get manager.scheduling.repeatInterval')).stdout;
  const isInstalled = async (): Promise<boolean> => (await site.managerPods()).length > 0;
  async function untilIdle(): Promise<void> {
    await vi.waitFor(async () => {
      for (const { status } of await site.jobs()) expect(status?.phase).toBe('Completed');
      expect(await site.workerPods()).toEqual([]);
    }, SOON);
  }
  async function enabledAndIdle(): Promise<void> {
    if (!(await isInstalled())) expect((await runClusterCli(['enable'])).code).toBe(0);
    await vi.waitFor(async () => expect(await site.jobs()).not.toEqual([]), SOON);
    await untilIdle();
  }
  async function expectAlpineGone(): Promise<void> {
    expect(await node.tags()).not.toContain(ALPINE);
  }
  async function lastJob(): Promise<string> {
    const madeAt = ({ metadata }: Awaited<ReturnType<Installation['jobs']>>[number]): number => Date.parse(metadata.creationTimestamp);
    const last = (await site.jobs()).toSorted((a, b) => madeAt(a) - madeAt(b)).at(-1);
    if (last === undefined) throw new Error('no job');
    return last.metadata.name;
  }

  interface Way {
    readonly before?: () => Promise<unknown>;
    /** What a reader puts in the place of a word of the document. */
    readonly typed?: () => Promise<readonly [placeholder: string, typed: string]>;
    /** From outside, where it can be seen there. */
    readonly after: (result: ClusterCliResult) => Promise<unknown>;
  }
  const says =
    (text: string | RegExp): Way['after'] =>
    ({ stdout }) => {
      expect(stdout).toMatch(text);
      return Promise.resolve();
    };
  const logsOfNode: Way = {
    before: enabledAndIdle,
    typed: async () => ['RUN', await lastJob()],
    after: says(/remover/),
  };

  /** In the order in which they are run. */
  const ways: Readonly<Record<string, Way>> = {
    [`image-cleaner cluster enable --image ${REGISTRY}/image-cleaner:0.1.0`]: {
      after: async () => {
        const images = (await site.managerPods()).flatMap(({ spec }) => spec.containers.map(({ image }) => image));
        expect(images).toEqual([`${REGISTRY}/image-cleaner:0.1.0`, `${REGISTRY}/image-cleaner-scanner:0.1.0`]);
        await vi.waitFor(async () => expect(await site.jobs()).toHaveLength(1), SOON);
      },
    },
    'image-cleaner cluster update --image-cleaner-interval-hours 48': { after: async () => expect(await interval()).toMatch('48h') },
    'image-cleaner cluster config get manager.scheduling': { after: says('48h') },
    'image-cleaner cluster config set manager.imageJob.maxParallel=10%': {
      after: async () => expect((await shell('image-cleaner cluster config get manager.imageJob.maxParallel')).stdout).toMatch('10%'),
    },
    'image-cleaner cluster config validate eraser.yaml': { after: () => Promise.resolve() },
    'image-cleaner cluster migrate --check': { before: enabledAndIdle, after: () => Promise.resolve() },
    'image-cleaner cluster status': { before: enabledAndIdle, after: says(/0\.1\.0/) },
    'image-cleaner cluster run': {
      before: async () => {
        await enabledAndIdle();
        await node.import([vulnerable(ALPINE), healthy(NGINX)]);
      },
      after: async () => {
        await expectAlpineGone();
        expect(await node.tags()).toContain(NGINX);
      },
    },
    'image-cleaner cluster run --attach': {
      before: async () => {
        await untilIdle();
        const first = startClusterCli(['run']);
        await first.seen('at work');
        first.child.kill('SIGINT');
        expect((await first.result).code).toBe(130);
      },
      after: says(/^Completed: /),
    },
    'image-cleaner cluster remove alpine:3.7.3': { before: () => node.import([healthy(ALPINE)]), after: expectAlpineGone },
    'image-cleaner cluster remove IMAGE…': {
      before: () => node.import([healthy(ALPINE)]),
      typed: () => Promise.resolve(['IMAGE…', `alpine:3.7.3 ${NGINX.replace('1.25', '0.1')}`]),
      after: expectAlpineGone,
    },
    'image-cleaner cluster history': { after: async (result) => says(await lastJob())(result) },
    'image-cleaner cluster logs RUN [NODE] [-c remover]': {
      ...logsOfNode,
      typed: async () => ['RUN [NODE] [-c remover]', `${await lastJob()} ${node.name} -c remover`],
    },
    'image-cleaner cluster logs RUN': logsOfNode,
    'image-cleaner cluster explain nginx:1.25': { after: says(/nginx:1\.25/) },
    'image-cleaner cluster verdicts list': { after: says(/^NODE .*\n.* trivy /) },
    'image-cleaner cluster verdicts revoke --node NODE --dry-run': {
      typed: () => Promise.resolve(['NODE', node.name]),
      after: async () => expect((await shell('image-cleaner cluster verdicts list')).stdout).toContain(node.name),
    },
    'image-cleaner cluster verdicts revoke --node NODE': {
      // There is no terminal to ask on.
      typed: () => Promise.resolve(['NODE', `${node.name} --yes`]),
      after: async () => expect((await shell('image-cleaner cluster verdicts list')).stdout).not.toContain(node.name),
    },
    "image-cleaner cluster exclude add 'ghcr.io/acme/*'": {
      after: async () =>
        expect(await site.do(['get', 'configmap', '-n', site.namespace, 'image-cleaner-excluded', '-o', 'yaml'])).toContain(
          'ghcr.io/acme/*',
        ),
    },
    'image-cleaner cluster exclude add PATTERN': {
      typed: () => Promise.resolve(['PATTERN', 'ghcr.io/other']),
      after: async () =>
        expect(await site.do(['get', 'configmap', '-n', site.namespace, 'image-cleaner-excluded', '-o', 'yaml'])).toContain(
          'ghcr.io/other',
        ),
    },
    'image-cleaner cluster exclude list': { after: says('ghcr.io/acme/*') },
    'image-cleaner cluster version': { after: says('0.1.0') },
    'image-cleaner cluster disable': { after: async () => expect(await isInstalled()).toBe(false) },
    'image-cleaner cluster enable': { after: async () => expect(await isInstalled()).toBe(true) },
    'image-cleaner cluster update --disable-image-cleaner': { after: async () => expect(await isInstalled()).toBe(false) },
    'image-cleaner cluster update --enable-image-cleaner': { after: async () => expect(await isInstalled()).toBe(true) },
    'image-cleaner cluster update --enable-image-cleaner --image-cleaner-interval-hours 48': {
      after: async () => expect(await interval()).toMatch('48h'),
    },
    'image-cleaner cluster disable --purge': {
      // There is no terminal to ask on.
      typed: () => Promise.resolve(['--purge', '--purge --yes']),
      after: async () => expect(await site.do(['get', 'crd', 'imagelists.eraser.sh', '--ignore-not-found'])).toBe(''),
    },
  };

  test('are all tried here', async () => {
    expect(commandsIn(await readFile(DOCUMENT, 'utf8')).sort()).toEqual(Object.keys(ways).sort());
  });

  test.each(Object.entries(ways))('%s', async (command, { before, typed, after }) => {
    await before?.();
    const [placeholder, text] = (await typed?.()) ?? ['', ''];
    const result = await shell(command.replace(placeholder, text));
    expect(result.code, result.stderr).toBe(0);
    await after(result);
  });
});
