import { parseArgs } from 'node:util';
import * as z from 'zod';
import { LOG_LEVELS } from '../api/eraser-config.ts';
import { describeProblems } from '../api/problem.ts';
import { parseDuration } from '../platform/duration.ts';
import { errorMessage } from '../platform/errors.ts';
import { SCANNER_KINDS } from './read-handed-verdicts.ts';
import { WorkerError } from './worker-error.ts';

export const PROGRAMS = ['collector', 'trivy-scanner', 'remover'] as const;
export type Program = (typeof PROGRAMS)[number];

const numberOfParts = z
  .string()
  .regex(/^[0-9]{1,4}$/, 'is no number of parts')
  .transform(Number);

const duration = z.string().transform((text, context) => {
  const parsed = parseDuration(text);
  if (parsed.ok && parsed.value > 0) return parsed.value;
  context.addIssue({ code: 'custom', message: 'is no duration above zero, such as 90m' });
  return z.NEVER;
});

/** Texts as a command line has them; what is not given is what a pod without it means. */
const schema = z.object({
  /** The `EraserConfig` of the run. */
  config: z.string().default('/config/controller_manager_config.yaml'),
  run: z.enum(['automatic', 'manual', 'remover-only']).default('automatic'),
  /** Required: with a wrong one, images would go that a scanner was to keep. */
  scanner: z.enum(SCANNER_KINDS).optional(),
  /** In how many configmaps. Required: with too few, images would go that they protect. */
  exclusions: numberOfParts,
  'image-list': numberOfParts.default(0),
  /** `none`: an automatic run without ages, protections and the pods of the node. */
  coordinator: z.enum(['required', 'none']).default('required'),
  /** The scanner's program. */
  trivy: z.string().default('trivy'),
  /** How long the scan of all images may take, where the configuration does not say less. */
  'scan-time': duration.optional(),
  /** How long the scan of one image may take. With this and the one before, a scanner with a coordinator needs nothing of the configuration. */
  'image-time': duration.optional(),
  /** Where there is no coordinator, whose database judges: whether the scanner brings its own up to date. */
  database: z.enum(['download', 'as-is']).default('download'),
  /** Of Java archives, some hundred MB: without it, images that hold such archives have no verdict. */
  'java-index': z.enum(['download', 'none']).default('none'),
  'log-level': z.enum(LOG_LEVELS).default('info'),
  'termination-log': z.string().default('/dev/termination-log'),
});
export type WorkerArguments = z.output<typeof schema> & { readonly program: Program };

const OPTIONS = Object.fromEntries(Object.keys(schema.shape).map((name) => [name, { type: 'string' as const }]));

export const USAGE = `worker ${PROGRAMS.join('|')} ${Object.keys(schema.shape)
  .map((name) => `[--${name}=…]`)
  .join(' ')}`;

export function parseArguments(args: readonly string[]): WorkerArguments {
  const { values, positionals } = readArgs(args);
  const program = z.tuple([z.enum(PROGRAMS)]).safeParse(positionals);
  if (!program.success) throw badUsage(`the first argument is to be one of ${PROGRAMS.join(', ')}, and there is to be no other`);
  // The scanner looks at what the collector offers, and so needs no exclusions.
  const defaults = program.data[0] === 'trivy-scanner' ? { exclusions: '0' } : {};
  const parsed = schema.safeParse({ ...defaults, ...values });
  if (parsed.success) return { ...parsed.data, program: program.data[0] };
  throw badUsage(
    describeProblems(parsed.error)
      .map(({ path, message }) => `--${path}: ${message}`)
      .join('; '),
  );
}

function readArgs(args: readonly string[]): { readonly values: object; readonly positionals: readonly string[] } {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true, strict: true });
  } catch (error) {
    throw badUsage(errorMessage(error));
  }
}

export function badUsage(message: string): WorkerError {
  return new WorkerError({ code: 'bad-usage', message, hint: USAGE });
}
