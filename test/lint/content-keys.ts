import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

/** A source file as it is now. */
interface SourceFile {
  readonly hash: string;
  /** The paths of the files that it imports, as a type or a value. */
  readonly imports: readonly string[];
  /** It changes what other files see that do not import it. */
  readonly isAmbient: boolean;
}

/**
 * Of each file a key that is another one when anything changes that the types in it may come from: itself, what it imports and what that imports, what
 * declares something for all files, and `common`, which is to name compiler, packages and settings. Packages are imported by a name, all else by a path.
 * Paths are below `root`, wherever that is.
 */
export function contentKeys(root: string, files: readonly string[], common: readonly string[]): Map<string, string> {
  const sources = new Map<string, SourceFile>();
  const sourceOf = (path: string): SourceFile => {
    const known = sources.get(path);
    if (known !== undefined) return known;
    const read = readSource(path, readFileSync(join(root, path), 'utf8'));
    sources.set(path, read);
    return read;
  };
  const reach = (from: readonly string[]): string[] => {
    const reached = new Set(from);
    for (const path of reached) for (const imported of sourceOf(path).imports) reached.add(imported);
    return [...reached].sort();
  };
  const ambient = reach(files.filter((path) => sourceOf(path).isAmbient));
  const linesOf = (paths: readonly string[]): string[] => paths.map((path) => `${path} ${sourceOf(path).hash}`);
  const shared = hashOf([...common, ...linesOf(ambient)].join('\n'));
  return new Map(files.map((path) => [path, hashOf([shared, path, ...linesOf(reach([path]))].join('\n'))]));
}

function readSource(path: string, text: string): SourceFile {
  const { importedFiles, referencedFiles, ambientExternalModules } = ts.preProcessFile(text, true, true);
  const named = [...importedFiles, ...referencedFiles].map(({ fileName }) => fileName);
  return {
    hash: hashOf(text),
    imports: path.endsWith('.json') ? [] : named.filter((name) => name.startsWith('.')).map((name) => join(dirname(path), name)),
    isAmbient: path.endsWith('.d.ts') || ambientExternalModules !== undefined || /\bdeclare\s+(global|module)\b/.test(text),
  };
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
