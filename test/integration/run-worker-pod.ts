import { spawn, type ChildProcess } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { buildImage } from '../../lab/images.ts';
import { TOKEN_FILE, WORKER_PATHS, type WorkerContainer } from '../../src/api/worker-pod.ts';
import { CA_BUNDLE_FILE } from '../../src/api/coordinator/coordinator-api.ts';
import { FROZEN_KEYS, freezeExclusions, freezeImageList } from '../../src/api/frozen-lists.ts';

/** Built by the global set-up, with the helper that makes pipes beside it. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const WORKER = join(ROOT, 'dist/worker.mjs');

const logSchema = z.looseObject({ level: z.string(), component: z.string(), message: z.string() });
export type LogLine = z.output<typeof logSchema>;

export interface WorkerResult {
  /** null: ended by a signal. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningWorker {
  readonly child: ChildProcess;
  readonly result: Promise<WorkerResult>;
  /** Resolves when the output shows the text. */
  readonly seen: (text: string) => Promise<void>;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
}

export interface ContainerOptions {
  /** What a container's fields of the pod are: `spec.nodeName`, … */
  readonly fields: Readonly<Record<string, string>>;
  /** What its image sets. */
  readonly path: string;
}

/**
 * The programs of a worker pod as processes of this machine. Each is in a mount namespace whose `/run` is the pod's own folder, so that the paths are
 * those of a container: the pipes, the mounted configmaps, the folder with the runtime's socket.
 */
export class WorkerPod {
  readonly #folder: string;
  readonly #runtimeFolder: string;
  readonly #children: ChildProcess[] = [];

  private constructor(folder: string, runtimeFolder: string) {
    this.#folder = folder;
    this.#runtimeFolder = runtimeFolder;
  }

  /** `endpoint`: of the runtime. */
  static async make(endpoint: string): Promise<WorkerPod> {
    const folder = await mkdtemp(join(tmpdir(), 'image-cleaner-worker-'));
    for (const below of ['eraser.sh/shared-data', 'image-cleaner/runtime', 'config']) await mkdir(join(folder, below), { recursive: true });
    return new WorkerPod(folder, dirname(endpoint.replace('unix://', '')));
  }

  path(...below: string[]): string {
    return join(this.#folder, ...below);
  }

  /** As the controller freezes them; gives the argument that says how many there are. */
  async mountExclusions(entries: readonly string[], mostBytes?: number): Promise<string> {
    const parts = freezeExclusions([{ name: 'test/excluded.json', entries }], mostBytes);
    await this.#mount('image-cleaner/exclusions', FROZEN_KEYS.exclusions, parts);
    return `--exclusions=${String(parts.length)}`;
  }

  async mountImageList(images: readonly string[], mostBytes?: number): Promise<string> {
    const parts = freezeImageList(images, mostBytes);
    await this.#mount('eraser.sh/imagelist', FROZEN_KEYS.imageList, parts);
    return `--image-list=${String(parts.length)}`;
  }

  async writeConfig(yaml: string, name = 'config.yaml'): Promise<string> {
    await writeFile(this.path('config', name), yaml);
    return `--config=/run/config/${name}`;
  }

  start(program: string, args: readonly string[], options: StartOptions = {}): RunningWorker {
    return this.startFile(process.execPath, [WORKER, program, `--termination-log=/run/${program}-ended`, ...args], options);
  }

  startFile(file: string, args: readonly string[], { env = {} }: StartOptions = {}): RunningWorker {
    const script = 'mount --bind "$1" "$2/image-cleaner/runtime" && mount --rbind "$2" /run && shift 2 && exec "$@"';
    const child = spawn(
      'unshare',
      ['--mount', '--propagation', 'private', 'sh', '-ec', script, 'sh', this.#runtimeFolder, this.#folder, file, ...args],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: '/usr/bin:/bin',
          NODE_NAME: 'node-1',
          CONTAINER_RUNTIME_ENDPOINT: 'unix:///run/image-cleaner/runtime/containerd.sock',
          ...env,
        },
      },
    );
    this.#children.push(child);
    return watchOutput(child);
  }

