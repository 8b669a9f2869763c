import { fileURLToPath } from 'node:url';
import { runCommand } from '../lab/run-command.ts';

/** Set by `npm test`, which builds once for all of its suites. */
export const BUNDLE_IS_BUILT = 'IMAGE_CLEANER_TEST_BUNDLE_IS_BUILT';

/** Builds what the tests of a project run, unless that has been done for it. */
export async function ensureBundle(): Promise<void> {
  if (process.env[BUNDLE_IS_BUILT] === 'true') return;
  await runCommand(process.execPath, [fileURLToPath(new URL('../scripts/build.ts', import.meta.url))]);
}
