import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatContainerdConfig, pathsOfPlace } from './containerd-config.ts';
import type { ContainerdHandle } from './containerd-handle.ts';
import type { CriClient } from './cri-client.ts';
import { connectCri } from './cri-client.ts';
import { LabError, requireRoot } from './lab-error.ts';
import { ownPlace, releasePlace, sweepAbandonedPlaces } from './owned-places.ts';
import type { Place } from './place.ts';
import { chooseSnapshotter, makePlace } from './place.ts';
import { signalProcess, waitUntilStopped } from './processes.ts';
import { runCommand } from './run-command.ts';
import type { ContainerdTools, ContainerdVersion, OnProgress } from './tools.ts';
import { containerdRelease, ensureContainerd } from './tools.ts';

/** A container runtime of our own, apart from the machine's: its own directories, socket and control group. */
export interface PrivateContainerd extends ContainerdHandle, AsyncDisposable {
  readonly version: ContainerdVersion;
  readonly place: Place;
  readonly logFile: string;
  /** Ends the daemon (SIGTERM unless told, or not at all when it is dead) and starts it on the same state. Containers go on meanwhile. */
  restart(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Kills the daemon as a crash would; containers go on. `restart` brings it back. */
  kill(): Promise<void>;
  /** Stops the daemon from answering while its socket stays open. */
  pause(): void;
  resume(): void;
  /** Ends the daemon and all its containers and removes all that they left on the machine. */
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly version: ContainerdVersion;
  readonly onProgress?: OnProgress;
}

/** containerd answers in well under a second; a machine under load takes longer. */
const START_TIMEOUT_MS = 30_000;
const END_TIMEOUT_MS = 10_000;
const POLL_MS = 10;

/** Starts a private containerd and waits until its CRI answers. Needs root. */
export async function startContainerd(options: StartOptions): Promise<PrivateContainerd> {
  requireRoot('A private containerd');
  const tools = await ensureContainerd(options.version, options.onProgress);
  const release = await containerdRelease(tools);
  sweepAbandonedPlaces(options.onProgress);
  const place = makePlace();
  ownPlace(place);
  const containerd = new ContainerdProcess(options.version, release, tools, place);
  try {
    await containerd.start();
    return containerd;
  } catch (error) {
    await containerd.stop();
    throw error;
  }
}

class ContainerdProcess implements PrivateContainerd {
  readonly version: ContainerdVersion;
  readonly release: string;
  readonly endpoint: string;
  readonly socket: string;
  readonly directory: string;
  readonly place: Place;
  readonly logFile: string;
  readonly cri: CriClient;
  readonly #tools: ContainerdTools;
  #daemon: ChildProcess | null = null;

  constructor(version: ContainerdVersion, release: string, tools: ContainerdTools, place: Place) {
    this.version = version;
    this.release = release;
    this.place = place;
    this.socket = place.socket;
    this.directory = place.root;
    this.endpoint = `unix://${place.socket}`;
    this.logFile = join(place.root, 'containerd.log');
    this.cri = connectCri(place.socket);
    this.#tools = tools;
    const major = Number(release.split('.')[0]);
    const config = formatContainerdConfig(pathsOfPlace(place), { major, runc: tools.runc, snapshotter: chooseSnapshotter(place) });
    writeFileSync(this.#configFile, config);
  }

  get #configFile(): string {
    return join(this.place.root, 'containerd.toml');
  }

  async start(): Promise<void> {
    const log = openSync(this.logFile, 'a');
    // A process group of its own: Ctrl-C is for us to handle, and containers must not get it.
    this.#daemon = spawn(this.#tools.containerd, ['--config', this.#configFile], {
      detached: true,
      stdio: ['ignore', log, log],
      // The shim is looked for on PATH; the tools that containerd calls (mount, umount, iptables) are the machine's.
      env: { ...process.env, PATH: `${this.#tools.directory}:${dirname(this.#tools.runc)}:${process.env['PATH'] ?? ''}` },
    });
    closeSync(log);
    this.#daemon.unref();
    const started = await once(this.#daemon, 'spawn').then(
      () => true,
      () => false,
    );
    if (!started) throw new LabError({ code: 'tool-failed', message: `${this.#tools.containerd} can't be started` });
    await this.#waitUntilReady();
  }

  async #waitUntilReady(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    let reason: unknown;
    while (this.#isRunning && Date.now() < deadline) {
      try {
        await this.cri.images.listImages({}, { timeoutMs: 2_000 });
        return;
      } catch (error) {
        reason = error;
        await sleep(POLL_MS);
      }
    }
    const what = this.#isRunning ? `does not answer within ${START_TIMEOUT_MS / 1000} s` : 'ended';
    const log = (await readFile(this.logFile, 'utf8')).trimEnd().split('\n').slice(-15).join('\n');
    throw new LabError({ code: 'not-ready', message: `The private containerd ${what}. The end of its log:\n${log}`, cause: reason });
  }

  get #isRunning(): boolean {
    return this.#daemon !== null && this.#daemon.exitCode === null && this.#daemon.signalCode === null;
  }

  async ctr(args: readonly string[]): Promise<string> {
    return await runCommand(this.#tools.ctr, ['--address', this.socket, '--namespace', 'k8s.io', ...args]);
  }

  async restart(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    await this.#end(signal);
    await this.start();
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  pause(): void {
    if (!this.#isRunning || this.#daemon?.pid === undefined) return;
    signalProcess(this.#daemon.pid, 'SIGSTOP');
    waitUntilStopped(this.#daemon.pid);
  }

  resume(): void {
    if (this.#isRunning && this.#daemon?.pid !== undefined) signalProcess(this.#daemon.pid, 'SIGCONT');
  }

  async stop(): Promise<void> {
    await this.#end('SIGKILL');
    releasePlace(this.place);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const daemon = this.#daemon;
    this.cri.close();
    if (daemon?.pid === undefined || !this.#isRunning) return;
    const exited = once(daemon, 'exit');
    daemon.ref();
    this.resume();
    signalProcess(daemon.pid, signal);
    const timeout = setTimeout(() => daemon.kill('SIGKILL'), END_TIMEOUT_MS);
    await exited;
    clearTimeout(timeout);
  }
}
