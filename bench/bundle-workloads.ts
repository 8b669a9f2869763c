import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** As the command line is: a process that loads TypeScript takes its time and memory for that. */
export async function bundleWorkloads(outdir: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: ['bench/workloads/*.ts'],
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    logLevel: 'warning',
    // Some packages are CommonJS and call require for Node's own modules.
    banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
  });
}
