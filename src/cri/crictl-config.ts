import { readFile } from 'node:fs/promises';
import { errorMessage } from '../platform/errors.ts';
import { nodeErrorCodes } from './call-error.ts';
import { CriError } from './cri-error.ts';

/** The `runtime-endpoint` of a configuration file of crictl; undefined when there is no such file or it names none. */
export async function readCrictlEndpoint(path: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (nodeErrorCodes(error).includes('ENOENT')) return undefined;
    throw unusable(path, errorMessage(error), error);
  }
  const { parseCrictlConfig } = await loadCrictlParser();
  const parsed = parseCrictlConfig(text);
  if (!parsed.ok) throw unusable(path, parsed.message);
  return parsed.endpoint;
}

/** A machine without that file needs no YAML. A process that stays calls it early: its program's files may be replaced. */
export const loadCrictlParser = () => import('./parse-crictl-config.ts');

function unusable(path: string, why: string, cause?: unknown): CriError {
  return new CriError({
    code: 'invalid-config',
    message: `${path} cannot be read as a configuration of crictl: ${why}`,
    hint: `Correct the file, or name the runtime's socket yourself.`,
    cause,
  });
}
