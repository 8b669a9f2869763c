import { readFile } from 'node:fs/promises';
import type { Plugin } from 'esbuild';

/**
 * Has the bundler leave out the schemas that nothing asks for. A schema is made by calls, of which a bundler cannot know that they do nothing else:
 * without a word each program would make, at each start, all schemas of every file that it takes one from.
 */
export const unusedSchemas: Plugin = {
  name: 'unused-schemas',
  setup: (bundling) => {
    bundling.onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      if (!source.includes("import * as z from 'zod';")) return null;
      return { contents: source.replaceAll(MAKES_SCHEMA, '/* @__PURE__ */ $&'), loader: 'ts' };
    });
  },
};

const MAKES_SCHEMA = /(?<![\w.])z\s*\.\w+\(/g;
