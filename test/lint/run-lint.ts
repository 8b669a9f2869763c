import { run, type Print, type Ran, type SuiteResult } from '../suites.ts';
import { addKnownKeys, readKnownKeys } from './known-keys.ts';
import { treeKey } from './tree.ts';

const CACHE = 'node_modules/.cache/image-cleaner';

const STEPS: Readonly<Record<string, readonly string[]>> = {
  'typed lint': ['test/lint/typed-lint.ts'],
  types: ['node_modules/typescript/bin/tsc', '--noEmit', '-p', '.', '--incremental', '--tsBuildInfoFile', `${CACHE}/tsc.tsbuildinfo`],
  formatting: [
    ...['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn'],
    ...['--cache', '--cache-strategy', 'content', '--cache-location', `${CACHE}/prettier`, '.'],
  ],
  'import boundaries': ['node_modules/dependency-cruiser/bin/dependency-cruiser.mjs', '--config', '.dependency-cruiser.cjs', 'src'],
  'generated code': ['test/check-generated.ts'],
};
/** Those that take long, and find in a tree what they found in it before: one in which that was nothing is not looked at again. */
const ONCE_A_TREE = ['types', 'formatting'];

export interface LintOptions {
  readonly root: string;
  readonly print: Print;
  /** Of the bundle, which counts as a step. */
  readonly build: () => Promise<Ran>;
}

/** All steps at once. */
export async function runLint({ root, print, build }: LintOptions): Promise<SuiteResult> {
  const [tree, known] = await Promise.all([treeKey(root), readKnownKeys()]);
  const keyOf = (name: string): string => `${name} ${tree}`;
  const isKnown = (name: string): boolean => ONCE_A_TREE.includes(name) && known.has(keyOf(name));
  const isPassed = async (step: () => Promise<Ran>): Promise<boolean> => {
    const { code, output } = await step();
    print(output);
    return code === 0;
  };
  const steps: readonly (readonly [string, () => Promise<Ran>])[] = [
    ...Object.entries(STEPS).map(([name, args]) => [name, () => run(process.execPath, args, { cwd: root, quiet: true })] as const),
    ['bundle', build],
  ];
  const results = await Promise.all(steps.map(async ([name, step]) => [name, isKnown(name) || (await isPassed(step))] as const));
  const passed = results.flatMap(([name, is]) => (is ? [name] : []));
  const failed = results.flatMap(([name, is]) => (is ? [] : [name]));
  // Unless someone has changed it meanwhile.
  if ((await treeKey(root)) === tree) await addKnownKeys(passed.filter((name) => ONCE_A_TREE.includes(name)).map(keyOf));
  if (failed.length > 0) print(`failed: ${failed.join(', ')}\n`);
  return { passed: passed.length, failed: failed.length, skipped: 0, failures: failed };
}
