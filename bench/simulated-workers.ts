import * as z from 'zod';

/** What the program `simulate-workers` is told. */
export const simulatedWorkersSchema = z.object({
  /** Of an administrator. */
  kubeconfig: z.string(),
  namespace: z.string(),
  /** Of the coordinator, on this machine. */
  port: z.number(),
  nodes: z.array(z.string()),
  /** For tokens. */
  folder: z.string(),
});
export type SimulatedWorkers = z.output<typeof simulatedWorkersSchema>;

/** The file in their folder with the certificates of the coordinator that they trust. */
export const WORKERS_CA = 'workers-ca.crt';

/** What it prints at SIGUSR2, of all since its start. */
export const workersTallySchema = z.object({
  ended: z.number(),
  /** How often an image was read. */
  reads: z.number(),
  /** How long calls of the coordinator took that do not wait for another node, repetitions and handshakes included, ms. */
  latencies: z.array(z.number()),
  faults: z.array(z.string()),
});
export type WorkersTally = z.output<typeof workersTallySchema>;
