import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import * as z from 'zod';
import { errorMessage } from '../platform/errors.ts';
import { nodeErrorCodes } from './call-error.ts';
import { CriError } from './cri-error.ts';

/** crictl has more keys, of no meaning here. An empty file is null. */
const configSchema = z.object({ 'runtime-endpoint': z.string().nullish() }).nullable();

/** The `runtime-endpoint` of a configuration file of crictl; undefined when there is no such file or it names none. */
export async function readCrictlEndpoint(path: string): Promise<string | undefined> {
  try {
    const config = configSchema.parse(parse(await readFile(path, 'utf8')));
    const endpoint = config?.['runtime-endpoint']?.trim() ?? '';
    return endpoint === '' ? undefined : endpoint;
  } catch (error) {
    if (nodeErrorCodes(error).includes('ENOENT')) return undefined;
    throw new CriError({
      code: 'invalid-config',
      message: `${path} cannot be read as a configuration of crictl: ${error instanceof z.ZodError ? z.prettifyError(error) : errorMessage(error)}`,
      hint: `Correct the file, or name the runtime's socket yourself.`,
      cause: error,
    });
  }
}
