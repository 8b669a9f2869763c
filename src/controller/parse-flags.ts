import { parseArgs } from 'node:util';
import * as z from 'zod';
import { COORDINATOR } from '../api/coordinator/coordinator-objects.ts';
import { describeProblems } from '../api/problem.ts';
import { parseMaxParallel, type MaxParallel } from '../core/cluster/max-parallel.ts';
import { parseDuration } from '../platform/duration.ts';
import { errorMessage, RoomError } from '../platform/errors.ts';
import { LOG_LEVELS } from '../platform/log.ts';

export class FlagError extends RoomError<'bad-usage'> {}

const duration = z.string().transform((text, context) => {
  const parsed = parseDuration(text);
  if (parsed.ok && parsed.value > 0) return parsed.value;
  context.addIssue({ code: 'custom', message: `"${text}" is no duration above zero, such as 5m` });
  return z.NEVER;
});

const maxParallel = z.string().transform((text, context): MaxParallel => {
  const parsed = parseMaxParallel(text);
  if (parsed.ok) return parsed.maxParallel;
  context.addIssue({ code: 'custom', message: parsed.message });
  return z.NEVER;
});

const count = z
  .string()
  .regex(/^[0-9]{1,4}$/, 'is no whole number up to 9999')
  .transform(Number);

const address = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^:]*):[0-9]{1,5}$/, 'is no address such as :8081')
  .transform((text) => ({
    host: text.slice(0, text.lastIndexOf(':')).replaceAll(/[[\]]/g, ''),
    port: Number(text.slice(text.lastIndexOf(':') + 1)),
  }));

const image = z.string().min(1, 'names the image, such as registry.example/image-cleaner:1.0.0');

const schema = z.object({
  /** The configuration until the configmap of the cluster is read, and where there is none. */
  config: z.string().optional(),
  kubeconfig: z.string().optional(),
  /** Where it, its configmaps and its worker pods live. */
  namespace: z.string().optional(),
  'worker-image': image,
  'scanner-image': image.optional(),
  'worker-priority-class': z.string().optional(),
  /** For nodes where SELinux denies other types the runtime's socket. */
  'worker-selinux-type': z
    .string()
    .regex(/^[A-Za-z][\w.-]*$/, 'is no SELinux type such as spc_t')
    .optional(),
  'max-parallel': maxParallel.optional(),
  'start-timeout': duration.default(5 * 60_000),
  'run-timeout': duration.default(2 * 3_600_000),
  'lost-node-timeout': duration.default(5 * 60_000),
  'job-history-limit': count.default(10),
  /** Where the coordinator listens. */
  'coordinator-address': address.default({ host: '', port: COORDINATOR.port }),
  /** The IP address under which worker pods reach this process; POD_IP unless given. */
  'coordinator-advertise': z.union([z.ipv4(), z.ipv6()], { error: 'is no IP address' }).optional(),
  /** What was decided and done: a file, or the URL of a PostgreSQL. */
  history: z.string().min(1).default('/var/lib/image-cleaner/history.db'),
  /** For a URL; PGPASSWORD unless given. */
  'history-password-file': z.string().min(1).optional(),
  /** The uid of the namespace kube-system of a cluster that had the history before. */
  'history-from-cluster': z
    .string()
    .regex(/^[\w.-]{1,128}$/, 'is no uid of a namespace')
    .optional(),
  /** Trivy's server, which no one else need reach. */
  'trivy-server': z.url({ protocol: /^https?$/, error: 'is no URL such as http://127.0.0.1:4954' }).default('http://127.0.0.1:4954'),
  'health-address': address.default({ host: '', port: 8081 }),
  'lease-duration': duration.default(15_000),
  /** Unless given, the configuration says it. */
  'log-level': z.enum(LOG_LEVELS).optional(),
});
export type Flags = z.output<typeof schema>;

const OPTIONS = Object.fromEntries(Object.keys(schema.shape).map((name) => [name, { type: 'string' as const }]));

export const USAGE = `controller ${Object.keys(schema.shape)
  .map((name) => (['worker-image'].includes(name) ? `--${name}=…` : `[--${name}=…]`))
  .join(' ')}`;

/** Reads the command line as Go's flags are written, too: with one dash. @throws FlagError */
export function parseFlags(args: readonly string[]): Flags {
  const parsed = schema.safeParse(readArgs(args.map((arg) => arg.replace(/^-(?=[a-z-]{2})(?!-)/, '--'))));
  if (parsed.success) return parsed.data;
  throw badUsage(
    describeProblems(parsed.error)
      .map(({ path, message }) => `--${path}: ${message}`)
      .join('; '),
  );
}

function readArgs(args: readonly string[]): object {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: false, strict: true }).values;
  } catch (error) {
    throw badUsage(errorMessage(error));
  }
}

export function badUsage(message: string): FlagError {
  return new FlagError({ code: 'bad-usage', message, hint: USAGE });
}
