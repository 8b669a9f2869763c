import { pathToFileURL } from 'node:url';
import type { Plugin } from 'esbuild';

/**
 * Leaves files of packages out of a bundle although other files of theirs import them, since nothing here calls what is in them: what a bundle
 * holds is read at each start, whether or not it is called. A call is an error that says so.
 *
 * @param files below node_modules
 */
export function leftOut(files: readonly string[]): Plugin {
  const seen = new Set<string>();
  return {
    name: 'left-out',
    setup: (bundling) => {
      bundling.onLoad({ filter: /\/node_modules\// }, async ({ path }) => {
        const file = path.slice(path.lastIndexOf('/node_modules/') + '/node_modules/'.length);
        if (!files.includes(file)) return null;
        seen.add(file);
        const exported = Object.keys((await import(pathToFileURL(path).href)) as object);
        const contents = exported.map(
          (name) =>
            `export function ${name}() { throw new Error(${JSON.stringify(`${name} of ${file} is left out (scripts/build.ts)`)}); }`,
        );
        return { contents: contents.join('\n') };
      });
      // After an update of a package a file may have another name.
      bundling.onEnd(() => {
        const missing = files.filter((file) => !seen.has(file));
        if (missing.length > 0) throw new Error(`in no bundle, so not to be left out: ${missing.join(', ')}`);
      });
    },
  };
}
