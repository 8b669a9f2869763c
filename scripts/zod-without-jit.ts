import { readFile } from 'node:fs/promises';
import type { Plugin } from 'esbuild';

/**
 * Has zod check values as they are, and compile no function for each schema of an object first. That pays where a schema sees thousands of values;
 * a process that ends after some seconds only has the compiling. Set where zod begins, for each schema goes by it from its making.
 */
export const zodWithoutJit: Plugin = {
  name: 'zod-without-jit',
  setup: (bundling) => {
    bundling.onLoad({ filter: /\/node_modules\/zod\/v4\/core\/core\.js$/ }, async ({ path }) => ({
      contents: `${await readFile(path, 'utf8')}\nconfig({ jitless: true });\n`,
    }));
  },
};
