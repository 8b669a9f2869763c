import { isAbsolute, relative } from 'node:path';
import type { Plugin } from 'esbuild';

/** Paths below the root of source that is imported when it is needed. */
export type ImportGroup = readonly string[];

/**
 * Has what is imported on demand loaded in groups. The bundler makes a file of all that the same set of such imports needs, and of many imports
 * there are many sets: a start would look for dozens of files, most of them tiny.
 */
export function importGroups(root: string, groups: Readonly<Record<string, ImportGroup>>): Plugin {
  const groupOf = new Map(Object.entries(groups).flatMap(([name, paths]) => paths.map((path) => [path, name])));
  return {
    name: 'import-groups',
    setup: (bundling) => {
      bundling.onResolve({ filter: /^\./, namespace: 'file' }, async ({ path, kind, resolveDir, pluginData }) => {
        if (kind !== 'dynamic-import' || pluginData === RESOLVING) return null;
        const resolved = await bundling.resolve(path, { kind, resolveDir, pluginData: RESOLVING });
        const group = isAbsolute(resolved.path) ? groupOf.get(relative(root, resolved.path)) : undefined;
        if (group === undefined) throw new Error(`${path} is imported on demand, and in no group`);
        return { path: group, namespace: 'group' };
      });
      bundling.onLoad({ filter: /.*/, namespace: 'group' }, ({ path: group }) => ({
        contents: (groups[group] ?? []).map((path) => `export * from ${JSON.stringify(`./${path}`)};`).join('\n'),
        resolveDir: root,
      }));
    },
  };
}

const RESOLVING = Symbol('resolving');
