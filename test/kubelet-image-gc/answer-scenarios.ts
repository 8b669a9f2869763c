/* eslint-disable no-console -- a script that talks to its terminal */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';
import * as z from 'zod';
import { runCommand } from '../../lab/run-command.ts';
import { ANSWERS_FILE, type Answer, type Answers } from './answers.ts';
import { withoutChance, type Scenario } from './scenario.ts';
import { digestOf, makeScenarios } from './scenarios.ts';

/** A line of what `main.go` writes: the distinct answers to one scenario. */
const lineSchema = z.object({ name: z.string(), removed: z.array(z.array(z.string())).min(1), error: z.string() });

/**
 * `scripts/node test/kubelet-image-gc/answer-scenarios.ts`: asks the kubelet's own code what it removes in each scenario, and writes
 * answers.json. Needed after a change to the scenarios or to the version of Kubernetes in go.mod; no part of `npm test`. It takes Go 1.25, a Go
 * module proxy in reach, and five minutes the first time, seconds later.
 */
const work = await mkdtemp(join(tmpdir(), 'image-cleaner-kubelet-'));
try {
  const scenarios = makeScenarios();
  const answers = await ask(await build(), scenarios);
  const [, kubernetes = ''] = /require k8s\.io\/kubernetes (\S+)/.exec(await readFile(besideThis('go.mod'), 'utf8')) ?? [];
  const written: Answers = { kubernetes, scenarios: digestOf(scenarios), answers };
  await writeFile(ANSWERS_FILE, await format(JSON.stringify(written), { parser: 'json', printWidth: 140 }));
  const byChance = Object.values(answers).filter((answer) => answer.byChance).length;
  console.log(`${String(scenarios.length)} scenarios answered by the kubelet of Kubernetes ${kubernetes}, ${String(byChance)} by chance.`);
} finally {
  await rm(work, { recursive: true, force: true });
}

function besideThis(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

/** Builds in a folder of its own, since Go adds all that Kubernetes needs to the go.mod that it builds with. */
async function build(): Promise<string> {
  for (const file of ['go.mod', 'main.go']) await copyFile(besideThis(file), join(work, file));
  const path = `${process.env['PATH'] ?? ''}:/usr/local/go/bin`;
  const env = { ...process.env, PATH: path, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-buildvcs=false -mod=mod' };
  console.log('Building the kubelet’s image garbage collection (five minutes the first time) ...');
  await runCommand('go', ['build', '-o', 'kubelet-image-gc', '.'], { cwd: work, env });
  return join(work, 'kubelet-image-gc');
}

async function ask(binary: string, scenarios: readonly Scenario[]): Promise<Answers['answers']> {
  const child = spawn(binary, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(scenarios));
  const [output] = await Promise.all([text(child.stdout), succeeded(child)]);
  const lines = output.split('\n').filter((line) => line !== '');
  const answered = new Map(lines.map((line) => lineSchema.parse(JSON.parse(line))).map((line) => [line.name, line]));
  return Object.fromEntries(scenarios.map((scenario) => [scenario.name, toAnswer(scenario, answered.get(scenario.name))]));
}

async function succeeded(child: ChildProcess): Promise<void> {
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`the kubelet's image garbage collection ended with ${String(code)}`);
}

function toAnswer(scenario: Scenario, answered: z.infer<typeof lineSchema> | undefined): Answer {
  if (answered === undefined) throw new Error(`no answer to ${scenario.name}`);
  const [removed = [], ...others] = answered.removed.map((ids) => withoutChance(scenario, ids));
  if (others.some((other) => other.join() !== removed.join())) throw new Error(`${scenario.name}: more is left to chance than known`);
  return { removed, byChance: others.length > 0, error: classify(answered.error) };
}

function classify(error: string): Answer['error'] {
  if (error === '') return '';
  if (error.startsWith('Insufficient free disk space')) return 'insufficient';
  if (error === 'invalid capacity 0 on image filesystem') return 'no-capacity';
  throw new Error(`unknown error: ${error}`);
}
