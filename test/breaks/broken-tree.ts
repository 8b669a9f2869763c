import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createVitest, type Vitest } from 'vitest/node';
import { copyTree } from '../copy-tree.ts';
import type { Break } from './breaks.ts';

export type BreakVerdict =
  | { readonly kind: 'noticed'; readonly test: string }
  /** No test failed. */
  | { readonly kind: 'unnoticed' }
  /** The break does not apply to the code as it is now: it must be brought up to date. */
  | { readonly kind: 'outdated' };

/** Of tests that have run. */
interface Results {
  passed: number;
  /** The name of the first. */
  failed: string | null;
}

/** A copy of the project to break, and its unit tests. */
export class BrokenTree {
  readonly #root: string;
  readonly #vitest: Vitest;
  readonly #results: Results;

  private constructor(root: string, vitest: Vitest, results: Results) {
    this.#root = root;
    this.#vitest = vitest;
    this.#results = results;
  }

  static async copy(project: string): Promise<BrokenTree> {
    const root = await copyTree(project);
    const results: Results = { passed: 0, failed: null };
    // Only a test that ran and failed counts; a file that no longer loads proves nothing.
    const reporter = {
      onTestCaseResult: (test: { readonly fullName: string; result(): { readonly state: string } }): void => {
        const { state } = test.result();
        if (state === 'passed') results.passed += 1;
        if (state === 'failed') results.failed ??= test.fullName;
      },
    };
    // One for all breaks: of each, only what it changes is loaded again. The first test that fails is enough.
    const vitest = await createVitest({ root, watch: false, project: ['unit'], reporters: [reporter], bail: 1 });
    return new BrokenTree(root, vitest, results);
  }

  /** Whether tests run, and none fails. */
  async passes(tests: readonly string[]): Promise<boolean> {
    const { passed, failed } = await this.#run(tests);
    return failed === null && passed > 0;
  }

  async try({ file, find, replace, tests }: Break): Promise<BreakVerdict> {
    const path = join(this.#root, file);
    const original = await readFile(path, 'utf8');
    if (original.split(find).length !== 2) return { kind: 'outdated' };
    try {
      await this.#write(
        path,
        original.replace(find, () => replace),
      );
      const { failed } = await this.#run([tests]);
      return failed === null ? { kind: 'unnoticed' } : { kind: 'noticed', test: failed };
    } finally {
      await this.#write(path, original);
    }
  }

  async remove(): Promise<void> {
    await this.#vitest.close();
    await rm(this.#root, { recursive: true, force: true });
  }

  async #run(tests: readonly string[]): Promise<Results> {
    Object.assign(this.#results, { passed: 0, failed: null });
    const specifications = await this.#vitest.globTestSpecifications([...tests]);
    const { testModules } = await this.#vitest.runTestSpecifications(specifications);
    // What it gives has those of earlier breaks, too, as they ended then.
    const files = new Set(specifications.map(({ moduleId }) => moduleId));
    // Where two files fail at once, each may be cancelled for the other before it is reported.
    for (const { moduleId, children } of testModules) {
      if (files.has(moduleId)) for (const test of children.allTests('failed')) this.#results.failed ??= test.fullName;
    }
    return this.#results;
  }

  async #write(path: string, text: string): Promise<void> {
    await writeFile(path, text);
    this.#vitest.invalidateFile(path);
  }
}
