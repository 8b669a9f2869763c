import * as z from 'zod';

/** What the program `serve-coordinator` is told. */
export const servedCoordinatorSchema = z.object({
  /** The file of the history. */
  history: z.string(),
  /** A URL. */
  trivyServer: z.string(),
  job: z.string(),
  namespace: z.string(),
  /** The service account of the workers. */
  account: z.string(),
  /** Each has one worker pod, of the same name. */
  nodes: z.array(z.string()),
  /** What the API server publishes of its tokens. */
  discovery: z.unknown(),
  keys: z.unknown(),
});
export type ServedCoordinator = z.infer<typeof servedCoordinatorSchema>;

/** What it prints once it listens. */
export const coordinatorPlaceSchema = z.object({ port: z.number(), ca: z.string() });

/** What it prints at SIGUSR2, of all since its start. */
export const coordinatorUsageSchema = z.object({ cpuMs: z.number(), peakRssBytes: z.number() });
export type CoordinatorUsage = z.infer<typeof coordinatorUsageSchema>;
