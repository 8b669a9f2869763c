import { parse } from 'yaml';
import * as z from 'zod';
import { errorMessage } from '../platform/errors.ts';

/** crictl has more keys, of no meaning here. An empty file is null. */
const configSchema = z.object({ 'runtime-endpoint': z.string().nullish() }).nullable();

export type ParsedCrictlConfig =
  { readonly ok: true; readonly endpoint: string | undefined } | { readonly ok: false; readonly message: string };

/** The `runtime-endpoint` of a configuration of crictl; undefined when it names none. */
export function parseCrictlConfig(text: string): ParsedCrictlConfig {
  try {
    const endpoint = configSchema.parse(parse(text))?.['runtime-endpoint']?.trim() ?? '';
    return { ok: true, endpoint: endpoint === '' ? undefined : endpoint };
  } catch (error) {
    return { ok: false, message: error instanceof z.ZodError ? z.prettifyError(error) : errorMessage(error) };
  }
}
