/* eslint-disable no-console -- the test runner talks to its terminal */
import { fileURLToPath } from 'node:url';
import { runBreaks } from './breaks/run-breaks.ts';
import { countTests, run, runVitest, type SuiteResult } from './suites.ts';

/** `npm test [-- SUITE …]`: runs the suites, prints the time of each, and ends with the line `N passed, N failed`. */
const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

/** In this run. */
const passed = { unit: false };

const SUITES: Readonly<Record<string, () => Promise<SuiteResult>>> = {
  lint: () =>
    commands({
      formatting: ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'],
      types: ['node_modules/typescript/bin/tsc', '--noEmit', '-p', '.'],
      'typed lint': ['node_modules/eslint/bin/eslint.js', '--max-warnings', '0', '.'],
      'import boundaries': ['node_modules/dependency-cruiser/bin/dependency-cruiser.mjs', '--config', '.dependency-cruiser.cjs', 'src'],
      'generated code': ['test/check-generated.ts'],
      bundle: ['scripts/build.ts'],
    }),
  unit: async () => {
    const result = countTests(await runVitest({ root, args: ['--project', 'unit'], verbose: true }));
    passed.unit = result.failed === 0;
    return result;
  },
  integration: async () => countTests(await runVitest({ root, args: ['--project', 'integration'], verbose: true })),
  cluster: async () => countTests(await runVitest({ root, args: ['--project', 'cluster'], verbose: true })),
  e2e: async () => countTests(await runVitest({ root, args: ['--project', 'e2e'], verbose: true })),
  breaks: () => runBreaks(root, { passesUnbroken: passed.unit }),
};

async function commands(steps: Readonly<Record<string, readonly string[]>>): Promise<SuiteResult> {
  const failed: string[] = [];
  for (const [name, args] of Object.entries(steps)) {
    if ((await run(process.execPath, args, { cwd: root })) !== 0) failed.push(name);
  }
  if (failed.length > 0) console.log(`failed: ${failed.join(', ')}`);
  return { passed: Object.keys(steps).length - failed.length, failed: failed.length, skipped: 0 };
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in SUITES));
if (unknown.length > 0) {
  console.error(`unknown suite ${unknown.join(', ')}: there are ${Object.keys(SUITES).join(', ')}`);
  process.exit(2);
}

const total = { passed: 0, failed: 0, skipped: 0 };
const summary: string[] = [];
for (const [name, suite] of Object.entries(SUITES)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  console.log(`\n=== ${name}`);
  const started = performance.now();
  const result = await suite();
  total.passed += result.passed;
  total.failed += result.failed;
  total.skipped += result.skipped;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  summary.push(
    `${name.padEnd(12)} ${seconds.padStart(7)} s   ${String(result.passed)} passed, ${String(result.failed)} failed, ${String(result.skipped)} skipped`,
  );
}
console.log(`\n${summary.join('\n')}\n`);
console.log(
  `${String(total.passed)} passed, ${String(total.failed)} failed${total.skipped > 0 ? `, ${String(total.skipped)} skipped` : ''}`,
);
process.exitCode = total.failed > 0 ? 1 : 0;
