/* eslint-disable no-console -- the command talks to its terminal */
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { RoomError } from '../src/platform/errors.ts';
import { hostMessageSchema } from './cluster-host-messages.ts';
import type { ClusterState } from './cluster-state.ts';
import { clusterStateFile, readClusterState, removeClusterState } from './cluster-state.ts';
import { LabError, requireRoot } from './lab-error.ts';
import { withMachineLock } from './machine-lock.ts';
import { sweepAbandonedPlaces } from './owned-places.ts';
import { isAlive, signalProcess } from './processes.ts';
import { runCommand } from './run-command.ts';

/** `npm run cluster up [--nodes N] | down | status`: a real Kubernetes on this machine that stays until it is taken down. */
const USAGE = 'usage: npm run cluster up [--nodes 1|2|3] | down | status';
const file = clusterStateFile();
/** Removing all of a cluster takes less than a second. */
const END_TIMEOUT_MS = 20_000;
const say = (line: string): void => console.log(line);

const COMMANDS = { up, down, status };

async function cluster(): Promise<number> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { nodes: { type: 'string' } } });
  const [command = '', count, ...rest] = positionals;
  // Without a dash before them, npm takes the options for itself: of `--nodes 3` it leaves the number, `--nodes=3` it puts into the environment.
  const nodes = values.nodes ?? count ?? process.env['npm_config_nodes'] ?? '1';
  if (!isCommand(command) || rest.length > 0 || !['1', '2', '3'].includes(nodes)) {
    console.error(USAGE);
    return 2;
  }
  requireRoot('npm run cluster');
  // One at a time: a second `up` waits for the first, and finds its cluster.
  return await withMachineLock(file, () => COMMANDS[command](nodes));
}

function isCommand(command: string): command is keyof typeof COMMANDS {
  return Object.hasOwn(COMMANDS, command);
}

async function up(nodes: string): Promise<number> {
  const condition = readClusterState(file);
  if (condition.kind === 'up') {
    say('A cluster is up already.');
    return sayUse(condition.state);
  }
  const host = fork(fileURLToPath(new URL('cluster-host.ts', import.meta.url)), [nodes], { detached: true, stdio: 'ignore' });
  await untilUp(host);
  host.disconnect();
  host.unref();
  const started = readClusterState(file);
  if (started.kind !== 'up') throw new LabError({ code: 'not-ready', message: 'The cluster ended as soon as it was up.' });
  return sayUse(started.state);
}

/** Shows what the process that starts the cluster says, until the cluster is up. */
async function untilUp(host: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const fail = (message: string, hint?: string): void =>
    reject(new LabError({ code: 'not-ready', message, ...(hint === undefined ? {} : { hint }) }));
  host.once('error', reject);
  host.once('exit', () => fail('The process that starts the cluster was ended.'));
  host.on('message', (received) => {
    const message = hostMessageSchema.parse(received);
    if (message.kind === 'progress') say(message.line);
    else if (message.kind === 'failed') fail(message.message, message.hint);
    else resolve(undefined);
  });
  await promise;
  host.removeAllListeners('exit');
}

function sayUse({ nodes, logs, kubeconfig }: ClusterState): number {
  say(`Kubernetes with ${String(nodes.length)} ${nodes.length === 1 ? 'node' : 'nodes'} (${nodes.join(', ')}). Logs: ${logs}`);
  say(`export KUBECONFIG=${kubeconfig}`);
  return 0;
}

async function down(): Promise<number> {
  const condition = readClusterState(file);
  if (condition.kind === 'up') await endHost(condition.state.pid);
  // Of a host that was killed, also while it started, directories and control groups stay.
  sweepAbandonedPlaces(say);
  removeClusterState(file);
  say(
    { up: 'The cluster is down.', dead: 'The cluster had been killed; what it left is removed.', down: 'No cluster is up.' }[
      condition.kind
    ],
  );
  return 0;
}

async function endHost(pid: number): Promise<void> {
  signalProcess(pid, 'SIGTERM');
  const deadline = Date.now() + END_TIMEOUT_MS;
  while (isAlive(pid) && Date.now() < deadline) await sleep(50);
  signalProcess(pid, 'SIGKILL');
  while (isAlive(pid)) await sleep(50);
}

async function status(): Promise<number> {
  const condition = readClusterState(file);
  if (condition.kind === 'up') {
    const { kubectl, kubeconfig, upSince } = condition.state;
    say(`Up since ${upSince}.`);
    say((await runCommand(kubectl, ['--kubeconfig', kubeconfig, '--request-timeout=5s', 'get', 'nodes'])).trimEnd());
    return sayUse(condition.state);
  }
  say(condition.kind === 'down' ? 'No cluster is up.' : 'The cluster was killed. `npm run cluster down` removes what it left.');
  return 1;
}

try {
  process.exitCode = await cluster();
} catch (error) {
  if (!(error instanceof RoomError)) throw error;
  console.error(`error: ${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}`);
  process.exitCode = 1;
}
