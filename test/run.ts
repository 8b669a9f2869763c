/* eslint-disable no-console -- the test runner talks to its terminal */
import { fileURLToPath } from 'node:url';
import { runBreaks } from './breaks/run-breaks.ts';
import { BUNDLE_IS_BUILT } from './ensure-bundle.ts';
import { runLint } from './lint/run-lint.ts';
import { run, runProject, type Print, type Ran, type SuiteResult } from './suites.ts';

/**
 * `npm test [-- SUITE …]`: runs the suites, prints the time of each, and ends with the line `N passed, N failed`. Lanes of them run side by side, since
 * most suites mostly wait; then the output of each suite is printed when it ends. `cluster` stands for `cluster-api` and `cluster-own`, too.
 */
const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

/** In this run. */
const isPassed = { unit: false };

/** `print` null: the terminal is the suite's own. */
const SUITES: Readonly<Record<string, (print: Print | null) => Promise<SuiteResult>>> = {
  lint: (print) => runLint({ root, print: print ?? toTerminal, build }),
  unit: async (print) => {
    const result = await runProject('unit', { root, print });
    isPassed.unit = result.failed === 0;
    return result;
  },
  integration: (print) => runBuilt('integration', print),
  cluster: (print) => runBuilt('cluster', print),
  'cluster-api': (print) => runBuilt('cluster-api', print),
  'cluster-own': (print) => runBuilt('cluster-own', print),
  e2e: (print) => runBuilt('e2e', print),
  breaks: (print) => runBreaks({ root, print: print ?? toTerminal, passesUnbroken: isPassed.unit }),
};

/**
 * As many as there are processors: more only make tests of real clusters wait for one. What may be told to share one cluster of the user's is in one of
 * them.
 */
const LANES: readonly (readonly string[])[] = [
  ['unit', 'breaks', 'integration', 'cluster-own'],
  ['lint', 'cluster', 'cluster-api', 'e2e'],
];

function sum(results: Iterable<SuiteResult>): Pick<SuiteResult, 'passed' | 'failed' | 'skipped'> {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of results) {
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  }
  return total;
}

let building: Promise<Ran> | null = null;

/** Of what users run, once for all suites. */
function build(): Promise<Ran> {
  return (building ??= run(process.execPath, ['scripts/build.ts'], { cwd: root, quiet: true }));
}

/** A project whose tests run what is built. */
async function runBuilt(project: string, print: Print | null): Promise<SuiteResult> {
  const { code, output } = await build();
  if (code !== 0) throw new Error(`the bundle cannot be built:\n${output}`);
  return runProject(project, { root, print, env: { [BUNDLE_IS_BUILT]: 'true' } });
}

function toTerminal(text: string): void {
  process.stdout.write(text);
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in SUITES));
if (unknown.length > 0) {
  console.error(`unknown suite ${unknown.join(', ')}: there are ${Object.keys(SUITES).join(', ')}`);
  process.exit(2);
}

const results = new Map<string, SuiteResult & { readonly seconds: number }>();

async function runSuite(name: string, hasTerminal: boolean): Promise<void> {
  const started = performance.now();
  console.log(hasTerminal ? `\n=== ${name}` : `... ${name} begins`);
  let output = '';
  const print = (text: string): void => void (output += text);
  const result = await SUITES[name]?.(hasTerminal ? null : print).catch((error: unknown) => {
    const message = error instanceof Error ? (error.stack ?? '') : String(error);
    print(`${message}\n`);
    return { passed: 0, failed: 1, skipped: 0, failures: [message] };
  });
  if (!hasTerminal) console.log(`\n=== ${name}`);
  toTerminal(output);
  if (result !== undefined) results.set(name, { ...result, seconds: (performance.now() - started) / 1000 });
}

const isAsked = (suite: string): boolean => asked.length === 0 || asked.some((name) => suite === name || suite.startsWith(`${name}-`));
const lanes = LANES.map((lane) => lane.filter(isAsked)).filter((lane) => lane.length > 0);
await Promise.all(
  lanes.map(async (lane) => {
    for (const name of lane) await runSuite(name, lanes.length === 1);
  }),
);

// Last, where they are found.
for (const [name, { failures }] of results) {
  for (const failure of failures) console.log(`\nFAILED in ${name}: ${failure}`);
}
console.log('');
for (const name of Object.keys(SUITES)) {
  const result = results.get(name);
  if (result === undefined) continue;
  const counts = `${String(result.passed)} passed, ${String(result.failed)} failed, ${String(result.skipped)} skipped`;
  console.log(`${name.padEnd(12)} ${result.seconds.toFixed(1).padStart(7)} s   ${counts}`);
}
const total = sum(results.values());
const all = `${String(total.passed)} passed, ${String(total.failed)} failed`;
console.log(`\n${all}${total.skipped > 0 ? `, ${String(total.skipped)} skipped` : ''}`);
process.exitCode = total.failed > 0 ? 1 : 0;