  /**
   * A container of ours as the controller makes it: its command, arguments and environment and nothing else, root without any of root's powers, and a
   * root that cannot be written to.
   */
  async startContainer(
    { name, command = [], args, env, volumeMounts }: WorkerContainer,
    options: ContainerOptions,
  ): Promise<RunningWorker> {
    // A project below the folder that the pod's own one takes the place of has to be seen in it.
    const project = relative(WORKER_PATHS.temporary, ROOT);
    const isHidden = !project.startsWith('..');
    await mkdir(this.path(`tmp-${name}`, isHidden ? project : ''), { recursive: true });
    const environment = Object.fromEntries(
      env.map((variable) => [variable.name, 'value' in variable ? variable.value : options.fields[variable.valueFrom.fieldRef.fieldPath]]),
    );
    const writable = volumeMounts.filter(({ readOnly }) => readOnly !== true).map(({ mountPath }) => mountPath);
    const script = [
      'runtime=$1 pod=$2 name=$3; shift 3',
      'mount --bind / / && mount --bind "$runtime" "$pod/image-cleaner/runtime" && mount --rbind "$pod" /run',
      ...(isHidden ? [`mount --bind '${ROOT}' "/run/tmp-$name/${project}"`] : []),
      'mount -o remount,bind,ro /run && mount -o remount,bind,ro /',
      `mount --rbind "/run/tmp-$name" ${WORKER_PATHS.temporary}`,
      ...writable
        .filter((path) => path !== WORKER_PATHS.temporary)
        .map((path) => `mount --bind ${path} ${path} && mount -o remount,bind,rw ${path}`),
      `mount -o remount,bind,rw ${WORKER_PATHS.temporary}`,
      'exec setpriv --inh-caps=-all --bounding-set=-all --no-new-privs "$@"',
    ].join('\n');
    const ofImage = command.flatMap((word) => (word === '/usr/bin/worker' ? [process.execPath, WORKER] : [word]));
    // The root of this machine has no folder for it.
    const given = args.map((arg) => arg.replace(`=${WORKER_PATHS.config}/`, '=/run/config/'));
    const ended = `--termination-log=${WORKER_PATHS.sharedData}/${name}-ended`;
    const child = spawn(
      'unshare',
      [
        ...['--mount', '--propagation', 'private', 'sh', '-ec', script, 'sh', this.#runtimeFolder, this.#folder, name],
        ...[...ofImage, ...given, ended],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...environment, PATH: options.path } },
    );
    this.#children.push(child);
    return watchOutput(child);
  }

  /** As the kubelet mounts them. */
  async mountCredentials({ tokenFile, caFile }: { readonly tokenFile: string; readonly caFile: string }): Promise<void> {
    const files = [
      [WORKER_PATHS.coordinatorToken, TOKEN_FILE, tokenFile],
      [WORKER_PATHS.coordinatorCa, CA_BUNDLE_FILE, caFile],
    ] as const;
    for (const [folder, name, from] of files) {
      const to = this.path(relative('/run', folder));
      await mkdir(to, { recursive: true });
      await copyFile(from, join(to, name));
    }
  }

  async terminationLog(program: string): Promise<Record<string, unknown>> {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(await readFile(this.path(`${program}-ended`), 'utf8')));
  }

  async remove(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #mount(folder: string, key: string, parts: readonly string[]): Promise<void> {
    for (const [part, text] of parts.entries()) {
      const at = this.path(folder, String(part));
      await mkdir(at, { recursive: true });
      await writeFile(join(at, key), text);
    }
  }
}

function watchOutput(child: ChildProcess): RunningWorker {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const result = new Promise<WorkerResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  const seen = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (stdout.includes(text)) resolve();
      };
      look();
      child.stdout?.on('data', look);
      void result.then(() => reject(new Error(`ended without "${text}":\n${stdout}${stderr}`)));
    });
  return { child, result, seen };
}

/** Each line of a worker's log is JSON. */
export function parseLog({ stdout }: WorkerResult): LogLine[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => logSchema.parse(JSON.parse(line)));
}

/** The reason of each image that stays, by name. */
export function keptReasons(result: WorkerResult): Record<string, unknown> {
  return Object.fromEntries(
    parseLog(result)
      .filter(({ message }) => message === 'image kept')
      .map((line) => [String(line['image']), line['reason']]),
  );
}

/** A small image of one layer, different for each reference. */
export function smallImage(ref: string): ReturnType<typeof buildImage> {
  return buildImage({ refs: [ref], layers: [{ files: { 'app/content': ref } }] });
}
